"""Binding, injection, attempts, and what goes wrong in words."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from unittest.mock import Mock

import polars as pl
import pytest

from glacier import Bucket, Defaults, GlacierEnv, GlacierWarning, Inject, Serverless, TaskConfig, task
from glacier.config import LocalConfig, ValidationError
from glacier.errors import ConfigError, ExecutorError, MissingDependencyError, TaskTimeoutError, UnboundTaskError
from glacier.providers import AWSProvider, LocalProvider


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


@pytest.fixture
def other(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "other")


# --- binding ----------------------------------------------------------------------------------------------------------


def test_the_three_ways_to_bind(env: GlacierEnv, other: GlacierEnv) -> None:
    @env.task()
    def one(x: int) -> int:
        return x

    @env.task
    def two(x: int) -> int:
        return x

    @task(env)
    def three(x: int) -> int:
        return x

    @task
    def four(x: int) -> int:
        return x

    @task(retries=2)
    def five(x: int) -> int:
        return x

    assert [each.env for each in (one, two, three, four, five)] == [env, env, env, None, None]
    assert env.tasks == ["one", "two", "three"]
    here, there = env.bind(four), four.bind(other)
    assert here.env is env
    assert there.env is other
    assert four.env is None
    assert here(1) == there(1) == one(1) == two(1) == three(1) == 1
    assert five.bind(env).config.retries == 2
    assert here.fn is four.fn


def test_an_unbound_task_says_how_to_bind_it() -> None:
    @task
    def lonely() -> None: ...

    for call in (lonely, lonely.run):
        with pytest.raises(UnboundTaskError, match=r"'lonely' belongs to no environment .*env\.bind\(lonely\)"):
            call()


def test_only_tasks_and_pipelines_can_be_bound(env: GlacierEnv) -> None:
    with pytest.raises(ConfigError, match="'test' can bind a task or a pipeline, not function"):
        env.bind(lambda: 1)


def test_a_task_keeps_its_functions_name_and_doc(env: GlacierEnv) -> None:
    @env.task(name="loader")
    def load() -> None:
        """Load it."""

    assert (load.name, load.__name__, load.__doc__) == ("loader", "load", "Load it.")
    assert env.tasks == ["loader"]


# --- injection --------------------------------------------------------------------------------------------------------


def bucket(env: GlacierEnv, name: str) -> Bucket:
    return env.register(name, env.provider.bucket(name.replace("_", "-"), path="x.parquet"))


def test_a_missing_parameter_is_filled_in_the_documented_order(env: GlacierEnv) -> None:
    sales, source = bucket(env, "sales"), bucket(env, "source")

    @env.task()
    def injected(source: Bucket = Inject("sales")) -> Bucket:
        return source

    @env.task()
    def by_name(source: Bucket) -> Bucket:
        return source

    @env.task()
    def by_name_before_default(source: Bucket | None = None) -> Bucket | None:
        return source

    @env.task()
    def own_default(elsewhere: Bucket | None = None) -> Bucket | None:
        return elsewhere

    @env.task()
    def environment(anything: GlacierEnv) -> GlacierEnv:
        return anything

    assert injected() is sales
    assert injected(source) is source
    assert by_name() is source
    assert by_name_before_default() is source
    assert own_default() is None
    assert environment() is env


def test_the_only_resource_of_the_annotated_type_is_injected_and_two_are_never_guessed(env: GlacierEnv) -> None:
    only = bucket(env, "sales")
    function = env.register("fn", env.provider.serverless("fn", handler="process.handler"))

    @env.task()
    def load(where: Bucket) -> Bucket:
        return where

    @env.task()
    def call(what: Serverless) -> Serverless:
        return what

    assert load() is only
    assert call() is function
    bucket(env, "customers")
    with pytest.raises(MissingDependencyError) as caught:
        load()
    assert isinstance(caught.value, TypeError)
    for part in ("task 'load'", "'where'", "environment 'test'", "'sales'", "'customers'"):
        assert part in str(caught.value)


def test_an_unresolvable_annotation_is_no_obstacle(env: GlacierEnv) -> None:
    @env.task()
    def odd(x: Nowhere = 3) -> AlsoNowhere:  # noqa: F821
        return x

    assert odd() == 3
    assert odd.returns == "AlsoNowhere"


def test_missing_and_unknown_parameters_are_named(env: GlacierEnv) -> None:
    @env.task()
    def scale(df: pl.LazyFrame, factor: float) -> pl.LazyFrame:
        return df

    @env.pipeline()
    def scaling(factor: float) -> float:
        return factor

    with pytest.raises(MissingDependencyError, match=r"task 'scale' in environment 'test' has nothing for .*'df'"):
        scale.run(mode="local")
    with pytest.raises(MissingDependencyError, match="pipeline 'scaling' in environment 'test' .* 'factor'"):
        scaling.run()
    with pytest.raises(MissingDependencyError, match="task 'scale': got an unexpected keyword argument 'fctor'"):
        scale(pl.LazyFrame(), fctor=2)
    assert scaling.run(factor=2.0) == 2.0


def test_inject_names_the_nearest_resource(env: GlacierEnv) -> None:
    bucket(env, "sales_data")

    @env.task()
    def load(source: Bucket = Inject("sale_data")) -> None: ...

    with pytest.raises(MissingDependencyError, match="did you mean 'sales_data'"):
        load()


def test_task_run_alone(env: GlacierEnv) -> None:
    bucket(env, "sales").write(pl.DataFrame({"x": [1, 2]}))

    @env.task()
    def height(sales: Bucket) -> int:
        return sales.read().height

    assert height.run() == height.run(mode="local") == 2
    assert height.run(mode="analyze")["tasks"] == ["height"]
    assert env.pipelines == []


def test_mocks_are_not_touched_unless_asked() -> None:
    provider, resource = Mock(), Mock()
    env = GlacierEnv(provider=provider, name="test")
    env.register("data", resource)

    @env.task()
    def process(data: Bucket) -> str:
        data.scan()
        return "ok"

    @env.pipeline()
    def processing() -> str:
        return process()

    assert processing.run() == "ok"
    assert processing.run("analyze")["resources"] == ["data"]
    resource.scan.assert_called_once()
    assert resource.mock_calls == [resource.scan.mock_calls[0]] or len(resource.mock_calls) == 1
    assert provider.mock_calls == []


# --- settings ---------------------------------------------------------------------------------------------------------


def test_settings_cascade_from_the_environment_to_the_task(tmp_path: Path) -> None:
    provider = LocalProvider(config=LocalConfig(base_path=tmp_path))
    defaults = Defaults(task=TaskConfig(timeout=300, retries=3, tags={"team": "data", "tier": "1"}))
    env = GlacierEnv(provider, "test", defaults=defaults)

    @env.task(timeout=None, tags={"tier": "2"})
    def patient() -> None: ...

    assert patient.config == TaskConfig(timeout=None, retries=3, tags={"team": "data", "tier": "2"})
    explained = env.explain("patient")
    assert explained.origin("timeout") == "task"
    assert explained.origin("retries") == "environment"
    assert explained.origin("executor") == "default"
    assert explained.origin("tags.team") == "environment"


def test_settings_are_checked_at_decoration_with_suggestions(env: GlacierEnv) -> None:
    with pytest.raises(ValidationError, match="did you mean 'retries'"):
        env.task(retires=3)
    with pytest.raises(ConfigError, match="unknown executor 'lokal' .*did you mean 'local'"):
        env.task(executor="lokal")
    with pytest.raises(ValidationError) as caught:
        env.task(timeout=0, retries=-1)
    assert len(caught.value.errors()) == 2


def test_a_config_object_can_be_refined(env: GlacierEnv) -> None:
    @env.task(config=TaskConfig(retries=2, timeout=5), timeout=9)
    def refined() -> None: ...

    assert (refined.config.retries, refined.config.timeout) == (2, 9)


# --- attempts ---------------------------------------------------------------------------------------------------------


def test_a_task_is_tried_again(env: GlacierEnv) -> None:
    tries: list[int] = []

    @env.task(retries=2)
    def flaky() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("try again")
        return "there"

    @env.pipeline()
    def patient() -> str:
        return flaky()

    assert flaky() == "there"
    assert len(tries) == 3
    tries.clear()
    assert patient.run() == "there"
    assert patient.last_run.tasks[0].attempts == 3


def test_the_last_error_is_raised_as_itself_with_a_note(env: GlacierEnv) -> None:
    @env.task(retries=1)
    def fails() -> None:
        raise ZeroDivisionError("of the user")

    @env.pipeline()
    def failing() -> None:
        fails()

    with pytest.raises(ZeroDivisionError, match="of the user") as caught:
        failing.run()
    notes = " ".join(caught.value.__notes__)
    for part in ("task 'fails'", "pipeline 'failing'", "environment 'test'", "attempt 2 of 2", failing.last_run.id):
        assert part in notes
    assert failing.last_run.state == "failed"
    assert failing.last_run.tasks[0].state == "failed"


def test_the_users_own_lines_come_first_in_a_traceback(env: GlacierEnv) -> None:
    @env.task()
    def fails() -> None:
        raise ValueError("here")

    @env.pipeline()
    def failing() -> None:
        fails()

    @env.pipeline()
    def broken_body() -> None:
        raise LookupError("in the body")

    with pytest.raises(ValueError, match="here") as caught:
        failing.run()
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].name == "fails"
    assert [frame.name for frame in frames[1:-1]] == ["run", "_run"]
    with pytest.raises(LookupError, match="in the body") as caught:
        broken_body.run()
    assert "in the body of pipeline 'broken_body' in environment 'test'" in caught.value.__notes__
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "broken_body"


def test_glaciers_own_errors_are_not_tried_again(env: GlacierEnv) -> None:
    tries: list[int] = []

    @env.task(retries=5)
    def wrong() -> None:
        tries.append(1)
        env.get("nothing")

    with pytest.raises(KeyError, match="no resource 'nothing'"):
        wrong()
    assert len(tries) == 1


def test_a_task_that_takes_too_long_is_given_up(env: GlacierEnv) -> None:
    @env.task(timeout=0.05)
    def slow() -> None:
        time.sleep(1)

    @env.pipeline()
    def waiting() -> None:
        slow()

    for call in (slow, waiting.run):
        with pytest.raises(TaskTimeoutError, match=r"task 'slow'.* longer than its timeout of 0.05 s") as caught:
            call()
        assert isinstance(caught.value, TimeoutError)


def test_after_a_failure_nothing_new_is_started(tmp_path: Path) -> None:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test", max_workers=1)
    started: list[str] = []

    @env.task()
    def fails() -> None:
        raise ValueError("first")

    @env.task()
    def independent(n: int) -> None:
        started.append(str(n))

    @env.pipeline()
    def several() -> None:
        fails()
        for n in range(5):
            independent(n)

    with pytest.raises(ValueError, match="first"):
        several.run()
    assert started == []
    assert {step.state for step in several.last_run.tasks} == {"failed", "cancelled"}


def test_a_task_calls_another_task_plainly(env: GlacierEnv) -> None:
    @env.task()
    def inner(x: int) -> int:
        return x + 1

    @env.task()
    def outer(x: int) -> int:
        return inner(x) * 2

    @env.pipeline()
    def calling() -> int:
        return outer(1)

    assert outer(1) == calling.run() == 4
    assert [step.name for step in calling.last_run.tasks] == ["outer"]


def test_executors_that_are_not_there_say_so(env: GlacierEnv) -> None:
    from glacier.config import AwsConfig

    cloud = GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1")), "cloud")

    @task(executor="lambda")
    def remote() -> int:
        return 1

    @env.task(executor="dask")
    def spread() -> int:
        return 1

    assert remote.bind(env)() == 1
    with pytest.raises(ExecutorError, match="task 'remote' asks for executor 'lambda' in environment 'cloud'"):
        remote.bind(cloud)()
    with pytest.raises(ExecutorError, match="'dask'"):
        spread()


def test_a_task_defined_twice_is_replaced_and_one_line_says_so(env: GlacierEnv) -> None:
    @env.task(name="load")
    def first() -> int:
        return 1

    with pytest.warns(GlacierWarning, match="task 'load' of environment 'test' is defined twice"):

        @env.task(name="load")
        def second() -> int:
            return 2

    assert env.tasks == ["load"]


def test_an_unknown_mode_is_refused(env: GlacierEnv) -> None:
    @env.pipeline()
    def empty() -> None: ...

    with pytest.raises(ValueError, match="pipeline 'empty' of environment 'test' has no mode 'analyse' .*'analyze'"):
        empty.run(mode="analyse")
