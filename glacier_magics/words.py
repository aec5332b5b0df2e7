"""The words of a line that is being typed: those that are done, and the one at the cursor, which may be half quoted."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

__all__ = ["Fragment", "words_of"]


@dataclass(frozen=True)
class Fragment:
    """The word at the cursor: as it is written, what it says, the quote that is open in it, and the flag before it.

    `--env=pr` has the flag `--env` and says `pr`.
    """

    raw: str
    said: str
    quote: str = ""
    flag: str = ""

    def written(self, word: str) -> str:
        """Return how a word is written in the place of this one: quoted, where it would not be one word otherwise."""
        before = f"{self.flag}=" if self.flag else ""
        return f"{before}{self.quote}{word}" if self.quote else f"{before}{shlex.quote(word) if word else ''}"


def words_of(text: str) -> tuple[list[str], Fragment]:
    """Split a text at the cursor behind it, as a shell does."""
    start, quote = _open_word(text)
    raw = text[start:]
    return _split(text[:start]), _fragment(raw, quote)


def _open_word(text: str) -> tuple[int, str]:
    """Return where the word at the end of a text begins, and the quote that is open in it."""
    start, quote, escaped = 0, "", False
    for at, each in enumerate(text):
        if escaped:
            escaped = False
        elif each == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if each == quote else quote
        elif each in "'\"":
            quote = each
        elif each.isspace():
            start = at + 1
    return start, quote


def _fragment(raw: str, quote: str) -> Fragment:
    said = "".join(_split(raw + quote))
    flag, equals, value = said.partition("=")
    if raw.startswith("--") and equals:
        return Fragment(raw, value, quote, flag)
    return Fragment(raw, said, quote)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a backslash at its end
        return text.split()
