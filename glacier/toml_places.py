"""Where a key stands in a TOML file: the parser of the standard library does not say."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from typing import Any, cast

__all__ = ["Places"]

_KEY = re.compile(r"""\s*(?:"([^"\n]*)"|'([^'\n]*)'|([\w-]+))\s*(?:=|\.)""")


class Places:
    """Names places in a TOML text, as `glacier.toml:12: env.dev.region`.

    `above` are the tables around the paths that `of` is asked for, such as `("tool", "glacier")`. A key within an
    inline table counts as standing where that table begins.
    """

    def __init__(self, name: str, text: str, above: tuple[str, ...] = ()) -> None:
        self._name, self._text, self._above = name, text, above

    def of(self, path: tuple[str, ...]) -> str:
        """Name a place: file, line and key; without a line what no line of the file says (an override)."""
        line = self._line((*self._above, *path))
        shown = ".".join(each if each.isprintable() else repr(each) for each in path)
        where = self._name if line is None else f"{self._name}:{line}"
        return f"{where}: {shown}" if shown else where

    def _line(self, path: tuple[str, ...]) -> int | None:
        lengths = range(len(path), len(self._above), -1)
        return next((self._lines[path[:size]] for size in lengths if path[:size] in self._lines), None)

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        found: dict[tuple[str, ...], int] = {}
        here: tuple[str, ...] = ()
        for number, line in enumerate(self._text.splitlines(), start=1):
            here = _header(line) or here
            key = None if line.lstrip().startswith(("[", "#")) else _KEY.match(line)
            path = here if key is None else (*here, next(each for each in key.groups() if each is not None))
            for size in range(1, len(path) + 1):
                found.setdefault(path[:size], number)
        return found


def _header(line: str) -> tuple[str, ...] | None:
    """Return the path of a line such as `[env.dev]`, None for any other line."""
    if not line.lstrip().startswith("["):
        return None
    try:
        table: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while isinstance(table, dict) and table:
        key, table = next(iter(cast("dict[str, Any]", table).items()))
        path.append(key)
    return tuple(path)
