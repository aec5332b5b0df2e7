"""`glacier preview`: the first rows of an object."""

from __future__ import annotations

from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import Address, AsJson, Debug, EnvName, Options, Provider, Region, bucket_of
from glacier.cli.printing import console, print_json

__all__ = ["preview"]


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
    env: EnvName = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the first rows of an object, its columns and its size, fetching as little as its format allows."""
    from glacier.console import print_preview

    bucket = bucket_of(target, provider, region, option, format, env=env)
    chosen = None if columns is None else [name.strip() for name in columns.split(",")]
    found = bucket.preview(n, chosen, where)
    if as_json:
        print_json(found.plain())
    else:
        print_preview(console(), found)
