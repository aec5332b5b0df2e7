"""`glacier demo`: a year of flights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import Debug

__all__ = ["demo"]


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where the demo keeps its buckets.")] = Path("glacier-demo"),
    debug: Debug = False,
) -> None:
    """Run the demo: a year of flights from New York, from raw tables to a report."""
    from glacier.demo.show import show

    show(folder)
