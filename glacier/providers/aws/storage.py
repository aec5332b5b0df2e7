"""AWS: where objects are."""

from __future__ import annotations

from glacier.names import OBJECT_KEY
from glacier.providers.aws.config import BUCKET
from glacier.providers.base import RemoteStorage

__all__ = ["S3Storage"]


class S3Storage(RemoteStorage):
    """S3: an object's address is `s3://BUCKET/KEY`."""

    kind = "aws"
    scheme = "s3"
    bucket_rule = BUCKET
    key_rule = OBJECT_KEY
