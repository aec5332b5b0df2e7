"""One block at the top of a file, as several environments have it, laid over each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from glacier.infrastructure.unify.alignment import columns, in_one_order, own_id
from glacier.infrastructure.unify.lifting import fit, groups, rows, same, settled, snake
from glacier.infrastructure.unify.several import differs, key_of
from glacier.infrastructure.unify.switches import feature
from glacier.terraform import Block, Call, Choice, Ref, Text
from glacier.terraform.walk import is_code, made_over

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from glacier.infrastructure.unify.alignment import Column
    from glacier.infrastructure.unify.several import Several
    from glacier.terraform import Value

__all__ = ["laid"]

LITERAL = {("output", "description"), ("variable", "description")}
"""Arguments in which Terraform takes no reference."""

STATIC = frozenset({"lifecycle", "connection", "provisioner"})
"""Nested blocks that Terraform cannot make conditional."""


def laid(several: Several, file: str, columns: Sequence[Column]) -> list[Block]:
    """Return the blocks of a file for all environments.

    Raises:
        InfrastructureError: what differs is nothing that Terraform can make conditional.
    """
    places = _numbered([next(iter(column.values())).kind for column in columns])
    return [_Laid(several, file, f"{file}.{at}", each).block() for at, each in zip(places, columns, strict=True)]


def _numbered(kinds: Sequence[str]) -> list[str]:
    """Return kinds of blocks, each with a number where there are several of it."""
    numbers = (kinds[: place + 1].count(kind) for place, kind in enumerate(kinds))
    return [f"{kind}_{number}" if kinds.count(kind) > 1 else kind for kind, number in zip(kinds, numbers, strict=True)]


class _Laid:
    """One block of a file, as each environment that has it has it; `where` is the place of one without labels."""

    def __init__(self, module: Several, file: str, where: str, column: Column) -> None:
        self.module = module
        self.file = file
        self.column = column
        self.first = next(iter(column.values()))
        self.key = key_of(self.first)
        self.here = self.first.address if self.first.labels else where
        if self.first.kind == "provider" and self.key[-1]:
            self.here = ".".join(self.key)
        self.is_full = len(column) == len(module.names)

    def block(self) -> Block:
        """Return the block for all environments."""
        if self.is_full and all(block == self.first for block in self.column.values()):
            return self.first
        make = {
            "variable": self._variable,
            "output": self._output,
            "locals": self._locals,
            "terraform": self._requirements,
        }
        return make.get(self.first.kind, self._counted)()

    # --- kinds of blocks ------------------------------------------------------------------------------------------

    def _counted(self) -> Block:
        """Return a resource or data source: one that only some have gets a count."""
        made = self._merged(self.here, self.column)
        if self.is_full:
            return made
        condition = self.module.part(self.here, self.column, self.key, file=self.file)
        return replace(made, arguments={"count": Choice(condition, 1, 0), **made.arguments})

    def _variable(self) -> Block:
        """Return a variable; one that only some declare is null in the others."""
        told = _told([block.arguments.get("description") for block in self.column.values()])
        plain = [replace(b, arguments={**b.arguments, "description": told}) for b in self.column.values()]
        if any(block != plain[0] for block in plain):
            raise differs(self.module.names, f"{self.here} is not the same in {' and '.join(self.column)}")
        given = dict(plain[0].arguments)
        if not self.is_full and "default" not in given:
            given = {"type": given.pop("type"), "description": given.pop("description"), "default": None, **given}
        return replace(plain[0], arguments=given)

    def _output(self) -> Block:
        """Return an output, which is null where it is not there."""
        where, given = f"{self.here}.value", {name: block.arguments["value"] for name, block in self.column.items()}
        value = self._argument(where, given) if self.is_full else self._or_null(where, given)
        alike = {name: replace(b, arguments={**b.arguments, "value": value}) for name, b in self.column.items()}
        return self._merged(self.here, alike)

    def _or_null(self, where: str, given: Mapping[str, Value]) -> Value:
        alike = [made_over(value, self.module.twins.local) for value in given.values()]
        value = next(iter(given.values())) if same(list(given.values())) else alike[0]
        if isinstance(value, Ref) and same(alike):
            if self.module.is_null_somewhere(value):
                return Call("try", value, None)
            if not self.module.is_everywhere(value):
                return value
        return self._argument(where, {name: given.get(name) for name in self.module.names})

    def _locals(self) -> Block:
        """Return locals: those that only some have are there for all, and null where what they refer to is not."""
        given = _by_argument(self.column)
        arguments = {name: self._local(f"{self.here}.{name}", name, values) for name, values in given.items()}
        return replace(self.first, arguments=arguments)

    def _local(self, where: str, name: str, given: Mapping[str, Value]) -> Value:
        value = self._argument(where, given)
        if len(given) == len(self.module.names) or self.module.is_everywhere(value):
            return value
        return Choice(self._part(where, given, name), value, None)

    def _requirements(self) -> Block:
        """Return the block of requirements, with the providers of all."""
        kept = {name: [b.labels for b in block.blocks if b.kind == "backend"] for name, block in self.column.items()}
        if any(kinds != next(iter(kept.values())) for kinds in kept.values()):
            said = " and ".join(f"{kinds[0][0]} in {name}" for name, kinds in kept.items() if kinds)
            raise differs(self.module.names, f"Terraform's state is kept in {said}")
        required = {name: b for name in sorted(self.column) for b in self.column[name].blocks if b.kind == _REQUIRED}
        wanted = {name: _required(list(given.values())) for name, given in sorted(_by_argument(required).items())}
        both = Block(_REQUIRED, (), wanted)
        return replace(self.first, blocks=(*(b for b in self.first.blocks if b.kind != _REQUIRED), both))

    def _part(self, where: str, having: Mapping[str, Any], *names: str) -> Ref:
        return self.module.part(where, having, self.key, names=names)

    # --- bodies ---------------------------------------------------------------------------------------------------

    def _merged(self, where: str, column: Column) -> Block:
        """Return one block for all environments that have it."""
        first = next(iter(column.values()))
        if all(block == first for block in column.values()):
            return first
        return replace(
            first,
            arguments={
                name: self._of_name(first.kind, name, f"{where}.{name}", {each: given.get(each) for each in column})
                for name, given in _by_argument(column).items()
            },
            blocks=tuple(self._nested(where, column)),
            skips=tuple(dict.fromkeys(skip for block in column.values() for skip in block.skips)),
        )

    def _of_name(self, kind: str, name: str, where: str, given: Mapping[str, Value]) -> Value:
        """Return the value of an argument, whose name may forbid that it is made of a variable."""
        if (kind, name) in LITERAL:
            return _told(list(given.values()))
        if name == "depends_on":
            return in_one_order(cast("Sequence[Ref]", given[each] or ()) for each in sorted(given))
        return self._argument(where, given)

    def _nested(self, where: str, column: Column) -> list[Block]:
        found = columns({name: block.blocks for name, block in column.items()})
        places = _numbered([next(iter(each.values())).kind for each in found])
        return [self._inner(where, place, each, len(column)) for place, each in zip(places, found, strict=True)]

    def _inner(self, where: str, place: str, column: Column, among: int) -> Block:
        """Return a nested block; one that only some have is dynamic."""
        first = next(iter(column.values()))
        kind = first.labels[0] if first.kind == "dynamic" else first.kind
        own, here = own_id(first), f"{where}.{place}"
        if kind in STATIC and (len(column) < among or any(block != first for block in column.values())):
            said = (
                f"only in {' and '.join(column)}" if len(column) < among else f"not the same in {' and '.join(column)}"
            )
            raise differs(self.module.names, f"{here} is {said}, and Terraform takes no condition there")
        made = self._merged(here, column)
        if len(column) == among:
            return made
        called = f"{where}.{kind} {own}" if own else here
        condition = self._part(called, column, *self._names(kind, own))
        if first.kind == "dynamic":
            each = Choice(condition, made.arguments["for_each"], [])
            return replace(made, arguments={**made.arguments, "for_each": each})
        return Block("dynamic", (kind,), {"for_each": Choice(condition, [1], [])}, (replace(made, kind="content"),))

    def _names(self, *of: str | None) -> tuple[str, ...]:
        """Return what a switch of something in this block may be called, the most general name last."""
        label = self.first.labels[-1] if self.first.labels else self.key[-1]
        more = feature(self.key, self.module.addresses) if self.key in self.module.addresses else ""
        stem = f"{label}_{more}" if more else label
        return tuple(f"{stem}_{snake(name)}" for name in reversed(of) if name)

    # --- arguments ------------------------------------------------------------------------------------------------

    def _argument(self, where: str, given: Mapping[str, Value]) -> Value:
        """Return the value that all share, or one of what each environment has."""
        if same(list(given.values())):
            return next(iter(given.values()))
        plain = {name: settled(value) for name, value in given.items()}
        alike = {name: made_over(value, self.module.twins.local) for name, value in plain.items()}
        if fit(list(alike.values())):
            return self._lifted(where, alike)
        if all(isinstance(value, Mapping) for value in plain.values()):
            return self._object(where, cast("Mapping[str, Mapping[str, Value]]", plain))
        return self._alone(plain) or self._chosen(where, plain)

    def _lifted(self, where: str, given: Mapping[str, Value]) -> Value:
        """Return a value that is the same code for all, with variables where literals differ."""
        several = list(given.values())
        if same(several):
            return several[0]
        if not any(is_code(value) for value in several):
            return self.module.lifted.variable(where, given)
        found = [dict(zip(given, row, strict=True)) for row in rows(several)]
        match several[0]:
            case Mapping() as entries:
                keys = list(cast("Mapping[str, Value]", entries))
                return {key: self._lifted(f"{where}.{key}", row) for key, row in zip(keys, found, strict=True)}
            case Call(function=function) if len(found) == 1:
                return Call(function, self._lifted(where, found[0]))
            case _:
                made = [self._lifted(f"{where}.{place}", row) for place, row in enumerate(found, start=1)]
                return _of_parts(several[0], made)

    def _object(self, where: str, given: Mapping[str, Mapping[str, Value]]) -> Value:
        """Return an object of what all have, merged with what only some have."""
        keys = in_one_order(given[name] for name in sorted(given))
        found = {key: {name: value[key] for name, value in given.items() if key in value} for key in keys}
        shared = {key: self._argument(f"{where}.{key}", v) for key, v in found.items() if len(v) == len(given)}
        some = {key: values for key, values in found.items() if len(values) < len(given)}
        plain = {key: values for key, values in some.items() if not any(map(is_code, values.values()))}
        more: list[Value] = []
        if plain:
            rest = {name: {key: values[name] for key, values in plain.items() if name in values} for name in given}
            more.append(self.module.lifted.variable(where, rest))
        more += [self._entry(where, key, values) for key, values in some.items() if key not in plain]
        return Call("merge", *([shared] if shared else ()), *more) if more else shared

    def _entry(self, where: str, key: str, given: Mapping[str, Value]) -> Value:
        here = f"{where}.{key}"
        condition = self._part(here, given, *self._names(key))
        return Choice(condition, {key: self._argument(here, given)}, {})

    def _alone(self, given: Mapping[str, Value]) -> Value:
        """Return a variable to which all refer that have the argument, where it is null for the others; else None."""
        having = {name: value for name, value in given.items() if value is not None}
        match next(iter(having.values())):
            case Ref(parts=("var", str(name))) as ref if same(list(having.values())):
                return ref if self._is_given(name, having.keys()) else None
            case _:
                return None

    def _is_given(self, name: str, to: Set[str]) -> bool:
        """Whether these environments, and no others, declare a variable and give it a value."""
        return self.module.declared.get(name) == to == self.module.lifted.given(name).keys()

    def _chosen(self, where: str, given: Mapping[str, Value]) -> Value:
        """Return `var.SWITCH ? ... : ...`, with what is no code, or what most have, at its end."""
        plain = {name: value for name, value in given.items() if not is_code(value)}
        found = groups({name: value for name, value in given.items() if name not in plain})
        if plain:
            last = self._lifted(where, plain)
        else:
            most = found.pop(max(range(len(found)), key=lambda place: (len(found[place]), place)))
            last = next(iter(most.values()))
        names = self._names(where.rpartition(".")[2])
        for group in reversed(found):
            last = Choice(self._part(where, group, *names), next(iter(group.values())), last)
        return last


def _of_parts(like: Value, made: Sequence[Value]) -> Value:
    """Return a text, a call or a list of new parts."""
    match like:
        case Text():
            return Text(*(part for part in cast("Sequence[str | Ref | Call]", made) if part != ""))
        case Call(function=function):
            return Call(function, *made)
        case _:
            return made


_REQUIRED = "required_providers"


def _required(several: Sequence[Any]) -> Value:
    """Return a provider in a version that all environments take."""
    parts = [part for each in several for part in str(each["version"]).split(", ")]
    return {**several[0], "version": ", ".join(dict.fromkeys(parts))}


def _by_argument(column: Column) -> dict[str, dict[str, Value]]:
    order = in_one_order(column[name].arguments for name in sorted(column))
    return {key: {name: b.arguments[key] for name, b in column.items() if key in b.arguments} for key in order}


def _told(several: Sequence[Value]) -> str:
    """Return what each environment says of one thing, each text once."""
    return " / ".join(dict.fromkeys(str(value) for value in several if value is not None))
