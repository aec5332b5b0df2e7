"""The command itself: its options, its version, and its errors in one clean line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import glacier
from glacier.errors import GlacierError
from glacier.redaction import quiet, told

__all__ = ["app", "main"]

app = typer.Typer(
    name="glacier",
    help="Cloud-agnostic data pipelines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command; errors are one clean line and exit code 1, wrong usage is exit code 2."""
    debug = "--debug" in sys.argv
    try:
        app(standalone_mode=True)
    except Exception as error:
        if debug:
            raise
        _complain(error)
        raise SystemExit(1) from None


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False) -> None:
    if version:
        print(f"glacier {glacier.__version__}")
        raise typer.Exit


def _complain(error: Exception) -> None:
    quiet(error)
    if isinstance(error, GlacierError):
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
    else:
        print(f"error: {told(error).splitlines()[0]}", file=sys.stderr)
        print(f"  at {_place(error)}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print(f"  {note}", file=sys.stderr)


def _place(error: Exception) -> str:
    """Name the innermost line of the traceback that is not in an installed package."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{own[-1].filename}:{own[-1].lineno}"
