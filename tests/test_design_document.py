"""Every code block of the design document does what the document says.

`TABLE` names each block and what is done with it. A block that works on data really runs, on files written for it;
one that names a cloud is executed as it stands, followed by `analyze`, and then bound to a local environment and run.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pytest
from design_document import POLARS_1, Stage, adapted, document, read_blocks
from polars.testing import assert_frame_equal

from glacier import Bucket, GlacierEnv
from glacier.config import AwsConfig
from glacier.errors import ConfigError
from glacier.providers import AWSProvider, AzureProvider, GCPProvider, LocalProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SALES = pl.DataFrame(
    {
        "order_id": [1, 2, 3, 4],
        "customer_id": [1, 2, 1, 2],
        "amount": [50.0, 150.0, -10.0, 250.0],
        "category": ["tea", "tea", "rye", "rye"],
        "date": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
    }
)
CUSTOMERS = pl.DataFrame({"customer_id": [1, 2], "customer_segment": ["small", "large"]})
JOINED = SALES.join(CUSTOMERS, on="customer_id")
POSITIVE = SALES.filter(pl.col("amount") > 0)


def same(found: Any, expected: pl.DataFrame, kind: type = pl.LazyFrame) -> None:
    """Assert that a frame is a plain one of that kind and has the expected rows, in any order."""
    assert type(found) is kind
    assert_frame_equal(found.lazy().collect(), expected, check_row_order=False)


def scans_locally(stage: Stage, task: Any) -> None:
    """Assert that a task written for a cloud scans a local bucket once it is bound to a local environment."""
    stage.write("data/raw/sales.parquet", SALES)
    env = stage.local()
    bound = env.bind(task)
    same(bound(env.provider.bucket("raw", path="sales.parquet")), SALES)
    assert (bound.env, task.env is bound.env) == (env, False)


# --- design philosophy and architecture -------------------------------------------------------------------------------


def global_state(stage: Stage) -> None:
    with pytest.raises(ConfigError, match=r"AWSProvider.*AwsConfig"):
        stage.run(AWSProvider=AWSProvider)


def injected(stage: Stage) -> None:
    made = stage.run()
    source = made.env.provider.bucket("data", path="sales.parquet")
    assert made.my_task.run(mode="analyze", source=source)["reads"] == {"my_task": ["data/sales.parquet"]}
    scans_locally(stage, made.my_task)


def environments_manage_scope(stage: Stage) -> None:
    made = stage.run()
    stage.write("data/raw/sales.parquet", SALES)
    same(made.process_data(made.dev_env.provider.bucket("raw", path="sales.parquet")), SALES)
    assert (made.dev_env.tasks, made.prod_env.tasks) == (["process_data"], ["process_data_prod"])
    assert made.process_data_prod.env is made.prod_env
    assert made.prod_env.provider.config.profile == "prod"
    scans_locally(stage, made.process_data_prod)


def configuration_flows(stage: Stage) -> None:
    made = stage.run()
    made.env.register("sales", made.bucket)
    explained = made.env.explain("sales")
    assert explained.values["storage_class"] == "INTELLIGENT_TIERING"
    assert [explained.origin(name) for name in ("region", "tags.team", "versioning")] == [
        "provider",
        "provider",
        "resource",
    ]
    config = made.process_sales.config
    assert (config.executor, config.timeout, config.retries) == ("local", 300, 3)
    scans_locally(stage, made.process_sales)


def registry_and_injection(stage: Stage) -> None:
    stage.write("data/sales/data.parquet", SALES)
    stage.write("data/customers/data.parquet", CUSTOMERS)
    made = stage.run(provider=stage.provider())

    @made.env.task()
    def load_customers(source: Bucket) -> pl.LazyFrame:
        return source.scan()

    @made.env.task()
    def join_data(sales: pl.LazyFrame, customers: pl.LazyFrame) -> pl.LazyFrame:
        return sales.join(customers, on="customer_id")

    made.load_customers, made.join_data = load_customers, join_data
    assert made.sales_pipeline.run("analyze")["tasks"] == ["load_sales", "load_customers", "join_data"]
    same(made.sales_pipeline.run(), JOINED)


# --- configuration hierarchy ------------------------------------------------------------------------------------------


def aws_config(stage: Stage) -> None:
    made = stage.run()
    config = made.provider.config
    assert config is made.aws_config
    assert (config.region, config.profile, config.account_id) == ("us-east-1", "production", "123456789012")
    assert (config.assume_role_arn, config.session_duration) == (None, 3600)
    assert config.tags == {"environment": "production", "managed_by": "glacier", "team": "data-engineering"}


def gcp_config(stage: Stage) -> None:
    config = stage.run().provider.config
    assert (config.project_id, config.region) == ("my-project", "us-central1")
    assert str(config.credentials_path) == "/path/to/service-account.json"
    assert config.labels == {"environment": "production", "managed_by": "glacier"}


def azure_config(stage: Stage) -> None:
    made = stage.run()
    config = made.provider.config
    assert isinstance(made.provider, AzureProvider)
    assert (config.subscription_id, config.resource_group, config.location) == ("...", "data-engineering", "eastus")


def local_config(stage: Stage) -> None:
    made = stage.run()
    assert isinstance(made.provider, LocalProvider)
    assert made.provider.config.create_dirs is True
    assert (stage.folder / "data").is_dir()


def bucket_configs(stage: Stage) -> None:
    made = stage.run(provider=AWSProvider(config=AwsConfig(region="us-east-1")))
    assert made.bucket.config is made.s3_config
    assert (made.bucket.bucket_name, made.bucket.path) == ("sales-data", "transactions.parquet")
    assert [rule.days for rule in made.s3_config.lifecycle_rules] == [30, 90]
    assert (made.gcs_config.storage_class, made.gcs_config.placeholders()) == ("NEARLINE", ("lifecycle_rules",))
    assert (made.azure_config.tier, made.azure_config.replication_type) == ("Hot", "LRS")


def serverless_config(stage: Stage) -> None:
    made = stage.run(provider=AWSProvider(config=AwsConfig(region="us-east-1")))
    config = made.fn.config
    assert (made.fn.function_name, made.fn.handler) == ("data-processor", "process.handler")
    assert (config.memory, config.timeout, config.reserved_concurrent_executions) == (1024, 300, 10)
    assert config.environment_vars == {"LOG_LEVEL": "INFO"}


def task_config(stage: Stage) -> None:
    made = stage.run(env=stage.local())
    expected = made.TaskConfig(
        executor="local", timeout=300, retries=3, retry_delay=5, cache=True, tags={"priority": "high"}
    )
    assert made.expensive_task.config == expected
    assert made.expensive_task.run(mode="analyze", df=SALES.lazy())["tasks"] == ["expensive_task"]


# --- environments -----------------------------------------------------------------------------------------------------


def basic_usage(stage: Stage) -> None:
    made = stage.run()
    assert (made.env.name, made.env.debug) == ("production", False)
    analysis = made.my_pipeline.run(mode="analyze")
    assert (analysis["tasks"], analysis["resources"]) == (["my_task"], ["data/sales.parquet"])
    stage.write("data/data/sales.parquet", SALES)
    same(made.my_pipeline.bind(stage.local()).run(), SALES)


def provider_factory_method(stage: Stage) -> None:
    made = stage.run()
    assert (made.env.name, made.env.provider) == ("production", made.provider)
    assert made.my_task.env is made.env
    scans_locally(stage, made.my_task)


def environment_factory_method(stage: Stage) -> None:
    env = stage.run().env
    assert (env.name, env.provider.get_provider_type(), env.provider.config.region) == (
        "production",
        "aws",
        "us-east-1",
    )


def environment_variables(stage: Stage) -> None:
    assert stage.run().env.provider.get_provider_type() == "local"
    stage.monkeypatch.setenv("GLACIER_PROVIDER", "aws")
    stage.monkeypatch.setenv("AWS_REGION", "eu-west-1")
    config = stage.run().env.provider.config
    assert (type(config), config.region) == (AwsConfig, "eu-west-1")


def multiple_environments(stage: Stage) -> None:
    """The block registers nothing, so its environments are given something to inject; production's is on AWS."""
    stage.write("data/raw/sales.parquet", SALES)

    class Prepared(GlacierEnv):
        def __init__(self, provider: Any, name: str) -> None:
            source = (provider if name == "production" else stage.provider()).bucket("raw", path="sales.parquet")
            super().__init__(provider, name, resources={"source": source})

    made = stage.names(GlacierEnv=Prepared)
    stage.run_into(made)
    for task, env in ((made.dev_task, made.dev), (made.staging_task, made.staging)):
        assert task.env is env
        same(task.run(mode="local"), POSITIVE)
    assert made.prod_task.env is made.prod
    generated = stage.folder / "infra" / "prod"
    assert 'bucket = "raw"' in (generated / "storage.tf").read_text("utf-8")
    assert (generated / "environments" / "production.tfvars").is_file()


