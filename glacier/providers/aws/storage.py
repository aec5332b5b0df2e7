"""AWS: where objects are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from glacier.names import OBJECT_KEY
from glacier.providers.aws.config import BUCKET
from glacier.providers.remote import POLARS_PATIENCE, CloudStorage, patience

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from glacier.providers.aws.config import AwsConfig
    from glacier.providers.aws.credentials import AwsCredentials

__all__ = ["S3Storage"]


class S3Storage(CloudStorage):
    """S3: an object's address is `s3://BUCKET/KEY`.

    The endpoint is the config's, else that of `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, else that of the region.
    """

    kind = "aws"
    scheme = "s3"
    bucket_rule = BUCKET
    key_rule = OBJECT_KEY

    def __init__(self, config: AwsConfig, credentials: AwsCredentials) -> None:
        super().__init__(credentials)
        self.region = config.region
        variables = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self.endpoint = config.endpoint_url or variables

    def open(self, bucket_name: str) -> ObjectStore:
        """Return a new store of a bucket."""
        from obstore.store import S3Store

        where: Any = {} if self.endpoint is None else {"endpoint": self.endpoint}
        return S3Store(
            bucket_name,
            region=self.region,
            # As Polars and the AWS SDKs do: TLS guards the bytes, and hashing them first would cost a tenth of a write.
            unsigned_payload=True,
            credential_provider=self.credentials.for_obstore,
            **patience(allow_http=_is_plain(self.endpoint)),
            **where,
        )

    def options(self) -> dict[str, Any]:
        """Return region, endpoint and retries."""
        where = {"aws_region": self.region, **POLARS_PATIENCE}
        if self.endpoint is None:
            return where
        return {**where, "aws_endpoint_url": self.endpoint, "aws_allow_http": str(_is_plain(self.endpoint)).lower()}


def _is_plain(endpoint: str | None) -> bool:
    return endpoint is not None and endpoint.startswith("http://")
