"""Terraform's JSON form, from the same document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import InfrastructureError
from glacier.terraform.document import Block, Call, Choice, Ref, Text
from glacier.terraform.hcl import expression, interpolated, template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from glacier.terraform.document import Value

__all__ = ["json_form"]

_EXPRESSIONS = {("variable", "type"), ("lifecycle", "ignore_changes")}
"""Arguments that JSON takes as bare words, not as templates."""


def json_form(blocks: Iterable[Block]) -> str:
    """Return blocks as the text of a `.tf.json` file.

    Raises:
        InfrastructureError: a string has half a surrogate pair, which no file can hold.
    """
    found: dict[str, Any] = {}
    for block in blocks:
        _put(found, block)
    text = json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False)
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise InfrastructureError("a string has half a surrogate pair, which no file can hold")
    return f"{text}\n"


def _put(found: dict[str, Any], block: Block) -> None:
    here = found
    for name in (block.kind, *block.labels)[:-1]:
        here = here.setdefault(name, {})
    last = block.labels[-1] if block.labels else block.kind
    body = _body(block)
    if not block.labels and block.kind == "locals":
        here.setdefault(last, {}).update(body)
    elif block.labels and block.kind != "provider" and last not in here:
        here[last] = body
    elif block.kind == "dynamic":
        known = here[last]
        here[last] = [*(known if isinstance(known, list) else [known]), body]
    else:
        here.setdefault(last, []).append(body)


def _body(block: Block) -> dict[str, Any]:
    found: dict[str, Any] = {"//": " ".join(block.notes)} if block.notes else {}
    for name, value in block.arguments.items():
        found[name] = _bare(value) if (block.kind, name) in _EXPRESSIONS or name in _WORDS else _json(value)
    for inner in _in_order(block.blocks):
        _put(found, inner)
    return found


def _in_order(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield nested blocks; JSON keeps no order between plain and dynamic ones of a kind, so that all become dynamic."""
    mixed = {block.labels[0] for block in blocks if block.kind == "dynamic"}
    for block in blocks:
        content = replace(block, kind="content")
        yield Block("dynamic", (block.kind,), {"for_each": [1]}, (content,)) if block.kind in mixed else block


_WORDS = frozenset({"depends_on", "provider", "providers", "configuration_aliases"})


def _bare(value: Value) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_bare(each) for each in value]
    return expression(value) if isinstance(value, Ref | Call | Choice) else value


def _json(value: Value) -> Any:
    match value:
        case str():
            return template(value)
        case Ref() | Call() | Choice():
            return f"${{{expression(value)}}}"
        case Text():
            return interpolated(value, template)
        case Mapping():
            entries = cast("Mapping[str, Any]", value)
            return {template(name): _json(each) for name, each in entries.items()}
        case Sequence():
            return [_json(each) for each in cast("Sequence[Any]", value)]
        case _:
            return value
