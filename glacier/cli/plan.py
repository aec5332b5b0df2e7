"""`glacier plan`: what a run would do."""

from __future__ import annotations

from dataclasses import asdict

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, EnvName, Params, Target, pipeline_of
from glacier.cli.printing import print_json

__all__ = ["plan"]


@app.command()
def plan(
    target: Target, *, param: Params = None, env: EnvName = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """Say which tasks of a pipeline would run and why, and which results are cached; no task runs."""
    from glacier.loading import parameters

    planned = pipeline_of(target, env).plan(**parameters(param or ()))
    print_json([asdict(each) for each in planned]) if as_json else print(planned)
