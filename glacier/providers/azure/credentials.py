"""Azure: who we are."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from glacier.providers.remote import Credentials, package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.providers.azure.config import AzureConfig

__all__ = ["AzureCredentials", "connection_string"]

_SCOPE = "https://storage.azure.com/.default"


class AzureCredentials(Credentials):
    """The credentials of an AzureConfig: the first of these that is there.

    1. `account_key`
    2. the key in `connection_string`, else in `AZURE_STORAGE_CONNECTION_STRING`
    3. `AZURE_STORAGE_KEY`
    4. the default credentials: environment, workload and managed identity, `az login` and the other tools' logins
    """

    kind = "azure"
    polars_names: ClassVar[Mapping[str, str]] = {"access_key": "account_key", "token": "bearer_token"}

    def __init__(self, config: AzureConfig) -> None:
        super().__init__()
        self._config = config

    def fetch(self) -> tuple[dict[str, str], datetime | None]:
        """Return the account's key, or an access token."""
        if self._key is not None:
            return {"access_key": self._key}, None
        exceptions = package("azure.core.exceptions", "azure")
        try:
            token = self.identity.get_token(_SCOPE)
        except exceptions.ClientAuthenticationError as error:
            hint = (
                "set account_key= in AzureConfig, AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_KEY, or `az login`"
            )
            raise self.missing(str(error).split("\n", 1)[0][:200], hint) from error
        return {"token": token.token}, datetime.fromtimestamp(token.expires_on, UTC)

    @cached_property
    def _key(self) -> str | None:
        if self._config.account_key is not None:
            return self._config.account_key.get_secret_value()
        return connection_string(self._config).get("AccountKey") or os.environ.get("AZURE_STORAGE_KEY") or None

    @cached_property
    def identity(self) -> Any:
        """The default credentials, as the SDK's clients take them."""
        return package("azure.identity", "azure").DefaultAzureCredential()


def connection_string(config: AzureConfig) -> dict[str, str]:
    """Return the parts of the connection string by name, none when there is no connection string."""
    given = config.connection_string
    text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "") if given is None else given.get_secret_value()
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value for name, equals, value in pairs if equals}
