"""What a preview shows is what Polars would show, whatever was fetched for it."""

import gzip
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from glacier.config import LocalConfig
from glacier.errors import ConfigError, FormatError
from glacier.providers import LocalProvider
from glacier.resources import Bucket, ipc_footer, parquet_footer, peeking
from glacier.resources.parts import STEP, Parts, Unclear

ROWS = 30
EVERY = pl.DataFrame(
    {
        "int": [None if n % 3 else n for n in range(ROWS)],
        "text": [f'line\n{n}, "{n}"' for n in range(ROWS)],
        "list": [[n, None] if n % 2 else None for n in range(ROWS)],
        "struct": [{"a": n, "b": {"c": [str(n)]}} for n in range(ROWS)],
        "when": [datetime(2024, 1, 1, n % 24, tzinfo=UTC) for n in range(ROWS)],
        "day": [date(2024, 1, 1 + n) for n in range(ROWS)],
        "money": [Decimal(n) / 4 for n in range(ROWS)],
        "bytes": [bytes([n]) for n in range(ROWS)],
        "none": pl.Series([None] * ROWS, dtype=pl.Int8),
        "a.b": [n / 7 for n in range(ROWS)],
    }
).with_columns(
    category=pl.Series([str(n % 4) for n in range(ROWS)], dtype=pl.Categorical),
    enum=pl.Series([str(n % 2) for n in range(ROWS)], dtype=pl.Enum(["0", "1"])),
    array=pl.Series([[n, n] for n in range(ROWS)], dtype=pl.Array(pl.Int32, 2)),
)
PIECES: dict[str, dict[str, Any]] = {"parquet": {"row_group_size": 7}, "ipc": {"record_batch_size": 7}}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    return tmp_path / "b"


