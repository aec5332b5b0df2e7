"""Google Cloud: buckets on Cloud Storage, functions on Cloud Run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from glacier.providers.base import Provider
from glacier.providers.gcp.config import CloudFunctionConfig, GcpConfig, GCSConfig
from glacier.providers.gcp.serverless import CloudFunctions
from glacier.providers.gcp.storage import GCSStorage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.infrastructure import Blueprint, Needs

__all__ = ["GCPProvider"]


class GCPProvider(Provider):
    """Resources on Google Cloud: `GCPProvider(config=GcpConfig(project_id="my-project"))`."""

    kind = "gcp"
    config_class = GcpConfig
    bucket_class = GCSConfig
    function_class = CloudFunctionConfig
    VARIABLES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "project_id": ("GOOGLE_CLOUD_PROJECT",),
        "region": ("GOOGLE_CLOUD_REGION",),
        "credentials_path": ("GOOGLE_APPLICATION_CREDENTIALS",),
    }

    def __init__(self, config: Any = None, *, strict: bool = False, **fields: Any) -> None:
        super().__init__(config, strict=strict, **fields)
        self._storage = GCSStorage(self.config)

    @property
    def storage(self) -> GCSStorage:
        """The object storage."""
        return self._storage

    @property
    def functions(self) -> CloudFunctions:
        """The functions."""
        return CloudFunctions()

    def terraform(self, needs: Needs) -> Blueprint:
        """Return what an environment needs of Google Cloud as Terraform."""
        from glacier.providers.gcp.terraform import blueprint

        return blueprint(self.config, needs)
