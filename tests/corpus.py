"""The corpus of hostile and boundary inputs: one verdict for each, with the source of the rule.

A case has an `id`, a `family`, a `slot` (where the value goes), an `input`, `expected` (accept or reject), `why`, a
`source` and its `authority`; optionally `must` (what holds besides) and `setup`.
"""

import datetime
import functools
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "corpus"


class EvilRepr:
    """An object whose representations attack whoever shows it."""

    def __repr__(self) -> str:
        return "<script>alert(1)</script>"

    def _repr_html_(self) -> str:
        raise RuntimeError("evil repr")


@functools.cache
def load(*files: str) -> tuple[dict[str, Any], ...]:
    """Return the cases of some files (`"config"`, `"names"` ...), of all when none is named."""
    paths = [FOLDER / f"{name}.json" for name in files] or sorted(FOLDER.glob("*.json"))
    return tuple(case for path in paths for case in json.loads(path.read_text(encoding="utf-8")))


def value(case: dict[str, Any], **names: Any) -> Any:
    """Return the input of a case, its short forms written out; `names` are what its expressions may use."""
    given = case["input"]
    if isinstance(given, dict) and set(given) == {"py"}:
        import polars as pl

        return eval(given["py"], {"pl": pl, "datetime": datetime, "EvilRepr": EvilRepr, **names})
    return _written_out(given)


def _written_out(given: Any) -> Any:
    if isinstance(given, list):
        return [_written_out(entry) for entry in given]
    if not isinstance(given, dict):
        return given
    match given:
        case {"repeat": [text, count], **rest} if not rest:
            return text * count
        case {"concat": parts, **rest} if not rest:
            return "".join(_written_out(part) for part in parts)
        case {"genmap": [count, key, entry], **rest} if not rest:
            return {key % number: _written_out(entry) for number in range(count)}
        case {"genlist": [count, entry], **rest} if not rest:
            return [_written_out(entry) for _ in range(count)]
    return {key: _written_out(entry) for key, entry in given.items()}
