"""Walks through values: what refers to what, and values made over from their parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from glacier.terraform.document import Call, Choice, Ref, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from glacier.terraform.document import Block, Value

__all__ = ["head", "is_code", "made_over", "parts", "references", "remade"]

NO_BLOCKS = frozenset({"var", "local", "path"})
"""What references begin with that lead to no resource and no data source."""


def parts(value: Value) -> Iterator[Value]:
    """Yield what a value directly consists of; nothing for a literal and a reference."""
    match value:
        case Text():
            yield from value.parts
        case Call():
            yield from value.arguments
        case Choice(condition, yes, no):
            yield from (condition, yes, no)
        case Mapping():
            yield from cast("Mapping[str, Value]", value).values()
        case Sequence() if not isinstance(value, str):
            yield from cast("Sequence[Value]", value)
        case _:
            return


def remade(value: Value, of: Callable[[Value], Any]) -> Value:
    """Return a value in which each direct part is what `of` makes of it; literals and references stay."""
    match value:
        case Text():
            return Text(*map(of, value.parts))
        case Call():
            return Call(value.function, *map(of, value.arguments))
        case Choice(condition, yes, no):
            return Choice(of(condition), of(yes), of(no))
        case Mapping():
            return {name: of(each) for name, each in cast("Mapping[str, Value]", value).items()}
        case Sequence() if not isinstance(value, str):
            return [of(each) for each in cast("Sequence[Value]", value)]
        case _:
            return value


def made_over(value: Value, of: Callable[[Ref], Value]) -> Value:
    """Return a value in which each reference, at any depth, is what `of` makes of it."""
    return of(value) if isinstance(value, Ref) else remade(value, lambda part: made_over(part, of))


def references(of: Value | Block) -> Iterator[Ref]:
    """Yield every reference in a value, or in a block and the blocks in it."""
    from glacier.terraform.document import Block

    if isinstance(of, Ref):
        yield of
    elif isinstance(of, Block):
        for inner in (*of.arguments.values(), *of.blocks):
            yield from references(inner)
    else:
        for part in parts(of):
            yield from references(part)


def is_code(value: Value) -> bool:
    """Whether a value is anything but literals."""
    if isinstance(value, Ref | Call | Choice):
        return True
    return any(is_code(part) for part in parts(value))


def head(ref: Ref) -> tuple[str, ...]:
    """Return the beginning of a reference that names a resource or a data source, and () where it names none."""
    length = 3 if ref.parts[0] == "data" else 2
    first = ref.parts[:length]
    if ref.parts[0] in NO_BLOCKS or not all(isinstance(part, str) for part in first):
        return ()
    return cast("tuple[str, ...]", first)
