"""The cache and objects of buckets, on this machine and on every cloud's own server."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rigs import Rig

from glacier.cache.fingerprint import Fingerprint, fingerprint
from glacier.cache.store import Store
from glacier.errors import DamagedEntryError, GlacierWarning

KEY = "a" * 32
frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"]})
other = frame.reverse()


def task(value: object) -> object:
    return value


def key(value: object) -> Fingerprint:
    return fingerprint(task, {"value": value}, {})


def test_a_bucket_counts_by_its_objects(rig: Rig) -> None:
    bucket, folder = rig.bucket("in/one.parquet"), rig.bucket("in/*.parquet")
    absent = key(bucket)
    bucket.write(frame)
    present, several = key(bucket), key(folder)
    assert absent.key != present.key
    assert (key(bucket), key(folder)) == (present, several)
    rig.bucket("in/two.parquet").write(frame)
    assert key(bucket) == present
    assert key(folder).key != several.key
    bucket.write(other)
    assert key(bucket).key != present.key


@pytest.mark.parametrize("path", ["in/one.parquet", "in/*.parquet", "in"])
def test_a_scan_counts_by_the_objects_it_reads(rig: Rig, path: str) -> None:
    rig.bucket("in/one.parquet").write(frame)
    before = key(rig.bucket(path).scan().filter(pl.col("a") > 1))
    assert key(rig.bucket(path).scan().filter(pl.col("a") > 1)) == before
    rig.bucket("in/one.parquet").write(other)
    assert key(rig.bucket(path).scan().filter(pl.col("a") > 1)).key != before.key


def test_another_machine_finds_results_in_a_bucket(rig: Rig, tmp_path: Path) -> None:
    here, there = (Store.on(rig.bucket("cache"), tmp_path / name) for name in ("here", "there"))
    assert there.get(KEY) is None
    stored = here.put(KEY, {"one": frame, "two": other.lazy()}, {"code": "1"}, "task")
    found = there.get(KEY)
    assert found == stored
    loaded = found.load()
    assert_frame_equal(loaded["one"], frame)
    assert_frame_equal(loaded["two"].collect(), other)
    assert [(entry.task, entry.rows) for entry in there.entries("task")] == [("task", 6)]
    assert there.clear("task") == 1
    assert here.entries() == []


def test_of_two_machines_the_first_to_finish_wins(rig: Rig, tmp_path: Path) -> None:
    for name, value in (("here", 1), ("there", 2)):
        assert Store.on(rig.bucket("cache"), tmp_path / name).put(KEY, value, {}, "task").load() == value
    assert Store.on(rig.bucket("cache"), tmp_path / "third").get(KEY).load() == 1


def test_a_damaged_object_in_a_bucket_is_a_miss(rig: Rig, tmp_path: Path) -> None:
    here, there = (Store.on(rig.bucket("cache"), tmp_path / name) for name in ("here", "there"))
    stored = here.put(KEY, frame, {}, "task")
    rig.bucket(f"cache/objects/{stored.meta['file']}").write(other)
    with pytest.warns(GlacierWarning, match="is lost"), pytest.raises(DamagedEntryError):
        there.get(KEY).load()
    assert there.get(KEY) is None
