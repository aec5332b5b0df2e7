"""A picture that follows a pipeline: a widget while a run goes on, static in between."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from glacier import GlacierEnv, Pipeline
from glacier_magics.following import Following, Pictures
from glacier_magics.widgets.board import Live

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is shown, as if this were a notebook's kernel."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr("glacier_magics.widgets.shown.in_notebook", lambda: True)
    monkeypatch.setattr("glacier_magics.widgets.board.in_notebook", lambda: True)

    def put(self: Live, data: dict[str, Any]) -> None:
        self._handle = "the output"
        found.append(data)

    monkeypatch.setattr(Live, "_put", put)
    return found


def forms(outputs: list[dict[str, Any]]) -> list[str]:
    return ["widget" if WIDGET in each else "static" for each in outputs]


def defined(env: GlacierEnv, *, more: bool = False, fails: bool = False, broken: bool = False) -> Pipeline:
    @env.task()
    def load() -> int:
        return 1

    @env.task()
    def double(x: int) -> int:
        if fails:
            raise ValueError("no")
        return 2 * x

    @env.pipeline()
    def report() -> int:
        if broken:
            raise KeyError("in the body")
        found = double(load())
        return double(found) if more else found

    return report


class Told(dict[str, dict[str, str]]):
    """What has been said to be stale, by pipeline."""

    def __call__(self, env: GlacierEnv, pipeline: str) -> dict[str, str]:
        return self.get(pipeline, {})


def test_it_moves_while_a_run_goes_on_and_stands_in_between(env: GlacierEnv, outputs: list[dict[str, Any]]) -> None:
    report, pictures = defined(env), Pictures(Told())
    pictures.add(Following(report, {}, "a"), {})
    assert forms(outputs) == ["static"]
    for _ in range(2):
        outputs.clear()
        report.run(progress=False)
        assert forms(outputs) == ["widget", "static"]
        assert "✓ double" in outputs[-1]["text/plain"]
    pictures.cell_ends()
    assert forms(outputs) == ["widget", "static"]


def test_a_later_run_begins_anew(env: GlacierEnv, outputs: list[dict[str, Any]]) -> None:
    report, pictures = defined(env, fails=True), Pictures(Told())
    pictures.add(Following(report, {}, "a"), {})
    with pytest.raises(ValueError, match="no"):
        report.run(progress=False)
    assert "✗ double" in outputs[-1]["text/plain"]
    front = pictures._all[0]._live.front
    assert front.run["error"].startswith("ValueError")
    assert "ValueError: no" in {each.get("error") for each in front.details.values()}
    defined(env).run(progress=False)
    assert "✓ double" in outputs[-1]["text/plain"]
    assert front.run["error"] == ""
    assert {each.get("error", "") for each in front.details.values()} == {""}


def test_it_follows_its_own_pipeline_only(env: GlacierEnv, outputs: list[dict[str, Any]]) -> None:
    report, pictures = defined(env), Pictures(Told())

    @env.pipeline()
    def other() -> int:
        return 1

    pictures.add(Following(report, {}, "a"), {})
    outputs.clear()
    other.run(progress=False)
    assert outputs == []


def test_it_stands_between_two_steps(env: GlacierEnv, outputs: list[dict[str, Any]]) -> None:
    report, pictures = defined(env), Pictures(Told())
    pictures.add(Following(report, {}, "a"), {})
    with report.step(progress=False) as stepper:
        for mark in ("○ double", "✓ double"):
            outputs.clear()
            stepper.next()
            pictures.cell_ends()
            assert forms(outputs)[-1] == "static"
            assert mark in outputs[-1]["text/plain"]
            assert WIDGET in outputs[0]


def test_a_run_on_another_thread_is_told_again_at_the_end_of_the_cell(
    env: GlacierEnv, outputs: list[dict[str, Any]]
) -> None:
    report, pictures = defined(env), Pictures(Told())
    pictures.add(Following(report, {}, "a"), {})
    outputs.clear()
    thread = threading.Thread(target=lambda: report.run(progress=False))
    thread.start()
    thread.join()
    pictures.cell_ends()
    assert forms(outputs) == ["widget", "static", "static"]
    pictures.cell_ends()
    assert len(outputs) == 3


def test_another_graph_is_drawn_anew_and_the_same_is_not(env: GlacierEnv, outputs: list[dict[str, Any]]) -> None:
    pictures = Pictures(Told())
    pictures.add(Following(defined(env), {}, "a"), {})
    outputs.clear()
    defined(env)
    pictures.cell_ends()
    assert outputs == []
    longer = defined(env, more=True)
    pictures.cell_ends()
    assert forms(outputs) == ["static"]
    assert outputs[-1]["text/plain"].count("double") > 1
    longer.run(progress=False)
    assert outputs[-1]["text/plain"].count("✓ double") == 2


def test_a_pipeline_that_cannot_be_followed_any_more_keeps_its_picture(
    env: GlacierEnv, outputs: list[dict[str, Any]]
) -> None:
    pictures = Pictures(Told())
    pictures.add(Following(defined(env), {}, "a"), {})
    outputs.clear()
    defined(env, broken=True)
    pictures.cell_ends()
    assert outputs == []


def test_what_becomes_stale_is_shown(env: GlacierEnv, outputs: list[dict[str, Any]]) -> None:
    report, told = defined(env), Told()
    report.run(progress=False)
    keys = {node.name: node.key for node in report.graph.tasks}
    pictures = Pictures(told)
    pictures.add(Following(report, {}, "a"), {keys["load"]: "sales changed"})
    pictures.cell_ends()
    assert "△ load  (stale · sales changed)" in outputs[-1]["text/plain"]
    told["report"] = {keys["double"]: "code"}
    pictures.cell_ends()
    assert "△ double" in outputs[-1]["text/plain"]
    assert "✓ load" in outputs[-1]["text/plain"]
    assert forms(outputs) == ["static", "static"]


def test_a_cell_that_is_run_again_lets_go_of_its_picture(env: GlacierEnv, outputs: list[dict[str, Any]]) -> None:
    report, pictures = defined(env), Pictures(Told())
    for cell in ("a", "b"):
        pictures.add(Following(report, {}, cell), {})
    assert len(env.listeners) == 2
    pictures.cell_begins("a")
    assert [each.cell for each in pictures._all] == ["b"]
    pictures.cell_begins(None)
    assert len(env.listeners) == 1
    pictures.close()
    assert env.listeners == []
    outputs.clear()
    report.run(progress=False)
    assert outputs == []


def test_where_cells_have_no_names_the_last_picture_follows(env: GlacierEnv, outputs: list[dict[str, Any]]) -> None:
    report, pictures = defined(env), Pictures(Told())
    for _ in range(2):
        pictures.add(Following(report, {}, None), {})
    assert len(env.listeners) == 1
