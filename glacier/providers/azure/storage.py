"""Azure: where objects are."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from glacier.names import OBJECT_KEY
from glacier.providers.azure.config import BUCKET
from glacier.providers.azure.credentials import AzureCredentials, connection_string
from glacier.providers.remote import POLARS_PATIENCE, CloudStorage, package, patience

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
    credentials: AzureCredentials

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

    def url(self, bucket_name: str, path: str, expires: timedelta) -> str:
        """Return a URL with a shared access signature; with an access token, Azure is asked for a key to sign with.

        obstore signs the encoded name, and Azure checks the plain one: its URLs serve plain names only.
        """
        blob, key = package("azure.storage.blob", "azure"), self.key(bucket_name, path)
        until = datetime.now(UTC) + expires
        signature = blob.generate_blob_sas(
            self.account, bucket_name, key, permission="r", expiry=until, **self._signing(blob, until)
        )
        return f"{self.endpoint}/{quote(f'{bucket_name}/{key}')}?{signature}"

    def _signing(self, blob: Any, until: datetime) -> dict[str, Any]:
        found, _ = self.credentials.fetch()
        if "access_key" in found:
            return {"account_key": found["access_key"]}
        # Clocks differ: https://learn.microsoft.com/azure/storage/common/storage-sas-overview
        start, errors = datetime.now(UTC) - timedelta(minutes=15), package("azure.core.exceptions", "azure")
        try:
            with blob.BlobServiceClient(self.endpoint, credential=self.credentials.identity) as service:
                return {"user_delegation_key": service.get_user_delegation_key(start, until)}
        except errors.AzureError as error:
            hint = "set account_key= in AzureConfig, or ask for the role 'Storage Blob Delegator'"
            raise self.credentials.missing(f"no key to sign a URL with: {_line(error)}", hint) from error


def _line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]


def account_name(config: AzureConfig) -> str:
    """Return the name of the storage account of a subscription and resource group: legal, and the same every time.

    3 to 24 lower-case letters and digits, unique in all of Azure
    (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules).
    """
    seed = f"{config.subscription_id}/{config.resource_group}".lower()
    return f"glacier{hashlib.sha256(seed.encode()).hexdigest()[:17]}"
