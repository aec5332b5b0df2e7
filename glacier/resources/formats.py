"""The file formats: how each is recognised, scanned and written. A new format is one more line in `FORMATS`."""

from __future__ import annotations

import glob
import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from glacier.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

__all__ = ["FORMATS", "Format", "escaped", "format_of", "is_pattern", "looks_like", "matcher", "sources"]


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        name: what users call it.
        suffixes: the endings of its files, the usual one first.
        scan: makes a LazyFrame of addresses, or of open files for a format that is read whole.
        sink: writes a LazyFrame to a binary file-like object.
        hive: whether folders like `year=2024` become columns.
        text: whether its first rows stand in its first bytes.
        whole: whether Polars can only read it, not scan it.
        globs: whether its scan takes `glob=False`, by which `*`, `?` and `[` are characters.
    """

    name: str
    suffixes: tuple[str, ...]
    scan: Callable[..., pl.LazyFrame]
    sink: Callable[[pl.LazyFrame, IO[bytes]], None]
    hive: bool = False
    text: bool = False
    whole: bool = False
    globs: bool = True


def _scan_parquet(source: Any, **options: Any) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_parquet(source, **options)


def _scan_csv(source: Any, **options: Any) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_csv(source, **options)


def _scan_ndjson(source: Any, **options: Any) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_ndjson(source, **options)


def _scan_ipc(source: Any, **options: Any) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_ipc(source, **options)


def _scan_json(source: Any, **options: Any) -> pl.LazyFrame:
    """Read documents, an object as one row and a list of objects as its rows; no row may lose a field of its own."""
    import polars as pl

    options = {"infer_schema_length": None, **options}
    return pl.concat([pl.read_json(each, **options) for each in source], how="diagonal_relaxed").lazy()


def _sink_parquet(frame: pl.LazyFrame, target: IO[bytes]) -> None:
    frame.sink_parquet(target)


def _sink_csv(frame: pl.LazyFrame, target: IO[bytes]) -> None:
    frame.sink_csv(target)


def _sink_ndjson(frame: pl.LazyFrame, target: IO[bytes]) -> None:
    frame.sink_ndjson(target)


def _sink_ipc(frame: pl.LazyFrame, target: IO[bytes]) -> None:
    frame.sink_ipc(target)


def _sink_json(frame: pl.LazyFrame, target: IO[bytes]) -> None:
    target.write(frame.collect().write_json().encode())


FORMATS = {
    each.name: each
    for each in (
        Format("parquet", (".parquet", ".pq"), _scan_parquet, _sink_parquet, hive=True),
        Format("csv", (".csv",), _scan_csv, _sink_csv, text=True),
        Format("json", (".json",), _scan_json, _sink_json, whole=True),
        Format("ndjson", (".ndjson", ".jsonl"), _scan_ndjson, _sink_ndjson, text=True, globs=False),
        Format("ipc", (".ipc", ".feather", ".arrow"), _scan_ipc, _sink_ipc, hive=True),
    )
}

_MARKS = {
    b"PAR1": "parquet",
    b"ARROW1": "ipc",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def format_of(path: str, explicit: str | None = None) -> Format:
    """Return the explicit format, else the one that the suffix of `path` names, else parquet.

    Raises:
        ConfigError: there is no such format, or `path` is no text.
    """
    if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users need not run a type checker
        raise ConfigError(f"a path in a bucket is a str, not a {type(path).__name__}", hint="pass str(path)")
    if explicit is not None:
        if explicit not in FORMATS:
            hint = did_you_mean(str(explicit).lower(), FORMATS)
            raise ConfigError(f"unknown format {explicit!r} for {path!r}", hint=hint)
        return FORMATS[explicit]
    suffix = PurePosixPath(path).suffix.lower()
    return next((each for each in FORMATS.values() if suffix in each.suffixes), FORMATS["parquet"])


def sources(form: Format, source: str, *, pattern: bool) -> tuple[str | list[str], dict[str, Any]]:
    """Return what the format's scan is given for a source, and how: an object as it is, a folder as patterns.

    A folder is read by its files' suffixes, so that marks, checksums and unfinished files in it do no harm.

    Raises:
        ConfigError: `**` is a part of a name; Polars takes it for whole folders only.
    """
    hive = {"hive_partitioning": True} if form.hive else {}
    if pattern:
        return _whole_folders(source), hive
    if source.endswith("/"):
        return [escaped(source, f"**/*{suffix}") for suffix in form.suffixes], hive
    return (source, {"glob": False}) if form.globs else (escaped(source), {})


def _whole_folders(pattern: str) -> str:
    if re.search(r"[^/]\*\*|\*\*[^/]", pattern):
        raise ConfigError(f"cannot read {pattern}: '**' stands for whole folders", hint="write '**/*' for all below")
    return f"{pattern}/*" if pattern.endswith("/**") else pattern


# What https://docs.rs/object_store/latest/object_store/path/struct.Path.html encodes, and the marks of a pattern.
_SPECIAL = re.compile(r"""[*?\\{^}%`\]">[~<#|]|[^ -~]""")


def escaped(literal: str, pattern: str = "") -> str:
    """Join two parts of an address for Polars: in `literal` nothing is special, in `pattern` only `*`, `?` and `**`.

    Of a pattern on a cloud Polars makes a regular expression, from the first folder with a `*` or `[` on, in which it
    escapes nothing but dots. What comes before it asks the store for, but in an encoding of its own that finds only
    plain characters: so the expression begins with the first folder that has another one.
    """
    address = literal + pattern
    if "://" not in address:
        return glob.escape(literal) + pattern.replace("[", "[[]")
    if not re.search(r"[*?[]", address):
        return address
    start = address.rfind("/", 0, next(_SPECIAL.finditer(address)).start()) + 1
    return address[:start] + re.sub(r"[^\w\s./*-]|[^ -~]", _as_expression, address[start:])


def _as_expression(found: re.Match[str]) -> str:
    if found[0] == "?":
        return "[^/]"
    return f"[\\{found[0]}]" if found[0] in "\\^[]&~" else f"[{found[0]}]"


def is_pattern(path: str) -> bool:
    """Whether `path` stands for several objects: only `*`, `?` and `**` make a pattern, `[` is a character."""
    return "*" in path or "?" in path


def matcher(pattern: str) -> Callable[[str], Any]:
    """Return a function that tells whether a path matches a pattern; only `**` matches across folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts), re.DOTALL).fullmatch


def looks_like(head: bytes) -> str:
    """Name the format that the first bytes of a file speak for, or say what else they are."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    text = head.decode("utf-8", "ignore").lstrip("\ufeff \t\r\n")
    if not text:
        return "binary data" if head.strip() else "an empty file"
    return "binary data" if _CONTROL.search(text) or "\ufffd" in text else _text_format(text)


def _text_format(text: str) -> str:
    if re.match(r"<(!doctype|html|\?xml)", text, re.IGNORECASE):
        return "HTML or XML"
    if re.match(r'\{\s*["}]', text):
        lines = text.splitlines()
        return "ndjson" if len(lines) > 1 and _is_object(lines[0]) else "json"
    # `[id],[name]` is a header that some databases write.
    return "json" if re.match(r'\[\s*(["\[{\]\d-]|true|false|null)', text) else "csv"


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
