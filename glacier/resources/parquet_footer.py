"""Where the column chunks of a parquet file lie: as much of its footer as a preview needs.

No library that Glacier uses tells it. A file ends with `FileMetaData`, four bytes of its length (little-endian) and
`PAR1`: https://parquet.apache.org/docs/file-format. The fields and their numbers are those of
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift, in Thrift's compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier.resources.parts import Unclear

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ALL", "TAIL", "Chunk", "Footer", "Group", "footer_length", "read_footer"]

TAIL = 8
"""Bytes after the footer: its length and `PAR1`."""

ALL = 2**63
"""More rows than any file has."""

_DEEPEST = 16
"""Structs and lists inside each other; a footer has six."""

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = range(1, 14)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The bytes of one leaf column in one row group; `column` is the top-level column that it belongs to.

    `nulls` is how many of its values are missing, None where the writer did not say or the column is nested.
    """

    column: str
    start: int
    size: int
    nulls: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A row group."""

    rows: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Footer:
    """What a footer tells: the rows of the file, and its first row groups."""

    rows: int
    groups: tuple[Group, ...]

    def nulls(self) -> dict[str, int]:
        """Return how many values of each column are missing, of the columns that every row group tells it of."""
        found: dict[str, int] = {}
        silent: set[str] = set()
        for chunk in (chunk for group in self.groups for chunk in group.chunks):
            if chunk.nulls is None:
                silent.add(chunk.column)
            found[chunk.column] = found.get(chunk.column, 0) + (chunk.nulls or 0)
        return {column: count for column, count in found.items() if column not in silent}


def footer_length(tail: bytes) -> int:
    """Return the bytes of the footer, of the last eight bytes of a file.

    Raises:
        Unclear: these are not the last bytes of a parquet file, or its footer is encrypted (`PARE`).
    """
    if len(tail) != TAIL or not tail.endswith(b"PAR1"):
        raise Unclear("no plain parquet footer")
    return int.from_bytes(tail[:4], "little")


def read_footer(footer: bytes, rows: int) -> Footer:
    """Read a footer as far as the row groups go that hold the first `rows` rows.

    The work and the memory it takes grow with the bytes it reads, whatever these are.

    Raises:
        Unclear: it is damaged, or says something that this reader does not know: encrypted columns, columns in other
            files, fields in an unusual order. Nothing else is raised.
    """
    try:
        return _read(_Compact(footer), rows)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Unclear("a damaged parquet footer") from error


def _read(reader: _Compact, rows: int) -> Footer:
    """Read `FileMetaData`: `num_rows` is field 3 and stands before the row groups, which are field 4."""
    total: Any = None
    for number, kind in reader.fields():
        if number == 4:
            return Footer(_count(total), tuple(_groups(reader, rows)))
        value = reader.value(kind)
        total = value if number == 3 else total
    raise Unclear("a parquet footer without row groups")


def _groups(reader: _Compact, rows: int) -> Iterator[Group]:
    kind, count = reader.items()
    while count and rows > 0:
        group = _group(reader.value(kind))
        yield group
        count, rows = count - 1, rows - group.rows


def _group(group: dict[int, Any]) -> Group:
    """Read a `RowGroup`: its columns are field 1, its rows field 3."""
    return Group(_count(group[3]), tuple(_chunk(chunk) for chunk in group[1]))


def _chunk(chunk: dict[int, Any]) -> Chunk:
    """Read a `ColumnChunk`: another file's path is field 1, its metadata field 3, encryption field 8."""
    if 1 in chunk or 8 in chunk:
        raise Unclear("a column that is encrypted or in another file")
    meta: dict[int, Any] = chunk[3]
    # A dictionary page stands before the data pages; some writers say 0 where there is none.
    start = min(_count(at) for at in (meta[9], meta.get(11)) if at)
    return Chunk(meta[3][0].decode(), start, _count(meta[7]), _nulls(meta))


def _nulls(meta: dict[int, Any]) -> int | None:
    """Read `Statistics`, field 12: the number of nulls is field 3. In a nested column it counts parts of values."""
    told = meta.get(12, {}).get(3) if len(meta[3]) == 1 else None
    return None if told is None else _count(told)


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise Unclear("a parquet footer with a count or place that is none")
    return value


class _Compact:
    """A reader of Thrift's compact protocol that only goes forward; a struct becomes a dict by field number."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if not 0 <= count <= len(self._data) - self._at:
            raise Unclear("a parquet footer that ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield number and type of each field of a struct; its value has to be read before the next one."""
        number = 0
        while head := self.take(1)[0]:
            number = number + (head >> 4) if head >> 4 else self._integer()
            yield number, head & 15

    def items(self) -> tuple[int, int]:
        """Return type and count of a list's items; each takes a byte or more."""
        head = self.take(1)[0]
        count = self._varint() if head >> 4 == 15 else head >> 4
        if count > len(self._data) - self._at:
            raise Unclear("a list longer than the parquet footer")
        return head & 15, count

    def value(self, kind: int, depth: int = 0) -> Any:
        """Return the next value, which is of that type."""
        if depth > _DEEPEST:
            raise Unclear("a parquet footer that is nested too deep")
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind == _BINARY:
            return self.take(self._varint())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _STRUCT:
            return {number: self.value(inner, depth + 1) for number, inner in self.fields()}
        return self.take({_BYTE: 1, _DOUBLE: 8, _UUID: 16}[kind])

    def _list(self, depth: int) -> list[Any]:
        kind, count = self.items()
        # A truth value is in the field's type; in a list it is a byte.
        kind = _BYTE if kind in (_TRUE, _FALSE) else kind
        return [self.value(kind, depth + 1) for _ in range(count)]

    def _integer(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise Unclear("a number longer than 64 bits in a parquet footer")
