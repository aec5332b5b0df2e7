"""LazyFrames between tasks: what is planned, what is computed when, and how often."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.execution import plans
from glacier.execution.events import Event
from glacier.execution.plans import is_narrow
from glacier.providers import LocalProvider


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer than the usual patience until the other query comes."""
    monkeypatch.setattr(plans, "PATIENCE", 60.0)


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


class Counted:
    """A plan's step that counts how many frames go through it."""

    def __init__(self) -> None:
        self.frames = 0

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        self.frames += 1
        return frame

    def plan(self) -> pl.LazyFrame:
        return pl.LazyFrame({"k": [1, 1, 2], "x": [1, 2, 3]}).map_batches(self)


def two_sinks(env: GlacierEnv, counted: Counted, workers: int, **options: object) -> list[int]:
    """Run a pipeline in which two tasks compute what they build on one plan; return both results."""

    @env.task()
    def shared() -> pl.LazyFrame:
        return counted.plan()

    @env.task()
    def total(df: pl.LazyFrame) -> int:
        return df.select(pl.sum("x")).collect().item()

    @env.task()
    def most(df: pl.LazyFrame) -> int:
        return df.select(pl.max("x")).collect().item()

    @env.pipeline(name=f"both_{workers}")
    def both() -> list[int]:
        df = shared()
        return [total(df), most(df)]

    result = both.run(max_workers=workers, **options)
    assert both.last_run.states() == dict.fromkeys(both.last_run.states(), "done")
    return result


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_a_plan_with_two_consumers_is_computed_once(env: GlacierEnv, workers: int) -> None:
    counted = Counted()
    assert two_sinks(env, counted, workers) == [6, 3]
    assert counted.frames == 1


def test_a_plan_with_many_consumers_is_computed_once_by_as_many_as_may_work(env: GlacierEnv) -> None:
    counted = Counted()
    at_once: set[int] = set()
    most: list[int] = []

    @env.task()
    def shared() -> pl.LazyFrame:
        return counted.plan()

    @env.task()
    def count(df: pl.LazyFrame, n: int) -> int:
        height = df.filter(pl.col("x") <= n).collect().height
        at_once.add(n)
        most.append(len(at_once))
        at_once.discard(n)
        return height

    @env.pipeline()
    def many() -> list[int]:
        df = shared()
        return [count(df, n) for n in range(6)]

    assert many.run(max_workers=1) == [0, 1, 2, 3, 3, 3]
    assert counted.frames == 1
    assert max(most) == 1


def test_a_chain_of_plans_is_one_query(env: GlacierEnv) -> None:
    counted = Counted()

    @env.task()
    def source() -> pl.LazyFrame:
        return counted.plan()

    @env.task()
    def grown(df: pl.LazyFrame, n: int) -> pl.LazyFrame:
        return df.with_columns(pl.col("x") + n)

    @env.task()
    def total(df: pl.LazyFrame) -> int:
        return df.collect()["x"].sum()

    @env.pipeline()
    def fork() -> tuple[int, int]:
        df = grown(source(), 1)
        return total(grown(df, 1)), total(grown(df, 2))

    assert fork.run() == (12, 15)
    assert counted.frames == 1


def test_states_tell_planned_from_computed(env: GlacierEnv) -> None:
    @env.task()
    def plan() -> pl.LazyFrame:
        return pl.LazyFrame({"x": [1]})

    @env.task()
    def use(df: pl.LazyFrame) -> int:
        return df.collect().height

    @env.pipeline()
    def used() -> int:
        return use(plan())

    @env.pipeline()
    def unused() -> pl.LazyFrame:
        return plan()

    seen: list[Event] = []
    used.run(listeners=[seen.append])
    assert [(event.kind, event.name) for event in seen[1:-1]] == [
        ("started", "plan"),
        ("planned", "plan"),
        ("started", "use"),
        ("started", "plan"),
        ("succeeded", "plan"),
        ("succeeded", "use"),
    ]
    assert seen[4].detail.startswith("computed by use@")
    unused.run()
    assert [step.state for step in unused.last_run.tasks] == ["planned"]


def test_writes_that_share_a_plan_are_one_query(env: GlacierEnv) -> None:
    counted = Counted()
    left = env.register("left", env.provider.bucket("out", path="left.parquet"))
    right = env.register("right", env.provider.bucket("out", path="right.csv"))

    @env.task()
    def shared() -> pl.LazyFrame:
        return counted.plan()

    @env.task()
    def save_left(df: pl.LazyFrame) -> None:
        left.sink(df.filter(pl.col("k") == 1))

    @env.task()
    def save_right(df: pl.LazyFrame) -> None:
        right.write(df.filter(pl.col("k") == 2))

    @env.pipeline()
    def saving() -> None:
        df = shared()
        save_left(df)
        save_right(df)

    saving.run()
    assert counted.frames == 1
    assert left.read().height == 2
    assert right.read().height == 1


