"""The document model: blocks with arguments, and values in which only references are code.

A `str` is always a literal, whatever it holds. Code comes in four forms only: `Ref` (`aws_s3_bucket.sales.arn`, made
by attribute access from `block.ref`), `Call` (`jsonencode({...})`), `Choice` (`var.replicated ? 1 : 0`) and `Text`,
literals and references joined: `Text(bucket.ref.arn, "/raw/*")`. None of them is ever made of a user's string, so that
no string becomes code.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from glacier.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import EllipsisType

__all__ = [
    "IDENTIFIER",
    "Block",
    "Call",
    "Choice",
    "Document",
    "Labels",
    "Ref",
    "Text",
    "Value",
    "data",
    "identifier",
    "nested",
    "output",
    "resource",
    "variable",
]

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""What labels and argument names may be; HCL allows more (UAX #31), reviewers read this better."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference: `Ref("aws_s3_bucket", "sales").arn` is the code `aws_s3_bucket.sales.arn`.

    An attribute that Python or the class has taken for itself is reached as `ref.at("parts")`; an index is `ref[0]` or
    `ref["key"]`, and `ref[...]` is each of several: `aws_s3_bucket.sales[*]`.
    """

    parts: tuple[str | int | tuple[str] | EllipsisType, ...]

    def __init__(self, *parts: str | int | tuple[str] | EllipsisType) -> None:
        bad = next((part for part in parts if isinstance(part, str) and not IDENTIFIER.fullmatch(part)), None)
        if bad is not None:
            raise InfrastructureError(f"{bad!r} cannot stand in a Terraform reference", hint="use identifiers only")
        object.__setattr__(self, "parts", parts)

    def __getattr__(self, name: str) -> Ref:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.at(name)

    def __getitem__(self, key: int | str | EllipsisType) -> Ref:
        return Ref(*self.parts, (key,) if isinstance(key, str) else key)

    def at(self, name: str) -> Ref:
        """Return the reference to an attribute of this one."""
        return Ref(*self.parts, name)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of Terraform's functions: `Call("jsonencode", {...})`."""

    function: str
    arguments: tuple[Value, ...]

    def __init__(self, function: str, *arguments: Value) -> None:
        if not IDENTIFIER.fullmatch(function):
            raise InfrastructureError(f"{function!r} is no function of Terraform", hint="use its plain name")
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "arguments", arguments)


@dataclass(frozen=True, slots=True)
class Choice:
    """One value or another: `Choice(Ref("var", "replicated"), 1, 0)`."""

    condition: Ref
    yes: Value
    no: Value


@dataclass(frozen=True, slots=True)
class Text:
    """A string in which some parts are values that only Terraform knows: `Text(bucket.ref.arn, "/raw/*")`."""

    parts: tuple[str | Ref | Call, ...]

    def __init__(self, *parts: str | Ref | Call) -> None:
        joined: list[str | Ref | Call] = []
        for part in parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            else:
                joined.append(part)
        object.__setattr__(self, "parts", tuple(joined))


Value: TypeAlias = (
    "str | int | float | bool | Ref | Call | Choice | Text | Sequence[Value] | Mapping[str, Value] | None"
)
"""What an argument can hold; None is `null`, a Mapping an object, a list or tuple a list."""


