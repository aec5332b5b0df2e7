"""A task tells why its kept result would be used, or not."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from glacier import Bucket, GlacierEnv
from glacier.cache.fingerprint import fingerprint
from glacier.cache.store import Store
from glacier.config import LocalConfig
from glacier.errors import MissingDependencyError, Unfingerprintable
from glacier.providers import LocalProvider


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=str(tmp_path))))
    env.register("sales", env.provider.bucket("shop", path="sales.parquet")).write(pl.DataFrame({"a": [1]}))
    return env


def keep(task: Any, **arguments: Any) -> None:
    """Keep a result as a run does, which knows every argument."""
    found = fingerprint(task.fn, arguments, task.config.model_dump())
    Store().put(found.key, 1, found.parts, task.name)


def test_a_task_is_explained_without_the_results_of_others(env: GlacierEnv) -> None:
    rate = 1

    @env.task(cache=True)
    def load(df: pl.DataFrame, sales: Bucket, limit: int = 3) -> Any:
        return df, sales, limit, rate

    assert str(load.explain_cache()) == "load: nothing is cached yet"
    keep(load, df=pl.DataFrame({"a": [1]}), sales=env.get("sales"))
    assert load.explain_cache().hit
    assert load.explain_cache(df=pl.DataFrame({"a": [1]})).hit
    assert str(load.explain_cache(df=pl.DataFrame({"a": [2]}))) == "load: argument df changed"
    rate = 2
    assert str(load.explain_cache()) == "load: closure rate changed"
    rate = 1
    env.get("sales").write(pl.DataFrame({"a": [2]}))
    assert str(load.explain_cache()) == "load: resource sales changed"


def test_a_task_without_a_cache_says_so(env: GlacierEnv) -> None:
    @env.task()
    def load() -> int:
        return 1

    assert str(load.explain_cache()) == "load: it is not declared with cache=True"
    assert load.explain_cache()._repr_mimebundle_()["text/plain"] == str(load.explain_cache())


def test_an_entry_says_why_it_was_made(env: GlacierEnv) -> None:
    @env.task(cache=True)
    def load(limit: int = 3) -> int:
        return limit

    keep(load, limit=3)
    keep(load, limit=4)
    first, second = sorted(Store().entries(), key=lambda entry: entry.created)
    assert (first.because, second.because) == ((), ("argument limit changed",))
    assert Store().last("load") == second


def test_what_can_never_be_kept_is_an_error(env: GlacierEnv) -> None:
    @env.task(cache=True)
    def load(value: Any) -> Any:
        return value

    with pytest.raises(Unfingerprintable, match="a generator"):
        load.explain_cache(value=(each for each in ()))
    with pytest.raises(MissingDependencyError):
        load.explain_cache(valeu=1)
