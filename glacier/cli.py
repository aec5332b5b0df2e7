"""The `glacier` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import glacier
from glacier.errors import GlacierError

__all__ = ["app", "main"]

app = typer.Typer(
    name="glacier",
    help="Cloud-agnostic data pipelines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Target = Annotated[str, typer.Argument(metavar="FILE[:PIPELINE]", help="A Python file, and the pipeline in it.")]
Params = Annotated[
    list[str] | None, typer.Option("-p", "--param", metavar="KEY=VALUE", help="A parameter of the pipeline.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


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


@app.command()
def run(target: Target, param: Params = None, debug: Debug = False) -> None:
    """Run a pipeline here and show its result and what became of each task."""
    from glacier.loading import load_pipeline, parameters

    pipeline = load_pipeline(target)
    result = pipeline.run("local", **parameters(param or ()))
    if result is not None:
        print(result)
    _print_run(pipeline.last_run)


@app.command()
def analyze(
    target: Target,
    param: Params = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Show a pipeline's tasks, resources and conditions without touching data."""
    import json

    from glacier.loading import load_pipeline, parameters

    analysis = load_pipeline(target).run("analyze", **parameters(param or ()))
    print(json.dumps(analysis.plain(), indent=2) if as_json else str(analysis))


@app.command()
def dag(
    target: Target,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write FILE.svg, .png, .dot, .mmd or .txt instead.")
    ] = None,
    param: Params = None,
    debug: Debug = False,
) -> None:
    """Draw a pipeline: as text here, or as a picture in a file."""
    from glacier.loading import load_pipeline, parameters

    graph = load_pipeline(target).run("analyze", **parameters(param or ()))["dag"]
    if output is None:
        print(graph.text())
    else:
        print(graph.save(output))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where the demo keeps its buckets.")] = Path("glacier-demo"),
    debug: Debug = False,
) -> None:
    """Run the demo: a year of flights from New York, from raw tables to a report."""
    from glacier.demo.show import show

    show(folder)


def _print_run(record: Any) -> None:
    from rich.console import Console

    from glacier.console import print_run

    print_run(Console(stderr=True), record)


def _complain(error: Exception) -> None:
    if isinstance(error, GlacierError):
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
    else:
        lines = str(error).splitlines() or [""]
        print(f"error: {type(error).__name__}: {lines[0]}", file=sys.stderr)
        print(f"  at {_place(error)}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print(f"  {note}", file=sys.stderr)


def _place(error: Exception) -> str:
    """Name the innermost line of the traceback that is not in an installed package."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{own[-1].filename}:{own[-1].lineno}"
