"""The scheduler: order, side by side, failures, and what becomes of values."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from glacier import GlacierEnv, home
from glacier.config import LocalConfig
from glacier.errors import PipelineError
from glacier.execution.events import Event
from glacier.execution.journal.writer import writer
from glacier.providers import LocalProvider


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


# --- order and threads ------------------------------------------------------------------------------------------------


def test_the_longest_path_goes_first(env: GlacierEnv) -> None:
    order: list[str] = []

    @env.task()
    def work(name: str, *_: Any) -> str:
        order.append(name)
        return name

    @env.pipeline()
    def paths() -> None:
        work("short")
        middle = work("middle")
        long = work("long")
        work("middle end", middle)
        work("long end", work("long middle", long))

    paths.run(max_workers=1)
    assert order == ["long", "long middle", "middle", "middle end", "short", "long end"]


@pytest.mark.parametrize("where", ["run", "environment"])
def test_as_many_tasks_run_at_once_as_max_workers_says(tmp_path: Path, where: str) -> None:
    limit = {"max_workers": 3} if where == "environment" else {}
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test", **limit)
    barrier = threading.Barrier(3, timeout=20)
    lock = threading.Lock()
    now, most = [0], [0]

    @env.task()
    def meets(n: int) -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        barrier.wait()
        with lock:
            now[0] -= 1
        return n

    @env.pipeline()
    def wide() -> list[int]:
        return [meets(n) for n in range(9)]

    assert wide.run(**({"max_workers": 3} if where == "run" else {})) == list(range(9))
    assert most == [3]


def test_a_task_that_was_quick_and_is_slow_now_holds_up_nobody(env: GlacierEnv) -> None:
    barrier = threading.Barrier(2, timeout=20)

    @env.task()
    def work(n: int) -> int:
        if n >= 500:
            barrier.wait()
        return n

    @env.pipeline()
    def surprising() -> list[int]:
        return [work(n) for n in range(502)]

    assert surprising.run(max_workers=2) == list(range(502))


def test_a_chain_stays_on_one_thread(env: GlacierEnv) -> None:
    threads: set[str] = set()

    @env.task()
    def step(x: int) -> int:
        threads.add(threading.current_thread().name)
        return x + 1

    @env.pipeline()
    def chain() -> int:
        x = step(0)
        for _ in range(50):
            x = step(x)
        return x

    assert chain.run() == 51
    assert threads == {f"glacier-{chain.last_run.id}"}


@pytest.mark.slow
def test_a_hundred_thousand_tasks_in_a_chain_and_side_by_side(env: GlacierEnv) -> None:
    @env.task()
    def inc(x: int) -> int:
        return x + 1

    @env.task()
    def total(values: list[int]) -> int:
        return sum(values)

    @env.pipeline()
    def chain(n: int) -> int:
        x = inc(0)
        for _ in range(n - 1):
            x = inc(x)
        return x

    @env.pipeline()
    def fan(n: int) -> int:
        return total([inc(each) for each in range(n)])

    assert chain.run(n=100_000) == 100_000
    assert fan.run(n=100_000) == sum(range(1, 100_001))


def test_values_may_be_nested_as_deep_as_they_like(env: GlacierEnv) -> None:
    @env.task()
    def one() -> int:
        return 1

    @env.task()
    def depth(value: Any) -> tuple[int, Any]:
        count = 0
        while isinstance(value, list):
            value, count = value[0], count + 1
        return count, value

    @env.pipeline()
    def deep() -> Any:
        value: Any = one()
        for _ in range(50_000):
            value = [value]
        return depth(value)

    assert deep.run() == (50_000, 1)


def test_a_list_without_results_is_given_as_it_is(env: GlacierEnv) -> None:
    plain: list[Any] = [1, [2]]
    plain.append(plain)

    @env.task()
    def same(value: list[Any], other: int) -> bool:
        return value is plain

    @env.task()
    def one() -> int:
        return 1

    @env.pipeline()
    def passing() -> bool:
        return same(plain, one())

    assert passing.run() is True


# --- values -----------------------------------------------------------------------------------------------------------


class Value:
    pass


def test_a_value_is_let_go_when_its_last_consumer_has_run(env: GlacierEnv) -> None:
    alive: list[int] = []
    made: list[weakref.ref[Value]] = []

    @env.task()
    def make(_: Any = None) -> Value:
        writer(home.home()).flush()
        gc.collect()
        alive.append(sum(each() is not None for each in made))
        value = Value()
        made.append(weakref.ref(value))
        return value

    @env.pipeline()
    def chain() -> None:
        value = make()
        for _ in range(10):
            value = make(value)

    chain.run()
    assert max(alive) == 1
    gc.collect()
    assert not any(each() for each in made)
    assert len(chain.last_run.tasks) == 11


def test_a_result_that_leaves_the_body_by_another_way_says_that_it_is_none(env: GlacierEnv) -> None:
    kept: list[Any] = []

    @env.task()
    def one() -> int:
        return 1

    @env.task()
    def fails() -> int:
        raise ValueError("no")

    @env.pipeline()
    def leaking() -> None:
        kept.append(one())
        fails()
        kept.append(one())

    with pytest.raises(ValueError, match="no"):
        leaking.run(max_workers=1)
    states = [step.state for step in leaking.last_run.steps.values() if step.name == "one"]
    for value, state in zip(kept, states, strict=True):
        if state == "done":
            assert value == 1
        else:
            with pytest.raises(PipelineError, match="has no value: it is cancelled"):
                value + 1


# --- failures ---------------------------------------------------------------------------------------------------------


def test_what_runs_beside_a_failure_finishes_and_nothing_new_starts(env: GlacierEnv) -> None:
    failing, log = threading.Event(), []

    @env.task()
    def fails() -> None:
        failing.set()
        raise ValueError("first")

    @env.task()
    def beside() -> int:
        failing.wait(20)
        time.sleep(0.05)
        log.append("beside")
        return 1

    @env.task()
    def after(x: int) -> None:
        log.append("after")

    @env.pipeline()
    def several() -> None:
        after(beside())
        fails()

    with pytest.raises(ValueError, match="first"):
        several.run(max_workers=2)
    assert log == ["beside"]
    assert {step.name: step.state for step in several.last_run.tasks} == {
        "beside": "done",
        "fails": "failed",
        "after": "cancelled",
    }


def test_several_failures_are_a_group(env: GlacierEnv) -> None:
    barrier = threading.Barrier(2, timeout=20)

    @env.task()
    def fails(n: int) -> None:
        barrier.wait()
        raise ValueError(f"no {n}")

    @env.pipeline()
    def failing() -> None:
        fails(1)
        fails(2)

    with pytest.raises(ExceptionGroup, match="2 tasks of pipeline 'failing' failed") as caught:
        failing.run(max_workers=2)
    assert sorted(str(error) for error in caught.value.exceptions) == ["no 1", "no 2"]
    for error in caught.value.exceptions:
        assert "task 'fails' of pipeline 'failing' in environment 'test', attempt 1 of 1" in error.__notes__[0]
    assert f"run {failing.last_run.id}" in caught.value.__notes__


def test_with_continue_all_runs_that_does_not_need_the_failure(env: GlacierEnv) -> None:
    log: list[str] = []

    @env.task()
    def work(name: str, *_: Any) -> str:
        log.append(name)
        if name == "b":
            raise ValueError("b failed")
        return name

    @env.pipeline()
    def branches() -> None:
        a, b = work("a"), work("b")
        work("after a", a)
        work("after both", work("after b", b), a)

    seen: list[Event] = []
    with pytest.raises(ValueError, match="b failed") as caught:
        branches.run(on_error="continue", listeners=[seen.append])
    assert sorted(log) == ["a", "after a", "b"]
    assert "pipeline 'branches'" in caught.value.__notes__[0]
    assert sorted(step.state for step in branches.last_run.tasks) == ["done", "done", "failed", "skipped", "skipped"]
    skipped = [event for event in seen if event.kind == "skipped"]
    assert [event.detail for event in skipped] == ["work failed", "work failed"]


def test_with_continue_the_rest_runs_also_after_the_body_has_met_the_failure(env: GlacierEnv) -> None:
    log: list[str] = []

    @env.task()
    def fails() -> int:
        raise ValueError("no")

    @env.task()
    def independent() -> None:
        log.append("ran")

    @env.pipeline()
    def touching() -> int:
        independent()
        return fails() + 1

    with pytest.raises(ValueError, match="no"):
        touching.run(on_error="continue")
    assert log == ["ran"]
    log.clear()
    with pytest.raises(ValueError, match="no"):
        touching.run()
    assert log == []


def test_a_body_that_has_caught_an_error_may_ask_again_and_gets_it_again(env: GlacierEnv) -> None:
    tries: list[int] = []

    @env.task()
    def fails() -> int:
        tries.append(1)
        raise ValueError("no")

    @env.pipeline()
    def asking() -> int:
        value = fails()
        for _ in range(3):
            try:
                return value + 1
            except ValueError:
                continue
        return 7

    assert asking.run() == 7
    assert tries == [1]
    assert asking.run(on_error="continue") == 7


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_task_that_ends_the_program_ends_the_run(env: GlacierEnv, error: type[BaseException]) -> None:
    @env.task()
    def leaves(n: int) -> None:
        if n == 3:
            raise error

    @env.pipeline()
    def leaving() -> None:
        for n in range(8):
            leaves(n)

    with pytest.raises(error):
        leaving.run(max_workers=4)
    assert "done" in {step.state for step in leaving.last_run.tasks}
    assert leaving.last_run.state in {"cancelled", "failed"}


def test_a_task_may_run_a_pipeline_of_its_own_and_use_a_leaked_result(env: GlacierEnv) -> None:
    results: dict[str, Any] = {}

    @env.task()
    def one() -> int:
        return 1

    @env.task()
    def leaked() -> int:
        return results["one"] + 1

    @env.pipeline()
    def outer() -> int:
        results["one"] = one()
        return leaked()

    assert outer.run(max_workers=1) == 2
    assert outer.run(max_workers=4) == 2
