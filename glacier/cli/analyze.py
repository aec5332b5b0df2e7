"""`glacier analyze`: what a pipeline would do."""

from __future__ import annotations

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, EnvName, Params, Target, pipeline_of

__all__ = ["analyze"]


@app.command()
def analyze(
    target: Target,
    env: EnvName = None,
    param: Params = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show a pipeline's tasks, resources and conditions without touching data."""
    import json

    from glacier.loading import arguments_of

    pipeline = pipeline_of(target, env)
    analysis = pipeline.run("analyze", **arguments_of(pipeline, param or ()))
    print(json.dumps(analysis.plain(), indent=2) if as_json else str(analysis))
