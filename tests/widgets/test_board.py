"""What a board shows while events of a run come in, how large graphs are folded, and what a page may say."""

import threading
import time
from itertools import pairwise, product
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from glacier import Bucket, GlacierEnv
from glacier.execution.events import Event
from glacier.graph import Edge, Graph, Node
from glacier.render import Arrow, Box, Picture, fold
from glacier.tables import lasting
from glacier_magics.widgets import dag, live, monitor
from glacier_magics.widgets.board import Live
from glacier_magics.widgets.messages import BOARD, SHELVES, TABLE


def chain(*names: str, group: tuple[str, ...] = ()) -> Graph:
    """Return a graph of tasks one after the other."""
    nodes = tuple(Node(name, name, group=group) for name in names)
    edges = tuple(Edge(one, two, "x") for one, two in pairwise(names))
    return Graph("chain", nodes, edges)


def event(kind: Any, key: str = "", **more: Any) -> Event:
    return Event(kind, "r1", key, key, time.time(), **more)


def entry(shown: Live, key: str) -> list[Any]:
    return shown.ledger.entries()[shown.sheet.home[key]]


# --- the ledger -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event("started", "a", attempt=1)], ["running", "running", "", "", 1]),
        ([event("succeeded", "a", seconds=1.26, rows=1200)], ["done", "1,200 rows · 1.3 s", "1,200", "1.3 s", 0]),
        ([event("succeeded", "a", seconds=0.004)], ["done", "done · 4 ms", "", "4 ms", 0]),
        ([event("planned", "a", seconds=0.5)], ["planned", "planned · 500 ms", "", "500 ms", 0]),
        ([event("retried", "a", attempt=1, error="boom")], ["retried", "retried", "", "", 1]),
        ([event("cached", "a", rows=3)], ["cached", "cached · 3 rows", "3", "", 0]),
        ([event("skipped", "a", detail="not asked for")], ["skipped", "skipped", "", "", 0]),
        ([event("failed", "a", seconds=75, attempt=3)], ["failed", "failed · 1 min 15 s", "", "1 min 15 s", 3]),
        (
            [event("failed", "a", seconds=1, attempt=1), event("started", "a", attempt=2)],
            ["running", "running", "", "", 2],
        ),
        ([event("succeeded", "a", rows=1)], ["done", "1 row", "1", "", 0]),
        ([event("succeeded", "a", rows=123_456_789)], ["done", "123.5 M rows", "123.5 M", "", 0]),
    ],
)
def test_an_event_changes_what_a_box_shows(events: list[Event], expected: list[Any]) -> None:
    shown = live(chain("a", "b"))
    for each in events:
        shown(each)
    assert entry(shown, "a") == expected
    assert entry(shown, "b") == ["", "", "", "", 0]


def test_what_never_began_is_cancelled_or_skipped_at_the_end() -> None:
    nodes = (Node("a", "a"), Node("maybe", "maybe", condition="a"), Node("after", "after"), Node("op", "add", "inline"))
    shown = live(Graph("g", nodes, ()))
    shown(event("run_started"))
    assert entry(shown, "after")[0] == "waiting"
    shown(event("started", "a"))
    shown(event("run_finished", error="ValueError: x", detail="failed", seconds=2.0))
    assert [entry(shown, key)[0] for key in ("a", "maybe", "after", "op")] == ["running", "skipped", "cancelled", ""]
    assert shown.ledger.run == {"state": "failed", "seconds": 2.0, "error": "ValueError: x"}


def test_only_changes_are_told() -> None:
    shown = live(chain("a", "b"))
    shown(event("started", "a"))
    shown(event("log", "a", detail="line 1"))
    shown(event("log", "a", detail="line 2"))
    entries, details = shown.ledger.take()
    box = shown.sheet.home["a"]
    assert list(entries) == [box]
    assert details == {box: {"error": "", "log": "line 1\nline 2"}}
    assert shown.ledger.take() == ({}, {})


def test_a_log_keeps_its_end() -> None:
    shown = live(chain("a"))
    for number in range(5000):
        shown(event("log", "a", detail=f"line {number} {'x' * 50}"))
    log = shown.ledger.details()["box-0"]["log"]
    assert log.endswith(f"line 4999 {'x' * 50}")
    assert len(log) <= 8000


def test_steps_that_the_graph_does_not_have_are_passed_over() -> None:
    shown = live(chain("a"))
    shown(event("started", "stranger"))
    assert entry(shown, "a")[0] == ""


