"""Moto: the control plane of AWS on this machine."""

import sys
import tempfile
from pathlib import Path
from typing import Any, Self

from .process import HOST, Process, fetch, free_ports

ACCOUNT = "123456789012"


class Moto:
    """A server that keeps buckets, functions, roles and the rest as AWS does, and runs nothing."""

    def __init__(self) -> None:
        self.endpoint = f"http://{HOST}:{free_ports(1)[0]}"

    def client(self, service: str, region: str = "us-east-1") -> Any:
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=region, endpoint_url=self.endpoint, **keys)

    def reset(self) -> None:
        """Forget everything."""
        status, said = fetch(f"{self.endpoint}/moto-api/reset", method="POST", timeout=120)
        assert status == 200, (status, said)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="glacier-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        port = self.endpoint.rpartition(":")[2]
        command = [sys.executable, "-P", str(Path(__file__).with_name("moto_main.py")), port]
        self._process = Process(command, folder / "moto.log")
        self._process.wait_until(lambda: fetch(f"{self.endpoint}/moto-api/data.json")[0] == 200, seconds=120)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        self._folder.cleanup()
