"""References in a module in which some blocks are there under a condition only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from glacier.terraform import Block, Call, Choice, Ref
from glacier.terraform.walk import head, references, remade

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from glacier.terraform import Document, Value

__all__ = ["PART", "Twins", "conditional"]

PART = "part"
"""`part[3]` stands for the condition of a module's fourth part until its switch has a name."""

UNTOUCHED = frozenset({"depends_on", "provider"})
"""Arguments in which Terraform wants whole blocks, whether there are any of them or not."""


def conditional(block: Block, switches: Mapping[int, str], counted: Mapping[tuple[str, ...], str]) -> Block:
    """Return a block at the top of a file that asks switches, and whose references know which blocks have a count.

    `switches` are the names of parts' switches by the parts' numbers, `counted` those of blocks that have a count by
    the beginning of references to them.
    """
    own = counted.get(block.labels if block.kind == "resource" else (block.kind, *block.labels))
    return _Conditional(switches, counted).block(block, frozenset({own} if own else ()))


@dataclass(frozen=True)
class _Conditional:
    switches: Mapping[int, str]
    counted: Mapping[tuple[str, ...], str]

    def block(self, block: Block, on: frozenset[str]) -> Block:
        """Return a block of which is known that some switches are on."""
        asked = block.arguments.get("for_each")
        inside = on | {self._switch(asked)} if isinstance(asked, Choice) else on
        arguments = {
            name: value if name in UNTOUCHED else self.value(value, on) for name, value in block.arguments.items()
        }
        return replace(block, arguments=arguments, blocks=tuple(self.block(inner, inside) for inner in block.blocks))

    def value(self, value: Value, on: frozenset[str]) -> Value:
        match value:
            case Ref():
                return self._reference(value, on)
            case Choice(_, yes, no):
                switch = self._switch(value)
                return Choice(Ref("var", switch), self.value(yes, on | {switch}), self.value(no, on))
            case _:
                return remade(value, lambda part: self.value(part, on))

    def _switch(self, choice: Choice) -> str:
        return self.switches[cast("int", choice.condition.parts[1])]

    def _reference(self, ref: Ref, on: frozenset[str]) -> Ref | Call:
        """Return `x[0].arn` where x is there for certain, else `one(x[*].arn)`, which may be null."""
        start = head(ref)
        switch = self.counted.get(start)
        if switch is None:
            return ref
        rest = ref.parts[len(start) :]
        return Ref(*start, 0, *rest) if switch in on else Call("one", Ref(*start, ..., *rest))


# A resource here, a data source there --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Twins:
    """What some environments make and others find: the name of a local for each, by its type and label."""

    names: Mapping[tuple[str, ...], str]

    @classmethod
    def of(cls, documents: Mapping[str, Document]) -> Twins:
        """Return the twins in the documents of several environments; what an output gives out is called as that is."""
        blocks = [block for name in sorted(documents) for block in documents[name]]
        both = (_labels(document, "resource") & _labels(document, "data") for document in documents.values())
        twins = (_labels(blocks, "resource") & _labels(blocks, "data")).difference(*both)
        outputs = {
            head(ref)[-2:]: block.labels[0] for block in blocks if block.kind == "output" for ref in references(block)
        }
        names = {labels: outputs.get(labels, "_".join(labels).partition("_")[2]) for labels in sorted(twins)}
        return cls(names)

    def local(self, ref: Ref) -> Ref:
        """Return a reference to a twin as one to its local."""
        start = head(ref)
        name = self.names.get(start[-2:])
        return ref if name is None else Ref("local", name, *ref.parts[len(start) :])

    def labels_of(self, ref: Ref) -> tuple[str, ...] | None:
        """Return the type and label of what a reference to one of these locals leads to."""
        return next((labels for labels, name in self.names.items() if ref.parts[:2] == ("local", name)), None)

    def declared(self, files: Mapping[str, Sequence[Block]]) -> dict[str, Sequence[Block]]:
        """Return files with the locals to which something in them refers."""
        wanted = {
            ref.parts[1]
            for blocks in files.values()
            for block in blocks
            for ref in references(block)
            if ref.parts[0] == "local"
        }
        values = {name: _either(labels) for labels, name in self.names.items() if name in wanted}
        more = [Block("locals", (), values)] if values else []
        return {**files, "locals.tf": [*files.get("locals.tf", ()), *more]} if more else dict(files)


def _labels(blocks: Iterable[Block], kind: str) -> set[tuple[str, ...]]:
    return {block.labels for block in blocks if block.kind == kind}


def _either(labels: tuple[str, ...]) -> Value:
    return Call("one", Call("concat", Ref(*labels), Ref("data", *labels)))