# --- dependency injection ---------------------------------------------------------------------------------------------


def constructor_injection(stage: Stage) -> None:
    made = stage.run()
    direct = Bucket(provider=made.provider, bucket_name="data", path="sales.parquet", config=made.bucket.config)
    assert made.bucket == direct
    assert made.bucket.config.versioning is True
    assert made.bucket.get_uri() == "s3://data/sales.parquet"


def environment_registry(stage: Stage) -> None:
    stage.write("data/sales/data.parquet", SALES)
    made = stage.run(provider=stage.provider())
    assert made.env.list_resources() == ["sales", "customers"]
    for frame in (made.load_sales(), made.load_sales_di(), made.load_sales.run(), made.my_pipeline.run()):
        same(frame, SALES)


def factories(stage: Stage) -> None:
    made = stage.run()
    assert (made.bucket.bucket_name, made.bucket.config.versioning) == ("name", True)
    assert (made.fn.function_name, made.fn.config.memory) == ("name", 512)
    assert made.env.provider is made.provider


def hybrid(stage: Stage) -> None:
    stage.write("data/sales/raw/data.parquet", SALES)
    made = stage.run(provider=stage.provider())
    analysis = made.etl_pipeline.run(mode="analyze")
    assert analysis["tasks"] == ["extract", "transform", "load"]
    assert analysis["writes"] == {"load": ["sales/processed/data.parquet"]}
    assert made.etl_pipeline.run() is None
    same(stage.read("data/sales/processed/data.parquet"), POSITIVE, pl.DataFrame)


