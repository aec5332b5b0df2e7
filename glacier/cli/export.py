"""`glacier export`: the infrastructure of a pipeline as Terraform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, Params, Target, env_of
from glacier.cli.printing import print_json

__all__ = ["export"]


@app.command()
def export(
    target: Target,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder of the Terraform module.")] = Path(
        "terraform"
    ),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if files would change.")] = False,
    format: Annotated[str, typer.Option("--format", help="hcl, or json for Terraform's JSON form.")] = "hcl",
    force: Annotated[bool, typer.Option("--force", help="Replace files that were edited by hand.")] = False,
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME", help="An environment of the project; may be repeated.")
    ] = None,
    param: Params = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write the infrastructure that a pipeline needs as Terraform."""
    from glacier.loading import load_pipeline, parameters

    pipeline = load_pipeline(target)
    shared = {"environments": [env_of(name) for name in env]} if env else {}
    generated = pipeline.run(
        "generate", output_dir=output, format=format, force=force, check=check, **shared, **parameters(param or ())
    )
    if as_json:
        print_json(generated)
    else:
        print(generated)
    if check and any(generated["changes"].values()):
        raise typer.Exit(1)
