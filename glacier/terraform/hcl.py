"""HCL as `terraform fmt` writes it, from which no string can break out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import InfrastructureError
from glacier.terraform.document import IDENTIFIER, Block, Call, Choice, Ref, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import EllipsisType

    from glacier.terraform.document import Value

__all__ = ["arguments", "comment", "expression", "hcl", "interpolated", "template"]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_KEYWORDS = frozenset({"true", "false", "null", "for", "if", "in"})
_WIDE = 100
"""Columns that a list may take before it gets a line for each item."""


def hcl(blocks: Iterable[Block], header: Iterable[str] = ()) -> str:
    """Return blocks as a file, with `header` as its first lines of comment.

    Raises:
        InfrastructureError: a string has half a surrogate pair, which no file can hold.
    """
    above = "".join(f"{comment(line)}\n" for line in header)
    return "\n".join([*([above] if above else []), *(_block(block, 0) for block in blocks)])


def arguments(values: Mapping[str, Value], header: Iterable[str] = ()) -> str:
    """Return arguments without a block around them: the contents of a `.tfvars` or `.tfbackend` file."""
    above = "".join(f"{comment(line)}\n" for line in header)
    body = _arguments(values, 0)
    return f"{above}\n{body}" if above and body else above + body


def comment(text: str) -> str:
    """Return a line of comment; what could end the line is dropped."""
    return f"# {''.join(_unit(each) if each.isprintable() else ' ' for each in text).strip()}".rstrip()


def template(text: str) -> str:
    """Return a literal for the inside of a template: no `${` or `%{` in it begins anything."""
    return text.replace("${", "$${").replace("%{", "%%{")


def interpolated(text: Text, literal: Callable[[str], str]) -> str:
    """Return a text as a template without its quotes; `literal` writes the parts that are no code.

    `$` before an interpolation would escape it, and is written as code itself.
    """
    made = ""
    for part in text.parts:
        if isinstance(part, str):
            made += literal(part)
        else:
            plain = made.rstrip("$")
            made = plain if plain == made else f'{plain}${{"{made[len(plain) :]}"}}'
            made += f"${{{expression(part)}}}"
    return made


def expression(value: Value, indent: int = 0) -> str:
    """Return a value as code; an object, and a list too long for one line, takes several lines."""
    if isinstance(value, Ref | Call | Choice | Text):
        return _code(value, indent)
    if isinstance(value, str):
        return f'"{_quoted(value)}"'
    if isinstance(value, Mapping):
        return _object(cast("Mapping[str, Any]", value), indent)
    return _list(value, indent) if isinstance(value, Sequence) else json.dumps(value, allow_nan=False)


def _code(value: Ref | Call | Choice | Text, indent: int) -> str:
    match value:
        case Text():
            return f'"{interpolated(value, _quoted)}"'
        case Choice():
            return _choice(value, indent)
        case Call():
            return _call(value, indent)
        case Ref():
            return _reference(value)


def _block(block: Block, indent: int) -> str:
    pad = " " * indent
    above = "".join(f"{pad}{comment(note)}\n" for note in (*block.notes, *_ignored(block)))
    head = " ".join([block.kind, *(f'"{label}"' for label in block.labels)])
    body = "\n".join(_paragraphs(block, indent + 2))
    return f"{above}{pad}{head} {{\n{body}{pad}}}\n" if body else f"{above}{pad}{head} {{}}\n"


def _ignored(block: Block) -> list[str]:
    """Return what Trivy reads above a block; checkov reads inside."""
    return [f"trivy:ignore:{check} {reason}" for check, reason in block.skips if not check.startswith("CKV")]


def _paragraphs(block: Block, indent: int) -> list[str]:
    """Return the parts of a body that a blank line separates."""
    pad = " " * indent
    last = {name: value for name, value in block.arguments.items() if name == "depends_on"}
    first = {name: value for name, value in block.arguments.items() if name in _META}
    rest = {name: value for name, value in block.arguments.items() if name not in last and name not in first}
    declined = [f"checkov:skip={check}:{reason}" for check, reason in block.skips if check.startswith("CKV")]
    skips = "".join(f"{pad}{comment(line)}\n" for line in declined)
    inner = sorted(block.blocks, key=lambda each: each.kind == "lifecycle")
    parts = [_arguments(first, indent), _arguments(rest, indent)]
    parts += [*(_block(each, indent) for each in inner), _arguments(last, indent)]
    found = [part for part in parts if part]
    return [skips + "".join(found[:1]), *found[1:]] if skips or found else []


_META = frozenset({"count", "for_each", "provider"})


def _arguments(values: Mapping[str, Value], indent: int) -> str:
    return _aligned([(name, expression(value, indent)) for name, value in values.items()], indent)


def _aligned(pairs: Iterable[tuple[str, str]], indent: int) -> str:
    """Align `=` over consecutive one-line values, as fmt does; a value of several lines stands alone."""
    lines: list[str] = []
    run: list[tuple[str, str]] = []
    for name, text in pairs:
        if "\n" in text:
            lines += [*_run(run, indent), f"{' ' * indent}{name} = {text}\n"]
            run = []
        else:
            run.append((name, text))
    return "".join([*lines, *_run(run, indent)])


def _run(pairs: Sequence[tuple[str, str]], indent: int) -> list[str]:
    wide = max((_width(name) for name, _ in pairs), default=0)
    return [f"{' ' * indent}{name}{' ' * (wide - _width(name))} = {text}\n" for name, text in pairs]


def _width(name: str) -> int:
    """Columns as fmt counts them: grapheme clusters, for which keys that are not ASCII are escaped instead."""
    return len(name)


def _object(value: Mapping[str, Value], indent: int) -> str:
    if not value:
        return "{}"
    pairs = [(_key(name), expression(each, indent + 2)) for name, each in value.items()]
    return f"{{\n{_aligned(pairs, indent + 2)}{' ' * indent}}}"


def _list(value: Sequence[Value], indent: int) -> str:
    line = f"[{', '.join(expression(each, indent) for each in value)}]"
    if "\n" not in line and len(line) + indent <= _WIDE:
        return line
    return f"[\n{_items(value, indent)}{' ' * indent}]"


def _items(values: Sequence[Value], indent: int) -> str:
    return "".join(f"{' ' * (indent + 2)}{expression(each, indent + 2)},\n" for each in values)


def _choice(choice: Choice, indent: int) -> str:
    """Return a condition; where both values take several lines, fmt moves the line between them to the right."""
    yes, no = expression(choice.yes, indent), expression(choice.no, indent)
    if "\n" in yes and "\n" in no:
        yes = "\n  ".join(yes.rsplit("\n", 1))
    return f"{_reference(choice.condition)} ? {yes} : {no}"


def _call(call: Call, indent: int) -> str:
    """Return a call; where one of several arguments takes several lines, each begins on its own."""
    line = ", ".join(expression(each, indent) for each in call.arguments)
    if "\n" not in line or len(call.arguments) == 1:
        return f"{call.function}({line})"
    return f"{call.function}(\n{_items(call.arguments, indent)}{' ' * indent})"


def _reference(ref: Ref) -> str:
    first, *rest = ref.parts
    return str(first) + "".join(_step(part) for part in rest)


def _step(part: str | int | tuple[str] | EllipsisType) -> str:
    match part:
        case str():
            return f".{part}"
        case int():
            return f"[{part}]"
        case (str(key),):
            return f'["{_quoted(key)}"]'
        case _:
            return "[*]"


def _key(name: str) -> str:
    if IDENTIFIER.fullmatch(name) and name not in _KEYWORDS:
        return name
    return f'"{_quoted(name, plain=True)}"'


def _quoted(text: str, *, plain: bool = False) -> str:
    """Return text as it stands between quotes; `plain` escapes all that is not ASCII, so that widths are certain."""
    return "".join(_character(each, plain) for each in template(text))


def _character(each: str, plain: bool) -> str:
    if each in _ESCAPES:
        return _ESCAPES[each]
    if each.isascii() and each.isprintable():
        return each
    if each.isprintable() and not plain:
        return each
    return f"\\u{ord(_unit(each)):04x}" if ord(each) < 0x10000 else f"\\U{ord(each):08x}"


def _unit(each: str) -> str:
    if "\ud800" <= each <= "\udfff":
        raise InfrastructureError(
            "a string has half a surrogate pair, which no file can hold",
            hint="look for '\\ud8..' in names and settings",
        )
    return each
