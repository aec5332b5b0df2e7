"""Lists, folders and patterns, on every provider."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import obstore
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rigs import Rig
from rigs.tables import FORMATS, OLD, SMALL, raw

from glacier.resources.listing import entries

MANY = 1_100


def test_a_list_is_as_long_as_the_folder_and_begins_at_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"many/{number:04}.csv" for number in range(MANY)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: rig.put(name, b"n\n1\n"), names))
    target, pulled = rig.bucket("many"), []
    ask = obstore.list

    def counting(*args, **kwargs):
        for chunk in ask(*args, **kwargs):
            pulled.append(len(chunk))
            yield chunk

    monkeypatch.setattr(obstore, "list", counting)
    assert rig.listed([next(entries(target))])[0] in names
    assert sum(pulled) < 100
    assert rig.listed(target.list()) == names
    assert rig.listed(rig.bucket("many/*7.csv").list()) == names[7::10]
    assert len(list(islice(entries(rig.bucket("**/*.csv")), 1_050))) == 1_050


def test_a_list_is_sorted_by_path(rig: Rig) -> None:
    names = ["B.csv", "a b.csv", "a-b.csv", "a.csv", "a/b.csv", "a0.csv", "ab.csv", "ä.csv", "🧊.csv"]
    for name in reversed(names):
        rig.put(f"in/{name}", b"1")
    assert rig.listed(rig.bucket("in").list()) == [f"in/{name}" for name in names]


def test_every_entry_is_an_object_that_can_be_read(rig: Rig) -> None:
    for name in ("a b.csv", "deep/ü.csv", "deep/50%.csv"):
        rig.bucket(f"in/{name}").write(OLD)
    for entry in rig.bucket("in").list():
        one = rig.provider.bucket(rig.bucket_name, entry.path)
        assert_frame_equal(one.read(), OLD)
        assert one.stat() == entry


def test_a_folder_is_no_beginning_of_a_name(rig: Rig) -> None:
    for name in ("raw/a.csv", "raw2/b.csv", "rawdata.csv", "raw.csv"):
        rig.put(name, raw(OLD, "csv"))
    assert rig.listed(rig.bucket("raw", "csv").list()) == ["raw/a.csv"]
    assert rig.bucket("raw", "csv").read().height == 1
    assert not rig.bucket("ra", "csv").exists()
    assert rig.bucket("ra", "csv").list() == []


def test_what_is_there_exists(rig: Rig) -> None:
    rig.put("raw/2024/a.csv", b"1")
    there = {path: rig.bucket(path).exists() for path in ("raw", "raw/2024", "raw/2024/a.csv", "raw/*/?.csv", "**")}
    assert set(there.values()) == {True}
    gone = ("raw/2024/b.csv", "raw/2025", "raw/2024/a", "raw/*.csv", "a.csv", "raw/2024/a.csv/x")
    assert not any(rig.bucket(path).exists() for path in gone)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", "a"),
        ("*", "a"),
        ("?/*.csv", "b"),
        ("x/?.csv", "b"),
        ("x/**/*.csv", "bcd"),
        ("**/*.csv", "abcd"),
        ("**/y/*.csv", "c"),
        ("x/*/[[]z]/*.csv", ""),
        ("x/y/[z]/*.csv", "d"),
        ("x/**", "bcd"),
        ("**", "abcd"),
        ("**/[z]/**", "d"),
    ],
)
def test_a_pattern_reads_what_it_lists(rig: Rig, pattern: str, found: str) -> None:
    for name, path in zip("abcd", ["a.csv", "x/b.csv", "x/y/c.csv", "x/y/[z]/d.csv"], strict=True):
        rig.put(path, raw(pl.DataFrame({"name": [name]}), "csv"))
    source = rig.bucket(pattern, "csv")
    assert sorted(entry.path[-5] for entry in source.list()) == list(found)
    if found:
        assert sorted(source.read()["name"]) == list(found)


def test_hive_folders_are_columns_and_only_the_asked_for_are_read(rig: Rig) -> None:
    for year in (2023, 2024):
        for month in (1, 2):
            rig.bucket(f"sales/year={year}/month={month}/part.parquet").write(SMALL)
    rig.put("sales/year=1999/month=1/part.parquet", b"no parquet at all")
    sales = rig.bucket("sales/**/*.parquet").scan(schema={**SMALL.schema, "year": pl.Int64, "month": pl.Int64})
    found = sales.filter((pl.col("year") == 2024) & (pl.col("month") > 1)).select("year", "month", "id").collect()
    assert found.sort("id").rows() == [(2024, 2, 1), (2024, 2, 2), (2024, 2, 3)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_is_read_without_what_else_lies_in_it(rig: Rig, format: str) -> None:
    rig.put(f"ü 50% [1]/x.{format}", raw(SMALL, format))
    rig.put("ü 50% [1]/_SUCCESS", b"")
    rig.put(f"ü 50% [1]/x.{format}.crc", b"crc")
    rig.put("ü 50% [1]/readme.md", b"# What this is")
    assert_frame_equal(rig.bucket("ü 50% [1]", format).read(), SMALL)
    assert rig.bucket("ü 50% [1]", format).schema() == SMALL.schema


def test_a_folder_of_many_tables_is_one(rig: Rig) -> None:
    for number in range(20):
        rig.put(f"parts/{number}.parquet", raw(pl.DataFrame({"n": [number]}), "parquet"))
    parts = rig.bucket("parts")
    assert parts.scan().select(pl.col("n").sum()).collect().item() == sum(range(20))
    assert parts.preview(30).total == 20
    assert parts.preview(3).size == sum(entry.size for entry in parts.list())