# --- binding ----------------------------------------------------------------------------------------------------------


def bound_task(stage: Stage) -> None:
    made = stage.run(provider=AWSProvider(config=AwsConfig(region="us-east-1")))
    assert made.my_task.env is made.env
    assert made.env.tasks == ["my_task"]
    scans_locally(stage, made.my_task)


def deferred_binding(stage: Stage) -> None:
    made = stage.run()
    assert made.my_task.env is None
    assert (made.dev_task.env, made.prod_task.env) == (made.dev_env, made.prod_env)
    stage.write("data/raw/sales.parquet", SALES)
    same(made.dev_task(made.dev_env.provider.bucket("raw", path="sales.parquet")), SALES)
    assert (made.dev_env.tasks, made.prod_env.tasks) == (["my_task"], ["my_task"])


# --- resources --------------------------------------------------------------------------------------------------------


def resource_factory(stage: Stage) -> None:
    made = stage.run()
    assert (made.bucket.format, made.bucket.config.encryption) == ("parquet", "AES256")
    assert (made.fn.runtime, made.fn.config.timeout) == ("python3.11", 300)


def direct_construction(stage: Stage) -> None:
    made = stage.run()
    factory = made.provider.bucket("data", path="sales.parquet", format="parquet", config=made.bucket.config)
    assert made.bucket == factory
    assert type(made.bucket) is type(factory)


def resources_at_creation(stage: Stage) -> None:
    made = stage.run(provider=stage.provider())
    assert made.env.list_resources() == ["sales", "customers", "products"]
    assert made.my_pipeline.run() is None
    names = [f"{name}/data.parquet" for name in ("sales", "customers", "products")]
    assert made.my_pipeline.run(mode="analyze")["resources"] == names