@dataclass(frozen=True)
class Block:
    """A block: `Block("resource", ("aws_s3_bucket", "sales"), {"bucket": "sales"})`; `resource` and others are shorter.

    The writers put arguments first, then blocks, then `lifecycle` and `depends_on`, as HashiCorp's style guide has it.

    Attributes:
        kind: `resource`, `data`, `variable`, a nested block's name ...
        labels: identifiers.
        arguments: by name, in the order in which they are written.
        blocks: nested blocks, in order.
        notes: lines of comment above the block; control characters in them are dropped.
        skips: policy checks of checkov (`CKV...`) and Trivy that are declined here, as `(id, reason)`; HCL only.
    """

    kind: str
    labels: tuple[str, ...] = ()
    arguments: Mapping[str, Value] = field(default_factory=dict[str, Any])
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()
    skips: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name in (self.kind, *self.labels, *self.arguments):
            if not IDENTIFIER.fullmatch(name):
                raise InfrastructureError(
                    f"{name!r} is no Terraform identifier", hint="see glacier.terraform.identifier"
                )

    @property
    def ref(self) -> Ref:
        """The reference to this block: `aws_s3_bucket.sales`, `data.aws_s3_bucket.sales`, `var.region`."""
        return Ref(*_PREFIX.get(self.kind, (self.kind,)), *self.labels)

    @property
    def address(self) -> str:
        """The address that Terraform shows for this block, such as `aws_s3_bucket.sales`."""
        return ".".join((*_PREFIX.get(self.kind, (self.kind,)), *self.labels))


_PREFIX: dict[str, tuple[str, ...]] = {"resource": (), "variable": ("var",)}


def resource(kind: str, label: str, *blocks: Block, **arguments: Value) -> Block:
    """Make a resource: `resource("aws_s3_bucket", "sales", bucket="sales")`."""
    return Block("resource", (kind, label), arguments, blocks)


def data(kind: str, label: str, *blocks: Block, **arguments: Value) -> Block:
    """Make a data source: `data("aws_s3_bucket", "sales", bucket="sales")`."""
    return Block("data", (kind, label), arguments, blocks)


def nested(kind: str, *blocks: Block, **arguments: Value) -> Block:
    """Make a block inside another: `nested("versioning_configuration", status="Enabled")`."""
    return Block(kind, (), arguments, blocks)


def variable(name: str, type: str | Call, description: str, *blocks: Block, **arguments: Value) -> Block:
    """Make a variable of a type such as `"string"` or `Call("list", Ref("string"))`."""
    kind = Ref(type) if isinstance(type, str) else type
    return Block("variable", (name,), {"type": kind, "description": description, **arguments}, blocks)


def output(name: str, description: str, value: Value, **arguments: Value) -> Block:
    """Make an output."""
    return Block("output", (name,), {"description": description, "value": value, **arguments})


@dataclass(frozen=True)
class Document:
    """Blocks by the file they belong in, such as `storage.tf`.

    Raises:
        InfrastructureError: two blocks have the same address.
    """

    files: Mapping[str, tuple[Block, ...]]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for block in self:
            if block.labels and block.kind != "provider" and block.address in seen:
                raise InfrastructureError(f"two blocks are called {block.address}", hint="this is a bug of Glacier")
            seen.add(block.address)

    def __iter__(self) -> Iterator[Block]:
        return (block for blocks in self.files.values() for block in blocks)

    def __add__(self, other: Document) -> Document:
        names = dict.fromkeys((*self.files, *other.files))
        return Document({name: (*self.files.get(name, ()), *other.files.get(name, ())) for name in names})


def identifier(name: str) -> str:
    """Return a snake_case identifier that is near to a user's name: `2024-sales` becomes `_2024_sales`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    near = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or f"x{_digest(name)}"
    return f"_{near}" if near[0].isdigit() else near


class Labels:
    """Hands out labels, each once: two names that read alike get a suffix made of the name, the same in every run.

    A name that ends in one of `endings` always gets the suffix: they are for what is labelled after something else.
    """

    def __init__(self, *endings: str) -> None:
        self._endings = endings
        self._taken: dict[str, tuple[str, str]] = {}

    def of(self, name: str, kind: str = "") -> str:
        """Return the label of a thing of some kind; asked again for the same one, the same label."""
        near, thing = identifier(name), (kind, name)
        if near.endswith(self._endings) or self._taken.setdefault(near, thing) != thing:
            near = f"{near}_{_digest(f'{kind} {name}' if kind else name)}"
            self._taken[near] = thing
        return near


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