def raw(frame: pl.DataFrame, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    getattr(frame, f"write_{format}")(file, **options)
    return file.getvalue()


def bucket(base: Path, path: str, data: bytes | None = None, format: str | None = None) -> Bucket:
    if data is not None:
        (base / path).parent.mkdir(parents=True, exist_ok=True)
        (base / path).write_bytes(data)
    return LocalProvider(config=LocalConfig(base_path=base.parent)).bucket("b", path, format)


def numbers(rows: int) -> pl.DataFrame:
    return pl.DataFrame({"n": range(rows), "noise": pl.int_range(rows, eager=True).hash(1) // 2})


# --- parquet and ipc --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", PIECES)
@pytest.mark.parametrize("n", [0, 1, 7, 8, 20, 1000])
def test_types_and_pieces(base: Path, format: str, n: int) -> None:
    source = bucket(base, f"t.{format}", raw(EVERY, format, **PIECES[format]))
    shown = source.preview(n)
    assert_frame_equal(shown.rows, EVERY.head(n))
    assert shown.schema == EVERY.schema == source.schema()
    assert shown.total in ({ROWS} if format == "parquet" or n > 28 else {None})
    assert shown.fetched == shown.size == source.stat().size
    assert shown.note is None


@pytest.mark.parametrize("format", PIECES)
@pytest.mark.parametrize("columns", [["struct"], ["a.b", "int"], ["none"], [], "category"])
def test_columns(base: Path, format: str, columns: list[str]) -> None:
    source = bucket(base, f"t.{format}", raw(EVERY, format, **PIECES[format]))
    assert_frame_equal(source.preview(9, columns=columns).rows, EVERY.select(columns).head(9))


@pytest.mark.parametrize("format", PIECES)
@pytest.mark.parametrize("frame", [EVERY.clear(), EVERY.clear().select("int"), EVERY.select("text")], ids=str)
def test_no_rows_and_one_column(base: Path, format: str, frame: pl.DataFrame) -> None:
    shown = bucket(base, f"t.{format}", raw(frame, format)).preview()
    assert_frame_equal(shown.rows, frame.head(20))
    assert (shown.total, shown.schema) == (frame.height, frame.schema)


@pytest.mark.parametrize("format", PIECES)
@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_of_a_large_file_little_is_fetched(base: Path, format: str, compression: str) -> None:
    frame = numbers(200_000)
    size = {"parquet": {"row_group_size": 5000}, "ipc": {"record_batch_size": 5000}}[format]
    source = bucket(base, f"t.{format}", raw(frame, format, compression=compression, **size))
    for n, pieces in ((20, 1), (5001, 2)):
        shown = source.preview(n)
        assert_frame_equal(shown.rows, frame.head(n))
        assert shown.fetched is not None
        assert shown.fetched < STEP + pieces * 5000 * 17
    assert source.preview(20, columns=[]).rows.width == 0


def test_the_bytes_of_other_columns_stay_where_they_are(base: Path) -> None:
    frame = numbers(60_000).with_columns(more=pl.col("noise").hash(2), text=pl.col("noise").cast(pl.String))
    source = bucket(base, "t.parquet", raw(frame, "parquet", compression="uncompressed"))
    shown = source.preview(columns=["n", "text"])
    assert_frame_equal(shown.rows, frame.select("n", "text").head(20))
    assert shown.fetched is not None
    assert shown.fetched < shown.size - 60_000 * 16 + STEP


def test_a_long_footer_is_fetched_as_a_whole(base: Path) -> None:
    frame = pl.DataFrame({f"column {n}": [n, n + 1] for n in range(700)})
    data = raw(frame, "parquet")
    assert int.from_bytes(data[-8:-4], "little") > STEP
    assert_frame_equal(bucket(base, "t.parquet", data).preview(1).rows, frame.head(1))


def test_a_row_group_beyond_the_limit_is_not_fetched(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peeking, "LIMIT", 300_000)
    frame = numbers(50_000).with_columns(small=pl.lit(1), other=pl.col("noise").hash(3))
    source = bucket(base, "t.parquet", raw(frame, "parquet"))
    shown = source.preview()
    assert (shown.rows.height, shown.rows.columns, shown.total) == (0, frame.columns, 50_000)
    assert shown.fetched == STEP
    assert shown.note is not None
    assert "first row group is" in shown.note
    assert "columns=['n', 'small']" in shown.note
    assert shown.note in shown.summary
    assert source.preview(columns=["n", "small"]).rows.height == 20
    assert source.preview(columns=["noise"]).note == (
        "no rows were fetched: its first row group is 400 kB, more than the 300 kB of a preview: use scan()"
    )


def test_many_row_groups_beyond_the_limit_ask_for_fewer_rows(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peeking, "LIMIT", 300_000)
    frame = numbers(50_000)
    parquet = bucket(base, "t.parquet", raw(frame, "parquet", row_group_size=10_000))
    ipc = bucket(base, "t.ipc", raw(frame, "ipc", record_batch_size=10_000))
    for source in (parquet, ipc):
        assert source.preview().note is None
        note = source.preview(40_000).note
        assert note is not None
        assert note.endswith("a smaller n")


def test_a_record_batch_beyond_the_limit_is_not_fetched(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peeking, "LIMIT", 300_000)
    shown = bucket(base, "t.ipc", raw(numbers(50_000), "ipc")).preview()
    assert (shown.rows.height, shown.total, shown.fetched) == (0, None, STEP)
    assert shown.note is not None
    assert shown.note.startswith("no rows were fetched: its first record batch is 800 kB")


def test_where_is_left_to_polars(base: Path) -> None:
    shown = bucket(base, "t.parquet", raw(EVERY, "parquet")).preview(2, columns=["int"], where="int > 3")
    assert shown.rows["int"].to_list() == [6, 9]
    assert shown.fetched is None
    assert "fetched" not in shown.summary


# --- csv, ndjson, json ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csv", "ndjson"])
@pytest.mark.parametrize("n", [0, 20, 3000])
def test_text_is_read_from_its_front(base: Path, format: str, n: int) -> None:
    frame = numbers(60_000).with_columns(text=pl.lit("words, and\nmore"))
    source = bucket(base, f"t.{format}", raw(frame, format))
    shown = source.preview(n)
    assert_frame_equal(shown.rows, frame.head(n), check_dtypes=False)
    assert (shown.fetched, shown.total) == (STEP if n < 3000 else 4 * STEP, None)
    assert shown.schema == source.schema() == source.scan().collect_schema()


@pytest.mark.parametrize("pad", range(0, 40, 3))
def test_a_cut_in_a_quoted_field_makes_no_wrong_rows(base: Path, pad: int) -> None:
    row = '{n},"a ""quoted""\n\nfield, {n}"\n'
    data = "n,text\n" + f'0,"{"x" * pad}"\n' + "".join(row.format(n=n) for n in range(1, 9000))
    source = bucket(base, "t.csv", data.encode())
    shown = source.preview(1500)
    assert_frame_equal(shown.rows, pl.read_csv(base / "t.csv").head(1500))
    assert shown.fetched == STEP
    assert_frame_equal(source.preview(5000).rows, pl.read_csv(base / "t.csv").head(5000))


def test_a_field_longer_than_the_first_bytes(base: Path) -> None:
    text = "two\nlines" * 20_000
    frame = pl.DataFrame({"n": [1, 2, 3], "text": [text] * 3})
    for format in ("csv", "ndjson"):
        shown = bucket(base, f"t.{format}", raw(frame, format)).preview(1)
        assert_frame_equal(shown.rows, frame.head(1))


def test_types_are_guessed_from_as_many_rows_as_polars_takes(base: Path) -> None:
    data = b"n\n" + b"1\n" * 60 + b"1.5\n" + b"2\n" * 100_000
    assert bucket(base, "t.csv", data).preview(5).schema == {"n": pl.Float64}


def test_a_value_that_does_not_fit_the_types_is_shown(base: Path) -> None:
    late = bucket(base, "late.csv", b"n\n" + b"1\n" * 150 + b"1.5\n" + b"2\n" * 100_000)
    with pytest.raises(FormatError):
        late.read()
    assert late.preview(5).rows["n"].to_list() == [1] * 5
    assert late.preview(151).rows["n"].to_list()[-1] == 1.5


def test_a_small_text_is_counted(base: Path) -> None:
    assert bucket(base, "t.csv", raw(numbers(1234), "csv")).preview().total == 1234
    assert bucket(base, "t.ndjson", raw(numbers(1234), "ndjson")).preview().total == 1234
    assert bucket(base, "t.json", raw(numbers(1234), "json")).preview().total == 1234


def test_compressed_text_is_not_cut(base: Path) -> None:
    frame = numbers(20_000)
    data = gzip.compress(raw(frame, "csv"))
    assert len(data) > STEP
    shown = bucket(base, "t.csv", data).preview()
    assert_frame_equal(shown.rows, frame.head(20), check_dtypes=False)
    assert shown.fetched is None


def test_a_text_without_lines_is_left_to_polars(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peeking, "LIMIT", STEP)
    data = b"n,text\n1,'" + b"x" * 4 * STEP + b"'\n"
    shown = bucket(base, "t.csv", data).preview()
    assert (shown.rows.height, shown.fetched) == (1, None)


def test_of_a_large_text_whose_rows_have_no_end_the_others_are_shown(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peeking, "LIMIT", STEP)
    for format, head, fields in (("csv", b"n,text\n1,a\n", 2), ("ndjson", b'{"n":1}\n', 1)):
        shown = bucket(base, f"t.{format}", head + b"x" * 20 * STEP).preview()
        assert (shown.rows.height, shown.rows.width) == (1, fields)
        assert (shown.fetched, shown.total) == (STEP, None)
        assert shown.note.startswith("row 2 is longer than the ")
    nothing = bucket(base, "t.csv", b"x" * 20 * STEP).preview()
    assert nothing.note.startswith("the first row is longer than the ")
    for format in ("csv", "ndjson"):
        with pytest.raises(FormatError, match="rows do not end within its first 65.5 kB") as caught:
            bucket(base, f"t.{format}", b"n,text\n1,a\n" + b"\0" * 20 * STEP).preview()
        assert caught.value.hint == "it looks like binary data"


def test_a_column_that_is_asked_for_twice_is_shown_once(base: Path) -> None:
    for format in ("parquet", "ipc", "csv", "ndjson", "json"):
        assert bucket(base, f"t.{format}", raw(numbers(3), format)).preview(columns=["n", "n"]).rows.columns == ["n"]


def test_objects_with_other_columns_say_so(base: Path) -> None:
    for format in ("parquet", "csv"):
        bucket(base, f"some/a.{format}", raw(numbers(3), format))
        bucket(base, f"some/b.{format}", raw(numbers(3).rename({"n": "m"}), format))
        with pytest.raises(FormatError) as caught:
            LocalProvider(config=LocalConfig(base_path=base)).bucket("b", path=f"some/*.{format}").read()
        assert caught.value.hint == "its objects have different columns: name one of them"


def test_what_is_wrong_with_a_filter_is_one_line(base: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        bucket(base, "t.parquet", raw(numbers(3), "parquet")).preview(where="nope > 1")
    assert "\n" not in caught.value.message
    assert "cannot filter by 'nope > 1'" in caught.value.message


def test_a_json_document_beyond_the_limit_is_refused(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = bucket(base, "t.json", raw(numbers(5000), "json"))
    assert source.preview().fetched == source.stat().size > STEP
    monkeypatch.setattr(peeking, "LIMIT", STEP)
    with pytest.raises(ConfigError, match="json is read as a whole") as caught:
        source.preview()
    assert "ndjson or parquet" in str(caught.value.hint)


# --- folders and patterns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["parquet", "ipc", "csv", "ndjson", "json"])
def test_as_many_objects_as_it_takes(base: Path, format: str) -> None:
    for name, rows in (("a", 0), ("b", 3), ("c", 4), ("d", 30)):
        bucket(base, f"raw/{name}.{format}", raw(numbers(rows), format) if rows or format in PIECES else b"")
    bucket(base, f"raw/empty.{format}", b"")
    for path in ("raw", f"raw/*.{format}"):
        source = bucket(base, path, format=format)
        sizes = [entry.size for entry in source.list()]
        shown = source.preview(5)
        assert_frame_equal(shown.rows, pl.concat([numbers(3), numbers(2)]), check_dtypes=False)
        assert (shown.total, shown.size, shown.fetched) == (None, sum(sizes), sum(sizes) - max(sizes))
        assert source.preview(100).total == 37


@pytest.mark.parametrize("format", PIECES)
@pytest.mark.parametrize(
    "values",
    [
        ["1", "2"],
        ["1", "x"],
        ["1", "1.5"],
        ["2024-01-01"],
        ["a%20b"],
        ["__HIVE_DEFAULT_PARTITION__", "3"],
        ["01", "-7"],
    ],
    ids=str,
)
def test_folders_that_become_columns(base: Path, format: str, values: list[str]) -> None:
    for value in values:
        bucket(base, f"raw/k={value}/j=x/part.{format}", raw(EVERY, format))
    for path in ("raw", f"raw/k=*/**/*.{format}"):
        source = bucket(base, path, format=format)
        polars = source.scan()
        shown = source.preview(20)
        assert shown.fetched
        assert shown.schema == source.schema() == polars.collect_schema()
        first = source.list()[0].path.split("/")[1].partition("=")[2]
        assert shown.rows["k"].null_count() == (20 if "HIVE" in first else 0)
        one = polars.filter(pl.col("k").eq_missing(shown.rows["k"][0])).collect()
        assert_frame_equal(shown.rows, one.head(20))
        assert source.preview(3, columns=["k"]).rows.shape == (3, 1)


def test_a_folder_column_that_is_in_the_file_too(base: Path) -> None:
    bucket(base, "raw/k=7/part.parquet", raw(pl.DataFrame({"k": [1], "x": [2]}), "parquet"))
    source = bucket(base, "raw")
    assert_frame_equal(source.preview().rows, source.read())


def test_objects_that_differ_are_left_to_polars(base: Path) -> None:
    bucket(base, "raw/a.parquet", raw(pl.DataFrame({"x": [1]}), "parquet"))
    bucket(base, "raw/b.parquet", raw(pl.DataFrame({"y": ["1"]}), "parquet"))
    with pytest.raises(FormatError):
        bucket(base, "raw").preview()
    assert bucket(base, "raw").preview(1).rows.to_dicts() == [{"x": 1}]


def test_a_folder_of_many_small_objects_is_looked_into_so_far(base: Path) -> None:
    for number in range(40):
        bucket(base, f"raw/{number}.parquet", raw(numbers(1), "parquet"))
    shown = bucket(base, "raw").preview(50)
    assert (shown.rows.height, shown.total) == (32, None)
    assert shown.note == "only the first 32 of 40 objects were looked into"


# --- damage -----------------------------------------------------------------------------------------------------------


def test_an_object_that_is_replaced_meanwhile_is_read_again(base: Path) -> None:
    source = bucket(base, "t.csv", raw(numbers(60_000), "csv"))
    parts = Parts(source.storage.store("b"), source.storage.key("b", "t.csv"))
    (base / "t.csv").write_bytes(raw(numbers(70_000), "csv"))
    with pytest.raises(Unclear, match="replaced"):
        parts.front(2 * STEP)
    with pytest.raises(Unclear, match="replaced"):
        Parts(source.storage.store("b"), source.storage.key("b", "t.csv"), size=3 * STEP)


FOOTERS = {
    "parquet": raw(EVERY, "parquet", row_group_size=7),
    "ipc": raw(EVERY, "ipc", record_batch_size=7),
}


def footer(format: str, data: bytes) -> bytes:
    tail = {"parquet": 8, "ipc": 10}[format]
    return data[-tail - int.from_bytes(data[-tail:][:4], "little") : -tail]


def tolerant(format: str, data: bytes) -> Any:
    """Read a footer: it answers, or says that it cannot; it raises nothing else."""
    try:
        return parquet_footer.read_footer(data, 20) if format == "parquet" else ipc_footer.read_footer(data)
    except Unclear:
        return None


@pytest.mark.parametrize("format", FOOTERS)
def test_every_byte_of_a_footer_may_be_wrong(format: str) -> None:
    frame = EVERY.select("int", "text", "struct")
    good = footer(format, raw(frame, format, **({"row_group_size": 20} if format == "parquet" else {})))
    assert tolerant(format, good)
    refused = 0
    for at in range(len(good)):
        for wrong in (good[at] ^ 0x01, good[at] ^ 0x80, 0x00, 0xFF):
            refused += tolerant(format, good[:at] + bytes([wrong]) + good[at + 1 :]) is None
        refused += tolerant(format, good[:at]) is None
    assert refused


@given(st.binary(max_size=400))
def test_noise_is_no_footer(data: bytes) -> None:
    for format in FOOTERS:
        tolerant(format, data)
    with pytest.raises(Unclear):
        ipc_footer.batch_rows(data[:11])


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x1c" * 100_000,  # a struct in a struct in a struct
        b"\x19" * 100_000,  # lists
        b"\x19\xfc\xff\xff\xff\xff\x7f",  # a list of 34 thousand million structs
        b"\x18\xff\xff\xff\xff\x7f",  # a text of as many bytes
        b"\x16" + b"\xff" * 100_000,  # a number without an end
        b"\x1b\x01\x88" * 1000,  # a map, which no footer has
    ],
    ids=["structs", "lists", "list", "text", "number", "map"],
)
def test_a_footer_cannot_ask_for_much(bomb: bytes) -> None:
    with pytest.raises(Unclear):
        parquet_footer.read_footer(bomb, 20)


def test_an_encrypted_file_is_left_to_polars(base: Path) -> None:
    source = bucket(base, "t.parquet", raw(EVERY, "parquet")[:-4] + b"PARE")
    with pytest.raises(FormatError):
        source.preview()


@pytest.mark.parametrize("format", ["parquet", "ipc", "csv", "ndjson", "json"])
def test_the_schema_is_that_of_the_scan(base: Path, format: str) -> None:
    frame = EVERY.select("int", "text") if format == "csv" else EVERY.select("int", "text", "struct")
    source = bucket(base, f"t.{format}", raw(frame, format))
    assert source.schema() == source.scan().collect_schema()


def test_the_summary_says_what_was_fetched(base: Path) -> None:
    shown = bucket(base, "t.csv", b"n\n" + b"1\n" * 500_000).preview()
    assert shown.summary.endswith("20 rows, 1 column, fetched 65.5 kB of 1 MB")
    assert shown.summary in str(shown)
