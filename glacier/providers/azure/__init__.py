"""Azure: buckets as containers of Blob Storage, functions on Azure Functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from glacier.providers.azure.config import AzureBlobConfig, AzureConfig, AzureFunctionConfig
from glacier.providers.azure.serverless import AzureFunctions
from glacier.providers.azure.storage import BlobStorage
from glacier.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AzureProvider"]


class AzureProvider(Provider):
    """Resources on Azure.

    `AzureProvider(config=AzureConfig(subscription_id=..., resource_group="data", location="eastus"))`
    """

    kind = "azure"
    config_class = AzureConfig
    bucket_class = AzureBlobConfig
    function_class = AzureFunctionConfig
    VARIABLES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
        "resource_group": ("AZURE_RESOURCE_GROUP",),
        "location": ("AZURE_LOCATION",),
        "storage_account": ("AZURE_STORAGE_ACCOUNT",),
    }

    def __init__(self, config: Any = None, *, strict: bool = False, **fields: Any) -> None:
        super().__init__(config, strict=strict, **fields)
        self._storage = BlobStorage(self.config)

    @property
    def storage(self) -> BlobStorage:
        """The object storage."""
        return self._storage

    @property
    def functions(self) -> AzureFunctions:
        """The functions."""
        return AzureFunctions()
