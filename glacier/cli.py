"""The `glacier` command."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, cast

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
Address = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="s3://bucket/path, gs://bucket/path, az://container/path, a path on this machine, or bucket/path with "
        "--provider. A path may be a folder or, in quotes, a pattern.",
    ),
]
Provider = Annotated[str | None, typer.Option("--provider", help="aws, gcp, azure, local or another.")]
Region = Annotated[str | None, typer.Option("--region", help="The provider's region or location.")]
Options = Annotated[
    list[str] | None,
    typer.Option("-o", "--option", metavar="KEY=VALUE", help="Another field of the provider's config."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    as_json: AsJson = False,
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
def ls(
    target: Address,
    *,
    provider: Provider = None,
    region: Region = None,
    option: Options = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Objects to show at most.")] = 100,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the objects in a bucket, in a folder, or that match a pattern."""
    from glacier.addresses import first_entries

    bucket = _bucket(target, provider, region, option)
    objects, more = first_entries(bucket, limit)
    if as_json:
        _print_json({"uri": bucket.uri, "objects": [asdict(each) for each in objects], "more": more})
    else:
        _print_objects(objects, more)


@app.command()
def preview(
    target: Address,
    *,
    n: Annotated[int, typer.Option("-n", "--rows", min=0, help="Rows to show.")] = 20,
    columns: Annotated[str | None, typer.Option("--columns", metavar="A,B", help="Columns to show.")] = None,
    where: Annotated[str | None, typer.Option("--where", metavar="SQL", help="Rows to show: 'amount > 100'.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="parquet, csv, json, ndjson or ipc.")] = None,
    provider: Provider = None,
    region: Region = None,
    option: Options = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the first rows of an object, its columns and its size, fetching as little as its format allows."""
    bucket = _bucket(target, provider, region, option, format)
    chosen = None if columns is None else [name.strip() for name in columns.split(",")]
    found = bucket.preview(n, chosen, where)
    if as_json:
        facts = {"uri": found.uri, "format": found.format, "size": found.size, "total": found.total}
        schema = {name: str(kind) for name, kind in found.schema.items()}
        _print_json({**facts, "schema": schema, "rows": found.rows.to_dicts()})
    else:
        _print_preview(found)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where the demo keeps its buckets.")] = Path("glacier-demo"),
    debug: Debug = False,
) -> None:
    """Run the demo: a year of flights from New York, from raw tables to a report."""
    from glacier.demo.show import show

    show(folder)


def _bucket(
    target: str, provider: str | None, region: str | None, options: list[str] | None, format: str | None = None
) -> Any:
    from glacier.addresses import bucket_of, fields_of

    return bucket_of(target, provider, format=format, **fields_of(target, provider, options or (), region))


def _print_run(record: Any) -> None:
    from rich.console import Console

    from glacier.console import print_run

    print_run(Console(stderr=True), record)


def _print_objects(objects: Any, more: bool) -> None:
    from glacier.console import print_objects

    print_objects(_console(), objects, more=more)


def _print_preview(found: Any) -> None:
    from glacier.console import print_preview

    print_preview(_console(), found)


def _console() -> Any:
    """Return a console as wide as the terminal; what goes into a file or a pipe is as wide as it needs."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 10_000)


def _print_json(value: Any) -> None:
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
