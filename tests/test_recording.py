"""The recorded body: what runs is part of what is traced, and gives what plain Python gives."""

from __future__ import annotations

import contextlib
import copy
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.errors import PipelineError
from glacier.providers import LocalProvider
from glacier.recording.quiet import muted


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


# --- random pipelines -------------------------------------------------------------------------------------------------

VARIABLES = ("a", "b", "c")
variables = st.sampled_from(VARIABLES)
simple = st.one_of(
    st.builds("{0} = inc({1})".format, variables, variables),
    st.builds("{0} = add({1}, {2})".format, variables, variables, variables),
    st.builds("{0}, {1} = pair({2}, {0})".format, variables, variables, variables),
    st.builds("{0} = {1} + {2}".format, variables, variables, variables),
    st.builds("{0} = pair({1}, {2})[1]".format, variables, variables, variables),
    st.builds("{0} = abs(inc(-{1}))".format, variables, variables),
    st.builds("{0} = helper({1})".format, variables, variables),
    st.builds("{0} += {1}".format, variables, variables),
    st.builds("{0} = total([{1}, inc({2})])".format, variables, variables, variables),
    st.builds("{0} = add(inc({1}).real, [inc({2}).numerator, {1}][0])".format, variables, variables, variables),
    st.builds("{0} = inc({1}).real + {2}".format, variables, variables, variables),
    st.builds(
        "try:\n    {0} = inverse({1})\nexcept ZeroDivisionError:\n    {0} = inc({2})".format,
        variables,
        variables,
        variables,
    ),
)
conditions = st.one_of(
    st.builds("is_even({0})".format, variables),
    st.builds("not is_even({0})".format, variables),
    st.builds("{0} > {1}".format, variables, variables),
    st.builds("inc({0}).real > {1}".format, variables, variables),
    st.builds("is_even({0}) and {1} == 3".format, variables, variables),
)


def indented(block: list[str]) -> list[str]:
    return [f"    {line}" for part in block for line in part.split("\n")]


def branching(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    block = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda c, b: "\n".join([f"if {c}:", *indented(b)]), conditions, block),
        st.builds(
            lambda c, b, e: "\n".join([f"if {c}:", *indented(b), "else:", *indented(e)]), conditions, block, block
        ),
        st.builds(lambda b: "\n".join(["for _ in range(2):", *indented(b)]), block),
    )


programs = st.lists(st.one_of(simple, st.recursive(simple, branching, max_leaves=4)), min_size=1, max_size=6)


def plain_functions() -> dict[str, Any]:
    def inc(x: int) -> int:
        return x + 1

    def add(x: int, y: int) -> int:
        return x + y

    def pair(x: int, y: int) -> tuple[int, int]:
        return x, y

    def is_even(x: int) -> bool:
        return x % 2 == 0

    def total(values: list[int]) -> int:
        return sum(values)

    def inverse(x: int) -> int:
        return 12 // x

    functions = (inc, add, pair, is_even, total, inverse)
    return {function.__name__: function for function in functions}


def compiled(program: list[str], functions: dict[str, Any]) -> Any:
    lines = [
        "def helper(x):",
        "    return add(inc(x), 2)",
        "",
        "def body(a=1, b=2, c=3):",
        *indented(program),
        "    return [a, b, c]",
    ]
    names = dict(functions)
    exec(compile("\n".join(lines), "<generated pipeline>", "exec"), names)
    return names["body"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=programs)
def test_a_run_equals_plain_python_and_is_part_of_the_trace(program: list[str]) -> None:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="unused", create_dirs=False)), "property")
    functions = plain_functions()
    tasks = {name: env.task()(fn) for name, fn in functions.items()}
    pipeline = env.pipeline(name="random")(compiled(program, tasks))

    result = pipeline.run()
    analysis = pipeline.run("analyze")

    assert result == compiled(program, functions)()
    assert all(type(value) is int for value in result)
    executed = pipeline.last_run.graph
    if not analysis["approximations"]:
        assert analysis["dag"].contains(executed), set(executed.edges) - set(analysis["dag"].edges)
    ended = {(step.name == "inverse", step.state) for step in pipeline.last_run.steps.values()}
    assert ended <= {(False, "done"), (True, "done"), (True, "failed")}


