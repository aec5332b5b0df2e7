"""Which block of one environment is which of another, and the order in which a module has them all."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

from glacier.terraform import hcl

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from glacier.terraform import Block

__all__ = ["Column", "by_key", "columns", "in_one_order", "own_id"]

Column = dict[str, "Block"]
"""One block of the module: as each of the environments that have it has it."""

Item = TypeVar("Item", bound="Hashable")


def in_one_order(several: Iterable[Iterable[Item]]) -> list[Item]:
    """Return the items of all sequences, each once, in an order that keeps to each of them as far as it goes."""
    found: dict[Item, None] = {}
    for items in several:
        made, waiting = list(found), list[Item]()
        for item in items:
            if item not in found:
                waiting.append(item)
                continue
            place = made.index(item)
            made[place:place] = waiting
            waiting = []
        found = dict.fromkeys([*made, *dict.fromkeys(waiting)])
    return list(found)


def by_key(several: Mapping[str, Mapping[Item, Block]]) -> dict[Item, Column]:
    """Return the blocks of all environments that have the same key as columns."""
    return {
        key: {name: blocks[key] for name, blocks in several.items() if key in blocks}
        for key in in_one_order(several[name] for name in sorted(several))
    }


def own_id(block: Block) -> str | None:
    """Return the name that a block gives itself, by which it is told from others of its kind."""
    name = block.arguments.get("id", block.arguments.get("sid"))
    return name if isinstance(name, str) else None


def columns(several: Mapping[str, Sequence[Block]]) -> list[Column]:
    """Return nested blocks as columns, each environment's in the order in which it has them.

    Those belong together that have the same name for themselves, or are the same; of what is left, those of one kind.
    """
    keys = _keys(several)
    found: list[tuple[Hashable, Column]] = []
    for name in sorted(several):
        mine = [(key, {name: block}) for key, block in zip(keys[name], several[name], strict=True)]
        found = list(_matched(found, mine))
    return [{name: column[name] for name in several if name in column} for _, column in found]


def _keys(several: Mapping[str, Sequence[Block]]) -> dict[str, list[Hashable]]:
    """Return by what each block is known: its name, or its place where all that have its kind have as many of it."""
    counts = [Counter(map(_shape, blocks)) for blocks in several.values()]
    alike = {shape for count in counts for shape in count if {each[shape] for each in counts} <= {0, count[shape]}}
    found: dict[str, list[Hashable]] = {}
    for name, blocks in several.items():
        shapes = [_shape(block) for block in blocks]
        found[name] = [
            (shape, shapes[:place].count(shape) if shape in alike else hcl([block]))
            for place, (shape, block) in enumerate(zip(shapes, blocks, strict=True))
        ]
    return found


def _shape(block: Block) -> tuple[str, tuple[str, ...], str | None]:
    return block.kind, block.labels, own_id(block)


def _matched(
    found: Sequence[tuple[Hashable, Column]], new: Sequence[tuple[Hashable, Column]]
) -> Iterator[tuple[Hashable, Column]]:
    """Yield columns with one more environment's blocks in them, in the order of both."""
    matcher = SequenceMatcher(None, [key for key, _ in found], [key for key, _ in new], autojunk=False)
    for _, first, last, start, end in matcher.get_opcodes():
        for one, other in zip_longest(found[first:last], new[start:end]):
            if one and other and len({_shape(block) for _, column in (one, other) for block in column.values()}) == 1:
                yield one[0], {**one[1], **other[1]}
            else:
                yield from filter(None, (one, other))
