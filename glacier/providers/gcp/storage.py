"""Google Cloud: where objects are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from glacier.names import OBJECT_KEY
from glacier.providers.gcp.config import BUCKET
from glacier.providers.gcp.credentials import GcpCredentials
from glacier.providers.remote import POLARS_PATIENCE, CloudStorage, package, patience

if TYPE_CHECKING:
    from datetime import timedelta

    from obstore.store import ObjectStore

    from glacier.providers.gcp.config import GcpConfig

__all__ = ["GCSStorage"]

_GOOGLE = "https://storage.googleapis.com"


class GCSStorage(CloudStorage):
    """Cloud Storage: an object's address is `gs://BUCKET/KEY`.

    The endpoint is the config's, else that of `STORAGE_EMULATOR_HOST`, else Google's own.
    """

    kind = "gcp"
    scheme = "gs"
    bucket_rule = BUCKET
    key_rule = OBJECT_KEY
    credentials: GcpCredentials

    def __init__(self, config: GcpConfig) -> None:
        self.endpoint = config.endpoint_url or _emulator() or _GOOGLE
        self.project = config.project_id
        self._plain = self.endpoint.startswith("http://")
        super().__init__(GcpCredentials(config, emulated=self._plain))

    def open(self, bucket_name: str) -> ObjectStore:
        """Return a new store of a bucket."""
        from obstore.store import GCSStore

        return GCSStore(
            bucket_name,
            base_url=self.endpoint,
            credential_provider=self.credentials.for_obstore,
            **patience(allow_http=self._plain),
        )

    def options(self) -> dict[str, Any]:
        """Return endpoint and retries."""
        return {"google_base_url": self.endpoint, **POLARS_PATIENCE}

    def url(self, bucket_name: str, path: str, expires: timedelta) -> str:
        """Return a URL signed with the service account's key (V4, no request is sent).

        Raises:
            AccessError: the credentials are no service account's key.
        """
        storage, signer = package("google.cloud.storage", "gcp"), self.credentials.signer()
        client = storage.Client(project=self.project, credentials=signer)
        blob = client.bucket(bucket_name).blob(self.key(bucket_name, path))
        return blob.generate_signed_url(
            version="v4", expiration=expires, credentials=signer, api_access_endpoint=self.endpoint
        )


def _emulator() -> str | None:
    host = os.environ.get("STORAGE_EMULATOR_HOST")
    return host if not host or "://" in host else f"http://{host}"
