"""What differs between two environments: effective settings, each with its level of the cascade, and infrastructure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier import tables
from glacier.errors import GlacierError
from glacier.safe import printable
from glacier.settings import Level, Row, Settings, cascade, defaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from glacier.environment import GlacierEnv
    from glacier.infrastructure.collect import Recorded
    from glacier.infrastructure.outline import Outline
    from glacier.settings import Effective
    from glacier.tasks import Pipeline

__all__ = ["Comparison", "Difference", "Infrastructure", "diff"]

_ABSENT = "-"
_NAMED = 4
"""Resources or tasks of which one row names all."""


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
class Infrastructure:
    """What two environments would generate: each differing setting by address, with the Glacier resource it is for.

    An address that only one side has is one row, its kind. `sizes` are the counts of resources, `same` how many are
    equal; `notes` say why nothing is known of a side.
    """

    rows: tuple[Difference, ...] = ()
    sizes: tuple[int, int] = (0, 0)
    same: int = 0
    notes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return it in JSON's own types."""
        names = ("address", "setting", "left", "left_for", "right", "right_for")
        rows = [dict(zip(names, row.cells(), strict=True)) for row in self.rows]
        return {
            "resources": {"left": self.sizes[0], "right": self.sizes[1], "same": self.same},
            "differences": [{"kind": row["address"].partition(".")[0], **row} for row in rows],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Comparison:
    """Two environments side by side; `rows` has what is the same, too."""

    left: str
    right: str
    rows: tuple[Difference, ...]
    infrastructure: Infrastructure = Infrastructure()

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The rows whose values differ."""
        return tuple(row for row in self.rows if row.differs)

    def plain(self) -> dict[str, Any]:
        """Return the differences in JSON's own types."""
        names = ("section", "setting", "left", "left_from", "right", "right_from")
        rows = [dict(zip(names, row.cells(), strict=True)) for row in self.differences]
        same = len(self.rows) - len(rows)
        found = {"left": self.left, "right": self.right, "same": same, "differences": rows}
        return {**found, "infrastructure": self.infrastructure.plain()}

    @property
    def summary(self) -> str:
        """How much differs, on one line."""
        count = len(self.differences)
        return f"{self.left} and {self.right}: {count} settings differ, {len(self.rows) - count} are the same"

    @property
    def infrastructure_summary(self) -> str:
        """How much each side would generate, on one line."""
        left, right = self.infrastructure.sizes
        counts = f"{left} resources in {self.left}, {right} in {self.right}"
        return f"infrastructure: {counts}, {self.infrastructure.same} the same"

    def _tables(self) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
        """Return each table with the line above it and its head."""
        settings = _together([row.cells() for row in self.differences])
        generated = [row.cells() for row in self.infrastructure.rows]
        parts = [(self.summary, settings, "from"), (self.infrastructure_summary, generated, "for")]
        return [(title, ("", "setting", self.left, origin, self.right, origin), rows) for title, rows, origin in parts]

    def __str__(self) -> str:
        parts = [part for title, head, rows in self._tables() for part in (title, tables.text(head, rows))]
        return "\n".join(part for part in (*parts, *map(printable, self.infrastructure.notes)) if part)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        parts = [
            part for title, head, rows in self._tables() for part in (tables.line(title, "b"), tables.html(head, rows))
        ]
        return tables.block(*parts, *map(tables.line, self.infrastructure.notes))


def _together(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return rows with those as one that say the same of several resources or tasks."""
    found: dict[tuple[str, ...], list[str]] = {}
    for section, *said in rows:
        kind, _, name = section.partition(" ")
        found.setdefault((kind, *said), []).append(name)
    return [(_named(kind, names), *said) for (kind, *said), names in found.items()]


def _named(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{kind} {names[0]}".rstrip()
    shown, left = names[:_NAMED], len(names) - _NAMED
    return f"{kind}s {', '.join(shown)}" if left <= 0 else f"{kind}s {', '.join(shown)} and {left} more"


def diff(left: GlacierEnv, right: GlacierEnv, *, pipelines: Iterable[Pipeline] = ()) -> Comparison:
    """Compare two environments: provider, resources (kind, address, settings) and tasks, by name; and infrastructure.

    Each value comes with the level of the cascade that gave it. Infrastructure is what `export` would generate for all
    that is registered and all pipelines of either environment, with `pipelines` bound to it; where an environment is on
    this machine that is nothing. Nothing is reached over the network.
    """
    more = tuple(pipelines)
    sides = _sections(left), _sections(right)
    return Comparison(left.name, right.name, tuple(_rows(*sides)), _infrastructure(left, right, more))


def _infrastructure(left: GlacierEnv, right: GlacierEnv, pipelines: Iterable[Pipeline]) -> Infrastructure:
    (mine, said), (theirs, also_said) = _outlines(left, pipelines), _outlines(right, pipelines)
    same = sum(mine[address] == theirs.get(address) for address in mine)
    rows = tuple(row for address in dict.fromkeys([*mine, *theirs]) for row in _of(address, mine, theirs))
    return Infrastructure(rows, (len(mine), len(theirs)), same, tuple(dict.fromkeys((*said, *also_said))))


def _outlines(env: GlacierEnv, pipelines: Iterable[Pipeline]) -> tuple[dict[str, Outline], list[str]]:
    """Return what an environment would generate, and a line for each pipeline, or all, of which that is not known."""
    from glacier.infrastructure.outline import outline

    followed = [_followed(env, each) for each in env.joined_by(pipelines)]
    notes = [each for each in followed if isinstance(each, str)]
    try:
        return outline(env, [each for each in followed if not isinstance(each, str)]), notes
    except GlacierError as error:
        return {}, [*notes, _unknown(f"infrastructure of {env.name}", error)]


def _followed(env: GlacierEnv, pipeline: Pipeline) -> Recorded | str:
    """Return a pipeline's trace; where its body cannot be followed, as without a parameter, a line that says so."""
    from glacier.modes import recorded

    try:
        return recorded(pipeline, env, pipeline.body)
    except Exception as error:  # the body is the user's: whatever it raises, the rest is compared
        return _unknown(f"infrastructure of pipeline {pipeline.name} in {env.name}", error)


def _unknown(what: str, error: Exception) -> str:
    said = str(error) if isinstance(error, GlacierError) else f"{type(error).__name__}: {error}"
    return f"{what} is not known: {' '.join(said.split())}"


def _of(address: str, left: Mapping[str, Outline], right: Mapping[str, Outline]) -> Iterator[Difference]:
    mine, theirs = left.get(address), right.get(address)
    if mine is None or theirs is None:
        yield Difference(address, "kind", *(each and Row("kind", each.kind, each.about) for each in (mine, theirs)))
        return
    for setting in dict.fromkeys([*mine.settings, *theirs.settings]):
        sides = [_setting(each, setting) for each in (mine, theirs)]
        found = Difference(address, setting, *sides)
        if found.differs:
            yield found


def _setting(outline: Outline, setting: str) -> Row | None:
    value = outline.settings.get(setting)
    return None if value is None else Row(setting, value, outline.about)


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
