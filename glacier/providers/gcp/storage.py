"""Google Cloud: where objects are."""

from __future__ import annotations

from glacier.names import OBJECT_KEY
from glacier.providers.base import RemoteStorage
from glacier.providers.gcp.config import BUCKET

__all__ = ["GCSStorage"]


class GCSStorage(RemoteStorage):
    """Cloud Storage: an object's address is `gs://BUCKET/KEY`."""

    kind = "gcp"
    scheme = "gs"
    bucket_rule = BUCKET
    key_rule = OBJECT_KEY
