"""AWS: buckets on S3, functions on Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from glacier.providers.aws.config import AwsConfig, LambdaConfig, S3Config
from glacier.providers.aws.credentials import AwsCredentials
from glacier.providers.aws.serverless import LambdaFunctions
from glacier.providers.aws.storage import S3Storage
from glacier.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.infrastructure import Blueprint, Needs

__all__ = ["AWSProvider"]


class AWSProvider(Provider):
    """Resources on AWS: `AWSProvider(config=AwsConfig(region="us-east-1"))`."""

    kind = "aws"
    config_class = AwsConfig
    bucket_class = S3Config
    function_class = LambdaConfig
    VARIABLES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
        "profile": ("AWS_PROFILE",),
        "assume_role_arn": ("AWS_ROLE_ARN",),
        "endpoint_url": ("AWS_ENDPOINT_URL",),
    }

    def __init__(self, config: Any = None, *, strict: bool = False, **fields: Any) -> None:
        super().__init__(config, strict=strict, **fields)
        credentials = AwsCredentials(self.config)
        self._storage = S3Storage(self.config, credentials)
        self._functions = LambdaFunctions(self.config, credentials)

    def terraform(self, needs: Needs) -> Blueprint:
        """Return what an environment needs of AWS as Terraform."""
        from glacier.providers.aws.terraform import blueprint

        return blueprint(self.config, needs)

    @property
    def storage(self) -> S3Storage:
        """The object storage."""
        return self._storage

    @property
    def functions(self) -> LambdaFunctions:
        """The functions."""
        return self._functions
