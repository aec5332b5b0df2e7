"""A checksum that only this user can make, so that nothing of another one is ever unpickled."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path

__all__ = ["opened", "sealed"]

_DIGEST = 32


def sealed(data: bytes) -> bytes:
    """Return bytes with a checksum before them."""
    return hmac.digest(_key(), data, hashlib.sha256) + data


def opened(data: bytes) -> bytes | None:
    """Return what `sealed` was given, None where the checksum is not right."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    return body if hmac.compare_digest(digest, hmac.digest(_key(), body, hashlib.sha256)) else None


@cache
def _key() -> bytes:
    """Return this user's key, made when it is first needed: it lies with the user, not with the project's memory.

    A folder that somebody hands on would otherwise bring the key to its own pickles.
    """
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "glacier"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = data / f"key.{os.getpid()}"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    with contextlib.suppress(FileExistsError):
        os.link(new, data / "key")  # whoever comes first decides
    new.unlink()
    return (data / "key").read_bytes()
