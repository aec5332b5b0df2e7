"""The prompt of `glacier shell`."""

from __future__ import annotations

from typing import Any

from IPython.terminal.prompts import Prompts
from pygments.token import Token

__all__ = ["GlacierPrompts"]


class GlacierPrompts(Prompts):
    """`glacier> ` before a line, and nothing before a result."""

    def in_prompt_tokens(self) -> list[tuple[Any, str]]:
        """Return the prompt."""
        return [(Token.Prompt, "glacier> ")]

    def out_prompt_tokens(self) -> list[tuple[Any, str]]:
        """Return nothing."""
        return []