# --- live runs --------------------------------------------------------------------------------------------------------


def test_nothing_runs_before_it_is_touched_and_everything_runs_in_the_end(env: GlacierEnv) -> None:
    log: list[str] = []

    @env.task()
    def first() -> int:
        log.append("first")
        return 1

    @env.task()
    def second() -> int:
        log.append("second")
        return 2

    @env.pipeline()
    def lazily() -> int:
        one = first()
        second()
        log.append("body")
        if one > 0:
            log.append("touched")
        return one

    assert lazily.run() == 1
    assert log == ["body", "first", "touched", "second"]


def test_ready_tasks_run_side_by_side(env: GlacierEnv) -> None:
    together = threading.Barrier(3, timeout=10)

    @env.task()
    def meet(n: int) -> int:
        together.wait()
        return n

    @env.task()
    def total(values: list[int]) -> int:
        return sum(values)

    @env.pipeline()
    def fan() -> int:
        return total([meet(n) for n in range(3)])

    assert fan.run() == 3


def test_a_shared_input_runs_once(env: GlacierEnv) -> None:
    calls: list[int] = []

    @env.task()
    def source() -> int:
        calls.append(1)
        return 20

    @env.task()
    def half(x: int) -> int:
        return x // 2

    @env.task()
    def both(x: int, y: int) -> int:
        return x + y

    @env.pipeline()
    def diamond() -> int:
        x = source()
        return both(half(x), half(x))

    assert diamond.run() == 20
    assert calls == [1]
    assert [step.name for step in diamond.last_run.tasks] == ["source", "half", "half", "both"]


def test_the_caller_gets_real_values(env: GlacierEnv) -> None:
    @env.task()
    def frame() -> pl.LazyFrame:
        return pl.LazyFrame({"x": [1, 2, 3]})

    @env.pipeline()
    def nested() -> dict[str, Any]:
        lazy = frame()
        return {"plan": lazy, "list": [lazy.filter(pl.col("x") > 1), (lazy,)]}

    result = nested.run()
    assert type(result["plan"]) is pl.LazyFrame
    assert type(result["list"][0]) is pl.LazyFrame
    assert type(result["list"][1][0]) is pl.LazyFrame
    assert result["list"][0].collect().height == 2
    assert nested.last_run.tasks[0].state == "planned"


def test_a_result_can_be_handed_to_polars_in_the_body(env: GlacierEnv) -> None:
    @env.task()
    def part(n: int) -> pl.LazyFrame:
        return pl.LazyFrame({"x": [n]})

    @env.task()
    def count(df: pl.LazyFrame) -> int:
        return df.select(pl.len()).collect().item()

    @env.pipeline()
    def union() -> int:
        return count(pl.concat([part(1), part(2)]))

    assert union.run() == 2
    dag = union.run("analyze")["dag"]
    assert sorted(edge.source.split("@")[0] for edge in dag.edges if edge.target.startswith("count")) == [
        "part",
        "part",
    ]


def test_a_body_that_catches_a_tasks_error_goes_on(env: GlacierEnv) -> None:
    @env.task()
    def fails() -> int:
        raise ValueError("no")

    @env.task()
    def fallback() -> int:
        return 7

    @env.pipeline()
    def careful() -> int:
        try:
            return fails() + 1
        except ValueError:
            return fallback()

    assert careful.run() == 7
    (note,) = careful.run("analyze")["approximations"]
    assert "`except`" in str(note)
    assert "except ValueError" in Path(note.site.file).read_text().splitlines()[note.site.line - 1]


def test_ten_thousand_tasks_side_by_side_and_in_a_chain(env: GlacierEnv) -> None:
    @env.task()
    def inc(x: int) -> int:
        return x + 1

    @env.task()
    def total(values: list[int]) -> int:
        return sum(values)

    @env.pipeline()
    def fan() -> int:
        return total([inc(n) for n in range(10_000)])

    @env.pipeline()
    def chain() -> int:
        x = inc(0)
        for _ in range(9_999):
            x = inc(x)
        return x

    assert fan.run() == sum(range(1, 10_001))
    assert chain.run() == 10_000
    assert len(fan.graph.tasks) == 10_001
    assert len(chain.graph.order) == 10_000


