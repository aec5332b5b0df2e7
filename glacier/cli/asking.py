"""Questions on the terminal."""

from __future__ import annotations

import sys

__all__ = ["agreed"]


def agreed(question: str) -> bool:
    """Ask a question of yes or no; where nobody sits at a terminal the answer is no."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
