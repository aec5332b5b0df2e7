"""What a module comes to with the values of one environment: the parts of Terraform's language that Glacier writes.

No Terraform is asked: conditions are decided, `dynamic` blocks and counts resolved, and references followed as far as a
plan would, so that the module of several environments can be held against that of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from glacier.terraform import Block, Call, Choice, Document, Ref, Text, Value
from glacier.terraform.walk import head

__all__ = ["Evaluation"]

Address = tuple[str, ...]


class AbsentError(Exception):
    """Something refers to what is not there."""


@dataclass(frozen=True)
class Evaluation:
    """A document with values for its variables; those that are left out have their default, else a made-up value."""

    document: Document
    values: Mapping[str, Value]

    @cached_property
    def variables(self) -> dict[str, Value]:
        blocks = [block for block in self.document if block.kind == "variable"]
        return {b.labels[0]: b.arguments.get("default", f"given {b.labels[0]}") for b in blocks} | dict(self.values)

    @cached_property
    def blocks(self) -> dict[Address, Block]:
        """Every resource and data source by the beginning of references to it."""
        kinds = {"resource": (), "data": ("data",)}
        return {(*kinds[block.kind], *block.labels): block for block in self.document if block.kind in kinds}

    @cached_property
    def locals(self) -> dict[str, Value]:
        return {name: each for b in self.document if b.kind == "locals" for name, each in b.arguments.items()}

    @cached_property
    def present(self) -> dict[Address, bool]:
        """Whether each block is there."""
        return {
            key: "count" not in b.arguments or self.value(b.arguments["count"]) == 1 for key, b in self.blocks.items()
        }

    def module(self) -> dict[Address, Any]:
        """Return what is there: for each resource and data source its arguments and nested blocks."""
        return {key: self._body(block) for key, block in self.blocks.items() if self.present[key]}

    def outputs(self) -> dict[str, Any]:
        """Return the outputs that are not null."""
        found = {b.labels[0]: self.value(b.arguments["value"]) for b in self.document if b.kind == "output"}
        return {name: value for name, value in found.items() if value is not None}

    def providers(self) -> list[Any]:
        """Return the providers, without their names."""
        made = [self._body(block) for block in self.document if block.kind == "provider"]
        return [{**arguments, "alias": None, "blocks": blocks} for arguments, blocks in made]

    def checks(self) -> list[str]:
        """Return what the checks of variables complain of."""
        checks = [inner for block in self.document if block.kind == "variable" for inner in block.blocks]
        return [
            str(each.arguments["error_message"]) for each in checks if self.value(each.arguments["condition"]) is False
        ]

    def after(self, key: Address) -> set[Address]:
        """Return the blocks that are there and have to be made before another."""
        refs: Any = self.blocks[key].arguments.get("depends_on", ())
        return {ref.parts for ref in refs if self.present[ref.parts]}

    # --- blocks ---------------------------------------------------------------------------------------------------

    def _body(self, block: Block) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        wanted = {
            name: each for name, each in block.arguments.items() if name not in ("count", "depends_on", "provider")
        }
        arguments = {name: self.value(each) for name, each in wanted.items()}
        provider: Any = block.arguments.get("provider")
        if provider is not None:
            arguments["provider"] = self._provider(provider)
        inner: dict[str, list[Any]] = {}
        for each in block.blocks:
            for made in self._expanded(each):
                inner.setdefault(".".join((made.kind, *made.labels)), []).append(self._body(made))
        return {name: each for name, each in arguments.items() if each is not None}, inner

    def _provider(self, ref: Ref) -> Any:
        blocks = [b for b in self.document if b.kind == "provider" and b.arguments.get("alias") == ref.parts[1]]
        (block,) = blocks
        return self.value(block.arguments["region"])

    def _expanded(self, block: Block) -> list[Block]:
        """Return a nested block as often as it is there; one that is dynamic in its own environment stays so."""
        asked = block.arguments.get("for_each")
        if block.kind != "dynamic" or not isinstance(asked, Choice):
            return [block]
        (content,) = block.blocks
        assert asked.no == [] or asked.yes == []
        if not self.value(asked):
            return []
        return [Block(block.labels[0], (), content.arguments, content.blocks)]

    # --- values ---------------------------------------------------------------------------------------------------

    def value(self, value: Value) -> Any:
        match value:
            case Ref():
                return self._reference(value)
            case Choice(condition, yes, no):
                asked = self.value(condition)
                assert isinstance(asked, bool)
                return self.value(yes if asked else no)
            case Call():
                return self._call(value)
            case Text():
                return _joined([self.value(part) for part in value.parts])
            case Mapping():
                return {name: self.value(each) for name, each in value.items()}
            case Sequence() if not isinstance(value, str):
                return [self.value(each) for each in value]
            case _:
                return value

    def _reference(self, ref: Ref) -> Any:
        match ref.parts:
            case ("var", str(name)):
                return self.value(self.variables[name])
            case ("local", str(name), *rest) if rest:
                return self._found(self.value(self.locals[name]), rest)
            case ("local", str(name)):
                return self.value(self.locals[name])
        key = head(ref)
        if key not in self.blocks:
            return ref
        rest = ref.parts[len(key) :]
        if "count" not in self.blocks[key].arguments:
            assert rest[:1] not in ((0,), (...,))
            return ref
        if rest[:1] == (...,):
            return [Ref(*key, *rest[1:])] if self.present[key] else []
        if rest[:1] == (0,):
            return self._found(Ref(*key) if self.present[key] else None, rest[1:])
        return [Ref(*key)] if self.present[key] else []

    def _found(self, ref: Any, rest: Sequence[Any]) -> Ref:
        if ref is None:
            raise AbsentError
        return Ref(*ref.parts, *rest)

    def _call(self, call: Call) -> Any:
        if call.function == "try":
            try:
                return self.value(call.arguments[0])
            except AbsentError:
                return self.value(call.arguments[1])
        arguments = [self.value(each) for each in call.arguments]
        match call.function:
            case "one":
                (several,) = arguments
                assert len(several) < 2
                return several[0] if several else None
            case "concat":
                return [each for several in arguments for each in several]
            case "coalesce":
                return next((each for each in arguments if each not in (None, "")), None)
            case "can":
                return arguments[0] is not None
            case "merge":
                return {name: each for entries in arguments for name, each in entries.items()}
            case _:
                return Call(call.function, *arguments)


def _joined(parts: Sequence[Any]) -> Any:
    if None in parts:
        raise AbsentError
    found = Text(*parts)
    return found.parts[0] if len(found.parts) == 1 and isinstance(found.parts[0], str) else found
