"""Check a folder of Terraform against provider schemas, without a provider and without Terraform.

Found are: unknown attributes and blocks, blocks written as attributes and the reverse, missing required attributes, too
few or too many blocks, literals of a wrong type, read-only attributes that are set, unknown resource types, references
to what is not declared, providers that are not required, and version ranges that exclude the schema's version. What no
schema knows is not: allowed values, and attributes that exclude each other.
"""

import copy
import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from terraform.configuration import Block, Body, Expression, Json, Template, expressions, of_json, read
from terraform.provider_schemas import Schema

__all__ = ["Finding", "check"]

META = {"count", "for_each", "provider", "depends_on"}
META_BLOCKS = {"lifecycle", "connection", "provisioner"}
PROVIDER_META = {"alias": {"type": "string", "optional": True}, "version": {"type": "string", "optional": True}}
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


class Finding(NamedTuple):
    """Something wrong, and where."""

    where: str
    message: str


def check(folder: Path, schemas: Iterable[Schema]) -> list[Finding]:
    """Return everything that is wrong with the configuration in a folder."""
    return sorted(set(_Checker(list(schemas)).check(folder)))


class _Checker:
    def __init__(self, schemas: list[Schema]) -> None:
        self.schemas = {schema.name: schema for schema in schemas}
        self.types = {
            "resource": {name: block for schema in schemas for name, block in schema.resources.items()},
            "data": {name: block for schema in schemas for name, block in schema.data.items()},
        }

    def check(self, folder: Path) -> Iterator[Finding]:
        found: list[Finding] = []
        paths = sorted(path for path in folder.iterdir() if path.name.endswith((".tf", ".tf.json")))
        if not paths:
            yield Finding(str(folder), "no .tf or .tf.json file")
        blocks = [block for path in paths for block in read(path, _complaints(found, path.name))]
        yield from found
        for block in blocks:
            yield from self._top(block)
        yield from _declared_twice(blocks)
        yield from self._requirements(blocks)
        yield from self._references(blocks)

    # --- blocks at the top ----------------------------------------------------------------------------------------

    def _top(self, block: Block) -> Iterator[Finding]:
        where = _where(block)
        if block.kind in self.types:
            yield from self._resource(where, block)
        elif block.kind == "provider" and block.labels and block.labels[0] in self.schemas:
            schema = copy.deepcopy(self.schemas[block.labels[0]].provider)
            schema.setdefault("attributes", {}).update(PROVIDER_META)
            yield from _body(where, block.body, schema)

    def _resource(self, where: str, block: Block) -> Iterator[Finding]:
        known = self.types[block.kind]
        if len(block.labels) != 2:
            yield Finding(where, "needs two labels")
        elif block.labels[0] in known:
            yield from _body(where, block.body, known[block.labels[0]], top=True)
        elif _provider_of(block) in self.schemas:
            kind = block.labels[0]
            yield Finding(where, f"unknown or uncovered {block.kind} type {kind!r}{_near(kind, known)}")

    # --- required_providers ---------------------------------------------------------------------------------------

    def _requirements(self, blocks: list[Block]) -> Iterator[Finding]:
        required = _required(blocks)
        used = {_provider_of(block) for block in blocks if block.kind in self.types and block.labels}
        for name in sorted(used & self.schemas.keys()):
            version, range_ = self.schemas[name].version, required.get(name)
            if name not in required:
                yield Finding("terraform", f"provider {name!r} is used but absent from required_providers")
            elif isinstance(range_, str) and not allows(range_, version):
                yield Finding("terraform", f"provider {name!r}: {range_!r} excludes the schema's {version}")

    # --- references -----------------------------------------------------------------------------------------------

    def _references(self, blocks: list[Block]) -> Iterator[Finding]:
        declared = _declared(blocks)
        for text in expressions(blocks):
            plain = re.sub(r'"(?:[^"\\$]|\\.)*"', '""', text)
            for kind, name in re.findall(r"(?<![\w.\"'-])(var|local|module)\.([A-Za-z_][\w-]*)", plain):
                if (kind, name) not in declared:
                    yield Finding("reference", f"{kind}.{name} is not declared")
            for match in _ADDRESS.finditer(plain):
                yield from self._address(match, declared)

    def _address(self, match: re.Match[str], declared: set[tuple[str, ...]]) -> Iterator[Finding]:
        kind = "data" if match["data"] else "resource"
        schema = self.types[kind].get(match["type"])
        if schema is None and match["type"].split("_")[0] not in self.schemas:
            return
        address = f"{match['data'] or ''}{match['type']}.{match['name']}"
        if (kind, match["type"], match["name"]) not in declared:
            yield Finding("reference", f"{address} is not declared")
        elif schema is not None and match["attribute"]:
            names = [*schema.get("attributes", {}), *schema.get("block_types", {})]
            if match["attribute"] not in names:
                said = f"{address} has no attribute {match['attribute']!r}{_near(match['attribute'], names)}"
                yield Finding("reference", said)


