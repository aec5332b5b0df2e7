"""Azure: where objects are."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

from glacier.names import OBJECT_KEY
from glacier.providers.azure.config import BUCKET
from glacier.providers.azure.credentials import AzureCredentials, connection_string
from glacier.providers.remote import POLARS_PATIENCE, CloudStorage, patience

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from glacier.providers.azure.config import AzureConfig

__all__ = ["BlobStorage"]


class BlobStorage(CloudStorage):
    """Blob Storage: an object's address is `az://CONTAINER/KEY`.

    The account is the config's, else that of the connection string, else `AZURE_STORAGE_ACCOUNT`, else a name made of
    subscription and resource group. The endpoint is the config's, else that of the connection string, else the
    account's own.
    """

    kind = "azure"
    scheme = "az"
    bucket_rule = BUCKET
    key_rule = OBJECT_KEY

    def __init__(self, config: AzureConfig) -> None:
        super().__init__(AzureCredentials(config))
        said = connection_string(config)
        named = config.storage_account or said.get("AccountName") or os.environ.get("AZURE_STORAGE_ACCOUNT")
        self.account = named or account_name(config)
        own = f"https://{self.account}.blob.core.windows.net"
        self.endpoint = (config.endpoint_url or said.get("BlobEndpoint") or own).rstrip("/")
        self._plain = self.endpoint.startswith("http://")

    def open(self, bucket_name: str) -> ObjectStore:
        """Return a new store of a container."""
        from obstore.store import AzureStore

        return AzureStore(
            bucket_name,
            account_name=self.account,
            endpoint=self.endpoint,
            credential_provider=self.credentials.for_obstore,
            **patience(allow_http=self._plain),
        )

    def options(self) -> dict[str, Any]:
        """Return account, endpoint and retries."""
        where = {"account_name": self.account, "azure_endpoint": self.endpoint}
        return {**where, "azure_allow_http": str(self._plain).lower(), **POLARS_PATIENCE}


def account_name(config: AzureConfig) -> str:
    """Return the name of the storage account of a subscription and resource group: legal, and the same every time.

    3 to 24 lower-case letters and digits, unique in all of Azure
    (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules).
    """
    seed = f"{config.subscription_id}/{config.resource_group}".lower()
    return f"glacier{hashlib.sha256(seed.encode()).hexdigest()[:17]}"
