"""The design document's scenarios, told in the forms that we recommend and run on real files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import polars as pl
import pytest
from design_document import nested_pytest, read_blocks

from glacier import Bucket, Defaults, GlacierEnv, Inject, Pipeline, Serverless, TaskConfig, read_state, task
from glacier.config import AwsConfig, LambdaConfig, LocalConfig, S3Config, ValidationError
from glacier.errors import AccessError, MissingDependencyError
from glacier.execution.run import Run
from glacier.providers import AWSProvider, LocalProvider
from glacier.templates import DevelopmentLocalEnvironment, ProductionAWSEnvironment

ORDERS = pl.DataFrame(
    {
        "order": [1, 2, 3, 4, 5],
        "bread": ["rye", "rye", "oat", "oat", "oat"],
        "loaves": [2, -1, 4, 1, 3],
        "day": ["2024-03-01", "2024-03-01", "2024-03-02", "2024-03-02", "2024-03-03"],
    }
)
PRICES = pl.DataFrame({"bread": ["rye", "oat"], "price": [3.0, 4.5]})


def local(folder: Path, name: str = "test", **options: Any) -> GlacierEnv:
    """A local environment with the orders and the prices in its registry."""
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=folder)), name, **options)
    env.register("orders", env.provider.bucket("bakery", path="raw/orders.csv")).write(ORDERS)
    env.register("prices", env.provider.bucket("bakery", path="raw/prices.parquet")).write(PRICES)
    return env


def cloud(name: str = "production", **options: Any) -> GlacierEnv:
    """The same registry on a cloud, which nothing contacts."""
    provider = AWSProvider(config=AwsConfig(region="eu-central-1", tags={"team": "ovens"}))
    resources = {
        "orders": provider.bucket("bakery", path="raw/orders.csv"),
        "prices": provider.bucket("bakery", path="raw/prices.parquet"),
    }
    return GlacierEnv(provider, name, resources=resources, **options)


def last(pipeline: Pipeline) -> Run:
    """The record of the pipeline's last run."""
    assert pipeline.last_run is not None
    return pipeline.last_run


def takings(env: GlacierEnv, at_least: float = 0.0) -> Pipeline:
    """Define what is earned with each bread, for any environment that has orders and prices."""

    @env.task()
    def delivered(orders: Bucket) -> pl.LazyFrame:
        return orders.scan().filter(pl.col("loaves") > 0)

    @env.task()
    def priced(orders: pl.LazyFrame, prices: Bucket) -> pl.LazyFrame:
        return orders.join(prices.scan(), on="bread").with_columns(value=pl.col("loaves") * pl.col("price"))

    @env.task(retries=1)
    def by_bread(df: pl.LazyFrame) -> pl.DataFrame:
        earned = df.group_by("bread").agg(orders=pl.len(), value=pl.sum("value"))
        return earned.filter(pl.col("value") >= at_least).sort("bread").collect()

    @env.pipeline(name="takings")
    def pipeline() -> pl.DataFrame:
        return by_bread(priced(delivered()))

    return pipeline


EARNED = [("oat", 3, 36.0), ("rye", 1, 6.0)]


def test_a_simple_etl_from_csv_to_parquet(tmp_path: Path) -> None:
    env = local(tmp_path)
    env.register("clean", env.provider.bucket("bakery", path="clean/orders.parquet"))

    @env.task()
    def extract(orders: Bucket) -> pl.LazyFrame:
        return orders.scan()

    @env.task()
    def transform(df: pl.LazyFrame) -> pl.LazyFrame:
        return df.filter(pl.col("loaves") > 0).with_columns(pl.col("day").cast(pl.String).str.to_date())

    @env.task()
    def load(df: pl.LazyFrame, clean: Bucket) -> None:
        clean.sink(df)

    @env.pipeline()
    def etl() -> None:
        load(transform(extract()))

    assert env.get("clean").exists() is False
    assert etl.run() is None
    written = env.get("clean").read()
    assert written.schema == {"order": pl.Int64, "bread": pl.String, "loaves": pl.Int64, "day": pl.Date}
    assert sorted(written["order"]) == [1, 3, 4, 5]
    assert [step.state for step in last(etl).tasks] == ["done", "done", "done"]
    assert etl.graph["load"].name == "load"
    assert etl.run("analyze")["writes"] == {"load": ["bakery/clean/orders.parquet"]}


def test_one_factory_serves_several_environments(tmp_path: Path) -> None:
    dev, test, prod = local(tmp_path / "dev", "dev"), local(tmp_path / "test", "test"), cloud("prod")
    test.get("orders").write(ORDERS.head(1))
    here, there, above = (takings(env) for env in (dev, test, prod))
    assert here.run().rows() == EARNED
    assert there.run().rows() == [("rye", 1, 6.0)]
    assert above.graph.contains(here.graph)
    assert here.graph.contains(above.graph)
    with pytest.raises(AccessError, match="no credentials for aws"):
        above.run()


