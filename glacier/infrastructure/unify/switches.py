"""Which parts of a module for several environments come and go together, and the variables that say so.

Parts of the same environments share one switch:

| parts                                                        | share a switch, which is called                  |
|--------------------------------------------------------------|--------------------------------------------------|
| all of what has an output, such as a bucket or a function    | as the output: `bucket_sales`                    |
| resources that refer to each other, or are for one thing     | `sales_replication`, `cleaner_monitoring`        |
| nested blocks of one kind, or an argument, of one resource   | `sales_lifecycle_rule`, `cleaner_vpc_config`     |
| what is there because of a variable that only they have      | `use_aws_kms_key_arn`                            |

What belongs together is a matter of reading: the module would plan the same with a switch for each part.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from glacier.terraform import identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence

    from glacier.infrastructure.unify.several import Part, Several

__all__ = ["Switch", "feature", "switches"]

_FEATURES = {"monitoring.tf": "monitoring", "schedules.tf": "schedule"}
"""Files that hold one feature of whatever they are for."""


@dataclass(frozen=True)
class Switch:
    """A variable that says whether an environment has some parts of the module.

    Attributes:
        name: the variable.
        presence: the environments in which it is on.
        where: the places of the parts, whole blocks first.
        parts: the numbers of the parts.
    """

    name: str
    presence: frozenset[str]
    where: tuple[str, ...]
    parts: tuple[int, ...] = ()

    @property
    def description(self) -> str:
        """What the variable's description says."""
        first, *others = self.where
        return f"Whether there is {first}{f', and {len(others)} more that belong to it' if others else ''}."


def switches(several: Several) -> tuple[Switch, ...]:
    """Return the switches of all parts, in the order of the module."""
    groups = _Groups(several)
    taken = {*several.declared, *several.lifted.variables}
    made: list[Switch] = []
    for group in groups:
        wanted = groups.name(group)
        numbered = (f"{wanted}_{number}" for number in range(2, len(taken) + 3))
        name = next(each for each in (wanted, *numbered) if each not in taken)
        taken.add(name)
        tops_first = sorted(group, key=lambda part: not part.file)
        where = tuple(part.where for part in tops_first)
        made.append(Switch(name, group[0].presence, where, tuple(part.number for part in group)))
    return tuple(made)


