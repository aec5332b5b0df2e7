"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from glacier.errors import ConfigError

__all__ = [
    "Address",
    "AsJson",
    "Debug",
    "EnvName",
    "File",
    "Force",
    "From",
    "Only",
    "Options",
    "Params",
    "Progress",
    "Provider",
    "Read",
    "Region",
    "RunId",
    "Target",
    "Until",
    "Yes",
    "bucket_of",
    "defined_in",
    "env_of",
    "part_of",
    "pipeline_of",
]

File = Annotated[str, typer.Argument(metavar="FILE", help="A Python file with tasks and pipelines.")]
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
EnvName = Annotated[
    str | None,
    typer.Option("--env", metavar="NAME", help="An environment of the project (a unique beginning will do)."),
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="TASK", help="This task only; may be repeated.")]
From = Annotated[list[str] | None, typer.Option("--from", metavar="TASK", help="It and all that needs it.")]
Until = Annotated[list[str] | None, typer.Option("--until", metavar="TASK", help="It and all that it needs.")]
Force = Annotated[list[str] | None, typer.Option("--force", metavar="TASK", help="It even when it is cached.")]
Read = Annotated[
    str | None,
    typer.Option(
        "--read", metavar="NAME", help="Read from this environment of the project, to which nothing is written."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Write to a protected environment without being asked.")]
RunId = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="The run's id, or the beginning of it; the newest when left out."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def bucket_of(
    target: str,
    provider: str | None,
    region: str | None,
    options: list[str] | None,
    format: str | None = None,
    *,
    env: str | None = None,
) -> Any:
    """Return the bucket that an address and its options name; or the resource of an environment, when one is named.

    A word that is no path here may be a resource of the environment that the project begins with.
    """
    from glacier import addresses

    is_plain = provider is None and not options
    where = env_of(env) if env is not None else _begun_with(target) if is_plain else None
    if where is not None:
        from glacier.browsing import bucket_in

        return bucket_in(where, target)
    fields = addresses.fields_of(target, provider, options or (), region)
    return addresses.bucket_of(target, provider, format=format, **fields)


def _begun_with(resource: str) -> Any:
    """Return the environment that the project begins with, if it has such a resource and no file is called so."""
    from glacier.home import project_root

    if "/" in resource or Path(resource).exists() or project_root() is None:
        return None
    env = env_of(None)
    return env if resource in env.resources else None


def env_of(name: str | None) -> Any:
    """Return an environment of the project that the working directory lies in, the one it begins with for None.

    Raises:
        ConfigError: there is no project or no such environment.
    """
    from glacier.project import Project

    project = Project.find()
    chosen = name or project.default
    if chosen is None:
        raise ConfigError("every environment of the project is protected", hint="name one: --env NAME")
    return project.env(chosen)


def defined_in(file: str, env: str | None) -> list[Any]:
    """Return the tasks and pipelines that a file defines, each once, bound to an environment when one is named."""
    from glacier.loading import load_file, load_into

    found = load_file(file) if env is None else load_into(env_of(env), file)
    return list({id(each): each for each in found.values()}.values())


def part_of(
    only: list[str] | None, from_: list[str] | None, until: list[str] | None, force: list[str] | None, read: str | None
) -> dict[str, Any]:
    """Return which part of a pipeline is meant, as options of `Pipeline.run`."""
    named = {"only": only, "from_": from_, "until": until, "force": force}
    options: dict[str, Any] = {name: tuple(tasks) for name, tasks in named.items() if tasks}
    return options if read is None else {**options, "read": env_of(read)}


def pipeline_of(target: str, env: str | None) -> Any:
    """Return the pipeline that a file defines, bound to an environment of the project when one is named."""
    from glacier.loading import load_pipeline

    pipeline = load_pipeline(target)
    return pipeline if env is None else env_of(env).bind(pipeline)