def test_runs_in_two_threads_do_not_mix(env: GlacierEnv) -> None:
    @env.task()
    def slow(x: int) -> int:
        time.sleep(0.05)
        return x * 2

    @env.pipeline()
    def double(x: int) -> int:
        return slow(slow(x))

    results: dict[int, int] = {}
    threads = [threading.Thread(target=lambda n=n: results.update({n: double.run(x=n)})) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: n * 4 for n in range(8)}


# --- traces -----------------------------------------------------------------------------------------------------------


def test_a_branch_is_followed_both_ways_and_carries_its_condition(env: GlacierEnv) -> None:
    @env.task()
    def load() -> pl.LazyFrame:
        raise AssertionError("a trace runs nothing")

    @env.task()
    def is_good(df: pl.LazyFrame) -> bool:
        raise AssertionError("a trace runs nothing")

    @env.task()
    def polish(df: pl.LazyFrame) -> pl.LazyFrame:
        raise AssertionError("a trace runs nothing")

    @env.task()
    def save(df: pl.LazyFrame) -> None:
        raise AssertionError("a trace runs nothing")

    @env.pipeline()
    def branching() -> Any:
        df = load()
        if is_good(df):
            df = polish(df)
        save(df)
        return df

    analysis = branching.run("analyze")
    dag = analysis["dag"]
    assert analysis["tasks"] == ["load", "is_good", "polish", "save"]
    assert dag["polish"].condition == "is_good()"
    assert dag["save"].condition is None
    assert {(dag[e.source].name, e.condition) for e in dag.edges if dag[e.target].name == "save"} == {
        ("polish", "is_good()"),
        ("load", "not is_good()"),
    }
    assert any(e.access == "control" and dag[e.source].name == "is_good" for e in dag.edges)
    assert analysis["approximations"] == []
    assert analysis["paths"] == 2


def test_items_and_methods_are_inline_steps_with_their_lineage(env: GlacierEnv) -> None:
    @env.task()
    def config() -> dict:
        return {"limit": 2}

    @env.task()
    def frame() -> pl.LazyFrame:
        return pl.LazyFrame({"x": [1, 2, 3]})

    @env.task()
    def save(df: pl.LazyFrame) -> int:
        return df.collect().height

    @env.pipeline()
    def filtering() -> int:
        settings = config()
        df = frame()
        if settings.get("limit"):
            df = df.filter(pl.col("x") > settings["limit"])
        return save(df)

    analysis = filtering.run("analyze")
    dag = analysis["dag"]
    kinds = {node.name: node.kind for node in dag}
    assert kinds == {
        "config": "task",
        "get": "inline",
        "getitem": "inline",
        "frame": "task",
        "filter": "inline",
        "save": "task",
    }
    assert {dag[p].name for p in dag.parents[dag["filter"].key]} >= {"frame", "getitem"}
    assert dag["filter"].condition == "config().get('limit')"
    assert analysis["approximations"] == []
    assert filtering.run() == 1
    executed = filtering.last_run.graph
    assert dag.contains(executed)
    assert {executed[p].name for p in executed.parents[executed["save"].key]} == {"filter"}


MEETING = {
    "if and else": """
    if good(x):
        x = left(x)
    else:
        x = right(x)
    return save(x)""",
    "one of two values": "    return save(left(x) if good(x) else right(x))",
    "or": "    return save(good(x) and left(x) or right(x))",
    "a way that comes first and a later one": """
    y = left(x)
    if not good(x):
        y = right(x)
    return save(y)""",
}


@pytest.mark.parametrize("body", MEETING)
def test_where_ways_meet_again_what_each_of_them_gave_stays_connected(env: GlacierEnv, body: str) -> None:
    names = ("load", "good", "left", "right", "save")
    functions = {name: _answering(name) for name in names}
    source = f"def body():\n    x = load(None)\n{MEETING[body]}"
    scope: dict[str, Any] = {name: env.task()(fn) for name, fn in functions.items()}
    exec(compile(source, "<meeting>", "exec"), scope)
    analysis = env.pipeline(name="meeting")(scope["body"]).run("analyze")
    dag = analysis["dag"]
    assert analysis["approximations"] == []
    assert {dag[key].name for key in dag.parents[dag["save"].key]} >= {"left", "right"}
    assert analysis["tasks"].index("save") == 4
    assert analysis["tasks"][-1] == "save"


