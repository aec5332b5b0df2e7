"""Where an environment keeps the results of its tasks: the local folder with a limit, or a bucket of its own."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rigs import Rig

from glacier import GlacierEnv, home
from glacier.cache.store import DEFAULT_LIMIT, Store
from glacier.config import LocalConfig
from glacier.errors import ConfigError, ResourceNotFoundError
from glacier.execution.caching import store
from glacier.providers import LocalProvider

FRAME = pl.DataFrame({"n": range(1000)})


def local(tmp_path: Path, cache: Any = None) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "data")), "here", cache=cache)


class Note:
    """Remembers what ran; what it remembers does not count for the key of a result."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        self.names.append(name)

    def __fingerprint__(self) -> str:
        return "note"


def counting(env: GlacierEnv) -> tuple[Any, list[str]]:
    """A pipeline whose tasks are cached, and what they note when they run."""
    note = Note()

    @env.task(cache=True)
    def make(number: int) -> pl.DataFrame:
        note("make")
        return FRAME + number

    @env.task(cache=True)
    def half(df: pl.DataFrame) -> pl.LazyFrame:
        note("half")
        return df.lazy().head(500)

    @env.pipeline()
    def halved(number: int = 1) -> pl.LazyFrame:
        return half(make(number))

    return halved, note.names


@pytest.mark.parametrize("named", [True, False], ids=["by its name", "itself"])
def test_results_are_kept_in_a_bucket_of_the_environment(rig: Rig, tmp_path: Path, named: bool) -> None:
    bucket = rig.bucket("results")
    env = GlacierEnv(rig.provider, "team", cache="results" if named else bucket)
    env.register("results", bucket)
    pipeline, ran = counting(env)
    for machine in ("one", "other"):
        with home.using(tmp_path / machine):
            assert [each.action for each in pipeline.plan()] == (["run"] * 2 if machine == "one" else ["cached"] * 2)
            assert_frame_equal(pipeline.run().collect(), (FRAME + 1).head(500))
            assert env.find_task("make").explain_cache(number=1).hit
            assert Store().entries() == []
            assert store(env).where == bucket.uri
    assert sorted(ran) == ["half", "make"]
    assert {each.task for each in Store.on(bucket, tmp_path / "third").entries()} == {"make", "half"}


@pytest.mark.parametrize(
    ("given", "limit"), [(None, DEFAULT_LIMIT), (5000, 5000), ("5 GB", 5_000_000_000), ("1.5GiB", 3 << 29)]
)
def test_a_size_is_the_limit_of_the_local_folder(tmp_path: Path, given: Any, limit: int) -> None:
    env = local(tmp_path, given)
    assert store(env).limit == limit
    assert store(env).root == home.home() / "cache"
    assert store(env) is store(env)


def test_what_was_used_least_recently_goes_beyond_the_limit(tmp_path: Path) -> None:
    pipeline, ran = counting(local(tmp_path, "40 kB"))
    for number in (1, 2, 3, 4, 5, 5):
        pipeline.run(number=number)
    assert len(ran) == 10
    pipeline.run(number=1)
    assert len(ran) > 10
    assert Store().size <= 40_000


def test_a_result_larger_than_the_limit_is_handed_on_all_the_same(tmp_path: Path) -> None:
    pipeline, _ = counting(local(tmp_path, 1))
    for number in (1, 2):
        assert_frame_equal(pipeline.run(number=number).collect(), (FRAME + number).head(500))


@pytest.mark.parametrize("given", [0, -1, True, "5 parsecs", "", " ", "-5 GB", 1.5, b"results", object()])
def test_what_is_no_place_is_refused_at_once(tmp_path: Path, given: Any) -> None:
    with pytest.raises(ConfigError, match="results cannot be kept in"):
        local(tmp_path, given)


def test_a_name_must_be_that_of_a_bucket(tmp_path: Path) -> None:
    env = local(tmp_path, "reslts")
    pipeline, ran = counting(env)
    env.register("results", env.provider.bucket("results", path="cache"))
    with pytest.raises(ResourceNotFoundError, match="keeps results in 'reslts'.*no resource"):
        pipeline.run()
    env.register("reslts", object())
    with pytest.raises(ConfigError, match="'reslts', which is no bucket"):
        pipeline.plan()
    assert ran == []


def test_a_bound_pipeline_keeps_results_where_its_environment_says(tmp_path: Path) -> None:
    here = local(tmp_path)
    there = GlacierEnv(here.provider, "there", cache=here.provider.bucket("results", path="cache"))
    pipeline, ran = counting(here)
    pipeline.bind(there).run()
    assert Store().entries() == []
    assert [each.action for each in pipeline.plan()] == ["run", "run"]
    assert [each.action for each in pipeline.bind(there).plan()] == ["cached", "cached"]
    assert len(ran) == 2
