"""`glacier ls`: the objects in a bucket, or in the resources of an environment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, EnvName, Options, Provider, Region, bucket_of, env_of
from glacier.cli.printing import console, print_json
from glacier.home import project_root

__all__ = ["ls"]


@app.command()
def ls(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            help="s3://bucket/path, gs://bucket/path, az://container/path, a path on this machine, or bucket/path with "
            "--provider. A path may be a folder or, in quotes, a pattern. With --env: a resource, or a pattern. By "
            "default, in a project: all resources of the environment that a notebook begins with.",
        ),
    ] = None,
    *,
    provider: Provider = None,
    region: Region = None,
    option: Options = None,
    env: EnvName = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Objects to show at most, of each resource.")] = 100,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List the objects in a bucket, in a folder, that match a pattern, or of an environment's resources."""
    if env is not None or (target is None and project_root() is not None):
        _resources(env, target or "*", limit, as_json)
    elif target is None:
        raise typer.BadParameter("name a bucket or path, or an environment: --env NAME")
    else:
        _objects(bucket_of(target, provider, region, option), limit, as_json)


def _resources(env: str | None, pattern: str, limit: int, as_json: bool) -> None:
    from glacier.browsing import browse

    listing = browse(env_of(env), pattern, limit)
    if as_json:
        print_json(listing.plain())
    else:
        print(listing)


def _objects(bucket: Any, limit: int, as_json: bool) -> None:
    from glacier.addresses import first_entries
    from glacier.console import print_objects

    objects, more = first_entries(bucket, limit)
    if as_json:
        print_json({"uri": bucket.uri, "objects": [asdict(each) for each in objects], "more": more})
    else:
        print_objects(console(), objects, more=more)
