"""Single objects: every name, every type, every size, on every provider."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from urllib.request import urlopen

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rigs import Rig
from rigs.tables import FORMATS, OLD, SMALL, raw, tells

from glacier.config import LocalConfig
from glacier.errors import ConfigError, ObjectExistsError, ObjectNotFoundError
from glacier.providers import LocalProvider
from glacier.resources import writing

KEYS = [
    "a b.parquet",
    "a+b.parquet",
    "ü é.parquet",
    "50%.parquet",
    "%41%2F.parquet",
    "[x].parquet",
    "a#b.parquet",
    "a&b='c'.parquet",
    "emoji 🧊.parquet",
    "deep/er/and/deeper/x.parquet",
    "~tilde (1){2}^$|`.parquet",
    "no suffix",
]
WIDE = pl.DataFrame(
    {
        "i8": pl.Series([-128, None, 127], dtype=pl.Int8),
        "u64": pl.Series([0, None, 2**64 - 1], dtype=pl.UInt64),
        "f32": pl.Series([float("nan"), None, float("inf")], dtype=pl.Float32),
        "decimal": pl.Series([Decimal("0.01"), None, Decimal("-99.99")], dtype=pl.Decimal(10, 2)),
        "bool": [True, None, False],
        "text": ["", None, "ü\n🧊"],
        "bytes": [b"", None, b"\x00\xff"],
        "date": [date(1, 1, 1), None, date(9999, 12, 31)],
        "time": [time(0), None, time(23, 59, 59, 999999)],
        "zoned": pl.Series([datetime(2024, 3, 31, 2, tzinfo=UTC), None, datetime(1969, 1, 1, tzinfo=UTC)]),
        "nanos": pl.Series([0, None, -1]).cast(pl.Datetime("ns")),
        "span": pl.Series([timedelta(0), None, timedelta(microseconds=-1)]),
        "enum": pl.Series(["low", None, "high"], dtype=pl.Enum(["low", "high"])),
        "category": pl.Series(["x", None, "y"], dtype=pl.Categorical),
        "list": [[1, None], None, []],
        "struct": [{"a": 1, "b": ["x"]}, None, {"a": None, "b": None}],
        "nothing": pl.Series([None, None, None], dtype=pl.Null),
    }
)


@pytest.mark.parametrize("key", KEYS)
def test_every_verb_takes_every_name(rig: Rig, key: str) -> None:
    target = rig.bucket(f"in {key}/{key}" if "/" not in key else key)
    target.write(SMALL)
    assert rig.get(target.path.removeprefix(f"{rig.prefix}/")) == raw(target.read(), "parquet")
    assert_frame_equal(target.scan().filter(pl.col("id") > 1).collect(), SMALL[1:])
    assert target.schema() == SMALL.schema
    assert target.preview(1).total == 3
    assert target.exists()
    assert [entry.path for entry in target.list()] == [target.path]
    assert urlopen(target.url()).read() == rig.get(target.path.removeprefix(f"{rig.prefix}/"))
    target.delete()
    assert rig.names() == []


@pytest.mark.parametrize("format", FORMATS)
def test_names_with_marks_are_read_in_every_format(rig: Rig, format: str) -> None:
    for key in ("50% [ü] #1", "a+b&c='d' 🧊"):
        rig.put(f"{key}.{format}", raw(SMALL, format))
        assert_frame_equal(rig.bucket(f"{key}.{format}").read(), SMALL)


@pytest.mark.parametrize("format", ["parquet", "ipc"])
def test_every_type_is_kept(rig: Rig, format: str) -> None:
    target = rig.bucket(f"wide.{format}")
    target.write(WIDE)
    assert_frame_equal(target.read(), WIDE)
    assert target.schema() == WIDE.schema


@pytest.mark.parametrize("format", ["parquet", "ipc", "csv"])
def test_a_table_without_rows_keeps_its_columns(rig: Rig, format: str) -> None:
    target = rig.bucket(f"none.{format}")
    target.sink(SMALL.clear().lazy())
    assert (target.read().height, target.read().columns) == (0, SMALL.columns)
    assert target.preview().total == 0


@pytest.mark.parametrize("format", FORMATS)
def test_a_query_is_written_in_every_format(rig: Rig, format: str) -> None:
    target = rig.bucket(f"t.{format}")
    target.write(SMALL.lazy().with_columns(twice=pl.col("id") * 2))
    assert target.read()["twice"].to_list() == [2, 4, 6]
    target.sink(SMALL.lazy().group_by("id").agg(pl.len()).sort("id"))
    assert target.read()["len"].to_list() == [1, 1, 1]
    assert rig.names() == [f"t.{format}"]


def test_two_columns_of_some_rows_are_scanned(rig: Rig) -> None:
    rows = pl.DataFrame({"id": range(10_000), "text": ["some words"] * 10_000, "half": [n / 2 for n in range(10_000)]})
    target = rig.bucket("t.parquet")
    target.write(rows)
    found = target.scan().filter(pl.col("id") >= 9_998).select("id", "half").collect()
    assert found.to_dicts() == [{"id": 9998, "half": 4999.0}, {"id": 9999, "half": 4999.5}]


def test_a_scan_reads_nothing_until_it_is_collected(rig: Rig) -> None:
    target = rig.bucket("later.parquet")
    scan = target.scan()
    with pytest.raises(FileNotFoundError):
        scan.collect()
    target.write(SMALL)
    assert_frame_equal(target.scan().collect(), SMALL)
    older = target.scan()
    target.write(OLD)
    assert_frame_equal(older.collect(), OLD)


def test_stat_knows_size_time_and_version(rig: Rig) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    target = rig.bucket("t.csv")
    target.write(OLD)
    first = target.stat()
    assert (first.path, first.size) == (target.path, len(rig.get("t.csv")))
    assert before < first.modified < datetime.now(UTC) + timedelta(seconds=5)
    assert first.modified.utcoffset() is not None
    assert target.stat() == first
    target.write(SMALL)
    assert target.stat().etag != first.etag


def test_a_folder_has_no_stat_and_is_told_so(rig: Rig) -> None:
    rig.put("raw/a.csv", b"1")
    with pytest.raises(ObjectNotFoundError, match="is a folder or pattern") as caught:
        rig.bucket("raw").stat()
    assert tells(caught.value, rig.bucket("raw"))


def test_deleting_leaves_the_neighbours(rig: Rig) -> None:
    for name in ("t", "t.parquet", "t.parquet.bak", "u/t.parquet"):
        rig.put(name, b"1")
    target = rig.bucket("t.parquet")
    for _ in range(3):
        target.delete()
        assert not target.exists()
    assert rig.names() == ["t", "t.parquet.bak", "u/t.parquet"]


def test_a_deleted_object_is_made_anew(rig: Rig) -> None:
    target = rig.bucket("lock.parquet")
    for number in range(3):
        target.write(pl.DataFrame({"n": [number]}), if_absent=True)
        with pytest.raises(ObjectExistsError) as caught:
            target.write(OLD, if_absent=True)
        assert tells(caught.value, target)
        assert target.read().item() == number
        target.delete()


def test_a_new_object_may_be_large(rig: Rig) -> None:
    rows = pl.DataFrame({"noise": pl.int_range(1_800_000, eager=True).hash(seed=2)})
    target = rig.bucket("large.parquet")
    target.write(rows, if_absent=True)
    assert target.stat().size > 12_000_000
    with pytest.raises(ObjectExistsError):
        target.write(rows, if_absent=True)
    assert target.read()["noise"].sum() == rows["noise"].sum()
    assert rig.names() == ["large.parquet"]


def test_eight_writers_at_once_make_one_object(rig: Rig) -> None:
    target, start = rig.bucket("race.parquet"), threading.Barrier(8)

    def attempt(number: int) -> bool:
        start.wait()
        try:
            target.write(pl.DataFrame({"n": [number]}), if_absent=True)
        except ObjectExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert won.count(True) == 1
    assert target.read().item() == won.index(True)


def test_a_large_table_is_written_in_parts_and_read_back(rig: Rig) -> None:
    rows = pl.DataFrame({"id": pl.int_range(2_700_000, eager=True)}).with_columns(noise=pl.col("id").hash(seed=3))
    target = rig.bucket("large.ipc")
    target.sink(rows.lazy())
    assert target.stat().size > 2 * writing._PART + (8 << 20)
    assert_frame_equal(target.read().sort("id"), rows)
    assert rig.names() == ["large.ipc"]


def test_large_and_small_replace_each_other(rig: Rig) -> None:
    large = pl.DataFrame({"noise": pl.int_range(2_200_000, eager=True).hash(seed=4)})
    target = rig.bucket("t.ipc")
    for frame in (OLD, large, SMALL):
        target.write(frame)
        assert (target.read().height, target.schema()) == (frame.height, frame.schema)
    assert rig.names() == ["t.ipc"]


def test_a_large_object_is_replaced_while_it_is_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_PART", 5 << 20)
    target = rig.bucket("t.parquet")
    frames = [pl.DataFrame({"n": pl.int_range(900_000, eager=True).hash(seed=seed)}) for seed in (5, 6)]
    known = {frame["n"].sum() for frame in frames}
    target.write(frames[0])
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(lambda: [target.write(frames[number % 2]) for number in range(1, 4)])
        while not writer.done():
            data = rig.get("t.parquet")
            assert pl.read_parquet(data)["n"].sum() in known
        writer.result()


def test_many_threads_write_and_read_their_own(rig: Rig) -> None:
    def work(number: int) -> int:
        target = rig.bucket(f"{number}.parquet")
        target.write(pl.DataFrame({"n": [number]}))
        return target.scan().collect().item()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == list(range(24))
    assert rig.bucket("*.parquet").read()["n"].sort().to_list() == list(range(24))


def test_data_go_from_this_machine_to_the_store_and_back(rig: Rig, tmp_path) -> None:
    here = LocalProvider(config=LocalConfig(base_path=tmp_path))
    here.bucket("mine", "t.csv").write(SMALL)
    rig.bucket("t.parquet").sink(here.bucket("mine", "t.csv").scan())
    here.bucket("mine", "back.ndjson").sink(rig.bucket("t.parquet").scan())
    assert_frame_equal(here.bucket("mine", "back.ndjson").read(), SMALL)


def test_a_name_that_leads_elsewhere_is_refused(rig: Rig) -> None:
    for path in (
        "../x.parquet",
        "a/../../x.parquet",
        "/x.parquet",
        "a//b.parquet",
        "a/",
        "",
        "s3://x/y",
        "a\\b",
        "a\0b",
    ):
        with pytest.raises(ConfigError, match="path"):
            rig.provider.bucket(rig.bucket_name, path)
    assert rig.names() == []


def test_names_of_one_folder_that_differ_by_little_are_different(rig: Rig) -> None:
    for number, name in enumerate(["a", "A", "a ", "a.", "ä", "a\u0308", "%61", "a%20"]):
        rig.bucket(f"{name}x.parquet").write(pl.DataFrame({"n": [number]}))
    assert len(rig.names()) == 8
    assert [rig.bucket(f"{name}x.parquet").read().item() for name in ("a", "%61", "ä", "a\u0308")] == [0, 6, 4, 5]
