"""What a bucket does on every provider: one test body, every rig."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import obstore
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rigs import Rig
from rigs.tables import FORMATS, OLD, SMALL, raw

from glacier import context
from glacier.errors import (
    ConfigError,
    FormatError,
    GlacierError,
    InfrastructureError,
    ObjectExistsError,
    ObjectNotFoundError,
)
from glacier.resources import Bucket, writing

LATE, ROWS = 900_000, 1_500_000


def bucket(rig: Rig, path: str, format: str | None = None) -> Bucket:
    return rig.bucket(path, format)


# --- formats -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_back(rig: Rig, format: str) -> None:
    target = bucket(rig, f"in/table.{format}")
    target.write(SMALL)
    assert_frame_equal(target.read(), SMALL)
    assert_frame_equal(target.scan().collect(), SMALL)
    assert dict(target.schema()) == dict(SMALL.schema)
    target.sink(target.scan().filter(pl.col("id") > 1))
    assert target.read()["id"].to_list() == [2, 3]


@pytest.mark.parametrize("format", FORMATS)
def test_the_explicit_format_beats_the_suffix(rig: Rig, format: str) -> None:
    target = bucket(rig, "table.data", format)
    target.write(SMALL)
    assert rig.get("table.data") == raw(SMALL, format) or format in {"parquet", "ipc"}
    assert_frame_equal(target.read(), SMALL)


@pytest.mark.parametrize("format", ["parquet", "ipc", "csv", "ndjson"])
def test_files_of_other_tools_are_read(rig: Rig, format: str) -> None:
    rig.put(f"from elsewhere/ü [1].{format}", raw(SMALL, format))
    rig.put(f"from elsewhere/ü 1.{format}", raw(OLD, format))
    assert_frame_equal(bucket(rig, f"from elsewhere/ü [1].{format}").read(), SMALL)


@pytest.mark.parametrize(
    ("text", "rows"),
    [(b'{"debug": true, "n": {"a": 1}}', 1), (b'[{"debug": true, "n": {"a": 1}}, {"debug": false, "n": null}]', 2)],
)
def test_json_is_an_object_or_a_list_of_objects(rig: Rig, text: bytes, rows: int) -> None:
    rig.put("config.json", text)
    frame = bucket(rig, "config.json", format="json").read()
    assert frame.height == rows
    assert frame.to_dicts()[0] == {"debug": True, "n": {"a": 1}}


def test_json_keeps_a_field_that_only_a_late_row_has(rig: Rig) -> None:
    rig.put("rows.json", b"[" + b'{"a": 1},' * 500 + b'{"a": 1.5, "b": "x"}]')
    frame = bucket(rig, "rows.json").read()
    assert frame["b"].to_list() == [None] * 500 + ["x"]
    assert frame["a"].to_list()[-1] == 1.5


def test_options_are_those_of_polars(rig: Rig) -> None:
    rig.put("late.csv", b"n\n" + b"1\n" * 200 + b"1.5\n")
    source = bucket(rig, "late.csv")
    with pytest.raises(FormatError, match=r"late\.csv .* does not read as csv"):
        source.read()
    assert source.read(infer_schema_length=None)["n"].to_list()[-1] == 1.5
    assert source.scan(infer_schema_length=None).collect().height == 201


def test_an_empty_frame_keeps_its_columns(rig: Rig) -> None:
    target = bucket(rig, "none.parquet")
    target.write(SMALL.clear())
    assert_frame_equal(target.read(), SMALL.clear())


# --- folders and patterns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_and_a_pattern_are_read_as_one_table(rig: Rig, format: str) -> None:
    rig.put(f"raw/2024/a.{format}", raw(SMALL[:1], format))
    rig.put(f"raw/2024/b.{format}", raw(SMALL[1:], format))
    rig.put("raw/2024/_SUCCESS", b"")
    rig.put(f"raw/2025/c.{format}", raw(OLD, format))
    for path in ("raw/2024", f"raw/2024/*.{format}", f"raw/**/2024/?.{format}"):
        source = bucket(rig, path, format)
        assert_frame_equal(source.read().sort("id"), SMALL)
        assert_frame_equal(source.scan().collect().sort("id"), SMALL)


def test_folders_named_key_and_value_become_columns(rig: Rig) -> None:
    for year in (2023, 2024):
        rig.put(f"sales/year={year}/part.parquet", raw(SMALL.with_columns(id=pl.lit(year)), "parquet"))
    for path in ("sales/year=2024", "sales/year=2024/*.parquet", "sales/year=202?/part.parquet"):
        assert 2024 in bucket(rig, path).read()["year"]
    for path in ("sales", "sales/year=*/*.parquet", "sales/**/*.parquet"):
        frame = bucket(rig, path).read()
        assert frame.columns == [*SMALL.columns, "year"]
        assert frame["year"].to_list() == frame["id"].to_list()
    assert bucket(rig, "sales").scan().filter(pl.col("year") == 2024).collect()["year"].unique().to_list() == [2024]


def test_a_literal_bracket_in_a_pattern_is_no_set_of_characters(rig: Rig) -> None:
    rig.put("a[1]/x.parquet", raw(SMALL, "parquet"))
    rig.put("a1/x.parquet", raw(OLD, "parquet"))
    assert_frame_equal(bucket(rig, "a[1]/*.parquet").read(), SMALL)


@pytest.mark.parametrize("name", ["a+(b)", "{2}^$|", "1 [x]!", "ü%20&'é", "#~<`>;@"])
def test_in_a_pattern_nothing_else_is_special(rig: Rig, name: str) -> None:
    rig.put(f"in {name}/{name}1.parquet", raw(SMALL, "parquet"))
    for path in (f"in {name}/{name}?.parquet", f"*{name}/*.parquet", f"in ?{name[1:]}/*1.parquet", "**", f"in {name}"):
        assert_frame_equal(bucket(rig, path).read(), SMALL)


@pytest.mark.parametrize("path", ["raw/x**", "raw/**.parquet", "**x/*.parquet"])
def test_two_stars_are_whole_folders(rig: Rig, path: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*\*\*.* stands for whole folders") as caught:
        bucket(rig, path).read()
    assert caught.value.hint


@pytest.mark.parametrize("path", ["none", "none/*.parquet", "none/x.parquet", "none/x.ndjson", "x[1].ndjson", "x.json"])
def test_what_is_not_there_is_not_found(rig: Rig, path: str) -> None:
    source = bucket(rig, path)
    for verb in (source.read, source.schema, source.preview, source.stat):
        with pytest.raises(ObjectNotFoundError) as caught:
            verb()
        assert path in str(caught.value)
        assert caught.value.hint
    assert not source.exists()
    assert source.list() == []


def test_a_list_names_objects_by_their_path_in_the_bucket(rig: Rig) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    for path in ("raw/b.csv", "raw/a.csv", "raw/deep/c.csv", "other.csv"):
        rig.put(path, path.encode())
    listed = bucket(rig, "raw").list()
    assert rig.listed(listed) == ["raw/a.csv", "raw/b.csv", "raw/deep/c.csv"]
    assert [entry.size for entry in listed] == [len("raw/a.csv"), len("raw/b.csv"), len("raw/deep/c.csv")]
    assert all(entry.modified > before and entry.etag for entry in listed)
    assert rig.listed(bucket(rig, "raw/*.csv").list()) == ["raw/a.csv", "raw/b.csv"]
    assert rig.listed(bucket(rig, "**/*.csv").list())[-1] == "raw/deep/c.csv"
    assert rig.listed(bucket(rig, "other.csv").list()) == ["other.csv"]
    assert bucket(rig, "raw").exists()
    assert bucket(rig, "raw/?.csv").exists()


# --- atomic writes -----------------------------------------------------------------------------------------------


def _late_cast() -> pl.LazyFrame:
    texts = pl.int_range(ROWS, eager=True).cast(pl.String).set(pl.int_range(ROWS, eager=True) == LATE, "x")
    return pl.LazyFrame({"id": texts}).with_columns(pl.col("id").cast(pl.Int64))


def _late_python() -> pl.LazyFrame:
    def check(values: pl.Series) -> pl.Series:
        if values.max() >= LATE:
            raise ArithmeticError("a row of the user's was bad")
        return values

    rows = pl.LazyFrame({"id": pl.int_range(ROWS, eager=True)})
    return rows.with_columns(pl.col("id").map_batches(check, return_dtype=pl.Int64, is_elementwise=True))


def _early() -> pl.LazyFrame:
    return pl.LazyFrame({"id": [1]}).select("nothing")


FAILING = {
    "late cast": (_late_cast, pl.exceptions.InvalidOperationError),
    "late python": (_late_python, (ArithmeticError, pl.exceptions.ComputeError)),
    "early": (_early, pl.exceptions.ColumnNotFoundError),
}


@pytest.mark.parametrize(
    ("format", "failing"),
    [
        ("parquet", "late cast"),
        ("csv", "late cast"),
        ("ndjson", "late cast"),
        ("ipc", "late cast"),
        ("parquet", "late python"),
        ("ndjson", "late python"),
        ("csv", "early"),
        ("ipc", "early"),
    ],
)
def test_a_failing_query_leaves_the_old_object(
    rig: Rig, format: str, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_PART", 1 << 16)
    query, error = FAILING[failing]
    target = bucket(rig, f"t.{format}")
    target.write(OLD)
    before = rig.get(f"t.{format}")
    with pytest.raises(error) as caught:
        target.sink(query())
    assert not isinstance(caught.value, GlacierError)
    time.sleep(0.3)  # Polars goes on writing after the error
    assert rig.get(f"t.{format}") == before
    assert rig.names() == [f"t.{format}"]


def test_what_a_failed_query_still_writes_does_not_reach_the_next_object(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_PART", 1 << 16)
    target = bucket(rig, "t.parquet")
    for number in range(3):
        with pytest.raises(pl.exceptions.InvalidOperationError):
            target.sink(_late_cast())
        good = pl.DataFrame({"id": [number]})
        target.write(good)
        assert_frame_equal(target.read(), good)
    time.sleep(0.3)
    assert_frame_equal(target.read(), good)
    assert rig.names() == ["t.parquet"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_query_may_read_what_it_replaces(rig: Rig, format: str) -> None:
    target = bucket(rig, f"t.{format}")
    target.write(pl.DataFrame({"n": range(100_000)}))
    target.sink(target.scan().with_columns(twice=pl.col("n") * 2))
    found = target.read().sort("n")
    assert found.height == 100_000
    assert found["twice"].to_list() == [2 * n for n in range(100_000)]


def _full_after(room: int, data: bytes | Iterator[bytes]) -> Iterator[bytes]:
    """Yield the data until the store has no more room."""
    for part in [data] if isinstance(data, bytes) else data:
        room -= len(part)
        if room < 0:
            raise OSError("Generic error: Unable to copy data to file: No space left on device (os error 28)")
        yield part


@pytest.mark.parametrize("room", [0, 200_000])
def test_a_full_disk_is_named_and_leaves_the_old_object(rig: Rig, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(writing, "_PART", 1 << 16)
    target = bucket(rig, "t.parquet")
    target.write(OLD)
    put = obstore.put
    monkeypatch.setattr(obstore, "put", lambda store, key, data, **how: put(store, key, _full_after(room, data), **how))
    with pytest.raises(InfrastructureError, match=r"t\.parquet.* the disk is full"):
        target.sink(pl.LazyFrame({"id": range(1_000_000)}))
    monkeypatch.undo()
    assert_frame_equal(target.read(), OLD)


def test_readers_see_whole_objects_while_others_write(rig: Rig) -> None:
    target = bucket(rig, "t.parquet")
    target.write(pl.DataFrame({"n": [0] * 1000}))
    done = threading.Event()

    def overwrite() -> None:
        for number in range(1, 30):
            target.write(pl.DataFrame({"n": [number] * 1000}))
        done.set()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(overwrite)
        while not done.is_set() and not writer.done():
            seen = target.read()
            assert seen.height == 1000
            assert seen["n"].n_unique() == 1
        writer.result()


def test_a_new_object_is_made_once(rig: Rig) -> None:
    target = bucket(rig, "once.parquet")

    def attempt(number: int) -> int | None:
        try:
            target.write(pl.DataFrame({"n": [number]}), if_absent=True)
        except ObjectExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(attempt, range(8)) if number is not None]
    assert len(winners) == 1
    assert target.read()["n"].to_list() == winners
    with pytest.raises(ObjectExistsError, match=r"once\.parquet exists already"):
        target.write(SMALL.lazy(), if_absent=True)
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        bucket(rig, "other.parquet").write(_early(), if_absent=True)
    assert rig.names() == ["once.parquet"]


@pytest.mark.parametrize("path", ["raw", "raw/*.parquet"])
def test_only_an_object_can_be_written_or_deleted(rig: Rig, path: str) -> None:
    rig.put("raw/a.parquet", raw(SMALL, "parquet"))
    for verb in (lambda b: b.write(SMALL), lambda b: b.sink(SMALL.lazy()), lambda b: b.delete(), lambda b: b.url()):
        with pytest.raises(ConfigError, match="folder or pattern"):
            verb(bucket(rig, path))
    assert rig.names() == ["raw/a.parquet"]


@pytest.mark.parametrize("given", [{"a": [1]}, None, "text", [SMALL]])
def test_only_frames_are_written(rig: Rig, given: object) -> None:
    with pytest.raises(ConfigError, match="takes a Polars DataFrame or LazyFrame"):
        bucket(rig, "t.parquet").write(given)
    assert rig.names() == []


def test_delete_is_done_once_and_harmless_twice(rig: Rig) -> None:
    target = bucket(rig, "t.parquet")
    target.write(SMALL)
    target.delete()
    assert rig.names() == []
    target.delete()


# --- unreadable --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("held", FORMATS)
def test_a_file_of_another_format_is_recognised(rig: Rig, format: str, held: str) -> None:
    rig.put("t.data", raw(SMALL, held))
    if format == held:
        assert_frame_equal(bucket(rig, "t.data", format).read(), SMALL)
        return
    for verb in ("read", "schema", "preview"):
        with pytest.raises(FormatError) as caught:
            getattr(bucket(rig, "t.data", format), verb)()
        assert f"does not read as {format}" in caught.value.message
        assert "t.data" in caught.value.message
        assert caught.value.hint == f"it looks like {held}: pass format={held!r}"


DAMAGED = {
    "empty": (b"", "an empty file"),
    "noise": (bytes(range(128, 256)) + bytes(32), "binary data"),
    "zip": (b"PK\x03\x04" + bytes(200), "zip"),
    "web page": (b"<!doctype html><html><body>403 Forbidden</body></html>", "HTML or XML"),
}


@pytest.mark.parametrize("format", ["parquet", "json", "ndjson", "ipc"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_bytes_are_described(rig: Rig, format: str, damage: str) -> None:
    data, words = DAMAGED[damage]
    rig.put("t.data", data)
    for verb in ("read", "schema", "preview"):
        with pytest.raises(FormatError) as caught:
            getattr(bucket(rig, "t.data", format), verb)()
        assert caught.value.hint == f"it looks like {words}"
        assert caught.value.__cause__ is not None


def test_a_truncated_file_is_called_so(rig: Rig) -> None:
    rig.put("t.parquet", raw(SMALL, "parquet")[:-20])
    with pytest.raises(FormatError, match="cut short or damaged"):
        bucket(rig, "t.parquet").read()


# --- preview -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_preview_shows_the_first_rows(rig: Rig, format: str) -> None:
    source = bucket(rig, f"t.{format}")
    source.write(SMALL)
    shown = source.preview(2, columns=["city"])
    assert shown.rows.to_dicts() == [{"city": "Oslo"}, {"city": "Lima"}]
    assert dict(shown.schema) == dict(SMALL.schema)
    assert shown.size == len(rig.get(f"t.{format}"))
    assert "Oslo" in str(shown)
    assert source.preview(20).total == 3
    assert source.preview(1, columns="id").rows.to_dicts() == [{"id": 1}]
    assert source.preview(0).rows.height == 0
    assert source.preview(where="amount > 1").rows["id"].to_list() == [1]
    assert source.preview(where=pl.col("id") == 3).rows["city"].to_list() == ["Graz"]


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_a_preview_of_text_reads_its_first_bytes_only(rig: Rig, format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.DataFrame({"n": range(300_000), "text": ["some words, and more"] * 300_000})
    rig.put(f"big.{format}", raw(rows, format))
    fetched = []
    get = obstore.get

    def counting(*args: object, **kwargs: object) -> object:
        found = get(*args, **kwargs)
        fetched.append(found.range[1] - found.range[0])
        return found

    monkeypatch.setattr(obstore, "get", counting)
    shown = bucket(rig, f"big.{format}").preview(20)
    assert_frame_equal(shown.rows, rows.head(20))
    assert shown.total is None
    assert sum(fetched) == 65_536


def test_a_preview_survives_a_line_break_in_a_field(rig: Rig) -> None:
    rows = pl.DataFrame({"n": range(5000), "text": ["two\nlines" * 20] * 5000})
    rig.put("t.csv", raw(rows, "csv"))
    assert_frame_equal(bucket(rig, "t.csv").preview(600).rows, rows.head(600))


def test_a_preview_of_a_folder_counts_all_of_it(rig: Rig) -> None:
    for name in ("a", "b"):
        rig.put(f"raw/{name}.parquet", raw(SMALL, "parquet"))
    shown = bucket(rig, "raw").preview(4)
    assert (shown.rows.height, shown.total, shown.size) == (4, 6, 2 * len(raw(SMALL, "parquet")))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"columns": ["cty"]}, "did you mean 'city'"),
        ({"where": "amuont > 1"}, "the columns are id, city, amount"),
        ({"where": "this is no sql ("}, "cannot filter"),
        ({"where": pl.col("id") + 1}, "cannot filter"),
        ({"n": -1}, "must be 0 or more"),
    ],
)
def test_a_preview_explains_what_it_cannot_show(rig: Rig, asked: dict, words: str) -> None:
    source = bucket(rig, "t.parquet")
    source.write(SMALL)
    with pytest.raises(ConfigError, match=words):
        source.preview(**asked)


def test_a_preview_is_escaped_in_a_notebook(rig: Rig) -> None:
    rows = pl.DataFrame({"<script>alert(1)</script>": ["<img src=x onerror=alert(1)>"]})
    source = bucket(rig, "<b>t.parquet")
    source.write(rows)
    shown = source.preview()._repr_html_() + source._repr_html_()
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "&lt;b&gt;t.parquet" in shown


# --- as an object ------------------------------------------------------------------------------------------------


def test_two_buckets_of_one_place_are_equal(rig: Rig) -> None:
    one, same = bucket(rig, "t.parquet"), bucket(rig, "t.parquet")
    assert one == same
    assert hash(one) == hash(same)
    assert one not in (bucket(rig, "t.csv"), bucket(rig, "t.parquet", "csv"), "t.parquet")
    with pytest.raises(AttributeError):
        one.path = "other.parquet"
    assert "t.parquet" in repr(one)


class Recorder:
    """Notes what a pipeline's recorder is told."""

    tracing = True

    def __init__(self) -> None:
        self.told: list = []

    def resource(self, resource: object) -> None:
        self.told.append(resource)

    def verb(self, resource: object, name: str, args: tuple, kwargs: dict) -> str:
        self.told.append((resource, name, args, dict(kwargs)))
        return f"recorded {name}"

    def touched(self, resource: object, access: str) -> None:
        self.told.append((resource, access))

    def compute(self, plan: object, alone: Callable[[], object]) -> object:
        return alone()

    def check(self) -> None:
        """The run goes on."""


