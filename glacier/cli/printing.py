"""What verbs print with: a console as wide as it should be, and plain JSON."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from glacier.jsonable import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier.tasks import Pipeline

__all__ = ["console", "plain_value", "print_json", "print_value", "told"]


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
    result = run(live)
    if result is not None:
        print(result)
    newest = pipeline.last_run
    if isinstance(newest, Run) and not (live and sys.stderr.isatty()):
        print_run(Console(stderr=True), newest)


def print_value(value: Any, name: str) -> None:
    """Print what a task or pipeline returned: of a frame a preview, of None nothing."""
    from glacier.console import print_preview
    from glacier.frames import look_at
    from glacier.resources import Preview

    found = look_at(value, name)
    if isinstance(found, Preview):
        print_preview(console(), found)
    elif found is not None:
        print(found)


def plain_value(value: Any, name: str) -> Any:
    """Return the same for JSON."""
    from glacier.frames import look_at
    from glacier.resources import Preview

    found = look_at(value, name)
    return found.plain() if isinstance(found, Preview) else found


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    print(json.dumps(jsonable(value), indent=2))