def pipeline_scope(stage: Stage) -> None:
    stage.write("data/data/sales.parquet", SALES)
    env = stage.local()

    @env.task()
    def extract(source: Bucket) -> pl.LazyFrame:
        return source.scan()

    @env.task()
    def transform(df: pl.LazyFrame) -> pl.LazyFrame:
        return df.filter(pl.col("amount") > 0)

    @env.task()
    def load(df: pl.LazyFrame, target: Bucket) -> None:
        target.sink(df)

    made = stage.run(env=env, extract=extract, transform=transform, load=load)
    made.my_pipeline.run()
    same(stage.read("data/output/results.parquet"), POSITIVE, pl.DataFrame)
    assert env.list_resources() == []


def recommended_approach(stage: Stage) -> None:
    made = stage.run()
    analysis = made.etl_pipeline.run(mode="analyze")
    assert analysis["tasks"] == ["extract", "transform"]
    assert set(analysis["resources"]) == {
        "sales/transactions.parquet",
        "processed/output.parquet",
        "config/common.json",
    }
    stage.write("data/sales/transactions.parquet", SALES)
    bound = made.etl_pipeline.bind(stage.local(common_config=("config", "common.json")))
    same(bound.run(), POSITIVE)


# --- recommended design -----------------------------------------------------------------------------------------------


def complete_example(stage: Stage) -> None:
    made = stage.run()
    analysis = made.sales_analysis_pipeline.run(mode="analyze")
    assert analysis["tasks"] == ["extract_sales", "extract_customers", "join_data", "aggregate_by_segment"]
    assert analysis["dag"].name == "sales_analysis"
    assert analysis["reads"] == {
        "extract_sales": ["sales-data/transactions.parquet"],
        "extract_customers": ["customer-data/customers.parquet"],
    }
    assert (made.aggregate_by_segment.config.timeout, made.aggregate_by_segment.config.retries) == (600, 3)
    infra = made.sales_analysis_pipeline.run(mode="generate", output_dir="./terraform/production")
    assert {"aws_s3_bucket.sales_data", "aws_s3_bucket.customer_data"} <= infra["resources"].keys()
    assert all((stage.folder / file).is_file() for file in infra["files"])
    stage.write("data/sales-data/transactions.parquet", SALES)
    stage.write("data/customer-data/customers.parquet", CUSTOMERS)
    result = made.sales_analysis_pipeline.bind(stage.local()).run(mode="local")
    assert type(result) is pl.DataFrame
    assert sorted(result.rows()) == [("large", 400.0, 2, 200.0), ("small", 40.0, 2, 20.0)]
    assert result.columns == ["customer_segment", "total_revenue", "order_count", "avg_order_value"]


def not_python(stage: Stage) -> None:
    with pytest.raises(SyntaxError):
        compile(stage.block.text, "block", "exec")


def from_aws_to_gcp(stage: Stage) -> None:
    env = stage.run().env
    assert type(env.provider) is GCPProvider
    assert (env.name, env.provider.config.project_id, env.provider.config.region) == (
        "production",
        "my-project",
        "us-central1",
    )


# --- scenarios --------------------------------------------------------------------------------------------------------


def simple_etl(stage: Stage) -> None:
    stage.write("data/raw/data.csv", SALES)
    stage.run("__main__")
    dated = POSITIVE.with_columns(pl.col("date").str.to_date())
    same(stage.read("data/processed/data.parquet"), dated, pl.DataFrame)
    assert dated["date"][0] == date(2024, 1, 1)


