"""Locks between processes, which the kernel frees when their holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

__all__ = ["held", "try_pin"]

_log = logging.getLogger("glacier.cache")

_LONGEST_NAP = 0.1
_QUIET = 1.0
"""Seconds of waiting after which it is told who holds the lock."""


@contextlib.contextmanager
def held(path: Path, waiting: Callable[[str], None] | None = None) -> Generator[None]:
    """Hold a lock, waiting for it as long as it takes; Ctrl-C ends the wait.

    `waiting` is told once who holds it, as `process 4711 on host`; without it the log is.
    """
    descriptor = _acquired(path, waiting or (lambda who: _log.info("waiting for %s, which computes the same", who)))
    try:
        yield
    finally:
        # Whoever waits for this very file sees that it has lost its name, and begins anew.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def try_pin(path: Path, *, alone: bool) -> int | None:
    """Return a descriptor that keeps a file from being evicted, or with `alone` claims it; None where it is in use.

    Raises:
        OSError: there is no such file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _acquired(path: Path, waiting: Callable[[str], None]) -> int:
    began, nap, told = time.monotonic(), 0.001, False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if _locked(descriptor) and _is_named(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
                return descriptor
            if not told and time.monotonic() - began > _QUIET:
                told = True
                waiting(os.pread(descriptor, 256, 0).decode(errors="replace") or "another process")
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        time.sleep(nap)
        nap = min(2 * nap, _LONGEST_NAP)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_named(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one of that name: its last holder took the name away."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
