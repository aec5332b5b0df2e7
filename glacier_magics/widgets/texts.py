"""Foreign text on its way out: without secrets, harmless, and cut."""

from __future__ import annotations

from glacier.redaction import redacted
from glacier.safe import visible

__all__ = ["clean"]


def clean(text: str, limit: int = 200, keep: str = "") -> str:
    """Return a text without secrets, as `visible` shows it."""
    return visible(redacted(text, 4 * limit), limit, keep=keep)
