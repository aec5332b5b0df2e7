"""`%glacier run?` shows the help of a command, where IPython would look for an object called `run`."""

from __future__ import annotations

import re

__all__ = ["asked_for_help"]

_ASKED = re.compile(r"^(\s*)%{1,2}glacier((?:\s+[\w-]+)?)(?:\s[^'\"?]*)?\?{1,2}\s*$")


def asked_for_help(lines: list[str]) -> list[str]:
    """Turn a question mark at the end of a `%glacier` line into `--help`; other lines stay as they are."""
    return [_ASKED.sub(r"\1%glacier\2 --help\n", line) for line in lines]