def _answering(name: str) -> Any:
    def function(x: Any) -> Any:
        return x

    function.__name__ = name
    return function


def test_an_attribute_of_a_result_is_a_step_between(env: GlacierEnv) -> None:
    @env.task()
    def frame() -> pl.DataFrame:
        return pl.DataFrame({"x": [1, 2, 3]})

    @env.task()
    def double(n: int, others: list[int]) -> int:
        return n * 2 + len(others)

    @env.pipeline()
    def sizes() -> int:
        df = frame()
        if df.height > 2:
            return double(df.height, [df.width])
        return double(df.shape[0], [])

    analysis = sizes.run("analyze")
    lineage = {
        (analysis["dag"][e.source].name, analysis["dag"][e.target].name, e.access) for e in analysis["dag"].edges
    }
    assert lineage == {
        ("frame", "height", "data"),
        ("frame", "width", "data"),
        ("frame", "shape", "data"),
        ("height", "gt", "data"),
        ("shape", "getitem", "data"),
        ("gt", "height", "control"),
        ("gt", "width", "control"),
        ("gt", "shape", "control"),
        ("height", "double", "data"),
        ("width", "double", "data"),
        ("getitem", "double", "data"),
    }
    assert analysis["approximations"] == []
    assert sizes.run() == 7
    executed = sizes.last_run.graph
    assert analysis["dag"].contains(executed)
    assert {executed[key].name for key in executed.parents[executed["double"].key]} == {"height", "width"}


def test_a_body_may_copy_a_result(env: GlacierEnv) -> None:
    @env.task()
    def config() -> dict[str, Any]:
        return {"limits": [1, 2]}

    @env.task()
    def total(limits: list[int]) -> int:
        return sum(limits)

    @env.pipeline()
    def copying() -> tuple[int, int]:
        given = config()
        own = copy.deepcopy(given)
        own["limits"].append(7)
        return total(copy.copy(given)["limits"]), total(own["limits"])

    assert copying.run("analyze")["approximations"] == []
    assert copying.run() == (3, 10)


def test_what_a_task_raises_in_a_try_or_with_is_met_there(env: GlacierEnv) -> None:
    log: list[str] = []

    @env.task()
    def remote() -> int:
        log.append("remote")
        raise FileNotFoundError("gone")

    @env.task()
    def local(n: int = 5) -> int:
        log.append("local")
        return n

    def first_that_is_there() -> int:
        try:
            found = remote()
        except FileNotFoundError:
            found = local()
        return found

    @env.pipeline()
    def careful() -> tuple[int, int, int]:
        with contextlib.suppress(FileNotFoundError):
            remote()
        try:
            third = local(7)
        finally:
            log.append("finally")
        return first_that_is_there(), local(6), third

    assert careful.run() == (5, 6, 7)
    assert log == ["remote", "local", "finally", "remote", "local", "local"]


def test_tasks_of_a_comprehension_wait_for_no_error(env: GlacierEnv) -> None:
    together = threading.Barrier(2, timeout=30)

    @env.task()
    def meet(n: int) -> int:
        together.wait()
        return n

    @env.pipeline()
    def meeting() -> list[int]:
        return [meet(n) for n in range(2)]

    assert meeting.run() == [0, 1]


def test_what_cannot_be_followed_is_approximate_with_its_line(env: GlacierEnv) -> None:
    @env.task()
    def names() -> list:
        return ["a", "b"]

    @env.task()
    def use(name: str) -> None: ...

    @env.task()
    def count() -> int:
        return 3

    @env.pipeline()
    def loops() -> None:
        for name in names():
            use(name)
        for _ in range(count()):
            use("x")

    analysis = loops.run("analyze")
    assert [note.site.file for note in analysis["approximations"]] == [__file__, __file__]
    assert "names()" in str(analysis["approximations"][0])
    assert analysis["tasks"] == ["names", "use", "count"]


