"""Moto: the control plane of AWS on this machine."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from .process import HOST, Process, fetch, free_ports

ACCOUNT = "123456789012"
_TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


class Moto:
    """A server that keeps buckets, functions, roles and the rest as AWS does, and runs nothing.

    A call of a function returns what `answer` was told, else what the function was sent.
    """

    busy_body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    busy_headers: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.endpoint = f"http://{HOST}:{free_ports(1)[0]}"

    def client(self, service: str, region: str = "us-east-1") -> Any:
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=region, endpoint_url=self.endpoint, **keys)

    def reset(self) -> None:
        """Forget everything."""
        self._tell("reset")

    def answer(self, *results: Any) -> None:
        """Let the next calls of functions return these."""
        self._tell("static/lambda-simple/response", {"results": [json.dumps(each) for each in results]}, expected=201)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Hold what is asked within the block to the policies of who asks, as IAM would."""
        self._tell("reset-auth", 0)
        try:
            yield
        finally:
            self._tell("reset-auth", float("inf"))

    def make_function(self, name: str) -> None:
        """Create a function, with a role of its own, unless it is there."""
        functions = self.client("lambda")
        if any(each["FunctionName"] == name for each in functions.list_functions()["Functions"]):
            return
        role = self.client("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=_TRUST)["Role"]["Arn"]
        code = {"S3Bucket": "code-of-functions", "S3Key": "code.zip"}
        s3 = self.client("s3")
        s3.create_bucket(Bucket=code["S3Bucket"])
        s3.put_object(Bucket=code["S3Bucket"], Key=code["S3Key"], Body=b"Moto does not look into it")
        about = {"Runtime": "python3.12", "Handler": "handlers.clean", "Role": role, "Code": code}
        functions.create_function(FunctionName=name, **about)

    def _tell(self, what: str, told: Any = None, expected: int = 200) -> None:
        body = None if told is None else (json.dumps(told) if isinstance(told, dict) else str(told)).encode()
        status, said = fetch(f"{self.endpoint}/moto-api/{what}", method="POST", body=body, timeout=120)
        assert status == expected, (status, said)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="glacier-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        port = self.endpoint.rpartition(":")[2]
        command = [sys.executable, "-P", str(Path(__file__).with_name("moto_main.py")), port]
        self._process = Process(command, folder / "moto.log")
        self._process.wait_until(lambda: fetch(f"{self.endpoint}/moto-api/data.json")[0] == 200, seconds=120)
        # Without it Moto would look for Docker to run functions in.
        self._tell("config", {"lambda": {"use_docker": False}}, expected=201)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        self._folder.cleanup()