def test_shared_resources_and_a_config_file_in_the_registry(tmp_path: Path) -> None:
    env = local(tmp_path)
    config = env.register("config", env.provider.bucket("bakery", path="app.json"))

    @env.task()
    def load_config() -> dict[str, Any]:
        return env.get("config").read().to_dicts()[0]

    @env.task()
    def extract(orders: Bucket) -> pl.LazyFrame:
        return orders.scan()

    @env.task()
    def only(df: pl.LazyFrame, bread: str) -> pl.LazyFrame:
        return df.filter(pl.col("bread") == bread)

    @env.pipeline()
    def filtered() -> pl.LazyFrame:
        settings = load_config()
        df = extract()
        if settings.get("bread"):
            df = only(df, settings["bread"])
        return df.sort("order")

    for bread, expected in (("rye", [1, 2]), (None, [1, 2, 3, 4, 5])):
        config.write(pl.DataFrame({"bread": [bread]}, schema={"bread": pl.String}))
        assert filtered.run().collect()["order"].to_list() == expected
    assert "only" not in [step.name for step in last(filtered).tasks]
    analysis = filtered.run("analyze")
    assert analysis["tasks"] == ["load_config", "extract", "only"]
    assert analysis["dag"]["only"].condition == "load_config().get('bread')"
    assert analysis["dag"].contains(last(filtered).graph)


def test_settings_cascade_and_the_nearest_level_wins() -> None:
    defaults = Defaults(bucket=S3Config(encryption="AES256"), task=TaskConfig(retries=2, timeout=60))
    env = cloud(defaults=defaults)
    archive = env.provider.bucket(
        "bakery-archive", path="2023.parquet", config=S3Config(versioning=True, tags={"kept": "long"})
    )
    env.register("archive", archive)

    @env.task(timeout=900)
    def slow() -> None: ...

    explained = env.explain("archive")
    assert {name: explained.origin(name) for name in ("region", "encryption", "versioning")} == {
        "region": "provider",
        "encryption": "environment",
        "versioning": "resource",
    }
    assert explained.values["tags"] == {"team": "ovens", "kept": "long"}
    assert (slow.config.timeout, slow.config.retries) == (900, 2)
    assert env.explain("orders").origin("versioning") == "default"


