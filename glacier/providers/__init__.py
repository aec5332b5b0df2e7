"""The providers: this machine, AWS, Google Cloud and Azure, each loaded when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glacier.providers.aws import AWSProvider
    from glacier.providers.azure import AzureProvider
    from glacier.providers.base import Provider
    from glacier.providers.gcp import GCPProvider
    from glacier.providers.local import LocalProvider

__all__ = ["AWSProvider", "AzureProvider", "GCPProvider", "LocalProvider", "Provider"]

_HOMES = {
    "AWSProvider": "glacier.providers.aws",
    "AzureProvider": "glacier.providers.azure",
    "GCPProvider": "glacier.providers.gcp",
    "LocalProvider": "glacier.providers.local",
    "Provider": "glacier.providers.base",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'glacier.providers' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
