"""Providers and executors by name: ours from a table, other packages' from entry points."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Literal

from glacier.errors import ConfigError, did_you_mean

__all__ = ["Group", "check", "known", "load"]

Group = Literal["providers", "executors"]

_OURS: dict[Group, dict[str, str]] = {
    "providers": {
        "local": "glacier.providers.local:LocalProvider",
        "aws": "glacier.providers.aws:AWSProvider",
        "gcp": "glacier.providers.gcp:GCPProvider",
        "azure": "glacier.providers.azure:AzureProvider",
    },
    "executors": {
        "local": "glacier.execution.executors.local:submit",
        "lambda": "glacier.execution.executors.serverless:submit",
        "cloud_function": "glacier.execution.executors.serverless:submit",
        "azure_function": "glacier.execution.executors.serverless:submit",
        "serverless": "glacier.execution.executors.serverless:submit",
        "process": "glacier.execution.executors.process:submit",
        "dask": "glacier.execution.executors.dask:submit",
    },
}


def known(group: Group) -> list[str]:
    """Return the names of a group: ours and those of installed packages (entry points `glacier.GROUP`)."""
    return sorted({*_OURS[group], *_theirs(group)})


def check(group: Group, name: str) -> str:
    """Return `name` if the group has it.

    Raises:
        ConfigError: nothing is registered under this name.
    """
    if name not in _OURS[group] and name not in _theirs(group):
        raise ConfigError(f"unknown {group[:-1]} {name!r}", hint=did_you_mean(name, known(group)))
    return name


@cache
def load(group: Group, name: str) -> Any:
    """Import and return what the group holds under `name`.

    Raises:
        ConfigError: nothing is registered under this name.
    """
    check(group, name)
    module, _, attribute = (_OURS[group].get(name) or _theirs(group)[name]).partition(":")
    return getattr(import_module(module), attribute)


def _theirs(group: Group) -> dict[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=f"glacier.{group}")}
