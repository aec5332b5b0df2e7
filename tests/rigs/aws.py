"""The rig of AWS: SeaweedFS, which checks signatures and permissions."""

from pathlib import Path
from typing import Any

from servers.seaweedfs import OWNER, READER, SeaweedFS

from glacier.config import AwsConfig
from glacier.providers import AWSProvider
from rigs.base import CloudRig

PROFILES = {
    "owner": (OWNER.access_key, OWNER.secret_key),
    "reader": (READER.access_key, READER.secret_key),
    "stranger": (OWNER.access_key, "wrongsecret"),
}


class AwsRig(CloudRig):
    """The provider finds its credentials in a profile of a credentials file, as a user's would."""

    supports = frozenset({"buckets", "credentials", "keys", "users", "web", "signatures"})
    never: dict[str, str] = {}
    address = f"s3://{CloudRig.bucket_name}/"
    secrets = (OWNER.secret_key,)

    def __init__(self, folder: Path, server: SeaweedFS) -> None:
        file = folder / "credentials"
        keys = "[{}]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
        file.write_text("".join(keys.format(name, *pair) for name, pair in PROFILES.items()))
        self.environment = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
        super().__init__(folder, server)

    def another(self, **fields: Any) -> AWSProvider:
        given = {"region": self.server.region, "profile": "owner", "endpoint_url": self.server.endpoint, **fields}
        return AWSProvider(config=AwsConfig(**given))

    def stranger(self) -> AWSProvider:
        """Return a provider whose secret is wrong."""
        return self.another(profile="stranger")

    def reader(self) -> AWSProvider:
        """Return a provider of a user who may read and list, and not write."""
        return self.another(profile="reader")

    def unfinished(self) -> list[str]:
        found = self.server.client().list_multipart_uploads(Bucket=self.bucket_name, Prefix=f"{self.prefix}/")
        return [upload["Key"] for upload in found.get("Uploads", [])]
