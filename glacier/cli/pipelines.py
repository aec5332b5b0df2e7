"""`glacier pipelines`: the pipelines of a file."""

from __future__ import annotations

from dataclasses import asdict

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, EnvName, File, defined_in
from glacier.cli.printing import console, print_json

__all__ = ["pipelines"]


@app.command()
def pipelines(file: File, *, env: EnvName = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the pipelines that a file defines, with their last runs."""
    from glacier.console import print_pipelines
    from glacier.overview import pipeline_row
    from glacier.tasks import Pipeline

    rows = [pipeline_row(each) for each in defined_in(file, env) if isinstance(each, Pipeline)]
    print_json([asdict(each) for each in rows]) if as_json else print_pipelines(console(), rows)
