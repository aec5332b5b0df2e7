"""Google Cloud: who we are."""

from __future__ import annotations

import json
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from glacier.providers.remote import Credentials, package
from glacier.redaction import remember

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from os import PathLike

    from glacier.providers.gcp.config import GcpConfig

__all__ = ["GcpCredentials"]

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class GcpCredentials(Credentials):
    """The credentials of a GcpConfig: the first of these that is there.

    1. an endpoint without TLS (an emulator): nobody is asked, and nothing secret is sent
    2. `credentials_path`: that service account's key file
    3. the application default credentials: `GOOGLE_APPLICATION_CREDENTIALS`, `gcloud auth application-default login`,
       the service account of the machine
    """

    kind = "gcp"
    polars_names: ClassVar[Mapping[str, str]] = {"token": "bearer_token"}

    def __init__(self, config: GcpConfig, *, emulated: bool) -> None:
        super().__init__()
        self._config = config
        self._emulated = emulated

    def fetch(self) -> tuple[dict[str, str], datetime | None]:
        """Return an access token."""
        if self._emulated:
            return {"token": "nobody"}, None
        source = self._source
        if not source.valid:
            self._refresh(source)
        return {"token": source.token}, source.expiry.replace(tzinfo=UTC)

    def signer(self) -> Any:
        """Return the service account that signs URLs.

        Raises:
            AccessError: the credentials are no service account's key.
        """
        if self._config.credentials_path is None and self._emulated:
            raise self.missing("signing a URL needs a service account's key", "set credentials_path= in GcpConfig")
        source = self._source
        if not hasattr(source, "signer"):
            raise self.missing(
                "these credentials cannot sign a URL", "set credentials_path= to a service account's key"
            )
        return source

    def _refresh(self, source: Any) -> None:
        requests, exceptions = (package(f"google.auth.{name}", "gcp") for name in ("transport.requests", "exceptions"))
        try:
            source.refresh(requests.Request())
        except exceptions.GoogleAuthError as error:
            raise self.missing(f"the token cannot be renewed: {_line(error)}", "log in again") from error

    @cached_property
    def _source(self) -> Any:
        path, exceptions = self._config.credentials_path, package("google.auth.exceptions", "gcp")
        try:
            if path is not None:
                account = package("google.oauth2.service_account", "gcp").Credentials
                return account.from_service_account_info(_key(path), scopes=[_SCOPE])
            return package("google.auth", "gcp").default(scopes=[_SCOPE])[0]
        except (exceptions.GoogleAuthError, OSError, ValueError) as error:
            hint = "set credentials_path= in GcpConfig, or run `gcloud auth application-default login`"
            raise self.missing(_line(error), hint) from error


def _key(path: str | PathLike[str]) -> dict[str, Any]:
    """Return what a key file holds; nothing tells the key from then on."""
    info: object = json.loads(Path(path).read_text("utf-8"))
    if not isinstance(info, dict):
        raise ValueError(f"{path} is no key file of a service account")
    known = cast("dict[str, Any]", info)
    remember(str(known.get("private_key", "")))
    return known


def _line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]