def test_states_before_a_run() -> None:
    shown = live(chain("a", "b"), states={"b": "stale", "stranger": "stale"})
    assert entry(shown, "b")[0] == "stale"
    assert "△ b" in str(shown)


def test_a_run_on_record(env: GlacierEnv) -> None:
    @env.task()
    def load() -> pl.DataFrame:
        return pl.DataFrame({"a": [1, 2]})

    @env.task()
    def explode(df: pl.DataFrame) -> None:
        raise ValueError("no")

    @env.pipeline()
    def report() -> None:
        explode(load())

    with pytest.raises(ValueError, match="no"):
        report.run()
    assert report.last_run is not None
    text = str(monitor(report.last_run))
    assert "failed, 2 of 2 tasks" in text
    assert "ValueError: no" in text
    assert report.last_run.graph is not None
    picture = dag(report.last_run.graph, report.last_run)._repr_mimebundle_()
    assert sorted(picture) == ["image/png", "image/svg+xml", "text/plain"]
    assert 'fill="white"' in picture["image/svg+xml"]


def test_outside_a_notebook_a_live_board_prints_its_end(env: GlacierEnv, capsys: pytest.CaptureFixture[str]) -> None:
    @env.task()
    def load() -> int:
        return 1

    @env.pipeline()
    def report() -> int:
        return load()

    with live(report.graph, env=env, view="table") as shown:
        assert report.run(listeners=[shown], progress=False) == 1
    assert "report: done, 1 of 1 tasks" in capsys.readouterr().out