def several_stages(stage: Stage) -> None:
    stage.write("data/data/sales.parquet", SALES)
    expected = pl.DataFrame({"category": ["tea", "rye"], "amount": [150.0, 250.0]})
    same(stage.run("__main__").result, expected, pl.DataFrame)
    stage.monkeypatch.setenv("GLACIER_ENV", "production")
    stage.run("__main__")
    assert (stage.folder / "terraform" / "prod" / "environments" / "production.tfvars").is_file()
    stage.monkeypatch.setenv("GLACIER_ENV", "mars")
    with pytest.raises(ValueError, match="Unknown environment: mars"):
        stage.run("__main__")
    made = stage.run()
    for pipeline in (made.staging_pipeline, made.prod_pipeline):
        assert pipeline.run("analyze")["tasks"] == ["extract", "transform", "aggregate"]
        same(pipeline.bind(stage.local()).run(), expected, pl.DataFrame)


def shared_resources(stage: Stage) -> None:
    made = stage.run()
    analysis = made.sales_enrichment_pipeline.run(mode="analyze")
    assert analysis["tasks"] == ["load_config", "extract_sales", "extract_customers", "join_data", "save_results"]
    assert analysis["writes"] == {"save_results": ["sales/processed/transactions.parquet"]}
    assert any("filter_threshold" in condition for condition in analysis["conditions"].values())
    stage.write("data/sales/raw/transactions.parquet", SALES)
    stage.write("data/customers/customers.parquet", CUSTOMERS)
    env = stage.local(
        sales_raw=("sales", "raw/transactions.parquet"),
        sales_processed=("sales", "processed/transactions.parquet"),
        customers=("customers", "customers.parquet"),
        config=("config", "app_config.json"),
    )
    bound = made.sales_enrichment_pipeline.bind(env)
    for threshold, expected in ((100, JOINED.filter(pl.col("amount") > 100)), (None, JOINED)):
        stage.write("data/config/app_config.json", pl.DataFrame({"filter_threshold": [threshold], "name": ["x"]}))
        same(bound.run(), expected)
        same(stage.read("data/sales/processed/transactions.parquet"), expected, pl.DataFrame)


def cascade(stage: Stage) -> None:
    made = stage.run()
    assert made.critical_storage_config.replication_config.destination_bucket == "sales-data-backup"
    assert (made.intensive_lambda_config.memory, made.intensive_lambda_config.timeout) == (3008, 900)
    settings = {name: getattr(made, name).config for name in made.env.tasks}
    assert [(each.executor, each.timeout, each.retries, each.cache) for each in settings.values()] == [
        ("local", 300, 3, True),
        ("local", 60, 1, False),
        ("lambda", 900, 5, False),
    ]
    analysis = made.advanced_pipeline.run(mode="analyze")
    assert analysis["tasks"] == list(settings)
    assert "quick_validation" in analysis["dag"]["intensive_transformation"].condition
    assert set(analysis["resources"]) == {
        "critical-sales-data/transactions.parquet",
        "archive-sales-data/historical.parquet",
        "intensive-transformer",
    }
    stage.write("data/critical-sales-data/transactions.parquet", SALES)
    (stage.folder / "transform.py").write_text(_HANDLER, encoding="utf-8")
    bound = made.advanced_pipeline.bind(stage.local())
    same(bound.run(), SALES.with_columns(pl.col("amount") * 2))
    stage.write("data/critical-sales-data/transactions.parquet", SALES.clear())
    same(bound.run(), SALES.clear())


_HANDLER = """\
def handler(event, context):
    return {"data": [{**row, "amount": row["amount"] * 2} for row in event["data"]]}
"""


# --- testing ----------------------------------------------------------------------------------------------------------


def two_tests(stage: Stage) -> None:
    assert stage.pytest() == {"passed": 2}


def one_test(stage: Stage) -> None:
    assert stage.pytest() == {"passed": 1}


def full_pipeline_test(stage: Stage) -> None:
    stage.write("test_data/test-data/input.parquet", SALES)
    one_test(stage)


def current_design(stage: Stage) -> None:
    made = stage.run()
    assert made.my_pipeline.run(mode="analyze")["reads"] == {"my_task": ["data/file.parquet"]}
    stage.write("data/data/file.parquet", SALES)
    same(made.my_pipeline.bind(stage.local()).run(), SALES)


# --- enhancements -----------------------------------------------------------------------------------------------------


