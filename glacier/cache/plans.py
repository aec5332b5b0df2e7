"""A LazyFrame by its plan: what Polars writes of it, read as far as its files, frames and Python functions are told.

Polars calls that form unstable, so it is read without knowing its nodes: everything counts, but for the places below.
Where it cannot be read to its end the plan cannot be fingerprinted, which is a miss and never a wrong hit.

| in the plan                          | counts by                                              |
|--------------------------------------|--------------------------------------------------------|
| files that it scans                  | address and identity of each file or object            |
| credentials, endpoints and retries   | nothing: they hold secrets, and say nothing of the data |
| frames in memory                     | their bytes                                            |
| Python functions                     | their code, as the code of a task does                 |
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import Unfingerprintable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

__all__ = ["Plan", "Source", "read_plan"]

_PLANS = b"\xa9dsl_plans"
"""The key, in MessagePack, after which the nodes of the plan follow; before it are the bytes of frames in memory."""
_HIDDEN = frozenset({"cloud_options", "credential_provider", "storage_options"})
_CALLED = frozenset({"function", "scan_fn", "schema_fn", "apply"})
"""The keys under which Polars keeps Python functions. Data of the user is never under them, and so never unpickled."""
_MOST_TRIES = 16


@dataclass(frozen=True, slots=True)
class Source:
    """An address that a plan scans, and the object that Polars asks for credentials to it, None where there is none."""

    address: str
    credentials: Any


class Plan:
    """What of a plan counts.

    Attributes:
        digest: of all that is neither a file nor a function.
        sources: what it scans.
        functions: the Python objects in it.
    """

    def __init__(self, raw: bytes) -> None:
        from xxhash import xxh3_128

        self.sources: list[Source] = []
        self.functions: list[Any] = []
        at, nodes = _nodes(raw)
        self._digest = xxh3_128(raw[:at])
        self._walk(nodes)
        self.digest = self._digest.digest()

    def _walk(self, tree: Any) -> None:
        waiting: list[tuple[Any, bool]] = [(tree, False)]
        while waiting:
            each, called = waiting.pop()
            pickled = _pickled(each)
            if pickled is not None:
                self._function(pickled, called)
            elif isinstance(each, _Map):
                waiting.extend(reversed(list(self._of_map(each))))
            elif isinstance(each, list):
                items = cast("list[Any]", each)
                self._say(f"list {len(items)}")
                waiting.extend((item, called) for item in reversed(items))
            else:
                self._say(f"{type(each).__name__}:{each!r};")

    def _of_map(self, found: _Map) -> Iterator[tuple[Any, bool]]:
        self._say(f"map {len(found.items)}")
        for key, value in found.items:
            yield key, False
            if key == "sources":
                credentials = _credentials(found)
                self.sources.extend(Source(address, credentials) for address in _addresses(value))
            if key not in _HIDDEN:
                yield value, key in _CALLED

    def _function(self, pickled: bytes, called: bool) -> None:
        if not called:
            raise Unfingerprintable("a Python object at a place of a query plan where none is known to be")
        self._say("function")
        self.functions.append(_unpickled(pickled))

    def _say(self, text: str) -> None:
        self._digest.update(text.encode("utf-8", "surrogatepass"))


def _nodes(raw: bytes) -> tuple[int, list[Any]]:
    """Find the nodes: what is in them, or in the frames before them, may hold the same bytes as their key."""
    end = len(raw) if raw.startswith(b"DSL_VERSION") else 0
    for _ in range(_MOST_TRIES):
        end = raw.rfind(_PLANS, 0, end)
        if end < 0:
            break
        try:
            nodes, after = _unpack(raw, end + len(_PLANS))
        except (IndexError, ValueError, struct.error):
            continue
        except RecursionError as error:
            raise Unfingerprintable("a query plan that is too deep") from error
        if after == len(raw) and isinstance(nodes, list):
            return end, cast("list[Any]", nodes)
    raise Unfingerprintable("a query plan in a form that this version of Glacier does not know")


def read_plan(frame: pl.LazyFrame) -> Plan:
    """Read the plan of a LazyFrame.

    Raises:
        Unfingerprintable: Polars cannot write the plan, or wrote something unknown.
    """
    try:
        raw: bytes = frame.serialize()
    except Exception as error:
        raise Unfingerprintable(f"a query plan that Polars cannot write: {str(error).splitlines()[0]}") from error
    return Plan(raw)


def _addresses(sources: Any) -> Iterator[str]:
    """Yield the addresses of a scan's `{"Paths": [{"inner": address}, ...]}`."""
    if not isinstance(sources, _Map):
        return
    for kind, listed in sources.items:
        if kind == "Paths":
            for each in listed:
                yield from _texts(each)


def _credentials(scan: _Map) -> Any:
    """Return the provider of credentials that was given for a scan: Polars wraps it in objects of its own."""
    pickled = _pickled(_at(scan, "unified_scan_args", "cloud_options", "credential_provider", "Builder"))
    waiting: list[Any] = [] if pickled is None else [_unpickled(pickled)]
    while waiting:
        found = waiting.pop()
        if not type(found).__module__.startswith("polars."):
            return found
        waiting.extend(getattr(found, "__dict__", {}).values())
    return None