def test_a_way_that_raises_is_a_branch_and_a_body_that_always_raises_is_an_error(env: GlacierEnv) -> None:
    @env.task()
    def valid() -> bool:
        return True

    @env.task()
    def after() -> None: ...

    @env.pipeline()
    def guarded() -> None:
        if not valid():
            raise ValueError("bad data")
        after()

    @env.pipeline()
    def broken() -> None:
        raise ValueError("always")

    assert guarded.run("analyze")["dag"]["after"].condition is None
    assert guarded.run("analyze")["approximations"] == []
    with pytest.raises(ValueError, match="always"):
        broken.run("analyze")


def test_many_branches_are_bounded(env: GlacierEnv) -> None:
    @env.task()
    def ask(n: int) -> bool:
        return n % 2 == 0

    @env.task()
    def act(n: int) -> None: ...

    @env.pipeline()
    def many() -> None:
        for n in range(12):
            if ask(n):
                act(n)

    @env.pipeline()
    def endless() -> None:
        while ask(1):
            act(1)

    analysis = many.run("analyze")
    assert analysis["paths"] == 64
    assert any("64 ways" in str(note) for note in analysis["approximations"])
    many.run()
    assert analysis["dag"].contains(many.last_run.graph)
    assert endless.run("analyze")["paths"] == 64


def test_resources_are_nodes_even_when_no_task_uses_them(env: GlacierEnv) -> None:
    env.register("shared", env.provider.bucket("shared", path="s.parquet"))

    @env.task()
    def move(source: Bucket, target: Bucket) -> None:
        target.write(source.read())

    @env.task()
    def by_registry() -> pl.DataFrame:
        return env.get("shared").read()

    @env.pipeline()
    def moving() -> None:
        assert env.provider.bucket("archive", path="old.parquet").get_uri().endswith("old.parquet")
        move(env.provider.bucket("raw", path="a.parquet"), env.provider.bucket("new", path="b.parquet"))
        by_registry()

    analysis = moving.run("analyze")
    assert sorted(analysis["resources"]) == [
        "archive/old.parquet",
        "new/b.parquet",
        "raw/a.parquet",
        "shared/s.parquet",
    ]
    assert analysis["reads"] == {"move": ["raw/a.parquet"], "by_registry": ["shared/s.parquet"]}
    assert analysis["writes"] == {"move": ["new/b.parquet"]}
    assert list(env.provider.config.base_path.iterdir()) == []


def test_a_body_may_read_a_bucket_itself(env: GlacierEnv) -> None:
    source = env.register("numbers", env.provider.bucket("raw", path="n.parquet"))
    source.write(pl.DataFrame({"x": [1, 2]}))

    @env.task()
    def count(df: pl.LazyFrame) -> int:
        return df.collect().height

    @env.pipeline()
    def inline() -> int:
        return count(env.get("numbers").scan())

    analysis = inline.run("analyze")
    assert [node.name for node in analysis["dag"] if node.kind == "inline"] == ["scan"]
    assert inline.run() == 2
    assert analysis["dag"].contains(inline.last_run.graph)


# --- nesting and belonging --------------------------------------------------------------------------------------------


def test_a_nested_pipeline_groups_its_steps(env: GlacierEnv) -> None:
    @env.task()
    def inc(x: int) -> int:
        return x + 1

    @env.pipeline()
    def inner(x: int) -> int:
        return inc(inc(x))

    @env.pipeline()
    def outer() -> int:
        return inc(inner(inner(0)))

    assert outer.run() == 5
    assert [node.group for node in outer.graph.tasks] == [("inner",)] * 4 + [()]
    assert outer.graph.contains(outer.last_run.graph)


def test_a_pipeline_nested_in_itself_is_refused(env: GlacierEnv) -> None:
    @env.pipeline()
    def ping() -> None:
        pong()

    @env.pipeline()
    def pong() -> None:
        ping()

    for mode in ("local", "analyze"):
        with pytest.raises(PipelineError, match="ping -> pong -> ping") as caught:
            ping.run(mode)
        assert "environment 'test'" in str(caught.value)


def test_a_task_of_another_environment_is_refused(env: GlacierEnv, tmp_path: Path) -> None:
    other = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "other")

    @other.task()
    def foreign() -> int:
        return 1

    @env.pipeline()
    def mixed() -> int:
        return foreign()

    for mode in ("local", "analyze"):
        with pytest.raises(PipelineError, match="'foreign' belongs to environment 'other'.*'mixed'.*'test'"):
            mixed.run(mode)