_ADDRESS = re.compile(
    r"(?<![\w.\"'-])(?P<data>data\.)?(?P<type>[a-z][a-z0-9]*_\w+)\.(?P<name>[A-Za-z_][\w-]*)"
    r"(?:\[[^\]]*\])?(?:\.(?P<attribute>\w+))?"
)


def _complaints(found: list[Finding], where: str) -> Any:
    return lambda message: found.append(Finding(where, message))


def _where(block: Block) -> str:
    return f"{block.file}: " + ".".join([*([] if block.kind == "resource" else [block.kind]), *block.labels])


def _provider_of(block: Block) -> str:
    return block.labels[0].split("_")[0]


def _declared(blocks: list[Block]) -> set[tuple[str, ...]]:
    kinds = {"variable": "var", "module": "module", "resource": "resource", "data": "data"}
    names = {(kinds[block.kind], *block.labels) for block in blocks if block.kind in kinds}
    bodies = [block.body for block in blocks if block.kind == "locals"]
    return names | {("local", name) for body in bodies for name in _attributes(body)}


def _attributes(body: Body | Json) -> dict[str, Any]:
    return body.attributes if isinstance(body, Body) else body.value


def _declared_twice(blocks: list[Block]) -> Iterator[Finding]:
    seen: set[tuple[str, ...]] = set()
    for block in blocks:
        key = (block.kind, *block.labels)
        if block.kind in {"resource", "data", "variable", "output", "module"} and key in seen:
            yield Finding(_where(block), "declared twice")
        seen.add(key)


