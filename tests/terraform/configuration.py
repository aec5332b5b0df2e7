"""A folder of `.tf` and `.tf.json` files, read into one form: bodies of attributes and blocks."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hcl2

__all__ = ["Block", "Body", "Expression", "Json", "Template", "decoded", "expressions", "of_json", "read"]

# python-hcl2 cannot read every `$${` and `%%{`, so that other characters stand for them while it reads.
DOLLAR, PERCENT = "\ue000", "\ue001"

Complain = Callable[[str], None]

# How many labels the blocks of Terraform's own language have.
LABELS = {
    "resource": 2, "data": 2, "variable": 1, "output": 1, "module": 1, "provider": 1, "check": 1,
    "locals": 0, "terraform": 0, "moved": 0, "import": 0, "removed": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """A value that is known only when Terraform plans."""

    text: str


@dataclass(frozen=True)
class Template:
    """A string with expressions among other text."""

    text: str


@dataclass
class Body:
    """What stands between two braces."""

    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)


@dataclass(frozen=True)
class Json:
    """A body in JSON, where only the schema tells a block from an attribute."""

    value: Any


@dataclass(frozen=True)
class Block:
    """A block with its labels; `file` is where it stands at the top of a file."""

    kind: str
    labels: tuple[str, ...]
    body: Body | Json
    file: str = ""


def read(path: Path, complain: Complain) -> list[Block]:
    """Read the blocks of one file; a file that cannot be parsed is one complaint and no blocks."""
    try:
        text = path.read_text("utf-8")
        blocks = _top_of_json(text, complain) if path.suffix == ".json" else _top_of_hcl(text, complain)
    except Exception as error:  # whatever a parser raises
        complain(f"cannot be parsed: {type(error).__name__}: {str(error).splitlines()[0][:160]}")
        return []
    return [Block(block.kind, block.labels, block.body, path.name) for block in blocks]


# HCL -----------------------------------------------------------------------------------------------------------------


def _top_of_hcl(text: str, complain: Complain) -> list[Block]:
    tree = hcl2.parses(text.replace("$${", f"{DOLLAR}{{").replace("%%{", f"{PERCENT}{{"))
    for name in _set_twice(tree):
        complain(f"attribute {name!r} set twice in one block")
    return _of_hcl(hcl2.serialize(tree)).blocks


def _set_twice(node: Any) -> Iterator[str]:
    """Yield attributes that a body sets twice: the parser keeps the last one, Terraform refuses them."""
    children = getattr(node, "children", None) or []
    if type(node).__name__ == "BodyRule":
        names = [child.identifier.serialize() for child in children if type(child).__name__ == "AttributeRule"]
        yield from sorted({name for name in names if names.count(name) > 1})
    for child in children:
        if type(child).__name__ in {"BodyRule", "BlockRule", "StartRule"}:
            yield from _set_twice(child)


def _of_hcl(parsed: dict[str, Any]) -> Body:
    body = Body()
    for name, value in _named(parsed):
        if isinstance(value, list) and value and all(_is_block(entry) for entry in value):
            body.blocks += [_hcl_block(name, (), entry) for entry in value]
        else:
            body.attributes[name] = _hcl_value(value)
    return body


def _named(parsed: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(_unquoted(name), value) for name, value in parsed.items() if not name.startswith("__")]


def _is_block(entry: Any) -> bool:
    while isinstance(entry, dict) and not entry.get("__is_block__"):
        inner = _named(entry)
        entry = inner[0][1] if len(inner) == 1 else None
    return isinstance(entry, dict)


def _hcl_block(kind: str, labels: tuple[str, ...], entry: dict[str, Any]) -> Block:
    if entry.get("__is_block__"):
        return Block(kind, labels, _of_hcl(entry))
    ((label, inner),) = _named(entry)
    return _hcl_block(kind, (*labels, label), inner)


def _hcl_value(value: Any) -> Any:
    if isinstance(value, str):
        return _hcl_string(value)
    if isinstance(value, list):
        return [_hcl_value(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _hcl_value(entry) for name, entry in _named(value)}
    return value


def _hcl_string(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] == '"':
        inner = text[1:-1]
        return _templated(inner) if _has_template(inner) else decoded(inner)
    return None if text in {"null", "${null}"} else Expression(text if text.startswith("${") else f"${{{text}}}")


def _unquoted(name: str) -> str:
    return decoded(name[1:-1]) if len(name) > 1 and name[0] == name[-1] == '"' else name


def decoded(text: str) -> str:
    """Return what a quoted literal means.

    https://developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences
    """
    plain = re.sub(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", _meant, text, flags=re.DOTALL)
    return plain.replace(DOLLAR, "$").replace(PERCENT, "%")


def _meant(found: re.Match[str]) -> str:
    if len(found[1]) > 1:
        return chr(int(found[1][1:], 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(found[1], found[1])


# JSON ----------------------------------------------------------------------------------------------------------------


def _top_of_json(text: str, complain: Complain) -> list[Block]:
    def unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        for name in sorted({name for name in names if name != "//" and names.count(name) > 1}):
            complain(f"key {name!r} set twice in one object")
        return dict(items)

    parsed = json.loads(text, object_pairs_hook=unique)
    for kind in parsed.keys() - LABELS.keys() - {"//"}:
        complain(f"unknown top-level block {kind!r}")
    known = [kind for kind in parsed if kind in LABELS]
    return [block for kind in known for block in _json_blocks(kind, (), parsed[kind], LABELS[kind])]


def _json_blocks(kind: str, labels: tuple[str, ...], value: Any, depth: int) -> Iterator[Block]:
    for entry in value if isinstance(value, list) else [value]:
        if depth == 0:
            yield Block(kind, labels, Json(entry))
        else:
            for label, inner in entry.items():
                yield from _json_blocks(kind, (*labels, label), inner, depth - 1)


def of_json(raw: dict[str, Any], blocks: dict[str, Any]) -> Body:
    """Tell the blocks of a JSON body from its attributes, by the block types of its schema."""
    body = Body()
    for name, value in raw.items():
        if name == "dynamic":
            found = [
                (kind, each) for entry in _listed(value) for kind, several in entry.items() for each in _listed(several)
            ]
            body.blocks += [_dynamic(kind, each) for kind, each in found]
        elif name in blocks and isinstance(value, dict | list):
            body.blocks += [Block(name, (), Json(entry)) for entry in _listed(value)]
        elif name != "//":
            body.attributes[name] = _json_value(value)
    return body


def _dynamic(kind: str, raw: dict[str, Any]) -> Block:
    content = [Block("content", (), Json(entry)) for entry in _listed(raw.get("content", {}))]
    others = {name: _json_value(entry) for name, entry in raw.items() if name != "content"}
    return Block("dynamic", (kind,), Body(others, content))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _json_value(value: Any) -> Any:
    if isinstance(value, str):
        return _templated(value) if _has_template(value) else re.sub(r"([$%])\1\{", r"\1{", value)
    if isinstance(value, list):
        return [_json_value(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _json_value(entry) for name, entry in value.items() if name != "//"}
    return value


# Expressions ---------------------------------------------------------------------------------------------------------


def _has_template(text: str) -> bool:
    return bool(re.search(r"[$%]\{", _without_escapes(text)))


def _templated(text: str) -> Expression | Template:
    whole = len(_interpolations(text)) == 1 and text.startswith("${") and _end(text, 2) == len(text)
    return Expression(text) if whole else Template(text)


def _without_escapes(text: str) -> str:
    return re.sub(r"\$\$\{|%%\{", "", text)


def _end(text: str, start: int) -> int:
    depth, place = 1, start
    while place < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        place += 1
    return place


def _interpolations(text: str) -> list[str]:
    """Return the expressions inside the `${...}` and `%{...}` of a template."""
    text, place, found = _without_escapes(text), 0, []
    while match := re.compile(r"[$%]\{").search(text, place):
        place = _end(text, match.end())
        found.append(text[match.end() : place - 1])
    return found


def expressions(value: Any) -> Iterator[str]:
    """Yield every expression in a value, a body or a block, at any depth."""
    match value:
        case Expression(text) | Template(text):
            yield from _interpolations(text)
        case Block(body=inner):
            yield from expressions(inner)
        case Json(inner):
            yield from expressions(_json_value(inner))
        case Body(attributes, blocks):
            yield from expressions([*attributes.values(), *blocks])
        case list():
            for entry in value:
                yield from expressions(entry)
        case dict():
            yield from expressions(list(value.values()))
