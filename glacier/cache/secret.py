"""The key with which this user signs what may only be read again by this user, and whose folder a folder is."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from glacier.errors import ForeignEntryError

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["is_private", "key", "sign", "using"]

_BYTES = 32
_used: list[Path] = []


def sign(*pieces: str) -> str:
    """Return the signature of some texts with this user's key, which is made when there is none.

    Raises:
        ForeignEntryError: the key's file may be read by others, or cannot be made.
    """
    message = b"".join(len(each).to_bytes(8, "little") + each for each in (piece.encode() for piece in pieces))
    return hmac.new(key(), message, hashlib.sha256).hexdigest()


def is_private(folder: Path) -> bool:
    """Whether a folder is this user's own and nobody else may write into it."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022


@contextmanager
def using(folder: Path) -> Generator[None]:
    """Keep the key in another folder within the block, for every thread of this process."""
    _used.append(folder)
    try:
        yield
    finally:
        _used.pop()


def key() -> bytes:
    """Return this user's key, made when there is none.

    Raises:
        ForeignEntryError: the key's file may be read by others, or cannot be made.
    """
    file = _folder() / "cache.key"
    try:
        return _read(file) or _make(file)
    except OSError as error:
        hint = f"make {file.parent} writable for you"
        raise ForeignEntryError(f"the key of this user cannot be used: {error}", hint=hint) from error


def _folder() -> Path:
    """Return where this user's key is: never in a project, so that a copied project does not bring its own."""
    if _used:
        return _used[-1]
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    return (Path(state) if state else Path.home() / ".local" / "state") / "glacier"


def _read(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            found = os.fstat(opened.fileno())
            content = opened.read()
    except FileNotFoundError:
        return None
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ForeignEntryError(f"{file} may be read by others", hint="delete it; a new one is made")
    return content if len(content) == _BYTES else None


def _make(file: Path) -> bytes:
    """Make the key; of several processes that do so at once, all take the first one's."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(_BYTES))
        if file.exists() and file.stat().st_size != _BYTES:
            file.unlink()
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    made = _read(file)
    if made is None:
        raise OSError(f"{file} was taken away")
    return made