def test_in_a_recorded_body_verbs_are_recorded_and_nothing_is_touched(rig: Rig) -> None:
    recorder = Recorder()
    with context.using(context.recorder, recorder):
        target = bucket(rig, "t.parquet")
        assert target.read() == "recorded read"
        assert target.write(SMALL, if_absent=True) == "recorded write"
        assert target.preview(3) == "recorded preview"
        assert target.get_uri().endswith("t.parquet")
    written = (target, "write", (SMALL,), {"if_absent": True})
    assert recorder.told == [target, (target, "read", (), {}), written, (target, "preview", (3,), {})]
    assert rig.names() == []


def test_a_running_task_is_told_each_access_once(rig: Rig) -> None:
    usage, target = Recorder(), bucket(rig, "t.parquet")
    with context.using(context.usage, usage):
        target.write(SMALL)
        target.write(SMALL.lazy())
        target.read()
        target.preview()
        target.get_uri()
        target.exists()
    assert [access for _, access in usage.told] == ["write", "write", "read", "read", "read"]


def test_the_uri_serves_polars_own_functions(rig: Rig) -> None:
    target = bucket(rig, "made/by/polars.parquet")
    _, how = target.storage.scan_target(target.bucket_name, target.path)
    SMALL.write_parquet(target.get_uri(), **how)
    assert_frame_equal(pl.scan_parquet(target.get_uri(), **how).collect(), SMALL)
    assert_frame_equal(target.read(), SMALL)


def test_a_parquet_footer_tells_of_nulls(rig: Rig) -> None:
    bucket = rig.bucket("nulls.parquet")
    frame = pl.DataFrame({"a": [1, None, 3] * 1000, "b": ["x"] * 3000, "l": [[1, None], None, []] * 1000})
    bucket.write(frame)
    shown = bucket.preview(2)
    assert shown.nulls == {"a": 1000, "b": 0}
    assert bucket.preview(2, columns=["b"]).nulls == {"a": 1000, "b": 0}
    rig.bucket("nulls.csv").write(frame.select("a", "b"))
    assert rig.bucket("nulls.csv").preview(2).nulls is None
