"""What verbs print with: a console as wide as it should be, and plain JSON."""

from __future__ import annotations

import os
import sys
from typing import Any

from glacier.jsonable import jsonable

__all__ = ["console", "print_json"]


def console() -> Any:
    """Return a console as wide as the terminal; what goes into a file or a pipe is as wide as it needs."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 10_000)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    print(json.dumps(jsonable(value), indent=2))
