"""The documents of several environments side by side, and what is found while they are laid over each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glacier.errors import InfrastructureError
from glacier.infrastructure.unify.alignment import by_key, in_one_order
from glacier.infrastructure.unify.conditions import PART, Twins
from glacier.infrastructure.unify.lifting import Lifted
from glacier.terraform import Ref
from glacier.terraform.walk import head, references

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from glacier.infrastructure.unify.alignment import Column
    from glacier.terraform import Block, Document, Value

__all__ = ["Part", "Several", "differs", "key_of"]

EVERYWHERE = frozenset({"provider", "terraform", "variable", "output", "locals"})
"""Blocks that are there for all environments as soon as one has them."""


@dataclass(frozen=True)
class Part:
    """Something that only some environments have: a resource, a nested block, an argument.

    Attributes:
        number: its place in the module.
        where: how a reader finds it, such as `aws_lambda_function.cleaner.vpc_config`.
        presence: the environments that have it.
        refers: the keys of blocks to which it refers, variables among them.
        owner: the key of the block that it is or is in.
        names: what its switch may be called, the most fitting first; none for a whole block.
        about: the Glacier resource that a whole block is for.
        file: the file of a whole block, "" for what is inside a block.
    """

    number: int
    where: str
    presence: frozenset[str]
    refers: frozenset[tuple[str, ...]]
    owner: tuple[str, ...]
    names: tuple[str, ...] = ()
    about: str = ""
    file: str = ""

    def needs(self, variable: str, declared: frozenset[str]) -> bool:
        """Whether a part that is there needs the value of a variable."""
        return ("variable", variable) in self.refers and self.presence <= declared


class Several:
    """What a block must know of the others, in its own environment and in the rest.

    Attributes:
        names: the environments.
        columns: every block, as each environment that has it has it, by its key.
        files: the same by file.
        addresses: the keys of resources and data sources.
        outputs: for each of these that an output gives out, the output's name.
        declared: the environments that declare each variable.
        lifted: the variables that hold what differs, and the values of all variables.
        twins: what some environments make and others find.
        parts: what only some environments have, as far as it was found.
    """

    def __init__(
        self, documents: Mapping[str, Document], values: Mapping[str, Mapping[str, Value]], about: Mapping[str, str]
    ) -> None:
        self.names = tuple(documents)
        self.files = _files(documents)
        self.columns = {key: column for found in self.files.values() for key, column in found.items()}
        self.addresses = frozenset(key for key in self.columns if key[0] not in EVERYWHERE)
        self.outputs = _outputs(documents)
        self.declared = {key[1]: frozenset(column) for key, column in self.columns.items() if key[0] == "variable"}
        self.lifted = Lifted({name: dict(values[name]) for name in self.names}, self.declared)
        self.twins = Twins.of(documents)
        self.parts: list[Part] = []
        self._about = about

    def part(
        self,
        where: str,
        having: Mapping[str, Any],
        owner: tuple[str, ...],
        *,
        names: tuple[str, ...] = (),
        file: str = "",
    ) -> Ref:
        """Note that something is only there in some environments; return what stands for its condition."""
        refers = frozenset(_key(ref) for value in having.values() for ref in references(value)) - {()}
        about = self._about.get(where, "") if file else ""
        self.parts.append(Part(len(self.parts), where, frozenset(having), refers, owner, names, about, file))
        return Ref(PART)[self.parts[-1].number]

    def is_everywhere(self, value: Value) -> bool:
        """Whether all environments have everything to which a value refers."""
        return not any(self._is_partly(_key(ref)) for ref in references(value))

    def is_null_somewhere(self, ref: Ref) -> bool:
        """Whether a reference leads to a local of what some environments neither make nor find."""
        labels = self.twins.labels_of(ref)
        return labels is not None and len({*self.columns[labels], *self.columns["data", *labels]}) < len(self.names)

    def _is_partly(self, key: tuple[str, ...]) -> bool:
        return key in self.columns and len(self.columns[key]) < len(self.names)

    def share_providers(self) -> set[str]:
        """Give each environment the providers of all; return the variables that only borrowed ones need."""
        full = [column for key, column in self.columns.items() if not self._is_partly(key)]
        some = sorted(key for key in self.columns if key[0] == "provider" and self._is_partly(key))
        found = _variables([self.columns[key] for key in some]) - _variables(full)
        for key in some:
            lender = min(self.columns[key])
            missing = [name for name in self.names if name not in self.columns[key]]
            self.columns[key].update({name: self._borrowed(key, lender, name) for name in missing})
        return found

    def _borrowed(self, key: tuple[str, ...], lender: str, name: str) -> Block:
        """Return another environment's provider: the own usual one, with what is not as usual in the other.

        Terraform starts it also where nothing needs it, and must not take the account or the role of the other.
        """
        theirs, usual = self.columns[key][lender], self.columns.get((*key[:-1], ""), {})
        if lender not in usual or name not in usual:
            return theirs
        own, other = usual[name], usual[lender]
        more = {each: value for each, value in theirs.arguments.items() if other.arguments.get(each) != value}
        blocks = own.blocks if theirs.blocks == other.blocks else theirs.blocks
        return replace(theirs, arguments={**own.arguments, **more}, blocks=blocks)

    def open_variables(self) -> dict[str, frozenset[str]]:
        """Return the variables that only some environments declare, and that have their value from outside."""
        return {name: names for name, names in self.declared.items() if self._is_open(name, names)}

    def _is_open(self, name: str, names: frozenset[str]) -> bool:
        default = any("default" in block.arguments for block in self.columns["variable", name].values())
        return len(names) < len(self.names) and not default and not self.lifted.given(name)


def differs(names: Iterable[str], what: str) -> InfrastructureError:
    """Return the error that says why environments are not one module."""
    return InfrastructureError(
        f"environments {', '.join(names)} do not fit into one module: {what}",
        hint="export each to a folder of its own, or let them have the same there",
    )


def _files(documents: Mapping[str, Document]) -> dict[str, dict[tuple[str, ...], Column]]:
    sides = {name: document.files for name, document in documents.items()}
    return {
        file: by_key({name: {key_of(block): block for block in side.get(file, ())} for name, side in sides.items()})
        for file in in_one_order(sides[name] for name in sorted(sides))
    }


def key_of(block: Block) -> tuple[str, ...]:
    """Return by what a block at the top of a file is told from others: as references to it begin, where they can."""
    match block.kind:
        case "resource":
            return block.labels
        case "provider":
            return (block.kind, *block.labels, str(block.arguments.get("alias", "")))
        case "locals":
            return (block.kind, next(iter(block.arguments), ""))
        case kind:
            return (kind, *block.labels)


def _key(ref: Ref) -> tuple[str, ...]:
    """Return the key of the block to which a reference leads, and () where it leads to none."""
    return ("variable", str(ref.parts[1])) if ref.parts[0] == "var" else head(ref)


def _variables(columns: Sequence[Column]) -> set[str]:
    """Return the names of all variables to which blocks refer."""
    keys = (_key(ref) for column in columns for block in column.values() for ref in references(block))
    return {key[1] for key in keys if key[:1] == ("variable",)}


def _outputs(documents: Mapping[str, Document]) -> dict[tuple[str, ...], str]:
    blocks = [block for name in sorted(documents) for block in documents[name] if block.kind == "output"]
    found: dict[tuple[str, ...], str] = {}
    for block in sorted(blocks, key=lambda block: block.labels):
        for ref in references(block):
            found.setdefault(head(ref), block.labels[0])
    return found
