"""Providers of resources, for which Terraform takes no condition: one in another region has a variable for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from glacier.infrastructure.unify.several import differs
from glacier.terraform import Document, Ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from glacier.terraform import Block

__all__ = ["shared_providers"]

_Aliases = dict[str, str]
"""For each block with a provider of its own, by address, the alias of that provider."""


def shared_providers(documents: Mapping[str, Document]) -> dict[str, Document]:
    """Return documents in which each block has a provider of the same alias in all of them.

    Raises:
        InfrastructureError: a block has a provider of its own in one environment, and the usual one in another.
    """
    sides = {name: {b.address: _alias(b) for b in document if b.labels} for name, document in documents.items()}
    chosen: dict[str, dict[str, str]] = {}
    for address in dict.fromkeys(address for side in sides.values() for address in side):
        given = {name: side[address] for name, side in sorted(sides.items()) if address in side}
        own = {name: alias for name, alias in given.items() if alias}
        if 0 < len(own) < len(given):
            raise differs(documents, f"{address} has a provider of its own in {' and '.join(own)} only")
        if len(set(own.values())) > 1:
            chosen[address] = own
    aliases = _named(chosen)
    return {name: _with_aliases(document, aliases) for name, document in documents.items()}


def _alias(block: Block) -> str:
    provider = block.arguments.get("provider")
    return str(provider.parts[1]) if isinstance(provider, Ref) else ""


def _named(chosen: Mapping[str, Mapping[str, str]]) -> _Aliases:
    """Give each combination of providers an alias: `us_west_2_or_eu_west_1`."""
    found: dict[tuple[tuple[str, str], ...], str] = {}
    for own in chosen.values():
        base = "_or_".join(dict.fromkeys(own.values()))
        others = [name for name in found.values() if name.startswith(base)]
        found.setdefault(tuple(own.items()), f"{base}_{len(others) + 1}" if others else base)
    return {address: found[tuple(own.items())] for address, own in chosen.items()}


def _with_aliases(document: Document, aliases: _Aliases) -> Document:
    """Return an environment's document with each provider under all aliases by which its blocks know it now."""
    known: dict[str, dict[str, None]] = {}
    for block in document:
        if _alias(block):
            known.setdefault(_alias(block), {})[aliases.get(block.address, _alias(block))] = None
    files = {
        file: tuple(made for block in blocks for made in _renamed(block, aliases, known))
        for file, blocks in document.files.items()
    }
    return Document(files)


def _renamed(block: Block, aliases: _Aliases, known: Mapping[str, Mapping[str, None]]) -> Iterator[Block]:
    alias, provider = block.arguments.get("alias"), block.arguments.get("provider")
    if block.kind == "provider" and isinstance(alias, str):
        yield from (
            replace(block, arguments={**block.arguments, "alias": name}) for name in known.get(alias, {alias: None})
        )
    elif isinstance(provider, Ref) and block.address in aliases:
        own = Ref(provider.parts[0], aliases[block.address])
        yield replace(block, arguments={**block.arguments, "provider": own})
    else:
        yield block
