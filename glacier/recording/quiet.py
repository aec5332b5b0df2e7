"""What a body prints while it is only followed, once for each way through it, is nobody's output."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["muted"]


@contextmanager
def muted() -> Generator[None]:
    """Let this thread print nothing within the block; others print on."""
    here = sys.stdout = _Muted(sys.stdout)
    try:
        yield
    finally:
        here.muted = None
        # Of blocks side by side, the last one to end takes away what the others had to leave.
        while isinstance(sys.stdout, _Muted) and sys.stdout.muted is None:
            sys.stdout = sys.stdout.stream


class _Muted:
    """A stream to which one thread writes in vain."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.muted: int | None = threading.get_ident()

    def write(self, text: str) -> Any:
        return len(text) if threading.get_ident() == self.muted else self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
