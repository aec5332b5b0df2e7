"""One module for several environments: what differs between their documents becomes a variable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import InfrastructureError
from glacier.terraform import Block, Call, Document, Labels, Ref, Text, Value, variable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Module", "unified"]


@dataclass(frozen=True)
class Module:
    """A document, and the values of its variables by environment."""

    document: Document
    values: Mapping[str, Mapping[str, Value]]


def unified(documents: Mapping[str, Document], values: Mapping[str, Mapping[str, Value]]) -> Module:
    """Lay the documents of several environments over each other.

    An argument with different values becomes a variable, named after the block and the argument; of a text or a list
    with code in it, each part that differs does. Blocks must be the same in all of them: what has another shape is
    another module.

    Raises:
        InfrastructureError: a block or a nested block is missing in one of the environments, or code differs.
    """
    names = list(documents)
    if len(names) == 1:
        return Module(documents[names[0]], values)
    lift = _Lift({name: dict(values[name]) for name in names})
    first = documents[names[0]]
    files = {
        file: tuple(lift.blocks(file, [documents[name].files.get(file, ()) for name in names])) for file in first.files
    }
    for name in names[1:]:
        extra = documents[name].files.keys() - first.files.keys()
        if extra:
            raise _differs(names, f"{min(extra)} is only there in {name}")
    declared = sorted((*files["variables.tf"], *lift.variables), key=lambda block: block.labels)
    return Module(Document({**files, "variables.tf": tuple(declared)}), lift.values)


@dataclass
class _Lift:
    """Lifts what differs into variables."""

    values: dict[str, dict[str, Value]]
    variables: list[Block] = field(default_factory=list[Block])
    labels: Labels = field(default_factory=Labels)

    @property
    def names(self) -> list[str]:
        return list(self.values)

    def blocks(self, where: str, several: Sequence[Sequence[Block]]) -> Iterator[Block]:
        """Yield the blocks of a file or a body, each laid over its counterparts."""
        shapes = [[(block.kind, block.labels) for block in blocks] for blocks in several]
        for name, shape in zip(self.names, shapes, strict=True):
            if shape != shapes[0]:
                odd = next((each for each in (*shape, *shapes[0]) if shape.count(each) != shapes[0].count(each)), None)
                what = ".".join((odd[0], *odd[1])) if odd else "the order of blocks"
                raise _differs(self.names, f"{what} in {where} is not the same in {name}")
        kinds = [kind for kind, _ in shapes[0]]
        for place, counterparts in enumerate(zip(*several, strict=True)):
            number = kinds[: place + 1].count(kinds[place]) if kinds.count(kinds[place]) > 1 else ""
            yield self.block(f"{where}.{kinds[place]}{number and f'_{number}'}", counterparts)

    def block(self, where: str, several: Sequence[Block]) -> Block:
        """Return one block for all environments; `where` is the place of a block without labels."""
        first = several[0]
        if all(block == first for block in several):
            return first
        here = first.address if first.labels else where
        keys = list(dict.fromkeys(key for block in several for key in block.arguments))
        given = {key: [block.arguments.get(key) for block in several] for key in keys}
        arguments = {
            key: _told(values) if (first.kind, key) in _LITERAL else self.argument(f"{here}.{key}", values)
            for key, values in given.items()
        }
        inner = tuple(self.blocks(here, [block.blocks for block in several]))
        skips = tuple(dict.fromkeys(skip for block in several for skip in block.skips))
        return replace(first, arguments=arguments, blocks=inner, skips=skips)

    def argument(self, where: str, several: Sequence[Value]) -> Value:
        """Return the value that all share, or the reference to a variable that holds each one's."""
        if all(value == several[0] and type(value) is type(several[0]) for value in several):
            return several[0]
        if not any(_has_code(value) for value in several):
            return self._variable(where, several)
        if all(isinstance(value, Mapping) for value in several):
            return self._object(where, cast("Sequence[Mapping[str, Value]]", several))
        parts = _parts(several)
        if parts is None:
            raise _differs(self.names, f"{where} is not the same, and no plain value")
        made = [self.argument(f"{where}.{place}", each) for place, each in enumerate(zip(*parts, strict=True), 1)]
        return Text(*cast("list[str | Ref | Call]", made)) if isinstance(several[0], Text) else made

    def _object(self, where: str, several: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
        keys = dict.fromkeys(key for value in several for key in value)
        return {key: self.argument(f"{where}.{key}", [value.get(key) for value in several]) for key in keys}

    def _variable(self, where: str, several: Sequence[Value]) -> Value:
        name = self.labels.of(where)
        for environment, value in zip(self.names, several, strict=True):
            self.values[environment][name] = value
        self.variables.append(variable(name, _type(several), f"Value of {where}."))
        return self.variables[-1].ref


_LITERAL = {("output", "description"), ("variable", "description")}
"""Arguments in which Terraform takes no reference."""


def _told(several: Sequence[Value]) -> str:
    """Return what each environment says of one thing, each text once."""
    return " / ".join(dict.fromkeys(str(value) for value in several))


def _parts(several: Sequence[Value]) -> list[Sequence[Value]] | None:
    """Return the parts of texts or lists that have as many of them, of the same kinds, else None."""
    if all(isinstance(value, Text) for value in several):
        parts = [cast("Text", value).parts for value in several]
    elif all(isinstance(value, list | tuple) for value in several):
        parts = [cast("Sequence[Value]", value) for value in several]
    else:
        return None
    kinds = [[type(part) for part in each] for each in parts]
    return cast("list[Sequence[Value]]", parts) if all(each == kinds[0] for each in kinds) else None


def _has_code(value: Value) -> bool:
    if isinstance(value, Mapping):
        return any(_has_code(each) for each in cast("Mapping[str, Any]", value).values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(_has_code(each) for each in value)
    return isinstance(value, Ref | Call | Text)


def _type(several: Sequence[Value]) -> str | Call:
    value = next((each for each in several if each is not None), "")
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return Call("map", Ref("string")) if isinstance(value, Mapping) else Call("list", Ref("string"))


def _differs(names: Sequence[str], what: str) -> InfrastructureError:
    return InfrastructureError(
        f"environments {', '.join(names)} do not fit into one module: {what}",
        hint="give each environment a folder of its own, or the same settings where shapes differ",
    )
