"""Ready-made environments: a provider with the defaults that its stage asks for.

A template's defaults are a level of the cascade of their own, between the provider and the environment: `explain`
shows them under the template's name, and `defaults=`, a resource's config or a task's settings refine them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from glacier.config import (
    AwsConfig,
    AzureBlobConfig,
    AzureConfig,
    GcpConfig,
    GCSConfig,
    LambdaConfig,
    LocalConfig,
    S3Config,
    TaskConfig,
)
from glacier.environment import Defaults, GlacierEnv
from glacier.providers import AWSProvider, AzureProvider, GCPProvider, LocalProvider

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DevelopmentLocalEnvironment",
    "ProductionAWSEnvironment",
    "ProductionAzureEnvironment",
    "ProductionGCPEnvironment",
    "StagingAWSEnvironment",
    "StagingAzureEnvironment",
    "StagingGCPEnvironment",
]

_PRODUCTION_TASK = TaskConfig(retries=3, retry_delay=5)
_STAGING_TASK = TaskConfig(retries=1)


class _Template(GlacierEnv):
    """An environment with a level of defaults named after its template; `kind` is the name of its provider."""

    kind: ClassVar[str]

    def __init__(
        self,
        provider: Any,
        name: str,
        *,
        own: dict[str, Any],
        defaults: Defaults | Iterable[Defaults] = (),
        **options: Any,
    ) -> None:
        more = (defaults,) if isinstance(defaults, Defaults) else tuple(defaults)
        super().__init__(
            provider, name, defaults=(Defaults(f"template {type(self).__name__}", **own), *more), **options
        )


class DevelopmentLocalEnvironment(_Template):
    """Files below `base_path` and tasks that fail at once: an environment to develop in."""

    kind = "local"

    def __init__(self, base_path: str | Path = "./data", *, name: str = "development", **options: Any) -> None:
        provider = LocalProvider(config=LocalConfig(base_path=Path(base_path)))
        super().__init__(provider, name, own={"task": TaskConfig(retries=0)}, **options)


class ProductionAWSEnvironment(_Template):
    """AWS with versioned and encrypted buckets, no public access, and tasks tried up to four times.

    `enable_monitoring` tags every resource `monitoring=enabled`, which generated infrastructure turns into alarms. With
    `platform` generated infrastructure takes from variables what an organisation has once: the bucket of access logs,
    the KMS key, the functions' network and their code signing configuration.
    """

    kind = "aws"

    def __init__(
        self,
        region: str,
        profile: str | None = None,
        *,
        name: str = "production",
        enable_encryption: bool = True,
        enable_versioning: bool = True,
        enable_monitoring: bool = True,
        platform: bool = True,
        **options: Any,
    ) -> None:
        encryption = "aws:kms" if enable_encryption else None
        bucket = S3Config(
            versioning=enable_versioning, public_access_block=True, encryption=encryption, platform=platform
        )
        function = LambdaConfig(platform=platform)
        own = {
            "bucket": bucket,
            "serverless": function,
            "task": _PRODUCTION_TASK,
            "tags": _tags("production", enable_monitoring),
        }
        super().__init__(_aws(region, profile), name, own=own, **options)


class StagingAWSEnvironment(_Template):
    """AWS with encrypted buckets, and tasks tried twice."""

    kind = "aws"

    def __init__(self, region: str, profile: str | None = None, *, name: str = "staging", **options: Any) -> None:
        own = {"bucket": S3Config(encryption="AES256"), "task": _STAGING_TASK, "tags": _tags("staging", False)}
        super().__init__(_aws(region, profile), name, own=own, **options)


class ProductionGCPEnvironment(_Template):
    """Google Cloud with versioned buckets (encrypted by the cloud itself), and tasks tried up to four times."""

    kind = "gcp"

    def __init__(
        self,
        project_id: str,
        region: str = "us-central1",
        *,
        name: str = "production",
        enable_versioning: bool = True,
        enable_monitoring: bool = True,
        **options: Any,
    ) -> None:
        tags = _tags("production", enable_monitoring)
        own = {"bucket": GCSConfig(versioning=enable_versioning), "task": _PRODUCTION_TASK, "tags": tags}
        super().__init__(GCPProvider(config=GcpConfig(project_id=project_id, region=region)), name, own=own, **options)


class StagingGCPEnvironment(_Template):
    """Google Cloud with tasks tried twice."""

    kind = "gcp"

    def __init__(self, project_id: str, region: str = "us-central1", *, name: str = "staging", **options: Any) -> None:
        own = {"task": _STAGING_TASK, "tags": _tags("staging", False)}
        super().__init__(GCPProvider(config=GcpConfig(project_id=project_id, region=region)), name, own=own, **options)


class ProductionAzureEnvironment(_Template):
    """Azure with versioned blobs in several zones and a second region, and tasks tried up to four times."""

    kind = "azure"

    def __init__(
        self,
        subscription_id: str,
        resource_group: str,
        location: str = "eastus",
        *,
        name: str = "production",
        enable_versioning: bool = True,
        enable_monitoring: bool = True,
        **options: Any,
    ) -> None:
        bucket = AzureBlobConfig(versioning=enable_versioning, replication_type="GZRS")
        own = {"bucket": bucket, "task": _PRODUCTION_TASK, "tags": _tags("production", enable_monitoring)}
        super().__init__(_azure(subscription_id, resource_group, location), name, own=own, **options)


class StagingAzureEnvironment(_Template):
    """Azure with tasks tried twice."""

    kind = "azure"

    def __init__(
        self,
        subscription_id: str,
        resource_group: str,
        location: str = "eastus",
        *,
        name: str = "staging",
        **options: Any,
    ) -> None:
        own = {"task": _STAGING_TASK, "tags": _tags("staging", False)}
        super().__init__(_azure(subscription_id, resource_group, location), name, own=own, **options)


def _aws(region: str, profile: str | None) -> AWSProvider:
    return AWSProvider(config=AwsConfig(region=region, profile=profile))


def _azure(subscription_id: str, resource_group: str, location: str) -> AzureProvider:
    config = AzureConfig(subscription_id=subscription_id, resource_group=resource_group, location=location)
    return AzureProvider(config=config)


def _tags(stage: str, monitored: bool) -> dict[str, str]:
    tags = {"environment": stage, "managed_by": "glacier"}
    return {**tags, "monitoring": "enabled"} if monitored else tags
