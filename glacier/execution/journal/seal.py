"""A checksum that only this user can make, so that nothing of another one is ever unpickled."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import uuid
from functools import cache
from pathlib import Path

__all__ = ["key", "opened", "sealed"]

_DIGEST = 32


def sealed(data: bytes) -> bytes:
    """Return bytes with a checksum before them."""
    return hmac.digest(key(), data, hashlib.sha256) + data


def opened(data: bytes) -> bytes | None:
    """Return what `sealed` was given, None where the checksum is not right."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    return body if hmac.compare_digest(digest, hmac.digest(key(), body, hashlib.sha256)) else None


@cache
def key() -> bytes:
    """Return this user's key, made when it is first needed: it lies with the user, not with the project's memory.

    A folder that somebody hands on would otherwise bring the key to its own pickles. A user without a writable home
    has a key for this process alone.
    """
    folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "glacier"
    try:
        return _read(folder / "key") or _made(folder / "key")
    except OSError:
        return secrets.token_bytes(32)


def _read(file: Path) -> bytes | None:
    """Return the key, None where there is none yet or where it is not this user's own."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as opened_file:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise PermissionError(f"{file} belongs to somebody else")
        return opened_file.read()


def _made(file: Path) -> bytes:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"key.{uuid.uuid4().hex}")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as out:
        out.write(secrets.token_bytes(32))
    with contextlib.suppress(FileExistsError):
        os.link(new, file)  # whoever comes first decides
    new.unlink()
    return file.read_bytes()
