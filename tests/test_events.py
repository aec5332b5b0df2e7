"""Events of a run: which there are, in which order, and what a listener may do to it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from glacier import GlacierEnv, GlacierWarning
from glacier.config import LocalConfig
from glacier.errors import ConfigError
from glacier.execution.events import Event
from glacier.providers import LocalProvider


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


def test_a_run_tells_what_happens(env: GlacierEnv) -> None:
    @env.task()
    def make() -> pl.DataFrame:
        return pl.DataFrame({"x": [1, 2, 3]})

    @env.task()
    def count(df: pl.DataFrame) -> int:
        return df.height

    @env.pipeline()
    def counting() -> int:
        return count(make())

    seen: list[Event] = []
    assert counting.run(listeners=[seen.append]) == 3
    assert [(event.kind, event.name) for event in seen] == [
        ("run_started", "counting"),
        ("started", "make"),
        ("succeeded", "make"),
        ("started", "count"),
        ("succeeded", "count"),
        ("run_finished", "counting"),
    ]
    assert {event.run for event in seen} == {counting.last_run.id}
    assert seen[2].rows == 3
    assert seen[2].seconds >= 0
    assert seen[1].attempt == 1
    assert seen[1].key in counting.graph.order
    assert seen[-1].detail == "done"
    assert [event.time for event in seen] == sorted(event.time for event in seen)


def test_who_listens_to_an_environment_hears_every_run_in_it(env: GlacierEnv) -> None:
    @env.task()
    def one() -> int:
        return 1

    @env.pipeline()
    def counting() -> int:
        return one()

    seen: list[Event] = []
    env.listeners.append(seen.append)
    counting.run()
    counting.run(listeners=[lambda event: None])
    with counting.step() as stepper:
        list(stepper)
    assert [event.kind for event in seen] == ["run_started", "started", "succeeded", "run_finished"] * 3
    env.listeners.clear()
    counting.run()
    assert len(seen) == 12


def test_a_failure_is_told(env: GlacierEnv) -> None:
    @env.task()
    def fails() -> None:
        raise ValueError("no")

    @env.pipeline()
    def failing() -> None:
        fails()

    seen: list[Event] = []
    with pytest.raises(ValueError, match="no"):
        failing.run(listeners=[seen.append])
    assert [event.kind for event in seen] == ["run_started", "started", "failed", "run_finished"]
    assert seen[2].error == seen[3].error == "ValueError: no"
    assert seen[3].detail == "failed"


def test_a_listener_that_raises_is_dropped_with_one_warning(env: GlacierEnv) -> None:
    @env.task()
    def one() -> int:
        return 1

    @env.pipeline()
    def pipeline() -> int:
        return one()

    seen: list[Event] = []
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise RuntimeError("broken")

    with pytest.warns(GlacierWarning, match="a listener of run .* raised RuntimeError: broken") as caught:
        assert pipeline.run(listeners=[broken, seen.append]) == 1
    assert len(caught) == 1
    assert len(calls) == 1
    assert len(seen) == 4


def test_options_are_checked_and_their_names_are_taken(env: GlacierEnv) -> None:
    @env.pipeline()
    def empty() -> None: ...

    for wrong in ({"max_workers": 0}, {"on_error": "ignore"}, {"materialize": "never"}, {"checkpoint": 3}):
        with pytest.raises(ConfigError, match=rf"{next(iter(wrong))}=.* is no option of a run"):
            empty.run(**wrong)
    with pytest.raises(ConfigError, match="'taking' has a parameter 'force', which is an option of run"):

        @env.pipeline()
        def taking(force: bool) -> None: ...


def test_a_tasks_own_parameter_comes_before_an_option(env: GlacierEnv) -> None:
    @env.task()
    def reading(read: str) -> str:
        return read

    assert reading.run(read="mine") == "mine"
