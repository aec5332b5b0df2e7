"""Every configuration class by name, and pydantic's `ValidationError`, each loaded when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

    from glacier.providers.aws.config import (
        AwsConfig,
        LambdaConfig,
        LambdaVpcConfig,
        S3Config,
        S3LifecycleRule,
        S3ReplicationConfig,
    )
    from glacier.providers.azure.config import (
        AzureBlobConfig,
        AzureConfig,
        AzureFunctionConfig,
        AzureLifecycleRule,
    )
    from glacier.providers.gcp.config import CloudFunctionConfig, GcpConfig, GCSConfig, GCSLifecycleRule
    from glacier.providers.local.config import LocalConfig
    from glacier.settings import Settings, TaskConfig

__all__ = [
    "AwsConfig",
    "AzureBlobConfig",
    "AzureConfig",
    "AzureFunctionConfig",
    "AzureLifecycleRule",
    "CloudFunctionConfig",
    "GCSConfig",
    "GCSLifecycleRule",
    "GcpConfig",
    "LambdaConfig",
    "LambdaVpcConfig",
    "LocalConfig",
    "S3Config",
    "S3LifecycleRule",
    "S3ReplicationConfig",
    "Settings",
    "TaskConfig",
    "ValidationError",
]

_HOMES = {
    "AwsConfig": "glacier.providers.aws.config",
    "AzureBlobConfig": "glacier.providers.azure.config",
    "AzureConfig": "glacier.providers.azure.config",
    "AzureFunctionConfig": "glacier.providers.azure.config",
    "AzureLifecycleRule": "glacier.providers.azure.config",
    "CloudFunctionConfig": "glacier.providers.gcp.config",
    "GCSConfig": "glacier.providers.gcp.config",
    "GCSLifecycleRule": "glacier.providers.gcp.config",
    "GcpConfig": "glacier.providers.gcp.config",
    "LambdaConfig": "glacier.providers.aws.config",
    "LambdaVpcConfig": "glacier.providers.aws.config",
    "LocalConfig": "glacier.providers.local.config",
    "S3Config": "glacier.providers.aws.config",
    "S3LifecycleRule": "glacier.providers.aws.config",
    "S3ReplicationConfig": "glacier.providers.aws.config",
    "Settings": "glacier.settings",
    "TaskConfig": "glacier.settings",
    "ValidationError": "pydantic",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'glacier.config' has no attribute {name!r}", name=name)
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