def _required(blocks: list[Block]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for block in blocks:
        if block.kind == "terraform":
            found |= _required_in(block.body)
    return {name: entry.get("version") if isinstance(entry, dict) else entry for name, entry in found.items()}


def _required_in(body: Body | Json) -> dict[str, Any]:
    if isinstance(body, Json):
        required = body.value.get("required_providers", {})
        return required[0] if isinstance(required, list) else required
    entries = [inner.body for inner in body.blocks if inner.kind == "required_providers"]
    return {name: value for entry in entries for name, value in _attributes(entry).items()}


def allows(range_: str, version: str) -> bool:
    """Whether a version constraint, such as `">= 6.50, < 9.0"`, allows a version."""
    return all(_allows(part, tuple(int(number) for number in version.split("."))) for part in range_.split(","))


def _allows(constraint: str, version: tuple[int, ...]) -> bool:
    match = re.fullmatch(r"\s*(~>|>=|<=|!=|>|<|=)?\s*v?([\d.]+)\s*", constraint)
    if not match:
        return False
    parts = [int(part) for part in match[2].split(".")]
    wanted = tuple([*parts, 0, 0][:3])
    return {
        "=": version == wanted,
        "!=": version != wanted,
        ">": version > wanted,
        ">=": version >= wanted,
        "<": version < wanted,
        "<=": version <= wanted,
        "~>": version >= wanted and list(version[: len(parts) - 1]) == parts[:-1],
    }[match[1] or "="]


# Bodies --------------------------------------------------------------------------------------------------------------


def _body(where: str, body: Body | Json, schema: dict[str, Any], *, top: bool = False) -> Iterator[Finding]:
    attributes, blocks = schema.get("attributes", {}), schema.get("block_types", {})
    if isinstance(body, Json):
        if not isinstance(body.value, dict):
            yield Finding(where, "a block must be an object")
            return
        body = of_json(body.value, {**blocks, **dict.fromkeys(META_BLOCKS if top else ())})
    for name, value in body.attributes.items():
        if not (top and name in META):
            yield from _attribute(where, name, value, attributes, blocks)
    yield from _missing(where, body, attributes)
    for block in body.blocks:
        if not (top and block.kind in META_BLOCKS):
            yield from _block(where, block, attributes, blocks)
    yield from _counts(where, body, blocks)


def _attribute(where: str, name: str, value: Any, attributes: Any, blocks: Any) -> Iterator[Finding]:
    about = attributes.get(name)
    if about is None:
        said = "is a block, written as an attribute" if name in blocks else "is unknown"
        yield Finding(where, f"attribute {name!r} {said}{_near(name, [*attributes, *blocks])}")
    elif not about.get("optional") and not about.get("required"):
        yield Finding(where, f"attribute {name!r} is read-only")
    else:
        yield from _value(f"{where}.{name}", value, about.get("type", "dynamic"))


def _missing(where: str, body: Body, attributes: Any) -> Iterator[Finding]:
    kinds = {block.kind for block in body.blocks}
    for name, about in attributes.items():
        if about.get("required") and body.attributes.get(name) is None and name not in kinds:
            yield Finding(where, f"missing required attribute {name!r}")


def _block(where: str, block: Block, attributes: Any, blocks: Any) -> Iterator[Finding]:
    kind, body = block.kind, block.body
    if kind == "dynamic":
        kind = block.labels[0] if block.labels else "?"
        body = _content(block)
        if body is None:
            yield Finding(f"{where}.dynamic.{kind}", "needs for_each and a content block")
            return
    if kind in blocks:
        yield from _body(f"{where}.{kind}", body, blocks[kind]["block"])
    elif kind not in attributes:
        yield Finding(where, f"block {kind!r} is unknown{_near(kind, [*blocks, *attributes])}")
    elif not _takes_blocks(attributes[kind].get("type")):
        yield Finding(where, f"block {kind!r} is an attribute, written as a block")


def _content(block: Block) -> Body | Json | None:
    inner = next((inner.body for inner in block.body.blocks if inner.kind == "content"), None)
    return inner if "for_each" in block.body.attributes else None


def _takes_blocks(kind: Any) -> bool:
    """Whether an attribute may be written as blocks: https://developer.hashicorp.com/terraform/language/attr-as-blocks."""
    return (
        isinstance(kind, list) and kind[0] in {"list", "set"} and isinstance(kind[1], list) and kind[1][0] == "object"
    )


def _counts(where: str, body: Body, blocks: Any) -> Iterator[Finding]:
    written = [block.kind for block in body.blocks]
    dynamic = {block.labels[0] for block in body.blocks if block.kind == "dynamic" and block.labels}
    for name, about in blocks.items():
        count = written.count(name)
        least = about.get("min_items", 1 if about.get("required") else 0)
        most = 1 if about["nesting_mode"] in {"single", "group"} else about.get("max_items") or count
        if name not in dynamic and count < least:
            yield Finding(where, f"missing required block {name!r}" if not count else f"too few blocks {name!r}")
        if name not in dynamic and count > most:
            yield Finding(where, f"too many blocks {name!r}: {count}, at most {most}")


# Values --------------------------------------------------------------------------------------------------------------


def _value(where: str, value: Any, kind: Any) -> Iterator[Finding]:
    if isinstance(value, Expression) or value is None or kind == "dynamic":
        return
    if isinstance(kind, str):
        if not _is_primitive(value, kind):
            yield Finding(where, f"needs {kind}, not {_kind_of(value)}")
        return
    shape, element = kind
    wanted = list if shape in {"list", "set"} else dict
    if not isinstance(value, wanted):
        yield Finding(where, f"needs a {shape}, not {_kind_of(value)}")
    elif wanted is list:
        for place, entry in enumerate(value):
            yield from _value(f"{where}[{place}]", entry, element)
    else:
        for name, entry in value.items():
            if shape == "object" and name not in element:
                yield Finding(where, f"key {name!r} is unknown{_near(name, element)}")
            else:
                yield from _value(f"{where}.{name}", entry, element if shape == "map" else element[name])


def _is_primitive(value: Any, kind: str) -> bool:
    """Whether a literal becomes a primitive type by Terraform's own conversions."""
    if isinstance(value, list | dict):
        return False
    if kind == "string":
        return True
    if isinstance(value, Template):
        return False
    if kind == "bool":
        return isinstance(value, bool) or value in ("true", "false")
    return not isinstance(value, bool) and (not isinstance(value, str) or bool(NUMBER.fullmatch(value)))


def _kind_of(value: Any) -> str:
    names = {list: "a list", dict: "an object", Template: "a template"}
    return names.get(type(value)) or repr(value)


def _near(name: str, names: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, list(names), 1)
    return f", did you mean {match[0]!r}?" if match and match[0] != name else ""
