"""Rigs: what a test needs of a provider besides the provider itself.

The tests in `tests/contract` are written once and run on every rig: a folder of this machine, or a real server on a
free port. A rig also looks at the storage from the outside, without Glacier's own reading and writing. One rig of a
kind lives as long as the tests, with one bucket; each test has a prefix in it, so that no test sees another's objects.

A new cloud adds a module here with a class that has the attributes of `Rig`, a line to `RIGS`, and a marker of its name
to `pyproject.toml`.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from glacier.resources import Bucket, ObjectInfo

RIGS = {
    "local": "rigs.local:LocalRig",
    "aws": "rigs.aws:AwsRig",
    "gcp": "rigs.gcp:GcpRig",
    "azure": "rigs.azure:AzureRig",
}

CAPABILITIES = {
    "buckets": "a bucket is made before it is written to",
    "credentials": "data are read and written with credentials",
    "keys": "wrong credentials are refused",
    "users": "there are users that may read and not write",
    "web": "a signed URL is fetched over HTTP",
    "signatures": "a signed URL is refused when it has expired, or was changed",
}
"""What a store may lack for good: a test asks for it by `having`. Everything else holds on all of them."""


class Rig(Protocol):
    """A provider under test.

    Attributes:
        provider: the provider.
        bucket_name: a bucket that is there.
        prefix: the folder in it that is the running test's own.
        address: what the addresses of the bucket's objects begin with.
        secrets: what must never be shown or stored.
        environment: the variables that the provider, or a copy of it, needs while a test runs.
        supports: the capabilities of the store.
        never: the capabilities that it lacks, and why.
    """

    provider: Any
    bucket_name: str
    prefix: str
    address: str
    secrets: Sequence[str]
    environment: Mapping[str, str]
    supports: ClassVar[frozenset[str]]
    never: ClassVar[Mapping[str, str]]

    def bucket(self, path: str, format: str | None = None, provider: Any = None) -> Bucket:
        """Make a bucket resource at a path of the test's own, of `provider` instead of the rig's where one is given."""
        ...

    def path(self, path: str) -> str:
        """Return a path of the test's own as a path in the bucket."""
        ...

    def listed(self, entries: list[ObjectInfo]) -> list[str]:
        """Return the paths of listed objects, without the test's prefix, in their order."""
        ...

    def another(self, **fields: Any) -> Any:
        """Return a provider whose config differs from that of the rig's in some fields."""
        ...

    def make_bucket(self, name: str) -> str:
        """Create a bucket, unless it is there, and return its name."""
        ...

    def put(self, path: str, data: bytes) -> None:
        """Place an object."""
        ...

    def get(self, path: str) -> bytes:
        """Return an object's bytes."""
        ...

    def names(self) -> list[str]:
        """Return the paths of all the test's objects, sorted; an unfinished write stands among them with a `#`."""
        ...


def rig_class(name: str) -> Any:
    """Return the class of the rig of that name."""
    module, _, attribute = RIGS[name].partition(":")
    return getattr(import_module(module), attribute)


def start(name: str, folder: Path, server: Any = None) -> Any:
    """Make the rig of that name, on a running server of its cloud, with an empty bucket and files in `folder`."""
    return rig_class(name)(folder) if server is None else rig_class(name)(folder, server)


def having(*capabilities: str) -> list[Any]:
    """Return the rigs that have all these capabilities, as parameters that carry the marker of the rig's name."""
    names = [name for name in RIGS if rig_class(name).supports >= set(capabilities)]
    return [pytest.param(name, marks=getattr(pytest.mark, name), id=name) for name in names]
