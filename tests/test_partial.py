"""Parts of a pipeline: chosen tasks, results of the cache, one task at a time."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from glacier import Bucket, GlacierEnv, GlacierWarning
from glacier.config import LocalConfig
from glacier.errors import AccessError, ConfigError, ExecutorError, PipelineError
from glacier.execution.caching import store
from glacier.execution.events import Event
from glacier.providers import LocalProvider
from glacier.stepping import end, next_step, standing


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


class Tasks:
    """A diamond of tasks `a -> (b, c) -> d` and an `other`, that log their calls."""

    def __init__(self, env: GlacierEnv) -> None:
        log: list[str] = []
        self.log = log

        @env.task()
        def a() -> int:
            log.append("a")
            return 1

        @env.task()
        def b(x: int) -> int:
            log.append("b")
            return x + 10

        @env.task()
        def c(x: int) -> int:
            log.append("c")
            return x + 100

        @env.task()
        def d(x: int, y: int) -> int:
            log.append("d")
            return x + y

        @env.task()
        def other() -> str:
            log.append("other")
            return "other"

        @env.pipeline()
        def diamond() -> tuple[int, str]:
            x = a()
            return d(b(x), c(x)), other()

        self.diamond = diamond

    def ran(self) -> str:
        """Return the tasks that ran since the last time, sorted."""
        names = " ".join(sorted(self.log))
        self.log.clear()
        return names


@pytest.mark.parametrize(
    ("options", "ran", "result"),
    [
        ({"until": "b"}, "a b", 11),
        ({"until": ["b", "c"]}, "a b c", {"b": 11, "c": 101}),
        ({"only": "c"}, "a c", 101),
        ({"from_": "c"}, "a b c d other", (112, "other")),
        ({"from_": "b", "until": "d"}, "a b c d", 112),
    ],
)
def test_a_part_of_a_pipeline_runs_with_what_it_needs(
    env: GlacierEnv, options: dict[str, Any], ran: str, result: Any
) -> None:
    tasks = Tasks(env)
    assert tasks.diamond.run(**options) == result
    assert tasks.ran() == ran


def test_what_is_not_asked_for_is_skipped(env: GlacierEnv) -> None:
    tasks = Tasks(env)
    seen: list[Event] = []
    tasks.diamond.run(until="b", listeners=[seen.append])
    states = {step.name: step.state for step in tasks.diamond.last_run.tasks}
    assert states == {"a": "done", "b": "done", "c": "skipped", "d": "skipped", "other": "skipped"}
    assert {event.name for event in seen if event.kind == "skipped"} == {"c", "d", "other"}


def test_an_unknown_task_is_named(env: GlacierEnv) -> None:
    tasks = Tasks(env)
    with pytest.raises(ConfigError, match=r"no task 'bb' .*did you mean"):
        tasks.diamond.run(until="bb")
    assert tasks.ran() == ""


def counting(env: GlacierEnv) -> Any:
    """Return a pipeline of three tasks whose results are kept: a frame, a plan and a number."""

    @env.task(cache=True)
    def source(n: int) -> pl.DataFrame:
        return pl.DataFrame({"x": [n, n + 1]})

    @env.task(cache=True)
    def doubled(df: pl.DataFrame) -> pl.LazyFrame:
        return df.lazy().with_columns(pl.col("x") * 2)

    @env.task(cache=True)
    def total(df: pl.LazyFrame) -> int:
        return df.collect()["x"].sum()

    @env.pipeline()
    def counted(n: int) -> Any:
        df = doubled(source(n))
        return df, total(df)

    return counted


def ran(pipeline: Any) -> dict[str, str]:
    return {step.name: step.state for step in pipeline.last_run.tasks}


def test_a_kept_result_is_not_computed_again(env: GlacierEnv) -> None:
    pipeline = counting(env)
    frame, total = pipeline.run(n=1)
    assert type(frame) is pl.LazyFrame
    assert total == 6
    assert ran(pipeline) == {"source": "done", "doubled": "done", "total": "done"}
    again, same = pipeline.run(n=1)
    assert same == 6
    assert type(again) is pl.LazyFrame
    assert_frame_equal(again.collect(), frame.collect())
    assert ran(pipeline) == {"source": "cached", "doubled": "cached", "total": "cached"}
    pipeline.run(n=2)
    assert ran(pipeline) == {"source": "done", "doubled": "done", "total": "done"}


def test_a_hit_is_an_event_and_reads_nothing(env: GlacierEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = counting(env)
    pipeline.run(n=1)
    loads: list[str] = []
    kept = store(env)
    load = kept.load
    monkeypatch.setattr(type(kept), "load", lambda self, stored: loads.append(stored.task) or load(stored))
    seen: list[Event] = []
    pipeline.run(n=1, only="total", force="total", listeners=[seen.append])
    kinds = [(event.kind, event.name) for event in seen if event.key]
    assert kinds[:2] == [("cached", "source"), ("cached", "doubled")]
    assert seen[1].rows == 2
    assert loads == ["doubled"]


def test_force_runs_what_is_kept(env: GlacierEnv) -> None:
    pipeline = counting(env)
    pipeline.run(n=1)
    pipeline.run(n=1, force="doubled")
    assert ran(pipeline) == {"source": "cached", "doubled": "done", "total": "cached"}
    pipeline.run(n=1, force=True)
    assert ran(pipeline) == {"source": "done", "doubled": "done", "total": "done"}


def test_a_damaged_result_is_computed_again(env: GlacierEnv) -> None:
    pipeline = counting(env)
    frame, _ = pipeline.run(n=1)
    expected = frame.collect()
    del frame
    kept = store(env)
    kept._checked.clear()
    for path in kept.objects.iterdir():
        if path.is_file() and path.stat().st_size:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.chmod(0o600)
            path.write_bytes(content)
    with pytest.warns(GlacierWarning):
        again, total = pipeline.run(n=1)
        assert_frame_equal(again.collect(), expected)
    assert total == 6


# --- stepping ---------------------------------------------------------------------------------------------------------


def test_stepping_runs_one_task_at_a_time(env: GlacierEnv) -> None:
    tasks = Tasks(env)
    with tasks.diamond.step() as stepper:
        first = stepper.next()
        assert (first.name, first.value, first.state) == ("a", 1, "done")
        assert tasks.ran() == "a"
        second = stepper.next()
        assert (second.name, second.value) in {("b", 11), ("c", 101)}
        assert tasks.ran() == second.name
        names = [each.name for each in stepper]
        assert sorted([*names, second.name]) == ["b", "c", "d", "other"]
        assert stepper.done
        assert stepper.result == (112, "other")
        assert stepper.next() is None
    assert stepper.run.state == "done"


def test_stepping_can_be_ended_and_meets_errors(env: GlacierEnv) -> None:
    tasks = Tasks(env)
    stepper = tasks.diamond.step()
    assert stepper.next().name == "a"
    stepper.close()
    assert stepper.done
    assert tasks.diamond.last_run.state == "cancelled"
    assert tasks.ran() == "a"

    @env.task()
    def fails() -> None:
        raise ValueError("no")

    @env.pipeline()
    def failing() -> None:
        fails()

    stepper = failing.step()
    with pytest.raises(ValueError, match="no"):
        stepper.next()
    assert stepper.done
    assert stepper.next() is None


def test_an_interrupt_ends_the_step_that_is_running(env: GlacierEnv) -> None:
    running, laps = threading.Event(), [0]

    @env.task()
    def endless() -> None:
        running.set()
        while True:
            laps[0] += 1

    @env.pipeline()
    def going() -> None:
        endless()

    def interrupt() -> None:
        assert running.wait(30)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    stepper = going.step()
    # A shell that starts the tests in the background has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            stepper.next()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (stepper.done, stepper.failed, going.last_run.state) == (True, True, "cancelled")
    count = laps[0]
    assert stepper.next() is None
    assert laps[0] == count


def test_a_step_that_is_held_is_not_running(env: GlacierEnv) -> None:
    tasks = Tasks(env)
    stepper = tasks.diamond.step()
    stepper.next()
    stepper._gate.settle()
    assert "running" not in {step.state for step in tasks.diamond.last_run.tasks}
    stepper.close()
    assert {step.state for step in tasks.diamond.last_run.tasks} == {"done", "cancelled"}
    assert {step.state for step in env.runs[0].tasks} == {"done", "cancelled"}


# --- from one process to the next ---------------------------------------------------------------------------------


def test_steps_go_on_where_the_last_one_stopped(env: GlacierEnv) -> None:
    tasks = Tasks(env)
    assert standing(tasks.diamond) is None
    steps = [next_step(tasks.diamond) for _ in range(5)]
    assert [step.task.name for step in steps] == tasks.log
    assert sorted(tasks.log) == ["a", "b", "c", "d", "other"]
    assert [step.done for step in steps] == [False] * 4 + [True]
    assert [step.again for step in steps] == [()] * 5
    assert steps[-1].result == (112, "other")
    assert [run.state for run in env.runs] == ["done"] + ["paused"] * 4
    assert [run.resumes for run in env.runs][:-1] == [run.id for run in env.runs][1:]
    assert {run.value("a") for run in env.runs[1:]} == {None}
    assert standing(tasks.diamond) is None
    assert next_step(tasks.diamond).task.name == "a"


def test_a_paused_run_can_be_resumed_and_be_ended(env: GlacierEnv) -> None:
    tasks = Tasks(env)
    next_step(tasks.diamond)
    assert tasks.diamond.resume() == (112, "other")
    assert tasks.log.count("a") == 1
    next_step(tasks.diamond)
    ended = end(tasks.diamond)
    assert ended.id == env.runs[0].id
    assert env.runs[0].state == "ended"
    assert not env.runs[0].resumable
    assert env.runs[0].value("a") is None
    with pytest.raises(PipelineError, match="is ended .start a new run"):
        tasks.diamond.resume(ended.id)
    assert end(tasks.diamond) is None
    assert next_step(tasks.diamond).task.name == "a"


def test_a_value_that_cannot_be_kept_is_made_once_more_and_named(env: GlacierEnv) -> None:
    made: list[str] = []

    @env.task()
    def lines() -> Any:
        made.append("lines")
        return (n for n in range(3))

    @env.task()
    def summed(numbers: Any) -> int:
        return sum(numbers)

    @env.pipeline()
    def summing() -> int:
        return summed(lines())

    assert next_step(summing).again == ()
    step = next_step(summing)
    assert (step.task.name, step.task.value, step.again, step.done) == ("summed", 3, ("lines",), True)
    assert made == ["lines", "lines"]


def test_a_failed_step_is_tried_again_and_an_error_of_the_body_is_raised(env: GlacierEnv) -> None:
    fails = [True]

    @env.task()
    def first() -> int:
        return 1

    @env.task()
    def second(x: int) -> int:
        if fails[0]:
            raise ValueError("not yet")
        return x + 1

    @env.pipeline()
    def both() -> int:
        found = second(first())
        if found == 2:
            raise LookupError("the body does not like it")
        return found

    next_step(both)
    for _ in range(2):
        with pytest.raises(ValueError, match="not yet"):
            next_step(both)
    fails[0] = False
    with pytest.raises(LookupError, match="does not like it"):
        next_step(both)
    assert [run.state for run in env.runs] == ["failed", "failed", "failed", "paused"]
    assert {task.name: task.state for task in env.runs[0].tasks} == {"first": "cached", "second": "done"}


def test_a_task_whose_result_the_body_has_used_up_is_returned_too(env: GlacierEnv) -> None:
    @env.task()
    def load(n: int) -> pl.DataFrame:
        return pl.DataFrame({"x": range(n)})

    @env.task()
    def check(df: pl.DataFrame) -> bool:
        return df.height > 1

    @env.pipeline()
    def checked(n: int = 2) -> str:
        if check(load(n)):
            return "enough"
        return str(load(n + 1).height)

    assert checked.run(only="check") is True
    assert checked.run(until="load").height == 2
    found = checked.run(n=1, only=["check", "load"])
    assert found.pop("check") is False
    assert [frame.height for frame in found.values()] == [1, 2]


def test_what_takes_an_attribute_of_a_result_is_downstream_of_it(env: GlacierEnv) -> None:
    sizes: list[int] = []

    @env.task()
    def load() -> pl.DataFrame:
        return pl.DataFrame({"x": [1, 2]})

    @env.task()
    def count(n: int) -> int:
        sizes.append(n)
        return n

    @env.task()
    def other() -> int:
        raise AssertionError("nobody asked for it")

    @env.pipeline()
    def sized() -> None:
        count(load().height)
        other()

    sized.run(from_="load")
    assert sizes == [2]


# --- plans ------------------------------------------------------------------------------------------------------------


def test_a_plan_says_what_would_run_and_what_is_cached(env: GlacierEnv) -> None:
    pipeline = counting(env)
    before = pipeline.plan(n=1)
    assert [(each.name, each.action, each.why) for each in before] == [
        ("source", "run", "not kept yet"),
        ("doubled", "run", "needs source, which runs"),
        ("total", "run", "needs doubled, which runs"),
    ]
    pipeline.run(n=1)
    assert [each.action for each in pipeline.plan(n=1)] == ["cached"] * 3
    changed = pipeline.plan(n=2)
    assert changed["source"].action == "run"
    assert changed["source"].why == "argument n changed"
    forced = pipeline.plan(n=1, force="doubled")
    assert [(each.action, each.why) for each in forced][1] == ("run", "forced")
    assert str(pipeline.plan(n=1)).splitlines()[0] == "counted: 0 to run, 3 cached, 0 skipped"


def test_a_plan_knows_what_is_asked_for_and_how_much_is_read(env: GlacierEnv) -> None:
    sales = env.register("sales", env.provider.bucket("sales", path="raw.parquet"))
    sales.write(pl.DataFrame({"x": [1, 2, 3]}))

    @env.task()
    def load(sales: Any) -> pl.LazyFrame:
        return sales.scan()

    @env.task()
    def big(df: pl.LazyFrame) -> bool:
        raise AssertionError("a plan runs nothing")

    @env.task()
    def shrink(df: pl.LazyFrame) -> pl.LazyFrame:
        raise AssertionError("a plan runs nothing")

    @env.pipeline()
    def loading() -> Any:
        df = load()
        if big(df):
            df = shrink(df)
        return df

    plan = loading.plan()
    assert plan["load"].reads == plan.reads == sales.stat().size
    assert plan["shrink"].why == "if big()"
    assert {each.name: each.action for each in loading.plan(until="big")} == {
        "load": "run",
        "big": "run",
        "shrink": "skip",
    }
    with pytest.raises(ConfigError, match="no task 'lod' .*did you mean 'load'"):
        loading.plan(only="lod")


# --- the data of another environment ----------------------------------------------------------------------------------


def test_data_are_read_from_one_environment_and_written_to_the_other(tmp_path: Path) -> None:
    dev = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "dev")), "dev")
    prod = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "prod")), "prod")
    for env, value in ((dev, 1), (prod, 2)):
        env.register("sales", env.provider.bucket(f"sales-{env.name}", path="s.parquet"))
        env.register("report", env.provider.bucket("out", path="r.parquet"))
        env.get("sales").write(pl.DataFrame({"x": [value]}))
        env.provider.bucket("lookup", path="l.parquet").write(pl.DataFrame({"x": [value]}))
    prod.get("report").write(pl.DataFrame({"x": [0]}))

    @dev.task()
    def load(sales: Bucket) -> pl.DataFrame:
        return sales.read()

    @dev.task()
    def by_address(sales: Bucket) -> pl.DataFrame:
        return pl.read_parquet(sales.get_uri())

    @dev.task()
    def inside() -> int:
        return dev.get("sales").read().item()

    @dev.task()
    def save(df: pl.DataFrame, report: Bucket) -> None:
        report.write(df)

    @dev.task()
    def saved(report: Bucket, _: Any) -> int:
        return report.read().item()

    @dev.pipeline()
    def reporting() -> Any:
        df = load()
        other = dev.provider.bucket("lookup", path="l.parquet").read()
        return df, other, by_address(), inside(), saved(_=save(df))

    frame, other, addressed, direct, read_back = reporting.run(read=prod)
    assert [frame.item(), other.item(), addressed.item(), direct, read_back] == [2, 2, 2, 2, 2]
    assert dev.get("report").read().item() == 2
    assert prod.get("report").read().item() == 0
    assert reporting.run()[0].item() == 1

    @dev.task()
    def wrong() -> None:
        prod.get("report").write(pl.DataFrame({"x": [9]}))

    @dev.task(executor="process")
    def elsewhere(sales: Bucket) -> int:
        return sales.read().item()

    with pytest.raises(AccessError, match="belongs to environment 'prod', which this run only reads"):
        wrong.run(read=prod)
    with pytest.raises(ExecutorError, match="cannot run with read="):
        elsewhere.run(read=prod)
    assert prod.get("report").read().item() == 0


@pytest.fixture
def two(tmp_path: Path) -> tuple[GlacierEnv, GlacierEnv]:
    """An environment to write to, and one to read from; both have a report."""
    made: list[GlacierEnv] = []
    for name in ("dev", "prod"):
        env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / name)), name)
        env.register("report", env.provider.bucket("out", path="r.parquet")).write(pl.DataFrame({"x": [name]}))
        made.append(env)
    return made[0], made[1]


def _in_a_thread(work: Callable[[], Any]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


NEW = pl.DataFrame({"x": ["new"]})
WRITES: dict[str, Callable[[GlacierEnv], Any]] = {
    "write": lambda prod: prod.get("report").write(NEW),
    "sink": lambda prod: prod.get("report").sink(NEW.lazy()),
    "delete": lambda prod: prod.get("report").delete(),
    "provider": lambda prod: prod.provider.bucket("out", path="r.parquet").write(NEW),
    "other object": lambda prod: prod.provider.bucket("out", path="new.parquet").write(NEW),
    "address": lambda prod: NEW.write_parquet(prod.get("report").get_uri()),
    "sink to the address": lambda prod: NEW.lazy().sink_parquet(prod.get("report").get_uri()),
    "lazily": lambda prod: NEW.lazy().sink_parquet(prod.get("report").get_uri(), lazy=True),
    "options of their own": lambda prod: NEW.write_parquet(prod.get("report").get_uri(), storage_options={"a": "b"}),
    "a path as text": lambda prod: NEW.write_parquet(str(prod.get("report").uri)),
    "a path": lambda prod: NEW.write_parquet(Path(prod.get("report").uri)),
    "a thread": lambda prod: _in_a_thread(lambda: prod.get("report").write(NEW)),
    "an address in a thread": lambda prod: _in_a_thread(lambda: NEW.write_parquet(str(prod.get("report").uri))),
    "a link": lambda prod: _linked(prod).write(NEW),
}


def _linked(prod: GlacierEnv) -> Bucket:
    place = Path(prod.get("report").uri)
    link = place.parents[1].parent / "elsewhere"
    link.symlink_to(place.parents[1])
    return LocalProvider(config=LocalConfig(base_path=link)).bucket("out", path="r.parquet")


@pytest.mark.parametrize("way", list(WRITES))
@pytest.mark.parametrize("in_body", [False, True])
def test_nothing_writes_to_an_environment_that_is_only_read(
    two: tuple[GlacierEnv, GlacierEnv], way: str, in_body: bool
) -> None:
    dev, prod = two

    @dev.task()
    def writing() -> None:
        WRITES[way](prod)

    @dev.pipeline()
    def pipeline() -> None:
        if in_body:
            WRITES[way](prod)
        else:
            writing()

    before = sorted(Path(prod.get("report").uri).parent.iterdir())
    with pytest.raises(AccessError, match="belongs to environment 'prod', which this run only reads"):
        pipeline.run(read=prod)
    assert prod.get("report").read().item() == "prod"
    assert sorted(Path(prod.get("report").uri).parent.iterdir()) == before
    assert dev.get("report").read().item() == "dev"


def test_a_bucket_of_ones_own_in_the_same_place_is_not_written(tmp_path: Path) -> None:
    dev, prod = (GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), name) for name in ("dev", "prod"))
    prod.register("all", prod.provider.bucket("out", path="2026/*.parquet"))
    for env in (dev, prod):
        env.register("report", env.provider.bucket("out", path="r.parquet"))

    @dev.task()
    def save(report: Bucket) -> None:
        report.write(NEW)

    @dev.task()
    def save_among(path: str) -> None:
        dev.provider.bucket("out", path=path).write(NEW)

    for task, given in ((save, {}), (save_among, {"path": "2026/a.parquet"})):
        with pytest.raises(AccessError, match="belongs to environment 'prod'"):
            task.run(read=prod, **given)
    save_among.run(read=prod, path="2027/a.parquet")
    save.run()
    with pytest.raises(ConfigError, match="'dev' writes to it, and cannot only read from it"):
        save.run(read=dev)


def test_a_pipeline_may_read_from_the_environment_that_it_was_written_for(two: tuple[GlacierEnv, GlacierEnv]) -> None:
    dev, prod = two

    @prod.task()
    def renew(report: Bucket) -> str:
        before = prod.get("report").read().item()
        report.write(pl.DataFrame({"x": [f"after {before}"]}))
        return report.read().item()

    @prod.pipeline()
    def renewing() -> str:
        return renew()

    bound = dev.bind(renewing)
    assert bound.run(read=prod) == "after prod"
    assert [env.get("report").read().item() for env in two] == ["after prod", "prod"]
    assert prod.bind(bound).run(read=dev) == "after after prod"


def test_a_resource_of_the_environment_that_a_pipeline_was_written_for_is_warned_of(
    two: tuple[GlacierEnv, GlacierEnv],
) -> None:
    dev, prod = two
    report = dev.get("report")

    @dev.task()
    def fixed() -> str:
        return report.read().item()

    @dev.task()
    def asked(report: Bucket) -> str:
        return dev.get("report").read().item() + report.read().item()

    @dev.pipeline()
    def reading() -> Any:
        return fixed()

    @dev.pipeline()
    def following() -> Any:
        return asked()

    reading.run()
    with pytest.warns(GlacierWarning, match="is 'report' of environment 'dev', and this run is in 'prod'") as caught:
        assert prod.bind(reading).run() == "dev"
    assert caught[0].filename == __file__
    with warnings.catch_warnings(action="error"):
        assert prod.bind(following).run() == "prodprod"
        assert prod.bind(following).run(read=dev) == "devdev"
        assert dev.bind(prod.bind(reading)).run() == "dev"


def test_kept_results_are_of_the_environment_that_was_read(two: tuple[GlacierEnv, GlacierEnv]) -> None:
    dev, prod = two
    shared = dev.get("report")

    @dev.task(cache=True)
    def injected(report: Bucket) -> str:
        return report.read().item()

    @dev.task(cache=True)
    def looked_up() -> str:
        return dev.get("report").read().item()

    @dev.task(cache=True)
    def through_a_global() -> str:
        return shared.read().item()

    @dev.task(cache=True)
    def planned(report: Bucket) -> pl.LazyFrame:
        return report.scan()

    @dev.pipeline()
    def reading() -> Any:
        return injected(), looked_up(), through_a_global(), planned().collect().item()

    for _ in range(2):
        assert reading.run() == ("dev",) * 4
        assert reading.run(read=prod) == ("prod",) * 4
    assert [step.state for step in reading.last_run.tasks][:3] == ["cached"] * 3


def test_other_runs_and_later_ones_write_where_a_run_has_read(two: tuple[GlacierEnv, GlacierEnv]) -> None:
    dev, prod = two
    written = threading.Event()

    @prod.task()
    def renew(report: Bucket) -> None:
        report.write(NEW)

    @dev.task()
    def wait() -> None:
        assert written.wait(30)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(wait.run, read=prod)
        renew.run()
        written.set()
        reading.result()
    prod.get("report").write(NEW)
    assert prod.get("report").read().item() == "new"


def test_a_body_that_is_only_followed_writes_nothing_by_an_address(two: tuple[GlacierEnv, GlacierEnv]) -> None:
    dev, _ = two

    @dev.pipeline()
    def pipeline() -> Any:
        NEW.write_parquet(dev.get("report").get_uri())
        return pl.scan_parquet(dev.get("report").get_uri()).head(1), pl.read_parquet(dev.get("report").get_uri())

    graph = pipeline.graph
    assert dev.get("report").read().item() == "dev"
    assert [node.name for node in graph if node.kind == "inline"] == ["write", "scan", "head", "read"]
    used = [(graph[edge.target].name, edge.access) for edge in graph.edges if edge.source == "bucket:out/r.parquet"]
    assert used == [("write", "write"), ("scan", "read"), ("read", "read")]
    pipeline.run()
    assert dev.get("report").read().item() == "new"
