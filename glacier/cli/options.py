"""Arguments and options that several verbs share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["Address", "AsJson", "Debug", "Options", "Params", "Progress", "Provider", "Region", "Target", "bucket_of"]

Target = Annotated[str, typer.Argument(metavar="FILE[:PIPELINE]", help="A Python file, and the pipeline in it.")]
Params = Annotated[
    list[str] | None, typer.Option("-p", "--param", metavar="KEY=VALUE", help="A parameter of the pipeline.")
]
Progress = Annotated[
    bool | None,
    typer.Option("--progress/--no-progress", help="Tell of the run while it goes on: by default on a terminal."),
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


def bucket_of(
    target: str, provider: str | None, region: str | None, options: list[str] | None, format: str | None = None
) -> Any:
    """Return the bucket that an address and its options name."""
    from glacier import addresses

    fields = addresses.fields_of(target, provider, options or (), region)
    return addresses.bucket_of(target, provider, format=format, **fields)
