"""What verbs print with: a console as wide as it should be, and plain JSON."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from datetime import date, time
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier.tasks import Pipeline

__all__ = ["console", "print_json", "told"]


def console() -> Any:
    """Return a console as wide as the terminal; what goes into a file or a pipe is as wide as it needs."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 10_000)


def told(pipeline: Pipeline, run: Callable[[bool], Any], progress: bool | None) -> None:
    """Run a pipeline, show its result, and tell on the standard error stream what became of each task.

    A table that was shown while the run went on stands there already when it is over.
    """
    from rich.console import Console

    from glacier.console import print_run
    from glacier.execution.run import Run

    live = sys.stderr.isatty() if progress is None else progress
    try:
        result = run(live)
        if result is not None:
            print(result)
    finally:
        newest = pipeline.last_run
        if isinstance(newest, Run) and not (live and sys.stderr.isatty()):
            print_run(Console(stderr=True), newest)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    print(json.dumps(_plain(value), indent=2))


def _plain(value: Any) -> Any:
    """Return a value as JSON can say it: times in ISO 8601, bytes in hexadecimal, no number as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
