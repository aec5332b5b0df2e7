"""Azure: buckets as containers of Blob Storage, functions on Azure Functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from glacier.providers.azure.config import AzureBlobConfig, AzureConfig, AzureFunctionConfig
from glacier.providers.azure.serverless import AzureFunctions
from glacier.providers.azure.storage import BlobStorage
from glacier.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.infrastructure import Blueprint, Needs
    from glacier.resources import Bucket

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
        self._of_accounts: dict[str, AzureProvider] = {}
        self._home: AzureProvider = self

    @property
    def storage(self) -> BlobStorage:
        """The object storage."""
        return self._storage

    def bucket(self, name: str, path: str, format: str | None = None, config: Any = None) -> Bucket:
        """Make a bucket resource; one whose config names another storage account belongs to a provider of that account.

        Raises:
            ConfigError: name, path, format or config is not allowed here.
        """
        own = self.translated("bucket", config)
        account = None if own is None else own.storage_account
        if account is None or account == self.storage.account:
            return super().bucket(name, path, format, own)
        if account not in self._of_accounts:
            there = self.config.replace(storage_account=account)
            self._of_accounts[account] = AzureProvider(config=there, strict=self.strict)
            self._of_accounts[account]._home = self._home
        return self._of_accounts[account].bucket(name, path, format, own)

    @property
    def home(self) -> AzureProvider:
        """The provider that was asked for a bucket of another storage account, itself where none was."""
        return self._home

    @property
    def functions(self) -> AzureFunctions:
        """The functions."""
        return AzureFunctions()

    def terraform(self, needs: Needs) -> Blueprint:
        """Return what an environment needs of Azure as Terraform."""
        from glacier.providers.azure.terraform import blueprint

        return blueprint(self.config, self.storage.account, needs)