def test_a_function_takes_part_in_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "def handler(event, context):\n    return [{**row, 'loaves': row['loaves'] + 1} for row in event]\n"
    (tmp_path / "bakers_dozen.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    env = local(tmp_path / "data")
    function = env.provider.serverless("one-more", handler="bakers_dozen.handler", config=LambdaConfig(memory=256))
    env.register("one_more", function)

    @env.task(executor="serverless")
    def add_one(df: pl.DataFrame, fn: Serverless) -> pl.DataFrame:
        return pl.DataFrame(fn.invoke(payload=df.to_dicts()))

    @env.pipeline()
    def adding() -> pl.DataFrame:
        orders = env.get("orders").read()
        return add_one(orders) if orders.height else orders

    assert adding.run()["loaves"].to_list() == [3, 0, 5, 2, 4]
    assert adding.graph["add_one"].condition is not None
    env.get("orders").write(ORDERS.clear())
    assert adding.run().height == 0


def test_a_provider_of_ones_own_needs_no_base_class() -> None:
    class Memory:
        """A provider whose buckets are frames in memory."""

        config = None

        def __init__(self) -> None:
            self.frames: dict[str, pl.DataFrame] = {"orders": ORDERS, "prices": PRICES}

        def bucket(self, name: str, path: str, format: str | None = None, config: Any = None) -> Any:
            return self.Table(self.frames[name])

        class Table:
            """A bucket that can only be scanned."""

            def __init__(self, frame: pl.DataFrame) -> None:
                self.frame = frame

            def scan(self) -> pl.LazyFrame:
                return self.frame.lazy()

    provider = Memory()
    tables = {name: provider.bucket(name, path="any.parquet") for name in provider.frames}
    env = GlacierEnv(provider, "memory", resources=tables)
    pipeline = takings(env)
    assert pipeline.run().rows() == EARNED
    assert pipeline.run("analyze")["resources"] == ["orders", "prices"]


def test_mocks_in_the_registry_stand_for_resources() -> None:
    env = GlacierEnv(provider=Mock(), name="test")
    orders, prices = Mock(), Mock()
    orders.scan.return_value, prices.scan.return_value = ORDERS.lazy(), PRICES.lazy()
    env.register("orders", orders)
    env.register("prices", prices)
    assert takings(env).run().rows() == EARNED
    orders.scan.assert_called_once_with()
    prices.scan.assert_called_once_with()


def test_one_pipeline_is_swapped_between_environments(tmp_path: Path) -> None:
    written_for_prod = takings(cloud("prod"))
    outcomes = {}
    for name in ("unit", "integration"):
        env = local(tmp_path / name, name)
        env.get("prices").write(PRICES.with_columns(price=pl.lit(float(len(name)))))
        bound = written_for_prod.bind(env)
        outcomes[name] = bound.run()["value"].to_list()
        assert last(bound).environment == name
    assert outcomes == {"unit": [32.0, 8.0], "integration": [88.0, 22.0]}
    assert written_for_prod.last_run is None


def test_an_unbound_task_is_shared_by_environments(tmp_path: Path) -> None:
    @task(retries=1)
    def count(orders: Bucket) -> int:
        return orders.scan().select(pl.len()).collect().item()

    small, large = local(tmp_path / "small", "small"), local(tmp_path / "large", "large")
    large.get("orders").write(pl.concat([ORDERS, ORDERS]))
    assert [count.bind(env)() for env in (small, large)] == [5, 10]


def test_resources_are_injected_by_name_and_looked_up_when_called(tmp_path: Path) -> None:
    env = local(tmp_path)

    @env.task()
    def breads(table: Bucket = Inject("todays_prices")) -> list[str]:
        return sorted(table.read()["bread"])

    with pytest.raises(MissingDependencyError, match="'todays_prices'"):
        breads()
    env.register("todays_prices", env.get("prices"))
    assert breads() == ["oat", "rye"]
    assert breads(env.get("orders")) == ["oat", "oat", "oat", "rye", "rye"]


def test_storage_and_compute_come_from_two_providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counting.py").write_text("def handler(event, context):\n    return {'seen': len(event)}\n")
    monkeypatch.chdir(tmp_path)
    disk, compute = (LocalProvider(config=LocalConfig(base_path=tmp_path / name)) for name in ("disk", "compute"))
    env = GlacierEnv.compose(storage=disk, compute=compute, name="hybrid")

    @env.task()
    def write_and_count(target: Bucket, counter: Serverless) -> int:
        target.write(PRICES)
        return counter.invoke(payload=target.read().to_dicts())["seen"]

    @env.pipeline()
    def counted() -> int:
        target = env.storage.bucket("bakery", path="prices.parquet")
        return write_and_count(target, env.compute.serverless("counter", handler="counting.handler"))

    assert counted.run() == 2
    assert (tmp_path / "disk" / "bakery" / "prices.parquet").is_file()
    assert counted.run("analyze")["resources"] == ["bakery/prices.parquet", "counter"]


def test_a_template_is_an_environment_with_settings_of_its_stage(tmp_path: Path) -> None:
    dev = DevelopmentLocalEnvironment(tmp_path)
    dev.register("orders", dev.provider.bucket("bakery", path="orders.csv")).write(ORDERS)
    dev.register("prices", dev.provider.bucket("bakery", path="prices.parquet")).write(PRICES)
    prod = ProductionAWSEnvironment("eu-central-1", enable_versioning=False)
    assert takings(dev).run().rows() == EARNED
    developed, produced = dev.explain("delivered"), takings(prod).env.explain("delivered")
    assert (developed.values["retries"], produced.values["retries"]) == (0, 3)
    prod.register("sales", prod.provider.bucket("bakery", path="sales.parquet", config=S3Config(versioning=True)))
    assert prod.explain("sales").origin("versioning") == "resource"


def test_wrong_settings_are_reported_together_and_early() -> None:
    with pytest.raises(ValidationError) as caught:
        AwsConfig.model_validate({"region": "eu-central", "session_duration": 1, "profil": "prod"})
    assert {line["loc"][0] for line in caught.value.errors()} == {"region", "session_duration", "profil"}
    assert "did you mean 'profile'" in str(caught.value)
    with pytest.raises(ValueError, match="memory"):
        LambdaConfig(memory=20_000)


def test_the_state_of_an_environment_is_exported(tmp_path: Path) -> None:
    env = local(tmp_path)
    pipeline = takings(env)
    before = env.get_state()
    pipeline.run()
    assert (
        env.get_state()
        == before
        == {
            "resources": ["orders", "prices"],
            "tasks": ["delivered", "priced", "by_bread"],
            "pipelines": ["takings"],
        }
    )
    state = read_state(env.export_state(tmp_path / "state" / "test.json"))
    assert [resource.format for resource in state.resources] == ["csv", "parquet"]
    assert {each.name: each.config["retries"] for each in state.tasks} == {"delivered": 0, "priced": 0, "by_bread": 1}


def test_the_testing_guide_is_a_test_file_that_passes(tmp_path: Path) -> None:
    guide = Path(__file__).parents[1] / "docs" / "testing.md"
    text = "\n\n".join(block.text for block in read_blocks(guide.read_text("utf-8")))
    assert nested_pytest(text, tmp_path) == {"passed": len(re.findall(r"^def test_", text, re.MULTILINE))}
