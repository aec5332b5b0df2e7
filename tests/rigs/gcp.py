"""The rig of Google Cloud: fake-gcs-server behind our XML front. It asks nobody for credentials."""

import json
from pathlib import Path
from typing import Any

from servers.gcs import FakeGCS

from glacier.config import GcpConfig
from glacier.providers import GCPProvider
from rigs.base import CloudRig


class GcpRig(CloudRig):
    """The provider has the key file of a service account, made here, with which it signs URLs."""

    supports = frozenset({"buckets", "credentials", "web"})
    never = {
        "keys": "fake-gcs-server checks no credentials; Google does",
        "users": "fake-gcs-server knows no users; Google does",
        "signatures": "fake-gcs-server checks no signature and no expiry; Google does",
    }

    address = f"gs://{CloudRig.bucket_name}/"
    secrets = ("PRIVATE KEY",)

    def __init__(self, folder: Path, server: FakeGCS) -> None:
        self.key_file = folder / "service_account.json"
        self.key_file.write_text(json.dumps(_service_account(server.project_id)))
        super().__init__(folder, server)

    def another(self, **fields: Any) -> GCPProvider:
        where = {"credentials_path": str(self.key_file), "endpoint_url": self.server.endpoint}
        return GCPProvider(config=GcpConfig(**{"project_id": "contract-tests", **where, **fields}))

    def unfinished(self) -> list[str]:
        keys = [upload.key for upload in self.server._front.uploads.values()]
        return [key for key in keys if key.startswith(f"{self.prefix}/")]


def _service_account(project: str) -> dict[str, str]:
    """Return a service account with a new key, in the form in which Google hands one out."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": project,
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": f"tests@{project}.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1:1/nobody-is-asked",
    }
