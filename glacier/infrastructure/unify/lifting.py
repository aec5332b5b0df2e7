"""Values that several environments have for one thing: what fits together, and the variables that hold the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, cast

from glacier.terraform import Block, Call, Ref, Text, identifier, variable
from glacier.terraform.walk import is_code, parts, remade

if TYPE_CHECKING:
    from glacier.infrastructure.unify.switches import Switch
    from glacier.terraform import Value

__all__ = ["Lifted", "fit", "groups", "rows", "same", "settled", "snake"]


@dataclass
class Lifted:
    """The variables that hold what differs, by name, and the values of all variables by environment.

    `declared` says which environments declare each of the others.
    """

    values: dict[str, dict[str, Value]]
    declared: Mapping[str, frozenset[str]]
    variables: dict[str, Block] = field(default_factory=dict[str, Block])

    def variable(self, where: str, given: Mapping[str, Value]) -> Ref:
        """Return a variable that holds each environment's value, and is null for the others."""
        name = next(each for each in _names(where) if each not in self.declared and each not in self.variables)
        missing = {"default": None} if len(given) < len(self.values) else {}
        block = variable(name, _type(list(given.values())), f"Value of {where}.", **missing)
        self.variables[name] = block
        for environment, value in given.items():
            self.values[environment][name] = value
        return block.ref

    def given(self, name: str) -> dict[str, Value]:
        """Return the values of a variable by environment."""
        return {each: values[name] for each, values in self.values.items() if name in values}

    def lend(self, names: Iterable[str]) -> None:
        """Give variables a value in every environment: where one has none, that of another."""
        for name in sorted(names):
            given = self.given(name)
            for values in self.values.values() if given else ():
                values.setdefault(name, given[min(given)])

    def switch(self, found: Sequence[Switch]) -> None:
        """Add switches, each on where its parts are there."""
        for each in found:
            self.variables[each.name] = variable(each.name, "bool", each.description)
            for name, values in self.values.items():
                values[each.name] = name in each.presence


def _names(where: str) -> Iterator[str]:
    """Yield what the variable of a place may be called: by label and argument, else by more and more of the place."""
    kind, label, *path = where.removeprefix("data.").split(".")
    if label != "tf":
        fewest = 2 if kind == "provider" or (path and path[-1].isdigit()) else 1
        yield from (identifier("_".join((label, *path[-words:]))) for words in range(fewest, len(path) + 1))
    whole = identifier(where)
    yield whole
    yield from (f"{whole}_{number}" for number in count(2))


def snake(name: str) -> str:
    """Return an identifier for a name; words in it that begin with a capital are parted."""
    return identifier(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name))


def _type(several: Sequence[Value]) -> str | Call:
    value = next((each for each in several if each is not None), "")
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return Call("map", Ref("string")) if isinstance(value, Mapping) else Call("list", Ref("string"))


def same(several: Sequence[Value]) -> bool:
    """Whether values are the same, and of the same type."""
    return all(value == several[0] and type(value) is type(several[0]) for value in several)


def settled(value: Value) -> Value:
    """Return a value in which a text of nothing but literals is a string."""
    if isinstance(value, Text) and not is_code(value):
        return "".join(cast("tuple[str, ...]", value.parts))
    return remade(value, settled)


def fit(several: Sequence[Value]) -> bool:
    """Whether values are the same code, but for literals in it."""
    first = several[0]
    if same(several) or not any(is_code(value) for value in several):
        return True
    if any(type(value) is not type(first) for value in several) or not isinstance(first, Text | Call | Mapping | list):
        return False
    if any(_frame(value) != _frame(first) for value in several):
        return False
    return all(fit(row) for row in rows(several))


def _frame(value: Value) -> tuple[object, ...]:
    """Return what values have to have in common to be laid over each other part by part."""
    match value:
        case Call(function=function):
            return function, len(value.arguments)
        case Mapping():
            return tuple(cast("Mapping[str, Value]", value))
        case _:
            return (len(_layers(value)),)


def rows(several: Sequence[Value]) -> list[tuple[Value, ...]]:
    """Return the parts of values that fit together, each with its counterparts.

    Where texts do not have literals at the same places, there is one, be it empty, before and after all that is code.
    """
    kinds = [[type(part) for part in parts(value)] for value in several]
    of = parts if all(each == kinds[0] for each in kinds) else _layers
    return list(zip(*map(of, several), strict=True))


def _layers(value: Value) -> list[Value]:
    if not isinstance(value, Text):
        return list(parts(value))
    found: list[Value] = [""]
    for part in value.parts:
        if isinstance(part, str):
            found[-1] = part
        else:
            found += [part, ""]
    return found


def groups(given: Mapping[str, Value]) -> list[dict[str, Value]]:
    """Return environments by what they have, in the order of their names."""
    found: list[dict[str, Value]] = []
    for name in sorted(given):
        group = next((each for each in found if next(iter(each.values())) == given[name]), None)
        if group is None:
            found.append({name: given[name]})
        else:
            group[name] = given[name]
    return found
