"""Three clouds on this machine for notebooks: an S3, a Google Cloud Storage and an Azure Blob server.

They are those of Glacier's own tests (`make servers` installs them), and end with the notebook's kernel.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from servers.azurite import Azurite
from servers.gcs import FakeGCS
from servers.seaweedfs import SeaweedFS

__all__ = ["start"]


def start(folder: str | Path, *buckets: str) -> None:
    """Start the servers, make the buckets on each, and set the variables that a project's file asks for.

    Credentials go where the clouds' own tools keep them: a profile, a key file, a variable.
    """
    keys = Path(folder).resolve()
    keys.mkdir(parents=True, exist_ok=True)
    aws, gcp, azure = (server.start() for server in (SeaweedFS(), FakeGCS(), Azurite()))
    with ExitStack() as stack:
        for server in (aws, gcp, azure):
            stack.callback(server.stop)
            server.wait()
            for bucket in buckets:
                server.make_bucket(bucket)
        atexit.register(stack.pop_all().close)
    profile = f"[staging]\naws_access_key_id = {aws.access_key}\naws_secret_access_key = {aws.secret_key}\n"
    (keys / "aws-credentials").write_text(profile)
    (keys / "google.json").write_text(json.dumps(_service_account()))
    os.environ |= {
        "AWS_SHARED_CREDENTIALS_FILE": str(keys / "aws-credentials"),
        "S3_ENDPOINT": aws.endpoint,
        "GCS_ENDPOINT": gcp.endpoint,
        "GCS_KEY_FILE": str(keys / "google.json"),
        "AZURE_ENDPOINT": azure.endpoint,
        "AZURE_ACCOUNT_KEY": azure.account_key,
    }


def _service_account() -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "bakery",
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "notebook@bakery.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1:1/nobody-is-asked",
    }