class _Groups:
    """Parts that share a switch. The root of a group is the block with an output to which the others belong."""

    def __init__(self, several: Several) -> None:
        self.several = several
        self.open = several.open_variables()
        self._of = {part.number: [part] for part in several.parts}
        blocks = {part.owner: part for part in several.parts if part.file}
        near = [(part, blocks[key]) for part in several.parts for key in sorted(part.refers) if key in blocks]
        self._near = [(one, other) for one, other in near if one.presence == other.presence and one is not other]
        self._join_alike(blocks.values(), self._kin())
        self._join_neighbours()
        self._join_roots()
        lone = [group[0] for group in self if len(group) == 1 and not group[0].file]
        self._join_alike(lone, lambda part: (part.owner, part.presence, part.names[-1]))
        for name in self.open:
            wanting = [part for part in several.parts if name in self._variables(part) and not self.root(part)]
            self._join_alike(wanting, lambda part: part.presence)

    def __iter__(self) -> Iterator[list[Part]]:
        groups = {id(group): sorted(group, key=lambda part: part.number) for group in self._of.values()}
        return iter(sorted(groups.values(), key=lambda group: group[0].number))

    def root(self, part: Part) -> Part | None:
        """Return the root of a part's group."""
        return next((each for each in self._of[part.number] if self._is_root(each)), None)

    def _is_root(self, part: Part) -> bool:
        return bool(part.file) and part.owner in self.several.outputs

    # --- who belongs together -------------------------------------------------------------------------------------

    def _join(self, one: Part, other: Part) -> None:
        into, gone = self._of[one.number], self._of[other.number]
        if into is not gone:
            into += gone
            self._of.update({part.number: into for part in gone})

    def _join_alike(self, parts: Iterable[Part], key: Callable[[Part], Hashable]) -> None:
        first: dict[Hashable, Part] = {}
        for part in parts:
            self._join(first.setdefault(key(part), part), part)

    def _kin(self) -> Callable[[Part], Hashable]:
        """Return what blocks have in common that are for the same thing: all of it where that has an output."""
        roots = {(part.about, part.presence) for part in self.several.parts if part.about and self._is_root(part)}

        def kin(part: Part) -> Hashable:
            thing = part.about, part.presence
            if thing in roots:
                return thing
            return (thing, part.file, part.owner[:-1]) if part.about else part.owner

        return kin

    def _join_neighbours(self) -> None:
        """Join what refers to each other, but for what belongs to a root already."""
        for one, other in self._near:
            if not self.root(one) and not self.root(other):
                self._join(one, other)

    def _join_roots(self) -> None:
        """Join a group to the one root to which it refers or that refers to it; of several, to its namesake.

        Not where something in a block that is there anyway has to do with the group, and not with the root.
        """
        near: dict[int, dict[int, Part]] = {}
        for one, other in self._near:
            for part, root in ((one, self.root(other)), (other, self.root(one))):
                if root is not None and not self.root(part):
                    near.setdefault(part.number, {})[root.number] = root
        for group in self:
            found = {number: root for part in group for number, root in near.get(part.number, {}).items()}
            root = _nearest(group, list(found.values()))
            if root is not None and all(part.file or root.number in near.get(part.number, {}) for part in group):
                self._join(root, group[0])

    def _variables(self, part: Part) -> list[str]:
        return [name for name, declared in sorted(self.open.items()) if part.needs(name, declared)]

    # --- names ----------------------------------------------------------------------------------------------------

    def name(self, group: Sequence[Part]) -> str:
        """Return what the switch of a group is called."""
        root = self.root(group[0])
        if root is not None:
            return self._of_root(root)
        shared = [name for name in self._variables(group[0]) if all(name in self._variables(part) for part in group)]
        if shared:
            return f"use_{shared[0]}"
        tops = [part for part in group if part.file]
        return self._of_blocks(tops) if tops else _of_pieces(group)

    def _of_root(self, root: Part) -> str:
        """Return the name of the output, or one that tells things of different types with one output apart."""
        output = self.several.outputs[root.owner]
        if root.owner[0] == "data":
            return f"{output}_existing"
        others = [key for key, name in self.several.outputs.items() if name == output and key[0] != "data"]
        if any(key[0] != root.owner[0] for key in others):
            return identifier(f"{root.owner[-1]}_{_words(root.owner[-2])}")
        return output

    def _of_blocks(self, tops: Sequence[Part]) -> str:
        others = self.several.addresses - {part.owner for part in tops}
        head = min(tops, key=lambda part: _rank(part, tops, others))
        stem = _stem([part.owner[-1] for part in tops]) or head.owner[-1]
        if head.file in _FEATURES:
            return identifier(f"{stem}_{_FEATURES[head.file]}")
        more = feature(head.owner, others)
        if more or "_" not in stem or any(address[-1] == stem for address in others):
            return identifier(f"{stem}_{more or _words(head.owner[-2])}")
        return identifier(stem)


def _of_pieces(group: Sequence[Part]) -> str:
    shared = [name for name in group[0].names if all(name in part.names for part in group)]
    return identifier(shared[0] if shared else group[0].names[-1])


def _rank(part: Part, tops: Sequence[Part], others: Collection[tuple[str, ...]]) -> tuple[object, ...]:
    """Rank blocks by how well they tell what all are for: first what adds to a block that is there anyway."""
    adds = bool(feature(part.owner, others))
    is_means = adds and any(part.owner in other.refers for other in tops if other is not part)
    return part.owner[0] == "data", len(part.owner[-1]), not adds, is_means, part.number


def feature(address: tuple[str, ...], addresses: Iterable[tuple[str, ...]]) -> str:
    """Return what a block adds to another of its label: `aws_s3_bucket_logging.x` adds `logging`; "" where none is."""
    kind, label = address[-2:]
    bases = [other[-2] for other in addresses if other[-1] == label and kind.startswith(f"{other[-2]}_")]
    return kind[len(max(bases, key=len)) + 1 :].removesuffix("_configuration") if bases else ""


def _words(kind: str) -> str:
    """Return a type without its provider."""
    return kind.partition("_")[2] or kind


def _stem(labels: Sequence[str]) -> str:
    """Return the words with which all labels begin."""
    columns = zip(*(label.split("_") for label in labels), strict=False)
    return "_".join(words[0] for words in takewhile(lambda words: len(set(words)) == 1, columns))


def _nearest(group: Sequence[Part], roots: Sequence[Part]) -> Part | None:
    """Return the only root, or the one that all labels of a group begin with."""
    named = [root for root in roots if all(f"{part.owner[-1]}_".startswith(f"{root.owner[-1]}_") for part in group)]
    return max(roots if len(roots) == 1 else named, key=lambda root: len(root.owner[-1]), default=None)