def test_when_a_common_query_fails_each_task_has_its_own_result(env: GlacierEnv) -> None:
    good = env.register("good", env.provider.bucket("out", path="good.parquet"))

    @env.task()
    def shared() -> pl.LazyFrame:
        return pl.LazyFrame({"x": ["1", "a"]})

    @env.task()
    def save(df: pl.LazyFrame) -> None:
        good.sink(df)

    @env.task()
    def casts(df: pl.LazyFrame) -> int:
        return df.select(pl.col("x").cast(pl.Int64)).collect().height

    @env.pipeline()
    def pipeline() -> None:
        df = shared()
        save(df)
        casts(df)

    with pytest.raises(pl.exceptions.InvalidOperationError):
        pipeline.run(on_error="continue")
    assert {step.name: step.state for step in pipeline.last_run.tasks} == {
        "shared": "done",
        "save": "done",
        "casts": "failed",
    }
    assert good.read().height == 2


def test_an_error_at_collect_names_the_task_that_built_the_step(env: GlacierEnv) -> None:
    @env.task()
    def source() -> pl.LazyFrame:
        return pl.LazyFrame({"x": ["1", "a"]})

    @env.task()
    def typed(df: pl.LazyFrame) -> pl.LazyFrame:
        return df.with_columns(pl.col("x").cast(pl.Int64))

    @env.task()
    def positive(df: pl.LazyFrame) -> pl.LazyFrame:
        return df.filter(pl.col("x") > 0)

    @env.task()
    def count(df: pl.LazyFrame) -> int:
        return df.collect().height

    @env.pipeline()
    def counting() -> int:
        return count(positive(typed(source())))

    with pytest.raises(pl.exceptions.InvalidOperationError) as caught:
        counting.run()
    notes = "\n".join(caught.value.__notes__)
    assert "task 'count' of pipeline 'counting'" in notes
    line = typed.fn.__code__.co_firstlineno
    assert f"the failing step of the query was built by task 'typed' ({__file__}:{line})" in notes


def test_an_error_of_the_computing_task_blames_nobody_else(env: GlacierEnv) -> None:
    @env.task()
    def source() -> pl.LazyFrame:
        return pl.LazyFrame({"x": ["a"]})

    @env.task()
    def count(df: pl.LazyFrame) -> int:
        return df.select(pl.col("x").cast(pl.Int64)).collect().height

    @env.pipeline()
    def counting() -> int:
        return count(source())

    with pytest.raises(pl.exceptions.InvalidOperationError) as caught:
        counting.run()
    assert not any("was built by" in note for note in caught.value.__notes__)


FRAME = pl.LazyFrame({"k": [1, 1, 2], "x": [1, 2, 3]})


@pytest.mark.parametrize(
    ("plan", "narrow"),
    [
        (FRAME.group_by("k").agg(pl.sum("x")), True),
        (FRAME.group_by("k").agg(pl.sum("x")).sort("k").filter(pl.col("x") > 1).head(3), True),
        (FRAME.group_by("k").agg(pl.sum("x")).with_columns(y=pl.col("x") * 2).select("y"), True),
        (FRAME.unique("k"), True),
        (FRAME, False),
        (FRAME.filter(pl.col("x") > 1), False),
        (FRAME.join(FRAME.group_by("k").agg(pl.len()), on="k"), False),
        (pl.concat([FRAME, FRAME]), False),
    ],
)
def test_what_counts_as_narrow(plan: pl.LazyFrame, narrow: bool) -> None:
    assert is_narrow(plan) is narrow


@pytest.mark.parametrize(("materialize", "state"), [("auto", "done"), (True, "done"), (False, "planned")])
def test_a_narrow_shared_result_is_kept(env: GlacierEnv, materialize: object, state: str) -> None:
    given: list[str] = []

    @env.task()
    def counts() -> pl.LazyFrame:
        return FRAME.group_by("k").agg(pl.len()).sort("k")

    @env.task()
    def use(df: pl.LazyFrame, n: int) -> None:
        given.append(df.explain())

    @env.pipeline()
    def sharing() -> None:
        df = counts()
        use(df, 1)
        use(df, 2)

    seen: list[Event] = []
    sharing.run(materialize=materialize, listeners=[seen.append])
    kept = all(text.startswith("DF [") for text in given)
    assert kept is (state == "done")
    kinds = [event.kind for event in seen if event.name == "counts"]
    assert kinds[1] == ("succeeded" if kept else "planned")
    if kept:
        assert next(event.rows for event in seen if event.kind == "succeeded") == 2


def test_a_large_kept_result_lies_in_a_file(env: GlacierEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glacier.execution.plans.SPILL", 1)
    plans: list[pl.LazyFrame] = []

    @env.task()
    def frame() -> pl.LazyFrame:
        return pl.LazyFrame({"x": [1, 2]})

    @env.task()
    def use(df: pl.LazyFrame, n: int) -> int:
        plans.append(df)
        return df.collect()["x"].sum() + n

    @env.pipeline()
    def spilling() -> tuple[int, int]:
        df = frame()
        return use(df, 0), use(df, 1)

    assert spilling.run(materialize=True) == (3, 4)
    assert all("IPC" in plan.explain().upper() for plan in plans)


def test_polars_own_methods_are_the_same_outside_of_a_run(env: GlacierEnv) -> None:
    counted = Counted()
    two_sinks(env, counted, 2)
    method: Callable[..., pl.DataFrame] = pl.LazyFrame.collect
    assert method.__name__ == "collect"
    assert FRAME.collect().height == 3
    assert FRAME.collect(engine="streaming").height == 3
