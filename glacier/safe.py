"""Foreign text made harmless: names, docstrings and error messages may hold anything, and be of any length."""

from __future__ import annotations

import html
import re
import unicodedata

__all__ = ["html_text", "printable", "unlinked", "visible"]

# Zero-width joiner and non-joiner: emoji and several scripts are misspelt without them, and they move no other text.
_JOINERS = "\u200c\u200d"


def printable(text: str, keep: str = "") -> str:
    r"""Show control, bidirectional and other invisible characters as escapes; those in `keep` stay, such as "\n"."""
    return text if text.isprintable() else "".join(_shown(each, keep) for each in text)


def visible(text: str, limit: int = 200, *, keep: str = "") -> str:
    r"""Do what `printable` does, and cut the text.

    Args:
        text: anything.
        limit: the longest result, in characters; a longer one ends in "…".
        keep: characters that stay as they are, such as "\n" where lines are wanted.
    """
    shown = printable(text[: limit + 1], keep)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def html_text(text: str, limit: int = 4000) -> str:
    """Make text ready to stand anywhere in an HTML page, in an attribute as well, lines kept; `limit` as in `visible`.

    The limit counts before escaping, which makes a character at most six times longer.
    """
    return html.escape(visible(text, limit, keep="\n\t"), quote=True)


def unlinked(text: str) -> str:
    r"""Break addresses that run code, such as `javascript\x3a`: some viewers make links of what reads like one."""
    return re.sub(r"(?i)\b(javascript|vbscript):", r"\1\\x3a", text)


def _shown(character: str, keep: str) -> str:
    if character.isprintable() or character in keep or character in _JOINERS:
        return character
    # A space of another width is "not printable" to Python, yet ordinary in Japanese and French text.
    if unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()
