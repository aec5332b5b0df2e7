"""`glacier plan`: what a run would do."""

from __future__ import annotations

from dataclasses import asdict

from glacier.cli.app import app
from glacier.cli.options import (
    AsJson,
    Debug,
    EnvName,
    Force,
    From,
    Only,
    Params,
    Read,
    Target,
    Until,
    part_of,
    pipeline_of,
)
from glacier.cli.printing import print_json

__all__ = ["plan"]


@app.command()
def plan(
    target: Target,
    *,
    param: Params = None,
    only: Only = None,
    from_: From = None,
    until: Until = None,
    force: Force = None,
    read: Read = None,
    env: EnvName = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say which tasks of a pipeline would run and why, and which results are cached; no task runs."""
    from glacier.loading import arguments_of

    options = part_of(only, from_, until, force, read)
    pipeline = pipeline_of(target, env)
    planned = pipeline.plan(**options, **arguments_of(pipeline, param or ()))
    print_json([asdict(each) for each in planned]) if as_json else print(planned)
