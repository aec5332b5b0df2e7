"""Where the record batches of an Arrow IPC file lie.

A file ends with `Footer`, four bytes of its length (little-endian) and `ARROW1`; the footer is a FlatBuffers table
that lists blocks (place, bytes of metadata, bytes of the body) of dictionaries and of record batches:
https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format, and the schemas `File.fbs` and `Message.fbs` in
https://github.com/apache/arrow/tree/main/format. How tables are laid out: https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from glacier.resources.parts import Unclear

__all__ = ["TAIL", "Block", "Footer", "batch_rows", "footer_length", "read_footer"]

TAIL = 10
"""Bytes after the footer: its length and `ARROW1`."""

_BLOCK = struct.Struct("<qi4xq")
_CONTINUES = b"\xff\xff\xff\xff"
_RECORD_BATCH = 3


@dataclass(frozen=True, slots=True)
class Block:
    """A message in the file: its place, and the bytes of its metadata and of its body, which follow each other."""

    start: int
    metadata: int
    body: int

    @property
    def end(self) -> int:
        """The byte after the last."""
        return self.start + self.metadata + self.body


@dataclass(frozen=True, slots=True)
class Footer:
    """What a footer tells: its blocks, and where in it the number of record batches stands (four bytes)."""

    dictionaries: tuple[Block, ...]
    batches: tuple[Block, ...]
    count_at: int


def footer_length(tail: bytes) -> int:
    """Return the bytes of the footer, of the last ten bytes of a file.

    Raises:
        Unclear: these are not the last bytes of an Arrow IPC file.
    """
    if len(tail) != TAIL or not tail.endswith(b"ARROW1"):
        raise Unclear("no Arrow IPC footer")
    return int.from_bytes(tail[:4], "little")


def read_footer(footer: bytes) -> Footer:
    """Read a `Footer`: dictionaries are field 2, record batches field 3.

    Raises:
        Unclear: it is damaged, or has no record batches. Nothing else is raised.
    """
    table = _Table(footer, _number("<I", footer, 0))
    count_at = table.vector(3)
    if count_at is None:
        raise Unclear("an Arrow IPC footer without a list of record batches")
    return Footer(_blocks(footer, table.vector(2)), _blocks(footer, count_at), count_at)


def batch_rows(metadata: bytes) -> int:
    """Return the rows of a record batch, of the metadata that its block begins with.

    `Message.header` is field 2 (its type field 1), and `RecordBatch.length` is field 0 of that.

    Raises:
        Unclear: this is no record batch. Nothing else is raised.
    """
    # Files from before Arrow 0.15 have the length alone.
    message = metadata[8:] if metadata.startswith(_CONTINUES) else metadata[4:]
    table = _Table(message, _number("<I", message, 0))
    header = table.vector(2)
    if table.number("<B", 1) != _RECORD_BATCH or header is None:
        raise Unclear("an Arrow message that is no record batch")
    rows = _Table(message, header).number("<q", 0)
    if rows < 0:
        raise Unclear("a record batch of less than no rows")
    return rows


def _blocks(footer: bytes, at: int | None) -> tuple[Block, ...]:
    count = 0 if at is None else _number("<I", footer, at)
    start = 0 if at is None else at + 4
    if count * _BLOCK.size > len(footer) - start:
        raise Unclear("a list longer than the Arrow IPC footer")
    blocks = tuple(Block(*parts) for parts in _BLOCK.iter_unpack(footer[start : start + count * _BLOCK.size]))
    if any(min(block.start, block.metadata, block.body) < 0 for block in blocks):
        raise Unclear("an Arrow block of less than no bytes")
    return blocks


class _Table:
    """A FlatBuffers table: field by number, each of them optional."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._offsets = at - _number("<i", data, at)
        self._end = _number("<H", data, self._offsets)

    def number(self, kind: str, field: int) -> int:
        """Return a number, 0 where it is not given."""
        place = self._place(field)
        return 0 if place is None else _number(kind, self._data, place)

    def vector(self, field: int) -> int | None:
        """Return where a list (at its count) or an inner table stands, None where it is not given."""
        place = self._place(field)
        return None if place is None else place + _number("<I", self._data, place)

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        offset = _number("<H", self._data, self._offsets + entry) if entry + 2 <= self._end else 0
        return self._at + offset if offset else None


def _number(kind: str, data: bytes, at: int) -> Any:
    """Return the number at a place; a negative place would count from the end."""
    if not 0 <= at <= len(data) - struct.calcsize(kind):
        raise Unclear("an Arrow footer that points outside itself")
    return struct.unpack_from(kind, data, at)[0]