def test_a_bound_pipeline_takes_its_tasks_and_resources_along(tmp_path: Path) -> None:
    dev = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "dev")), "dev")
    prod = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "prod")), "prod")
    for each, value in ((dev, 1), (prod, 2)):
        each.register("numbers", each.provider.bucket("raw", path="n.parquet")).write(pl.DataFrame({"x": [value]}))

    @dev.task()
    def read(source: Bucket) -> int:
        return source.read().item()

    @dev.task()
    def read_registry() -> int:
        return dev.get("numbers").read().item()

    @dev.pipeline()
    def numbers() -> tuple[int, int, str]:
        return read(dev.provider.bucket("raw", path="n.parquet")), read_registry(), dev.provider.config.base_path.name

    following = numbers.bind(prod)
    assert numbers.run() == (1, 1, "dev")
    assert following.run() == (2, 2, "prod")
    assert following.env is prod
    assert numbers.env is dev
    assert dev.tasks == ["read", "read_registry"]
    assert prod.pipelines == ["numbers"]


def test_a_run_draws_itself(env: GlacierEnv) -> None:
    @env.task()
    def make() -> pl.DataFrame:
        return pl.DataFrame({"x": [1, 2]})

    @env.pipeline()
    def making() -> pl.DataFrame:
        return make()

    making.run()
    drawn = making.last_run._repr_mimebundle_()
    assert drawn["image/svg+xml"].startswith("<svg")
    assert "2 rows" in drawn["image/svg+xml"]
    assert drawn["text/plain"].startswith(f"run {making.last_run.id} of 'making' in 'test': done")


def test_a_task_maps_over_items(env: GlacierEnv) -> None:
    @env.task()
    def scale(x: int, factor: int) -> int:
        return x * factor

    @env.pipeline()
    def scaling() -> list[int]:
        return scale.map([1, 2, 3], factor=10)

    assert scaling.run() == scale.map([1, 2, 3], [10, 10, 10]) == [10, 20, 30]
    assert len(scaling.graph.tasks) == 3


def test_debugging_computes_each_plan_where_it_is_built(tmp_path: Path) -> None:
    for debug, failing, state in ((False, "use", "planned"), (True, "plan", "failed")):
        env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test", debug=debug)

        @env.task()
        def plan() -> pl.LazyFrame:
            return pl.LazyFrame({"x": ["a"]}).select(pl.col("x").cast(pl.Int64))

        @env.task()
        def use(df: pl.LazyFrame) -> int:
            return df.collect().height

        @env.pipeline()
        def chain() -> int:
            return use(plan())

        with pytest.raises(pl.exceptions.InvalidOperationError) as caught:
            chain.run()
        assert f"task {failing!r}" in caught.value.__notes__[0]
        assert chain.last_run.tasks[0].state == state


INTERRUPTED = """
import time
from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider
from glacier.recording.quiet import muted

env = GlacierEnv(LocalProvider(config=LocalConfig(create_dirs=False)), "test")

@env.task()
def slow():
    print("running", flush=True)
    time.sleep(60)

@env.task()
def after(x):
    print("never", flush=True)

@env.pipeline()
def chain():
    after(slow())

try:
    chain.run()
except KeyboardInterrupt:
    print(chain.last_run.state, flush=True)
"""


def test_an_interrupt_stops_the_run_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert rest == "cancelled\n"
    assert process.returncode == 0


def test_code_that_insists_on_a_plain_type_gets_a_hint(env: GlacierEnv) -> None:
    @env.task()
    def config() -> dict:
        return {"limit": 2}

    @env.pipeline()
    def dumping() -> str:
        return json.dumps(config())

    with pytest.raises(TypeError) as caught:
        dumping.run()
    assert "do this inside a task" in caught.value.__notes__[0]


def test_followed_bodies_print_nothing_and_leave_the_stream_as_it_was(capsys):
    both = threading.Barrier(2)

    def follow():
        with muted():
            both.wait()
            print("followed")
        both.wait()

    before = sys.stdout
    threads = [threading.Thread(target=follow) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sys.stdout is before
    print("mine")
    assert capsys.readouterr().out == "mine\n"
