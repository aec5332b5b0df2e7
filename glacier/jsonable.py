"""Values as JSON can say them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time
from typing import Any, cast

__all__ = ["jsonable"]


def jsonable(value: Any) -> Any:
    """Return a value in JSON's own types: times in ISO 8601, bytes in hexadecimal, no number as null, else its text."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(each) for each in cast("list[Any]", value)]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
