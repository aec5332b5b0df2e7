"""Azure: where objects are."""

from __future__ import annotations

from glacier.names import OBJECT_KEY
from glacier.providers.azure.config import BUCKET
from glacier.providers.base import RemoteStorage

__all__ = ["BlobStorage"]


class BlobStorage(RemoteStorage):
    """Blob Storage: an object's address is `az://CONTAINER/KEY`."""

    kind = "azure"
    scheme = "az"
    bucket_rule = BUCKET
    key_rule = OBJECT_KEY