def _at(tree: Any, *keys: str) -> Any:
    for key in keys:
        tree = next((value for name, value in tree.items if name == key), None) if isinstance(tree, _Map) else None
    return tree


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, _Map):
        for _, value in tree.items:
            yield from _texts(value)


def _pickled(found: Any) -> bytes | None:
    """Return the pickle in bytes, or in a list of numbers, that Polars wrote with a few bytes of its own before it."""
    if isinstance(found, list):
        numbers = cast("list[Any]", found)
        if len(numbers) < 8 or numbers[-1] != 0x2E or not all(type(one) is int and 0 <= one < 256 for one in numbers):
            return None
        found = bytes(numbers)
    if not isinstance(found, bytes):
        return None
    # Pickles of protocol 4 and later begin with these three, and end with a full stop.
    start = re.search(rb"\x80[\x04\x05]\x95", found[:64])
    return found[start.start() :] if start and found.endswith(b".") else None


def _unpickled(raw: bytes) -> Any:
    """Return a Python object of a plan; Polars pickled it in this very call, from this process."""
    import pickle

    try:
        return pickle.loads(raw)  # noqa: S301
    except Exception as error:
        raise Unfingerprintable("a Python function in a query plan that cannot be read") from error


# --- MessagePack -----------------------------------------------------------------------------------------------------


class _Map:
    """A map as written: its order counts, and its keys may be anything."""

    def __init__(self, items: list[tuple[Any, Any]]) -> None:
        self.items = items


def _unpack(raw: bytes, at: int) -> tuple[Any, int]:  # noqa: PLR0911 - one for each kind of first byte
    """Read one value at `at`; return it and where the next one begins (https://github.com/msgpack/msgpack, spec.md)."""
    first = raw[at]
    if first < 0x80:
        return first, at + 1
    if first >= 0xE0:
        return first - 256, at + 1
    if first < 0x90:
        return _map(raw, at + 1, first & 0x0F)
    if first < 0xA0:
        return _list(raw, at + 1, first & 0x0F)
    if first < 0xC0:
        return _text(raw, at + 1, first & 0x1F)
    if first in _CONSTANTS:
        return _CONSTANTS[first], at + 1
    form, then = _FORMS[first - 0xC4] if 0xC4 <= first < 0xC4 + len(_FORMS) else (None, None)
    if form is None:
        raise ValueError(f"unknown byte {first:#x}")
    size = struct.calcsize(form)
    value: Any = struct.unpack_from(form, raw, at + 1)[0]
    return (value, at + 1 + size) if then is None else then(raw, at + 1 + size, value)


def _map(raw: bytes, at: int, size: int) -> tuple[_Map, int]:
    items: list[tuple[Any, Any]] = []
    for _ in range(size):
        key, at = _unpack(raw, at)
        value, at = _unpack(raw, at)
        items.append((key, value))
    return _Map(items), at


def _list(raw: bytes, at: int, size: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    for _ in range(size):
        item, at = _unpack(raw, at)
        items.append(item)
    return items, at


def _text(raw: bytes, at: int, size: int) -> tuple[str, int]:
    return str(_taken(raw, at, size), "utf-8", "surrogateescape"), at + size


def _binary(raw: bytes, at: int, size: int) -> tuple[bytes, int]:
    return _taken(raw, at, size), at + size


def _extension(raw: bytes, at: int, size: int) -> tuple[bytes, int]:
    return _taken(raw, at, size + 1), at + size + 1


def _taken(raw: bytes, at: int, size: int) -> bytes:
    if at + size > len(raw):
        raise ValueError("cut short")
    return raw[at : at + size]


def _fixed(size: int) -> Callable[[bytes, int, int], tuple[bytes, int]]:
    return lambda raw, at, kind: (bytes([kind & 0xFF]) + _taken(raw, at, size), at + size)


_CONSTANTS: dict[int, Any] = {0xC0: None, 0xC2: False, 0xC3: True}
_FORMS: tuple[tuple[str, Callable[[bytes, int, int], tuple[Any, int]] | None], ...] = (
    (">B", _binary),
    (">H", _binary),
    (">I", _binary),
    (">B", _extension),
    (">H", _extension),
    (">I", _extension),
    (">f", None),
    (">d", None),
    (">B", None),
    (">H", None),
    (">I", None),
    (">Q", None),
    (">b", None),
    (">h", None),
    (">i", None),
    (">q", None),
    (">b", _fixed(1)),
    (">b", _fixed(2)),
    (">b", _fixed(4)),
    (">b", _fixed(8)),
    (">b", _fixed(16)),
    (">B", _text),
    (">H", _text),
    (">I", _text),
    (">H", _list),
    (">I", _list),
    (">H", _map),
    (">I", _map),
)
