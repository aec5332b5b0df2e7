"""What verbs print with: a console as wide as it should be, and plain JSON."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from datetime import date, time
from typing import Any, cast

__all__ = ["console", "print_json"]


def console() -> Any:
    """Return a console as wide as the terminal; what goes into a file or a pipe is as wide as it needs."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 10_000)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    import json

    print(json.dumps(_plain(value), indent=2))


def _plain(value: Any) -> Any:
    """Return a value as JSON can say it: times in ISO 8601, bytes in hexadecimal, no number as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
