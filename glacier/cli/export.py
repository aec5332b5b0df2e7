"""`glacier export`: the infrastructure of a pipeline as Terraform."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glacier.cli.app import app
from glacier.cli.options import AsJson, Debug, Params, Target, env_of
from glacier.cli.printing import console, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["export"]

CHECK = "Write nothing: what would change, and Terraform's fmt and validate; exit code 1 on a change or a failure."


@app.command()
def export(
    target: Target,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder of the Terraform module.")] = Path(
        "terraform"
    ),
    check: Annotated[bool, typer.Option("--check", help=CHECK)] = False,
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
    from glacier.checking import checked, failures
    from glacier.loading import arguments_of, load_pipeline

    pipeline = load_pipeline(target)
    run: Callable[..., Any] = partial(pipeline.run, "generate")
    options: dict[str, Any] = {"format": format, "force": force, **arguments_of(pipeline, param or ())}
    if env:
        options["environments"] = [env_of(name) for name in env]
    generated = checked(run, output, **options) if check else run(output_dir=output, **options)
    if as_json:
        print_json(generated)
    else:
        from glacier.console import print_permissions

        print(generated)
        print_permissions(console(), generated["permissions"])
    if check and (any(generated["changes"].values()) or failures(generated)):
        raise typer.Exit(1)
