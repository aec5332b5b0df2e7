"""`glacier ls`: the objects in a bucket."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import Address, AsJson, Debug, Options, Provider, Region, bucket_of
from glacier.cli.printing import console, print_json

__all__ = ["ls"]


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
    from glacier.console import print_objects

    bucket = bucket_of(target, provider, region, option)
    objects, more = first_entries(bucket, limit)
    if as_json:
        print_json({"uri": bucket.uri, "objects": [asdict(each) for each in objects], "more": more})
    else:
        print_objects(console(), objects, more=more)