def test_events_from_many_threads() -> None:
    names = [f"t{number}" for number in range(64)]
    shown = live(Graph("wide", tuple(Node(name, name) for name in names), ()))

    def run(mine: list[str]) -> None:
        for name in mine:
            shown(event("started", name))
            shown(event("succeeded", name, rows=1))

    threads = [threading.Thread(target=run, args=(names[place::8],)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {each[0] for each in shown.ledger.entries().values()} == {"done"}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "< 1 ms"),
        (0.0042, "4 ms"),
        (0.5, "500 ms"),
        (0.9996, "1.0 s"),
        (1.25, "1.2 s"),
        (9.96, "10 s"),
        (59.7, "1 min 0 s"),
        (75, "1 min 15 s"),
        (7384, "2 h 3 min"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert lasting(seconds) == expected


# --- large graphs -----------------------------------------------------------------------------------------------------


def test_groups_of_a_large_graph_are_folded() -> None:
    places = product(range(20), range(30))
    nodes = [Node(f"g{group}/{step}", f"step{step}", group=(f"group{group}",)) for group, step in places]
    edges = [Edge(f"g{group}/{step}", f"g{group}/{step + 1}", "x") for group in range(20) for step in range(29)]
    edges += [Edge(f"g{group}/29", f"g{group + 1}/0", "x") for group in range(19)]
    shown = live(Graph("large", tuple(nodes), tuple(edges)))
    assert len(shown.sheet.plain["boxes"]) <= 300
    folded = next(box for box in shown.sheet.plain["boxes"] if box["kind"] == "fold")
    assert folded["steps"] == [f"step{number}" for number in range(30)]
    key = shown.sheet.steps[folded["id"]][0]
    shown(event("succeeded", key, rows=1, seconds=1))
    assert shown.ledger.entries()[folded["id"]][:2] == ["running", "1 of 30 steps"]
    for key in shown.sheet.steps[folded["id"]]:
        shown(event("succeeded", key, rows=1, seconds=1))
    assert shown.ledger.entries()[folded["id"]][:2] == ["done", "30 of 30 steps"]
    shown(event("failed", key, error="x"))
    assert shown.ledger.entries()[folded["id"]][0] == "failed"


def test_a_group_that_an_arrow_leaves_and_enters_again_stays_open() -> None:
    boxes = (Box("a", "a", group=("g",)), Box("x", "x"), Box("b", "b", group=("g",)), Box("c", "c", group=("h",)))
    picture = Picture("p", boxes, (Arrow("a", "x"), Arrow("x", "b"), Arrow("b", "c", "if c")))
    folded = fold(picture, 1)
    assert [box.key for box in folded.picture.boxes] == ["a", "x", "b", "group h"]
    assert folded.home == {"a": "a", "x": "x", "b": "b", "c": "group h"}


def test_a_small_picture_is_left_as_it_is() -> None:
    picture = Picture("p", (Box("a", "a", group=("g",)),))
    assert fold(picture, 1).picture is picture


# --- what a page may say ----------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (BOARD, {"kind": "look", "box": "../../x", "wish": 1}),
        (BOARD, {"kind": "look", "box": "box-1", "wish": 1, "path": "/etc/passwd"}),
        (BOARD, {"kind": "run", "task": "../../x"}),
        (TABLE, {"kind": "page", "offset": -1}),
        (TABLE, {"kind": "page", "offset": "1"}),
        (TABLE, {"kind": "page", "offset": 1, "sort": "name"}),
        (SHELVES, {"kind": "open", "shelf": -1}),
        (SHELVES, {"kind": "preview", "shelf": 0, "entry": 0, "path": "x"}),
        (SHELVES, {"kind": "filter", "text": "x" * 201, "shelves": []}),
    ],
)
def test_other_messages_are_refused(schema: TypeAdapter[Any], message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        schema.validate_python(message)


@given(message=JSON)
def test_a_board_survives_whatever_a_page_says(message: Any) -> None:
    shown = live(chain("a"))
    shown.front = front = shown._front()
    before = {name: value for name, value in front.get_state().items() if name not in ("trouble", "shown")}
    front._heard(front, message, [])
    after = {name: value for name, value in front.get_state().items() if name not in ("trouble", "shown")}
    assert after == before


def test_a_page_asks_for_what_is_behind_a_box(env: GlacierEnv) -> None:
    env.register("sales", env.provider.bucket("sales", path="a.parquet")).write(pl.DataFrame({"a": [1, 2]}))

    @env.task()
    def load(sales: Bucket) -> pl.DataFrame:
        """Read the sales."""
        return sales.read()

    @env.pipeline()
    def report() -> pl.DataFrame:
        return load()

    shown = Live(report.graph, env=env, values=lambda key: pl.DataFrame({"v": [key]}))
    shown.front = front = shown._front()
    boxes = {box["label"]: box["id"] for box in shown.sheet.plain["boxes"]}
    front._heard(front, {"kind": "look", "box": boxes["sales"], "wish": 1}, [])
    assert front.shown["page"]["rows"] == [["1"], ["2"]]
    front._heard(front, {"kind": "look", "box": boxes["load"], "wish": 2}, [])
    assert front.shown["title"] == "load: 1 rows"
    front._heard(front, {"kind": "look", "box": boxes["sales"], "wish": 1}, [])
    assert front.shown["title"] == "load: 1 rows"  # a wish that comes twice is fulfilled once
    front._heard(front, {"kind": "look", "box": "box-99", "wish": 3}, [])
    assert front.shown == {"box": "box-99", "title": "", "page": None, "text": ""}
    code = next(box["code"] for box in shown.sheet.plain["boxes"] if box["label"] == "load")
    assert "return sales.read()" in code


def test_an_error_behind_a_box_is_told(env: GlacierEnv) -> None:
    env.register("gone", env.provider.bucket("sales", path="gone.parquet"))

    @env.task()
    def load(gone: Bucket) -> pl.DataFrame:
        return gone.read()

    @env.pipeline()
    def report() -> pl.DataFrame:
        return load()

    shown = Live(report.graph, env=env)
    shown.front = front = shown._front()
    box = next(box["id"] for box in shown.sheet.plain["boxes"] if box["label"] == "gone")
    front._heard(front, {"kind": "look", "box": box, "wish": 1}, [])
    assert "gone.parquet" in front.shown["text"]
    assert front.trouble == ""


def test_what_a_run_has_kept_is_behind_its_boxes(env: GlacierEnv) -> None:
    @env.task()
    def load() -> pl.DataFrame:
        return pl.DataFrame({"a": [1, 2]})

    @env.task()
    def double(df: pl.DataFrame) -> pl.DataFrame:
        return df.with_columns(b=pl.col("a") * 2)

    @env.pipeline()
    def report() -> pl.DataFrame:
        return double(load())

    shown = Live(report.graph, env=env)
    report.run(listeners=[shown], progress=False)
    shown.front = front = shown._front()
    boxes = {box["label"]: box["id"] for box in shown.sheet.plain["boxes"]}
    front._heard(front, {"kind": "look", "box": boxes["double"], "wish": 1}, [])
    assert front.shown["page"]["rows"] == [["1", "2"], ["2", "4"]]
    earlier = dag(env.runs[0].graph, env.runs[0], env=env)
    assert "✓ double" in str(earlier)
    assert env.runs[0].value("load").equals(pl.DataFrame({"a": [1, 2]}))
    assert env.runs[0].value("nobody") is None
