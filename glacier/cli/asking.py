"""Questions on the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glacier.environment import GlacierEnv

__all__ = ["agreed", "ask_unless"]


def ask_unless(yes: bool, env: GlacierEnv) -> None:
    """Have a protected environment ask before a run writes to it, unless the user has said yes already."""
    from glacier.protection import guard

    env.guard = None if yes else guard(agreed)


def agreed(question: str) -> bool:
    """Ask a question of yes or no; where nobody sits at a terminal the answer is no."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
