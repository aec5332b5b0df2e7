"""What a code object says, without what may change and mean nothing: comments, lines, docstrings, names of locals.

Reading one costs some 20 µs and is done once for each code object, so that fingerprinting a function again is cheap.
"""

from __future__ import annotations

import opcode
import sys
from dataclasses import dataclass
from hashlib import blake2b
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CodeFacts", "Import", "facts"]

_OPS = opcode.opmap
_LOAD_GLOBAL, _EXTENDED_ARG = _OPS["LOAD_GLOBAL"], _OPS["EXTENDED_ARG"]
_BY_NAME = frozenset(
    _OPS[name] for name in ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_CLASSDEREF") if name in _OPS
) - {_OPS.get("LOAD_CLASSDEREF")}
_IMPORT_NAME, _IMPORT_FROM = _OPS["IMPORT_NAME"], _OPS["IMPORT_FROM"]
_LOAD_CONST = _OPS["LOAD_CONST"]
_HAS_DOCSTRING = 0x4000000
"""The flag of code with a docstring, since Python 3.14; before, the first constant of a function is kept for it."""
_FUNCTION = 0x2
"""CO_NEWLOCALS: the code of a function, not of a class or module."""


@dataclass(frozen=True, slots=True)
class Import:
    """An import inside a function: the module's name as written, the dots before it, and the names taken from it."""

    module: str
    level: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What a function's code, with all the code nested in it, computes with.

    Attributes:
        digest: of instructions, constants, and the names of parameters, attributes and globals.
        globals: the names that it looks up outside of itself, in the order in which they appear.
        names: every name in it, those of attributes included.
        texts: its string constants.
        imports: what it imports when it runs.
    """

    digest: bytes
    globals: tuple[str, ...]
    names: frozenset[str]
    texts: tuple[str, ...]
    imports: tuple[Import, ...]


_KNOWN: dict[CodeType, CodeFacts] = {}
_MOST_KNOWN = 10_000


def facts(code: CodeType) -> CodeFacts:
    """Return what `code` says; read once for each code object of the process."""
    known = _KNOWN.get(code)
    if known is None:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        known = _KNOWN[code] = _read(code)
    return known


def _read(code: CodeType) -> CodeFacts:
    every = list(_nested(code))
    digest = blake2b(digest_size=16)
    for each in every:
        digest.update(_own(each))
    return CodeFacts(
        digest.digest(),
        tuple(dict.fromkeys(name for each in every for name in _globals(each))),
        frozenset(name for each in every for name in each.co_names),
        tuple(dict.fromkeys(text for each in every for text in _texts(constants(each)))),
        tuple(each for code in every for each in _imports(code)),
    )


def _nested(code: CodeType) -> Iterator[CodeType]:
    """Yield the code and what is nested in it, the outer before the inner, without recursion."""
    waiting = [code]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(const for const in reversed(each.co_consts) if isinstance(const, CodeType))


def constants(code: CodeType) -> tuple[Any, ...]:
    """Return the constants with None in the place of a docstring."""
    consts = code.co_consts
    if code.co_flags & _FUNCTION and consts and _documented(code):
        return (None, *consts[1:])
    return consts


def _documented(code: CodeType) -> bool:
    if sys.version_info >= (3, 14):
        return bool(code.co_flags & _HAS_DOCSTRING)
    # A lambda, generator expression or the like keeps no place for a docstring: there the first constant is one in use.
    return isinstance(code.co_consts[0], str) and not code.co_name.startswith("<")


def _own(code: CodeType) -> bytes:
    """Return the digest of one code object, whatever is nested in it left out."""
    parameters = code.co_argcount + code.co_kwonlyargcount
    parameters += sum(bool(code.co_flags & flag) for flag in (0x4, 0x8))
    shape = (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & ~_HAS_DOCSTRING,
        code.co_varnames[:parameters],
        code.co_names,
        len(code.co_cellvars),
        len(code.co_freevars),
        [_constant(const) for const in constants(code)],
    )
    return blake2b(
        b"\0".join((repr(shape).encode("utf-8", "surrogatepass"), code.co_code, code.co_exceptiontable)),
        digest_size=16,
    ).digest()


def _constant(const: Any) -> Any:
    """Return what stands for a constant: sets in an order that does not depend on the seed of hashes."""
    if isinstance(const, CodeType):
        return "<code>"
    if isinstance(const, tuple):
        return [_constant(each) for each in const]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(const, frozenset):
        return ["<set>", *sorted(repr(_constant(each)) for each in const)]  # pyright: ignore[reportUnknownVariableType]
    return type(const).__name__, repr(const)


def _texts(consts: tuple[Any, ...]) -> Iterator[str]:
    for const in consts:
        if isinstance(const, str):
            yield const
        elif isinstance(const, tuple | frozenset):
            yield from _texts(tuple(const))  # pyright: ignore[reportUnknownArgumentType]


def _instructions(code: CodeType) -> Iterator[tuple[int, int]]:
    """Yield operation and argument of each instruction; since Python 3.6 each takes two bytes."""
    raw, extended = code.co_code, 0
    for at in range(0, len(raw), 2):
        operation, argument = raw[at], raw[at + 1] | extended
        extended = argument << 8 if operation == _EXTENDED_ARG else 0
        if operation != _EXTENDED_ARG:
            yield operation, argument


def _globals(code: CodeType) -> Iterator[str]:
    names = code.co_names
    for operation, argument in _instructions(code):
        if operation == _LOAD_GLOBAL:
            yield names[argument >> 1]
        elif operation in _BY_NAME:
            yield names[argument]


def _imports(code: CodeType) -> Iterator[Import]:
    consts: list[Any] = []
    module: tuple[str, int] | None = None
    taken: list[str] = []
    for operation, argument in _instructions(code):
        if operation == _IMPORT_FROM and module is not None:
            taken.append(code.co_names[argument])
            continue
        if operation == _IMPORT_NAME:
            if module is not None:
                yield Import(*module, tuple(taken))
            level = next((each for each in reversed(consts[-2:]) if isinstance(each, int)), 0)
            module, taken = (code.co_names[argument], level), []
        consts.append(code.co_consts[argument] if operation == _LOAD_CONST else None)
        # Python 3.14 loads small integers, and so the level, without a constant.
        if operation == _OPS.get("LOAD_SMALL_INT"):
            consts[-1] = argument
    if module is not None:
        yield Import(*module, tuple(taken))
