"""Pages of rows, and the resource browser: what is listed when."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from unittest.mock import Mock

import polars as pl
import pytest
from rigs import Rig

from glacier import GlacierEnv
from glacier.resources.listing import ObjectInfo
from glacier.resources.preview import Preview
from glacier_magics.widgets import browser, preview, shelves
from glacier_magics.widgets.pages import Pages
from glacier_magics.widgets.shelves import PAGE, Shelves
from glacier_magics.widgets.sketch import sketch

FRAME = pl.DataFrame({"n": [3, None, 1, 2], "s": ["a", "b", None, "d"], "l": [[1], [2], [3], [4]]})


def column(page: dict, place: int) -> list[str | None]:
    return [row[place] for row in page["rows"]]


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_page_has_types_and_nulls() -> None:
    page = Pages(FRAME, 2).page()
    assert page["columns"] == ["n", "s", "l"]
    assert page["types"] == ["Int64", "String", "List(Int64)"]
    assert page["nulls"] == ["1 null here", "1 null here", ""]
    assert Pages(FRAME, 2, {"n": 70, "s": 0}).page()["nulls"] == ["70 null", "", ""]
    assert (page["numeric"], page["sortable"]) == ([True, False, False], [True, True, False])
    assert page["rows"] == [["3", "a", "[1]"], [None, "b", "[2]"]]


SKETCHES = [
    (pl.Series([1, 2, 3, None, 9]), ["██▁█▁▁▁▁▁▁▁█", "1 to 9"]),
    (pl.Series([0] * 70 + [1200]), ["█▁▁▁▁▁▁▁▁▁▁▂", "0 to 1,200"]),
    (pl.Series([1.5, float("nan"), float("inf"), -3.0]), ["█▁▁▁▁▁▁▁▁▁▁█", "-3 to 1.5"]),
    (pl.Series([1e308, -1e308]), ["", "-1e+308 to 1e+308"]),
    (pl.Series([float("nan")]), ["", ""]),
    (pl.Series([7, 7]), ["", "all 7"]),
    (pl.Series([7, None]), ["", ""]),
    (pl.Series([Decimal("1.20"), Decimal(3)]), ["█▁▁▁▁▁▁▁▁▁▁█", "1.20 to 3.00"]),
    (pl.Series([date(2020, 1, 1), date(2020, 5, 1)]), ["█▁▁▁▁▁▁▁▁▁▁█", "2020-01-01 to 2020-05-01"]),
    (pl.Series([datetime(2020, 1, 1, tzinfo=UTC)] * 2), ["", "all 2020-01-01 00:00"]),
    (pl.Series([True, False, None, True]), ["", "2 true, 1 false"]),
    (pl.Series(["a", "b", "a"]), ["", "2 distinct"]),
    (pl.Series(["a", "b"], dtype=pl.Categorical), ["", "all distinct"]),
    (pl.Series([[1], [2]]), ["", ""]),
    (pl.Series([b"x"]), ["", ""]),
    (pl.Series([object()], dtype=pl.Object), ["", ""]),
    (pl.Series([None, None]), ["", ""]),
]


@pytest.mark.parametrize(("values", "told"), SKETCHES, ids=lambda value: str(getattr(value, "dtype", "")))
def test_a_column_is_sketched(values: pl.Series, told: list[str]) -> None:
    assert sketch(values) == told


def test_a_page_sketches_all_rows_and_not_those_of_the_page() -> None:
    page = Pages(FRAME, 2).page(offset=2)
    assert page["sketches"] == [["█▁▁▁▁▁█▁▁▁▁█", "1 to 3"], ["", "all distinct"], ["", ""]]
    assert page["sketched"] == "of 4 rows"


def test_sorting_puts_nulls_last_both_ways() -> None:
    pages = Pages(FRAME)
    assert column(pages.page(sort=0), 0) == ["1", "2", "3", None]
    assert column(pages.page(sort=0, descending=True), 0) == ["3", "2", "1", None]


@pytest.mark.parametrize("sort", [2, 3, 10**9])
def test_a_column_that_cannot_be_sorted_by_leaves_the_order(sort: int) -> None:
    page = Pages(FRAME).page(sort=sort)
    assert column(page, 0) == ["3", None, "1", "2"]
    assert page["sort"] is None


def test_a_page_behind_the_end_is_the_last_row() -> None:
    page = Pages(FRAME).page(offset=10**9)
    assert (page["offset"], column(page, 0)) == (3, ["2"])


def test_an_empty_frame_has_a_page() -> None:
    assert Pages(pl.DataFrame()).page()["rows"] == []


def test_temporal_types_are_short() -> None:
    schema = {"a": pl.Datetime("us"), "b": pl.Datetime("ns", "UTC"), "c": pl.Date, "d": pl.Duration("ms")}
    assert Pages(pl.DataFrame(schema=schema)).page()["types"] == [
        "Datetime('us')",
        "Datetime('ns', 'UTC')",
        "Date",
        "Duration('ms')",
    ]


def test_a_preview_tells_of_columns_that_were_not_asked_for(env: GlacierEnv) -> None:
    sales = env.provider.bucket("sales", path="a.parquet")
    sales.write(pl.DataFrame({"a": [1], "b": [2], "c": [3]}))
    shown = preview(sales.preview(5, columns=["b"]))
    assert shown.page()["note"] == "not shown: a (Int64), c (Int64)"
    assert "b" in str(shown)


def test_a_page_turns_a_preview() -> None:
    frame = pl.DataFrame({"n": range(60)})
    table = preview(Preview("u", "csv", frame.schema, frame, 60, 10))
    table.front = front = table._front()
    front._heard(front, {"kind": "page", "offset": 50, "sort": 0, "descending": True}, [])
    assert column(front.page, 0) == [str(number) for number in range(9, -1, -1)]


# --- the browser ------------------------------------------------------------------------------------------------------


def test_resources_and_their_objects(rig: Rig) -> None:
    for number in range(3):
        rig.bucket(f"folder/{number}.csv").write(pl.DataFrame({"n": [number]}))
    env = GlacierEnv(rig.provider, name="dev")
    env.register("folder", rig.bucket("folder"))
    env.register("gone", rig.bucket("gone.parquet"))
    shown = browser(env)
    text = str(shown)
    assert "dev: " in text and "2 resources" in text
    assert "not there yet" in text
    shown.front = front = shown._front()
    front._heard(front, {"kind": "open", "shelf": 0, "text": "1.csv"}, [])
    assert [entry[0].rpartition("/")[2] for entry in front.shelves["0"]["entries"]] == ["1.csv"]
    front._heard(front, {"kind": "preview", "shelf": 0, "entry": 0}, [])
    assert front.found["page"]["rows"] == [["1"]]
    front._heard(front, {"kind": "close", "shelf": 0}, [])
    assert front.shelves == {}


def test_a_million_objects_open_at_once(env: GlacierEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = count()

    def a_million(_: object) -> Iterator[ObjectInfo]:
        for number in range(1_000_000):
            next(listed)
            yield ObjectInfo(f"{number:07}.csv", 1, datetime(2026, 1, 1, tzinfo=UTC), None)

    monkeypatch.setattr(shelves, "entries", a_million)
    env.register("lake", env.provider.bucket("lake", path="events"))
    shown = browser(env)
    assert len(shown.shelves[0].found) == PAGE
    assert next(listed) < 20_200
    assert "over 100 objects" in str(shown)
    shown.shelves[0].more()
    assert [entry.path for entry in shown.shelves[0].found] == [f"{number:07}.csv" for number in range(2 * PAGE)]


def test_a_filter_looks_through_so_many_at_a_time(env: GlacierEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    def many(_: object) -> Iterator[ObjectInfo]:
        return (ObjectInfo(f"{n:07}.csv", 1, datetime(2026, 1, 1, tzinfo=UTC), None) for n in range(200_000))

    monkeypatch.setattr(shelves, "entries", many)
    env.register("lake", env.provider.bucket("lake", path="events"))
    shelf = browser(env).shelves[0]
    shelf.list("0120000")
    assert shelf.found == []
    assert shelf.plain["more"] == "look further: 50,000 objects were looked through"
    shelf.more()
    shelf.more()
    assert [entry.path for entry in shelf.found] == ["0120000.csv"]


def test_a_glob_chooses_resources_and_one_is_opened(env: GlacierEnv) -> None:
    for name in ("sales_raw", "sales_clean", "users"):
        env.register(name, env.provider.bucket("b", path=f"{name}.csv")).write(pl.DataFrame({"a": [1]}))
    assert [shelf.state.name for shelf in browser(env, "sales_*").shelves] == ["sales_raw", "sales_clean"]
    assert browser(env, "Users").shelves[0].open
    assert "no resource is called 'sails*'; there are sales_raw, sales_clean, users" in str(browser(env, "sails*"))


def test_objects_are_listed_so_many_at_a_time(env: GlacierEnv) -> None:
    for number in range(5):
        env.provider.bucket("b", path=f"in/{number}.csv").write(pl.DataFrame({"a": [1]}))
    env.register("folder", env.provider.bucket("b", path="in"))
    shelf = browser(env, page=2).shelves[0]
    assert [entry.path for entry in shelf.found] == ["in/0.csv", "in/1.csv"]
    assert shelf.plain["more"] == "show more, 2 are here"
    shelf.more()
    assert [entry.path for entry in shelf.found][2:] == ["in/2.csv", "in/3.csv"]


def test_stand_ins_are_shown_and_not_touched(env: GlacierEnv) -> None:
    stand_in = Mock()
    env.register("mocked", stand_in)
    assert "mocked" in str(browser(env))
    assert [name for name, *_ in stand_in.mock_calls if not name.startswith("__")] == []


def test_no_resource_at_all(env: GlacierEnv) -> None:
    bundle = Shelves(env)._repr_mimebundle_()
    assert "no resources yet: env.register" in bundle["text/html"]


def test_a_page_cannot_open_what_is_not_there(env: GlacierEnv) -> None:
    shown = browser(env)
    shown.front = front = shown._front()
    front._heard(front, {"kind": "open", "shelf": 7}, [])
    assert front.trouble == "environment 'dev' has no such resource to list"
