"""When a pipeline runs by itself: `rate(1 hour)` or `cron(0 6 * * 1-5)`, in UTC, and the same on every cloud."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from glacier.errors import ConfigError

__all__ = ["Cron", "Rate", "Unit", "schedule"]

Unit = Literal["minute", "hour", "day"]

_RATE = re.compile(r"rate\(\s*([0-9]+)\s+(minute|hour|day)s?\s*\)")
_CRON = re.compile(r"cron\(\s*(.+?)\s*\)")
_MOST: dict[Unit, int] = {"minute": 59, "hour": 23, "day": 31}
"""Longer periods have no form in cron, which Google Cloud and Azure schedule by."""
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 6))


@dataclass(frozen=True)
class Rate:
    """Every so many minutes (1-59), hours (1-23) or days (1-31)."""

    every: int
    unit: Unit

    def __str__(self) -> str:
        return f"rate({self.every} {self.unit}{'s' if self.every > 1 else ''})"


@dataclass(frozen=True)
class Cron:
    """The five fields of crontab(5), in numbers: `*`, `5`, `1-5`, `*/15`, `1-31/2`, and lists of them; Sunday is 0."""

    minute: str
    hour: str
    day: str
    month: str
    weekday: str

    def __str__(self) -> str:
        return f"cron({self.minute} {self.hour} {self.day} {self.month} {self.weekday})"


def schedule(text: str) -> Rate | Cron:
    """Read a schedule: `rate(15 minutes)` or `cron(MINUTE HOUR DAY MONTH WEEKDAY)`.

    Day and weekday cannot both be restricted: crontab(5) means either of them, and no cloud's scheduler does.

    Raises:
        ConfigError: it is no schedule, or out of bounds.
    """
    if found := _RATE.fullmatch(text):
        return _rate(text, int(found[1]), cast("Unit", found[2]))
    if found := _CRON.fullmatch(text):
        return _cron(text, found[1].split())
    raise _wrong(text, "is none")


def _rate(text: str, every: int, unit: Unit) -> Rate:
    if not 1 <= every <= _MOST[unit]:
        raise _wrong(text, f"must be of 1 to {_MOST[unit]} {unit}s")
    return Rate(every, unit)


def _cron(text: str, fields: list[str]) -> Cron:
    if len(fields) != len(_FIELDS):
        raise _wrong(text, f"must have five fields, not {len(fields)}")
    for value, (name, low, high) in zip(fields, _FIELDS, strict=True):
        if not all(_good(part, low, high) for part in value.split(",")):
            raise _wrong(text, f"has no {name} {value!r}: use {low}-{high}, '*', ranges, steps and lists")
    if fields[2] != "*" and fields[4] != "*":
        raise _wrong(text, "must restrict the day of the month or the day of the week, not both")
    return Cron(*fields)


def _good(part: str, low: int, high: int) -> bool:
    found = re.fullmatch(r"(?:\*|([0-9]{1,2})(?:-([0-9]{1,2}))?)(?:/([0-9]{1,2}))?", part)
    if not found or (found[1] and found[3] and not found[2]):
        return False
    first = int(found[1] or low)
    last = int(found[2] or (first if found[1] else high))
    return low <= first <= last <= high and int(found[3] or 1) >= 1


def _wrong(text: str, said: str) -> ConfigError:
    return ConfigError(
        f"a schedule {text!r} {said}", hint="such as 'rate(1 hour)', or 'cron(0 6 * * 1-5)': 6:00 UTC on workdays"
    )
