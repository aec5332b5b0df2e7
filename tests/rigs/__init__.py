"""Rigs: what a test needs of a provider besides the provider itself.

The tests in `tests/contract` are written once and run on every rig. A rig starts what its provider needs (this
machine: a folder; a cloud: a real server on a free port), and looks at the storage from the outside, without
Glacier. A new cloud adds one module here with a class that has the attributes of `Rig`, and one line to `RIGS`.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

RIGS = {"local": "rigs.local:LocalRig"}


class Rig(Protocol):
    """A provider under test.

    Attributes:
        provider: the provider.
        bucket_name: a bucket that is there and empty.
    """

    provider: Any
    bucket_name: str

    def put(self, path: str, data: bytes) -> None:
        """Place an object."""
        ...

    def get(self, path: str) -> bytes:
        """Return an object's bytes."""
        ...

    def names(self) -> list[str]:
        """Return the paths of everything in the bucket, unfinished writes included, sorted."""
        ...


def start(name: str, folder: Path) -> Rig:
    """Start the rig of that name with an empty bucket."""
    module, _, attribute = RIGS[name].partition(":")
    return getattr(import_module(module), attribute)(folder)
