"""How formats are chosen and recognised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier.errors import ConfigError
from glacier.resources import formats


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.parquet", "parquet"),
        ("b.pq", "parquet"),
        ("b.CSV", "csv"),
        ("b.json", "json"),
        ("b.jsonl", "ndjson"),
        ("b.ndjson", "ndjson"),
        ("b.feather", "ipc"),
        ("b.arrow", "ipc"),
        ("b.ipc", "ipc"),
        ("2024/*.csv", "csv"),
        ("folder", "parquet"),
        ("folder.v2/part", "parquet"),
        ("b.xlsx", "parquet"),
    ],
)
def test_the_suffix_names_the_format(path: str, name: str) -> None:
    assert formats.format_of(path).name == name
    assert formats.format_of(path, "csv").name == "csv"


@pytest.mark.parametrize(("name", "near"), [("parquett", "'parquet'"), ("CSV", "'csv'"), ("jsonl", "json"), ("", "")])
def test_an_unknown_format_is_refused_with_a_suggestion(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match="unknown format") as caught:
        formats.format_of("sales.parquet", name)
    assert "sales.parquet" in caught.value.message
    assert near in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"PAR1\x15\x00", "parquet"),
        (b"ARROW1\x00\x00", "ipc"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"(\xb5/\xfd", "zstd"),
        (b"PK\x03\x04", "zip"),
        (b'{"a": 1}\n{"a": 2}', "ndjson"),
        (b'{"a": 1}\n', "json"),
        (b'{\n  "a": 1\n}', "json"),
        (b'\xef\xbb\xbf[{"a": 1}', "json"),
        (b"[1, 2]", "json"),
        (b"[id],[name]\n1,2", "csv"),
        (b"{id};{name}\n1;2", "csv"),
        ("Größe,Ort\n1,Köln".encode(), "csv"),
        ("Größe,Ort\n1,Köln".encode()[:4], "csv"),
        (b"<?xml version='1.0'?>", "HTML or XML"),
        (b"", "an empty file"),
        (b" \r\n", "an empty file"),
        (b"\xff\xfe\xff\xfe", "binary data"),
        (b"a,b\x00\x01\x02", "binary data"),
    ],
)
def test_first_bytes_speak_for_a_format(head: bytes, name: str) -> None:
    assert formats.looks_like(head) == name


@given(st.binary(max_size=64))
def test_any_bytes_look_like_something(head: bytes) -> None:
    assert formats.looks_like(head)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "a/b.csv", False),
        ("**/*.csv", "b.csv", True),
        ("**/*.csv", "a/b/c.csv", True),
        ("a/**", "a/b/c", True),
        ("a/**", "ab/c", False),
        ("?.csv", "ab.csv", False),
        ("a[1]/*", "a[1]/x", True),
        ("a[1]/*", "a1/x", False),
        ("a.b*", "aXb", False),
        ("year=*/*", "year=2024/x\ny", True),
    ],
)
def test_patterns_match_whole_paths(pattern: str, path: str, matches: bool) -> None:
    assert bool(formats.matcher(pattern)(path)) is matches


@given(st.text(alphabet="ab./[]()+^$|\\{}é", max_size=12))
def test_what_is_no_pattern_matches_only_itself(path: str) -> None:
    assert not formats.is_pattern(path)
    assert formats.matcher(path)(path)
    assert not formats.matcher(path)(f"{path}x")