def smart_injection(stage: Stage) -> None:
    stage.write("data/sales/data.parquet", SALES)
    made = stage.run(env=stage.local(sales_data=("sales", "data.parquet"), other=("other", "data.parquet")))
    same(made.auto_pipeline.run(), SALES)
    same(made.extract(), SALES)


def composition(stage: Stage) -> None:
    made = stage.run()
    assert (type(made.env.storage), type(made.env.compute)) == (AWSProvider, GCPProvider)

    @made.env.task()
    def extract(source: Bucket) -> pl.DataFrame:
        return source.read()

    @made.env.task()
    def transform_via_cloud(df: pl.DataFrame, fn: Any) -> list[dict[str, Any]]:
        return fn.invoke(payload=df.to_dicts())

    made.extract, made.transform_via_cloud = extract, transform_via_cloud
    analysis = made.hybrid_pipeline.run(mode="analyze")
    assert analysis["resources"] == ["data/input.parquet", "process"]
    assert analysis["tasks"] == ["extract", "transform_via_cloud"]


def templates(stage: Stage) -> None:
    made = stage.run()
    made.prod.register("sales", made.prod.provider.bucket("sales-data", path="x.parquet"))
    values = made.prod.explain("sales").values
    assert (values["region"], values["versioning"], values["encryption"]) == ("us-east-1", True, "aws:kms")
    assert (made.prod.provider.config.profile, made.dev.provider.get_provider_type()) == ("prod", "local")
    assert (stage.folder / "data").is_dir()


def validation(stage: Stage) -> None:
    made = stage.run(print=(said := list[str]()).append)
    assert not hasattr(made, "config")
    assert len(said) == 1
    for part in ("Configuration error: 2 validation errors for AwsConfig", "region", "memory"):
        assert part in said[0]


def state(stage: Stage) -> None:
    class Provider(AWSProvider):
        """A provider of which `bucket(...)` is one bucket."""

        def bucket(self, name: Any, *args: Any, **kwargs: Any) -> Bucket:
            return (
                super().bucket("sales", path="data.parquet") if name is ... else super().bucket(name, *args, **kwargs)
            )

    made = stage.run(provider=Provider(config=AwsConfig(region="us-east-1")))
    assert made.state == {"resources": ["sales", "customers"], "tasks": [], "pipelines": []}
    assert set(made.state) == set(re.findall(r'# +"(\w+)":', stage.block.text))
    assert '"version": 1' in (stage.folder / "state/production.json").read_text(encoding="utf-8")


def cells(text: str) -> list[list[str]]:
    """The cells of the table in a text, whatever its columns' widths."""
    rows = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in re.split("[│┆]", row)] for row in rows]


def shell(stage: Stage) -> None:
    """The expressions that are typed, evaluated in an environment that has what the session shows."""
    row = pl.DataFrame({"order_id": [1], "amount": [150.0], "date": ["2024-01-01"], "status": ["paid"]})
    stage.write("data/sales_data/data.parquet", row)
    names = ("sales_data", "customer_data", "processed_data")
    env = stage.local(**{name: (name, "data.parquet") for name in names})
    for name in ("extract_sales", "transform_sales", "aggregate_sales"):
        env.task(name=name)(lambda: None)
    typed = re.findall(r"^glacier> (.+)\n(.*)$", stage.block.text, re.MULTILINE)
    values = [eval(expression, {"env": env}) for expression, _ in typed]
    assert [repr(values[0]), repr(values[2])] == [typed[0][1], typed[2][1]]
    assert cells(str(values[1].collect())) == cells(stage.block.text)


