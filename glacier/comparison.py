"""What differs between two environments: effective settings, each with the level of the cascade it came from."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier.settings import Level, Settings, cascade, defaults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from glacier.environment import GlacierEnv
    from glacier.settings import Effective, Row

__all__ = ["Comparison", "Difference", "diff"]

_ABSENT = "-"
_CELL = 'style="text-align:left;padding:2px 8px;border-bottom:1px solid"'


@dataclass(frozen=True)
class Difference:
    """One setting in two environments; a side is None where the setting, or what has it, is not there."""

    section: str
    setting: str
    left: Row | None
    right: Row | None

    @property
    def differs(self) -> bool:
        """Whether the two values are not the same; a default that the other side does not have says nothing."""
        if self.left is None or self.right is None:
            only = self.left or self.right
            return only is not None and only.level != "default"
        return self.left.value != self.right.value

    def cells(self) -> tuple[str, ...]:
        """Return section, setting, and value and origin of either side, as text without secrets."""
        return (self.section, self.setting, *_shown(self.left), *_shown(self.right))


@dataclass(frozen=True)
class Comparison:
    """Two environments side by side; `rows` has what is the same, too."""

    left: str
    right: str
    rows: tuple[Difference, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The rows whose values differ."""
        return tuple(row for row in self.rows if row.differs)

    def plain(self) -> dict[str, Any]:
        """Return the differences in JSON's own types."""
        names = ("section", "setting", "left", "left_from", "right", "right_from")
        rows = [dict(zip(names, row.cells(), strict=True)) for row in self.differences]
        return {"left": self.left, "right": self.right, "same": len(self.rows) - len(rows), "differences": rows}

    @property
    def summary(self) -> str:
        """How much differs, on one line."""
        count = len(self.differences)
        return f"{self.left} and {self.right}: {count} settings differ, {len(self.rows) - count} are the same"

    def _table(self) -> list[tuple[str, ...]]:
        head = ("", "setting", self.left, "from", self.right, "from")
        return [head, *(row.cells() for row in self.differences)]

    def __str__(self) -> str:
        if not self.differences:
            return self.summary
        table = self._table()
        wide = [max(len(row[column]) for row in table) for column in range(6)]
        lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, wide, strict=True)) for row in table]
        return "\n".join([self.summary, *(line.rstrip() for line in lines)])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        head, *body = self._table()
        lines = [_html_line("th", head), *(_html_line("td", row) for row in body)]
        table = f'<table style="border-collapse:collapse;color:inherit;background:none">{"".join(lines)}</table>'
        return f"<div>{html.escape(self.summary)}</div>{table if body else ''}"


def diff(left: GlacierEnv, right: GlacierEnv) -> Comparison:
    """Compare two environments: provider, resources (kind, address, settings) and tasks, by name.

    Each value comes with the level of the cascade that gave it. Nothing is reached over the network.
    """
    sides = _sections(left), _sections(right)
    return Comparison(left.name, right.name, tuple(_rows(*sides)))


def _rows(left: Mapping[str, Effective], right: Mapping[str, Effective]) -> Iterator[Difference]:
    for section in dict.fromkeys([*left, *right]):
        mine = {row.setting: row for row in left[section].rows} if section in left else {}
        theirs = {row.setting: row for row in right[section].rows} if section in right else {}
        for setting in dict.fromkeys([*mine, *theirs]):
            yield Difference(section, setting, mine.get(setting), theirs.get(setting))


def _sections(env: GlacierEnv) -> dict[str, Effective]:
    found = {"environment": _of_environment(env)}
    for name, resource in env.resources.items():
        state = {"kind": type(resource).__name__, **_address(resource)}
        found[f"resource {name}"] = cascade(Level("resource", state)).refine(env.resource_settings(resource))
    return {**found, **{f"task {name}": env.explain(name) for name in env.tasks}}


def _of_environment(env: GlacierEnv) -> Effective:
    own = cascade(Level("environment", {"provider": env.provider.get_provider_type(), "protected": env.protected}))
    config = env.provider.config
    if not isinstance(config, Settings):
        return own
    return own.refine(cascade(defaults(type(config)), Level("provider", config.set_fields())))


def _address(resource: Any) -> dict[str, str]:
    for name in ("uri", "function_name"):
        found = getattr(resource, name, None)
        if isinstance(found, str):
            return {"address": found}
    return {}


def _shown(row: Row | None) -> tuple[str, str]:
    return (_ABSENT, "") if row is None else (row.shown, row.level)


def _html_line(tag: str, cells: tuple[str, ...]) -> str:
    return f"<tr>{''.join(f'<{tag} {_CELL}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"
