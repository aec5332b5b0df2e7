"""AWS: who we are."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from glacier.providers.remote import Credentials, package, soon

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from glacier.providers.aws.config import AwsConfig

__all__ = ["AwsCredentials"]


class AwsCredentials(Credentials):
    """The credentials of an AwsConfig: the first of these that is there.

    1. `assume_role_arn`: a session of that role, `session_duration` seconds long, renewed before it ends; the role is
       assumed with what follows
    2. `profile`: that profile of the AWS configuration files
    3. the SDK's own chain: `AWS_ACCESS_KEY_ID` and its companions, `AWS_PROFILE`, the configuration files, web
       identity, containers, instances
    """

    kind = "aws"
    polars_names: ClassVar[Mapping[str, str]] = {
        "access_key_id": "aws_access_key_id",
        "secret_access_key": "aws_secret_access_key",
        "token": "aws_session_token",
    }

    def __init__(self, config: AwsConfig) -> None:
        super().__init__()
        self._config = config

    def fetch(self) -> tuple[dict[str, str], datetime | None]:
        """Return access key, secret key and, for a session, its token."""
        source = self._source
        frozen = source.get_frozen_credentials()
        found = {"access_key_id": frozen.access_key, "secret_access_key": frozen.secret_key}
        if frozen.token is None:
            return found, None
        return {**found, "token": frozen.token}, soon()

    @cached_property
    def _source(self) -> Any:
        exceptions = package("botocore.exceptions", "aws")
        hint = "set profile= in AwsConfig, run `aws configure`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        try:
            found = self._session.get_credentials()
        except exceptions.BotoCoreError as error:
            raise self.missing(str(error), hint) from error
        if found is None:
            raise self.missing("neither a profile, a role nor keys are set", hint)
        return self._assumed(found) if self._config.assume_role_arn else found

    @cached_property
    def _session(self) -> Any:
        boto3, exceptions = package("boto3", "aws"), package("botocore.exceptions", "aws")
        try:
            return boto3.Session(profile_name=self._config.profile, region_name=self._config.region)
        except exceptions.BotoCoreError as error:
            raise self.missing(str(error), "`aws configure list-profiles` shows the profiles") from error

    def client(self, service: str, **settings: Any) -> Any:
        """Return a new client of boto3 that signs with these credentials and renews them by itself.

        Raises:
            AccessError: there are none.
            MissingExtraError: boto3 is not installed.
        """
        return self._signing.client(service, **settings)

    @cached_property
    def _signing(self) -> Any:
        source = self._source
        if not self._config.assume_role_arn:
            return self._session
        core = package("botocore.session", "aws").Session(profile=self._config.profile)
        core.register_component("credential_provider", _Known(source))
        return package("boto3", "aws").Session(botocore_session=core, region_name=self._config.region)

    def _assumed(self, found: Any) -> Any:
        credentials = package("botocore.credentials", "aws")
        fetcher = credentials.AssumeRoleCredentialFetcher(
            client_creator=self._session._session.create_client,
            source_credentials=found,
            role_arn=self._config.assume_role_arn,
            extra_args={"DurationSeconds": self._config.session_duration, "RoleSessionName": "glacier"},
        )
        return credentials.DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)


class _Known:
    """What a session of botocore asks for credentials: it has them already."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        return self._credentials