# --- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A block and what is done with it.

    run: executed, then run on real data. construct: executed, and what it defines is examined. refused: the document
    calls it bad, or this version does not do it; the error is part of the check. not python: a diagram or a session.
    """

    heading: str
    ordinal: int
    first_line: str
    fate: Literal["run", "construct", "refused", "not python"]
    check: Callable[[Stage], None]

    @property
    def key(self) -> tuple[str, int, str]:
        """What a block is recognised by."""
        return self.heading, self.ordinal, self.first_line


_AWS = 'provider = AWSProvider(config=AwsConfig(region="us-east-1"))'
_ENV = "env = GlacierEnv(provider=provider)"
_IMPORT = "from glacier import GlacierEnv"

TABLE = [
    Row(
        "1. Everything is Injected",
        1,
        "# Global provider - hard to test, unclear dependencies",
        "refused",
        global_state,
    ),
    Row("1. Everything is Injected", 2, "# Provider injected via environment", "run", injected),
    Row("2. Environments Manage Scope", 1, "# Development environment", "run", environments_manage_scope),
    Row(
        "3. Configuration Flows Top-Down",
        1,
        "ProviderConfig (AwsConfig, GcpConfig, AzureConfig)",
        "not python",
        not_python,
    ),
    Row("3. Configuration Flows Top-Down", 2, "# Provider config", "run", configuration_flows),
    Row("4. Registry vs Pure DI", 1, "# Registry: environment tracks resources", "run", registry_and_injection),
    Row("Provider-Level Configuration", 1, "from glacier.config import AwsConfig", "construct", aws_config),
    Row("Provider-Level Configuration", 2, "from glacier.config import GcpConfig", "construct", gcp_config),
    Row("Provider-Level Configuration", 3, "from glacier.config import AzureConfig", "construct", azure_config),
    Row("Provider-Level Configuration", 4, "from glacier.config import LocalConfig", "run", local_config),
    Row(
        "Resource-Level Configuration",
        1,
        "from glacier.config import S3Config, GCSConfig, AzureBlobConfig",
        "construct",
        bucket_configs,
    ),
    Row(
        "Resource-Level Configuration",
        2,
        "from glacier.config import LambdaConfig, CloudFunctionConfig, AzureFunctionConfig",
        "construct",
        serverless_config,
    ),
    Row("Task-Level Configuration", 1, "from glacier.config import TaskConfig", "construct", task_config),
    Row("The GlacierEnv Class", 1, _IMPORT, "run", basic_usage),
    Row("Alternative: Direct Environment Creation", 1, _AWS, "run", provider_factory_method),
    Row(
        "Alternative: Direct Environment Creation",
        2,
        "# Create environment from provider type and config",
        "construct",
        environment_factory_method,
    ),
    Row(
        "Alternative: Direct Environment Creation",
        3,
        "# Reads from GLACIER_PROVIDER, AWS_REGION, etc.",
        "construct",
        environment_variables,
    ),
    Row("Multiple Environments", 1, "# Development environment (local)", "refused", multiple_environments),
    Row(
        "Pattern 1: Constructor Injection (Recommended)",
        1,
        "# Provider receives config via constructor",
        "construct",
        constructor_injection,
    ),
    Row("Pattern 2: Environment Registry", 1, _ENV, "run", environment_registry),
    Row("Pattern 3: Factory Pattern", 1, "# Provider factory", "construct", factories),
    Row("Pattern 4: Hybrid DI + Registry", 1, _ENV, "run", hybrid),
    Row("Approach 1: `@env.task()` (Recommended)", 1, _ENV, "run", bound_task),
    Row("Approach 2: `@task(env)` (Alternative)", 1, "from glacier import task", "run", bound_task),
    Row("Approach 3: Deferred Binding (Advanced)", 1, "from glacier import task", "run", deferred_binding),
    Row("Pattern 1: Provider Factory (Recommended)", 1, _AWS, "construct", resource_factory),
    Row("Pattern 2: Direct Construction", 1, "from glacier.resources import Bucket", "construct", direct_construction),
    Row("Pattern 3: Environment Registry", 1, _ENV, "run", resources_at_creation),
    Row("Pattern 4: Pipeline-Scoped Resources", 1, "@env.pipeline()", "run", pipeline_scope),
    Row("Recommended Approach", 1, _IMPORT, "run", recommended_approach),
    Row("Complete Example: Environment-First Pattern", 1, _IMPORT, "run", complete_example),
    Row(
        "Key Design Principles",
        1,
        "AwsConfig → AWSProvider → GlacierEnv → Tasks & Resources",
        "not python",
        not_python,
    ),
    Row("Key Design Principles", 2, "# Switch from AWS to GCP: change 3 lines", "construct", from_aws_to_gcp),
    Row("Scenario 1: Simple ETL with Environment", 1, _IMPORT, "run", simple_etl),
    Row("Scenario 2: Multi-Environment Deployment", 1, "import os", "run", several_stages),
    Row("Scenario 3: Registry Pattern for Shared Resources", 1, _IMPORT, "run", shared_resources),
    Row("Scenario 4: Advanced Configuration Cascade", 1, _IMPORT, "run", cascade),
    Row("Scenario 5: Testing with Mock Environment", 1, _IMPORT, "run", two_tests),
    Row("Pattern 1: Local Environment for Integration Tests", 1, "import pytest", "run", one_test),
    Row("Pattern 2: Mock Provider for Unit Tests", 1, "from unittest.mock import Mock", "run", one_test),
    Row("Pattern 3: Environment Swapping for E2E Tests", 1, "import os", "run", full_pipeline_test),
    Row("Pattern 4: Registry Mocking", 1, _IMPORT, "run", one_test),
    Row("✅ Current Design (Only Supported Pattern)", 1, _IMPORT, "run", current_design),
    Row("1. Smart Dependency Injection", 1, "@env.task()", "run", smart_injection),
    Row("2. Environment Composition", 1, "# Multi-cloud environment", "construct", composition),
    Row(
        "3. Environment Templates",
        1,
        "from glacier.templates import ProductionAWSEnvironment, DevelopmentLocalEnvironment",
        "construct",
        templates,
    ),
    Row("4. Configuration Validation", 1, "from glacier.config import AwsConfig", "refused", validation),
    Row("5. Environment State Management", 1, 'env = GlacierEnv(provider=provider, name="production")', "run", state),
    Row("6. Interactive Environment Shell", 1, "$ glacier shell --env production", "not python", shell),
    Row("📊 Design Summary", 1, "User Code (Pythonic, type-safe)", "not python", not_python),
]


# --- the tests --------------------------------------------------------------------------------------------------------

DOCUMENT = document()
BLOCKS = (
    {block.key: block for block in read_blocks(DOCUMENT.read_text("utf-8"))} if DOCUMENT and DOCUMENT.is_file() else {}
)


@pytest.mark.filterwarnings("default:the design document:UserWarning")
def test_the_document_is_there() -> None:
    if DOCUMENT is None:
        warnings.warn(
            "the design document is not tested: it is not beside this checkout; set GLACIER_SEED to its path",
            stacklevel=1,
        )
    else:
        assert BLOCKS, f"the design document is not at {DOCUMENT}, where GLACIER_SEED says it is"


class TestDocument:
    """What needs the document; without it only the test above is left."""

    __test__ = bool(BLOCKS)

    def test_the_table_names_every_block_once(self) -> None:
        assert [row.key for row in TABLE] == list(BLOCKS)
        assert len(set(BLOCKS)) == len(BLOCKS) == 50

    def test_the_text_is_verbatim_but_for_one_call_that_polars_2_dropped(self) -> None:
        changed = [key for key, block in BLOCKS.items() if adapted(block.text) != block.text]
        scenarios = ["Scenario 4: Advanced Configuration Cascade", "Scenario 5: Testing with Mock Environment"]
        assert [heading for heading, _, _ in changed] == ([] if POLARS_1 else scenarios), pl.__version__
        differing = [
            (old.strip(), new.strip())
            for key in changed
            for old, new in zip(BLOCKS[key].text.splitlines(), adapted(BLOCKS[key].text).splitlines(), strict=True)
            if old != new
        ]
        once = ("return df.select(pl.count()).collect()[0, 0] > 0", "return df.select(pl.len()).collect()[0, 0] > 0")
        assert differing == [once for _ in changed]

    @pytest.mark.filterwarnings(r"ignore:`pl\.count\(\)`:DeprecationWarning")
    @pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.heading} {row.ordinal}")
    def test_block(self, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        row.check(Stage(BLOCKS[row.key], tmp_path, monkeypatch))
