"""Whether the process that wrote a run still lives: a lock that the kernel frees when it dies."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["claim", "lives"]

_claims: dict[tuple[Path, int], tuple[str, int]] = {}
"""By folder and process: the name of its lock file and the descriptor that holds the lock. Never closed."""


def claim(home: Path) -> str:
    """Return the name under which this process shows in a folder that it lives.

    The descriptor is not inherited by programs that the process starts, so the lock ends with the process.
    """
    import fcntl

    here = (home, os.getpid())
    if here not in _claims:
        (home / "live").mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        descriptor = os.open(home / "live" / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _claims[here] = name, descriptor
    return _claims[here][0]


def lives(home: Path, name: str) -> bool:
    """Whether the process that claimed `name` still lives; the file of a dead one is removed."""
    import fcntl

    file = home / "live" / name
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        file.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)
