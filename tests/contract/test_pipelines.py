"""Pipelines on every provider: the same code, and only the environment differs."""

import io
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rigs import Rig
from rigs.tables import SMALL, tells

from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.demo import build, flights
from glacier.errors import ObjectNotFoundError
from glacier.providers import LocalProvider
from glacier.tasks import Pipeline

ROWS = 3_000


def environment(rig: Rig, name: str = "store") -> GlacierEnv:
    """Return an environment of the rig's provider that knows a source with three rows, and a target."""
    env = GlacierEnv(provider=rig.provider, name=name)
    env.register("source", rig.bucket("raw/source.csv")).write(SMALL)
    env.register("target", rig.bucket("made/target.parquet"))
    return env


def here(folder: Path, rows: pl.DataFrame = SMALL) -> GlacierEnv:
    """Return the same on this machine."""
    env = GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path=folder)), name="here")
    env.register("source", env.provider.bucket("shop", "source.csv")).write(rows)
    env.register("target", env.provider.bucket("shop", "target.parquet"))
    return env


def define(env: GlacierEnv) -> Pipeline:
    """Define two tasks, of which one reads and the other writes, and their pipeline."""

    @env.task()
    def extract(source: Bucket) -> pl.LazyFrame:
        return source.scan()

    @env.task()
    def load(df: pl.LazyFrame, target: Bucket) -> pl.DataFrame:
        target.sink(df.filter(pl.col("amount") > 0).sort("id"))
        return target.read()

    @env.pipeline()
    def etl() -> pl.DataFrame:
        return load(extract())

    return etl


def test_a_pipeline_of_two_tasks_reads_and_writes(rig: Rig) -> None:
    env = environment(rig)
    etl = define(env)
    assert_frame_equal(etl.run(), SMALL.filter(pl.col("amount") > 0))
    assert [step.state for step in etl.last_run.tasks] == ["done", "done"]
    assert rig.names() == ["made/target.parquet", "raw/source.csv"]


def test_a_pipeline_is_analyzed_without_asking_the_store(rig: Rig) -> None:
    env = GlacierEnv(provider=rig.another(), name="store")
    for name in ("source", "target"):
        env.register(name, env.provider.bucket("nobody-made-this", f"{name}.parquet"))
    analysis = define(env).run(mode="analyze")
    assert [str(getattr(each, "name", each)) for each in analysis["tasks"]] == ["extract", "load"]


def test_a_pipeline_of_this_machine_is_bound_to_the_store(rig: Rig, tmp_path: Path) -> None:
    local = here(tmp_path, SMALL.with_columns(pl.col("id") + 100))
    etl = define(local)
    bound = etl.bind(environment(rig))
    assert bound.run()["id"].to_list() == [1, 3]
    assert etl.run()["id"].to_list() == [101, 103]
    assert rig.bucket("made/target.parquet").read()["id"].to_list() == [1, 3]
    assert local.get("target").read()["id"].to_list() == [101, 103]
    assert (bound.env.name, etl.env.name) == ("store", "here")


def test_a_body_makes_its_own_buckets_and_decides_by_their_data(rig: Rig) -> None:
    env = environment(rig)

    @env.task()
    def extract(source: Bucket) -> pl.DataFrame:
        return source.read()

    @env.task()
    def is_good(df: pl.DataFrame) -> bool:
        return df.height > 0

    @env.task()
    def save(df: pl.DataFrame, to: Bucket) -> int:
        to.write(df)
        return df.height

    @env.pipeline()
    def checked() -> int:
        df = extract(rig.bucket("raw/source.csv"))
        return save(df, rig.bucket("good/t.ndjson" if is_good(df) else "bad/t.ndjson"))

    assert checked.run() == 3
    assert rig.names() == ["good/t.ndjson", "raw/source.csv"]


def test_tasks_work_side_by_side(rig: Rig) -> None:
    env = environment(rig)

    @env.task()
    def part(number: int) -> int:
        rig.bucket(f"parts/{number}.parquet").write(pl.DataFrame({"n": [number]}))
        return number

    @env.task()
    def total(numbers: list[int]) -> int:
        assert numbers == list(range(6))
        return rig.bucket("parts").scan().select(pl.col("n").sum()).collect().item()

    @env.pipeline()
    def fan() -> int:
        return total([part(number) for number in range(6)])

    assert fan.run() == sum(range(6))


def test_the_error_of_a_task_names_object_task_and_pipeline(rig: Rig) -> None:
    env = environment(rig)
    etl = define(env)
    env.get("source").delete()
    with pytest.raises(ObjectNotFoundError) as caught:
        env.task(lambda source: source.read(), name="reading")(env.get("source"))
    assert tells(caught.value, env.get("source"))
    with pytest.raises(FileNotFoundError) as caught:
        etl.run()
    notes = " ".join(caught.value.__notes__)
    assert "load" in notes
    assert "etl" in notes
    assert "store" in notes
    assert rig.names() == []


def test_two_environments_do_not_see_each_other(rig: Rig, tmp_path: Path) -> None:
    local, store = here(tmp_path, SMALL[:1]), environment(rig)
    first, second = define(local), define(store)
    assert (first.run().height, second.run().height, first.run().height) == (1, 2, 1)
    assert (local.get("target").read().height, store.get("target").read().height) == (1, 2)


def demo(env: GlacierEnv) -> tuple[pl.DataFrame, ...]:
    """Run the flights demo on the first rows of its tables, and return its result and both reports."""
    for name in flights.TABLES:
        lines = b"".join(flights._table(name).splitlines(keepends=True)[:ROWS])
        table = pl.read_csv(io.BytesIO(lines), null_values=["NA", ""], infer_schema_length=None)
        env.register(f"raw_{name}", env.provider.bucket("raw", path=f"{name}.csv")).write(table)
    pipeline = build(env)
    return pipeline.run(), env.get("report_carriers").read(), env.get("report_weather").read()


def test_the_flights_demo_is_the_same_on_every_store(rig: Rig, tmp_path: Path) -> None:
    for name in ("raw", "report"):
        rig.make_bucket(name)
    here = demo(GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path=tmp_path)), name="here"))
    there = demo(GlacierEnv(provider=rig.provider, name="store"))
    assert here[0].height > 5
    for mine, theirs in zip(here, there, strict=True):
        assert_frame_equal(mine, theirs)
