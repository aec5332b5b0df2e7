"""A checksum that only this user can make, so that nothing of another one is ever unpickled."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import cache

from glacier.cache import secret
from glacier.errors import ForeignEntryError

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
    """Return this user's key, which lies outside of any project; without one that can be used, one of this process."""
    try:
        return secret.key()
    except ForeignEntryError:
        return secrets.token_bytes(32)
