"""Example pipelines for generated Terraform: the same ones for every cloud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import example_code
import polars as pl

from glacier import Bucket, GlacierEnv, Serverless
from glacier.config import (
    AwsConfig,
    AzureBlobConfig,
    AzureConfig,
    AzureFunctionConfig,
    CloudFunctionConfig,
    GcpConfig,
    GCSConfig,
    LambdaConfig,
    S3Config,
)
from glacier.environment import Defaults
from glacier.providers import AWSProvider, AzureProvider, GCPProvider
from glacier.tasks import Pipeline
from glacier.templates import ProductionAWSEnvironment, ProductionAzureEnvironment, ProductionGCPEnvironment
from terraform.options import OPTIONS, SUBSCRIPTION, WORKSPACE, Option, merged

__all__ = ["CLOUDS", "EXAMPLES", "HOSTILE", "Cloud", "with_option"]

HOSTILE = '${jsonencode("x")} %{ if true }" \\ \n<<EOT\té"} }\nresource "null_resource" "y" {'
"""A string that must stay one: interpolation, directives, quotes, escapes, lines, a heredoc and a block."""


@dataclass(frozen=True)
class Cloud:
    """One cloud: how its provider is made, and configs of its own that use what it has.

    `rich` are bucket configs with every kind of setting, `function` a function config with every kind of setting,
    `tag` a name and a value as hostile as the cloud's own rules let tags be.
    """

    name: str
    provider: Callable[[], Any]
    production: Callable[[], GlacierEnv]
    bucket: type[Any]
    rich: dict[str, Any]
    function: Callable[[dict[str, str]], Any]
    tags: str
    tag: tuple[str, str]

    def env(self, name: str = "test", **options: Any) -> GlacierEnv:
        return GlacierEnv(self.provider(), name, **options)

    def bucket_name(self, name: str) -> str:
        return f"glacier-test-{name}"


def _aws() -> Any:
    return AWSProvider(config=AwsConfig(region="us-east-1", tags={"team": "data"}))


def _gcp() -> Any:
    return GCPProvider(config=GcpConfig(project_id="glacier-test", labels={"team": "data"}))


def _azure() -> Any:
    config = AzureConfig(subscription_id=SUBSCRIPTION, resource_group="data", location="eastus", tags={"team": "data"})
    return AzureProvider(config=config)


AWS = Cloud(
    name="aws",
    provider=_aws,
    production=lambda: ProductionAWSEnvironment(region="us-east-1"),
    bucket=S3Config,
    rich={
        "tiered": S3Config(
            storage_class="INTELLIGENT_TIERING",
            lifecycle_rules=[
                {"days": 30, "transition": "GLACIER"},
                {"days": 90, "expiration": True},
                {"days": 1, "expiration": True, "prefix": "tmp/"},
            ],
        ),
        "plain": S3Config(versioning=False, encryption="AES256"),
    },
    function=lambda variables: LambdaConfig(
        memory=512,
        timeout=60,
        runtime="python3.12",
        environment_vars=variables,
        reserved_concurrent_executions=5,
        ephemeral_storage=1024,
        architecture="arm64",
        tags={"kind": "function"},
    ),
    tags="tags",
    tag=("cost center: a/b=c+d@e", "R+D = é_1"),
)
GCP = Cloud(
    name="gcp",
    provider=_gcp,
    production=lambda: ProductionGCPEnvironment(project_id="glacier-test"),
    bucket=GCSConfig,
    rich={
        "tiered": GCSConfig(
            storage_class="NEARLINE",
            lifecycle_rules=[
                {"days": 0, "transition": "COLDLINE", "prefix": "raw/"},
                {"days": 30, "transition": "ARCHIVE"},
                {"days": 90, "expiration": True},
            ],
            soft_delete_days=30,
            access_log_bucket="glacier-test-logs",
        ),
        "plain": GCSConfig(versioning=False, soft_delete_days=0, autoclass=True, public_access_prevention=False),
        "keyed": GCSConfig(
            encryption="customer-managed",
            kms_key="projects/p/locations/us-central1/keyRings/r/cryptoKeys/k",
        ),
    },
    function=lambda variables: CloudFunctionConfig(
        memory=512,
        timeout=60,
        runtime="python312",
        environment_vars=variables,
        min_instances=0,
        max_instances=5,
        concurrency=8,
        vpc_connector="projects/p/locations/us-central1/connectors/c",
        labels={"kind": "function"},
    ),
    tags="labels",
    tag=("é_kosten-stelle", "r_d-1_é"),
)
AZURE = Cloud(
    name="azure",
    provider=_azure,
    production=lambda: ProductionAzureEnvironment(SUBSCRIPTION, "data"),
    bucket=AzureBlobConfig,
    rich={
        "tiered": AzureBlobConfig(
            tier="Cool",
            replication_type="LRS",
            lifecycle_rules=[
                {"days": 30, "transition": "Archive"},
                {"days": 90, "expiration": True},
                {"days": 1, "expiration": True, "prefix": "tmp/"},
            ],
            soft_delete_days=30,
            storage_account="glaciertiered",
        ),
        "plain": AzureBlobConfig(
            versioning=False,
            tier="Premium",
            public_access_block=False,
            soft_delete_days=0,
            storage_account="glacierfast",
        ),
        "keyed": AzureBlobConfig(
            encryption="Microsoft.Keyvault",
            kms_key="https://vault.vault.azure.net/keys/key",
            private_endpoint_subnet="/subscriptions/s/resourceGroups/g/providers/n/virtualNetworks/v/subnets/s",
            log_workspace=WORKSPACE,
            storage_account="glacierkeyed",
        ),
    },
    function=lambda variables: AzureFunctionConfig(
        memory=512,
        timeout=60,
        runtime="python3.12",
        environment_vars=variables,
        min_instances=2,
        max_instances=40,
        concurrency=8,
        subnet_id="/subscriptions/s/resourceGroups/g/providers/n/virtualNetworks/v/subnets/s",
        log_retention_days=30,
        log_workspace=WORKSPACE,
        tags={"kind": "function"},
    ),
    tags="tags",
    tag=('cost center ${a} "b"', HOSTILE),
)
CLOUDS = {cloud.name: cloud for cloud in (AWS, GCP, AZURE)}


def sales(cloud: Cloud) -> Pipeline:
    """Extract, transform, load: the design document's first scenario."""
    env = cloud.env()
    raw, processed = cloud.bucket_name("raw"), cloud.bucket_name("processed")
    env.register("sales_raw", env.provider.bucket(raw, path="raw/transactions.parquet"))
    env.register("sales_processed", env.provider.bucket(processed, path="by_category.parquet"))

    @env.task()
    def extract(sales_raw: Bucket) -> pl.LazyFrame:
        return sales_raw.scan()

    @env.task(retries=3)
    def transform(df: pl.LazyFrame) -> pl.LazyFrame:
        return df.filter(pl.col("amount") > 0)

    @env.task()
    def load(df: pl.LazyFrame, sales_processed: Bucket) -> None:
        sales_processed.sink(df)

    @env.pipeline()
    def sales_pipeline() -> None:
        load(transform(extract()))

    return sales_pipeline


def shared(cloud: Cloud) -> Pipeline:
    """Many paths in one bucket: objects, folders and patterns, read, written and deleted."""
    env = cloud.env()
    name = cloud.bucket_name("lake")
    paths = {
        "orders": "orders/2024/*.parquet",
        "customers": "customers",
        "everything": "**/*.csv",
        "report": "reports/latest.json",
        "old": "reports/old.json",
        "more": "more/data.csv",
        "most": "most/data.ndjson",
    }
    for label, path in paths.items():
        env.register(label, env.provider.bucket(name, path=path))

    @env.task()
    def join(orders: Bucket, customers: Bucket, more: Bucket, most: Bucket) -> pl.LazyFrame:
        more.read()
        most.read()
        return orders.scan().join(customers.scan(), on="id")

    @env.task()
    def report_all(df: pl.LazyFrame, report: Bucket, old: Bucket, everything: Bucket) -> None:
        everything.list()
        old.delete()
        report.write(df)

    @env.pipeline()
    def lake() -> None:
        report_all(join())

    return lake


def functions(cloud: Cloud) -> Pipeline:
    """Functions: one of the user's, called by a task; a task that runs as one; a secret in the environment."""
    env = cloud.env()
    variables = {"LOG_LEVEL": "INFO", "API_TOKEN": "s3cr3t-value", "PATTERN": HOSTILE}
    config = cloud.function(variables)
    env.register("cleaner", env.provider.serverless("glacier-cleaner", handler="handlers.clean", config=config))
    env.register("events", env.provider.bucket(cloud.bucket_name("events"), path="in/*.parquet"))
    env.register("scores", env.provider.bucket(cloud.bucket_name("events"), path="out/scores.parquet"))
    score = env.bind(example_code.score)

    @env.task(timeout=30)
    def call(cleaner: Serverless) -> Any:
        return cleaner.invoke({"a": 1})

    @env.task()
    def save(df: pl.DataFrame, scores: Bucket) -> None:
        scores.write(df)

    @env.pipeline()
    def scoring() -> None:
        call()
        save(score())

    return scoring


def scheduled(cloud: Cloud) -> Pipeline:
    """A pipeline that runs by itself."""
    env = cloud.env()
    env.register("feed", env.provider.bucket(cloud.bucket_name("feed"), path="feed.csv"))
    env.register("copy", env.provider.bucket(cloud.bucket_name("feed"), path="copy.parquet"))

    return env.bind(example_code.nightly)


def template(cloud: Cloud) -> Pipeline:
    """The ready-made environment for production, with alarms."""
    return _totals(cloud, cloud.production())


def strict(cloud: Cloud) -> Pipeline:
    """All that policy checks ask for and that goes together."""
    return with_option(cloud, merged(each for each in OPTIONS[cloud.name] if each.together))


def with_option(cloud: Cloud, option: Option, name: str = "test") -> Pipeline:
    """A bucket, a function and a schedule with what satisfies some policy checks."""
    provider = cloud.provider()
    provider = type(provider)(config=provider.config.replace(**option.provider))
    function = {"environment_vars": {"LOG_LEVEL": "INFO"}, **option.function}
    wanted = Defaults(bucket=provider.bucket_class(**option.bucket), serverless=provider.function_class(**function))
    return _totals(cloud, GlacierEnv(provider, name, defaults=wanted))


def _totals(cloud: Cloud, env: GlacierEnv) -> Pipeline:
    env.register("sales", env.provider.bucket(cloud.bucket_name("prod"), path="sales.parquet"))
    env.register("cleaner", env.provider.serverless("glacier-prod-cleaner", handler="handlers.clean"))

    @env.task()
    def total(sales: Bucket) -> pl.DataFrame:
        return sales.read().sum()

    @env.task()
    def check(df: pl.DataFrame, cleaner: Serverless) -> Any:
        return cleaner.invoke(df.to_dicts())

    @env.pipeline(schedule="rate(15 minutes)")
    def totals() -> Any:
        return check(total())

    return totals


def composed(cloud: Cloud) -> Pipeline:
    """Buckets in one cloud, functions in another."""
    other = CLOUDS["gcp" if cloud.name == "aws" else "aws"]
    env = GlacierEnv.compose(storage=cloud.provider(), compute=other.provider(), name="hybrid")
    env.register("source", env.storage.bucket(cloud.bucket_name("hybrid"), path="input.parquet"))
    env.register("cleaner", env.compute.serverless("glacier-hybrid", handler="elsewhere.clean"))

    @env.task()
    def extract(source: Bucket) -> pl.DataFrame:
        return source.read()

    @env.task()
    def clean(df: pl.DataFrame, cleaner: Serverless) -> Any:
        return cleaner.invoke(df.to_dicts())

    @env.pipeline()
    def hybrid() -> Any:
        return clean(extract())

    return hybrid


def hostile(cloud: Cloud) -> Pipeline:
    """Names, paths, tags and variables that a careless writer of HCL would take for code."""
    name, value = cloud.tag
    tagged = cloud.bucket(**{cloud.tags: {name: value}})
    env = cloud.env(defaults=Defaults(bucket=tagged))
    path = "a \"b\" ${c} %{d} 'e'/é=1/$${x}.parquet"
    env.register("data.2024-raw", env.provider.bucket(cloud.bucket_name("hostile"), path=path))
    env.register("data_2024_raw", env.provider.bucket(cloud.bucket_name("hostile-2"), path="x.parquet"))
    config = cloud.function({"HOSTILE": HOSTILE, "PASSWORD": '${hush} %{hush} "hush"'})
    env.register("fn", env.provider.serverless("glacier-hostile", handler="handlers.clean", config=config))

    @env.task()
    def read() -> pl.DataFrame:
        env.get("data_2024_raw").write(env.get("data.2024-raw").read())
        return env.get("fn").invoke()

    @env.pipeline(name="data-2024.raw")
    def pipeline() -> Any:
        return read()

    return pipeline


def rich(cloud: Cloud) -> Pipeline:
    """Every kind of bucket setting."""
    env = cloud.env()
    for label, config in cloud.rich.items():
        env.register(label, env.provider.bucket(cloud.bucket_name(label), path="data.parquet", config=config))

    @env.task()
    def touch() -> None:
        for label in ("tiered", "plain"):
            env.get(label).read()
        env.get("tiered").write(env.get("plain").read())

    @env.pipeline()
    def settings() -> None:
        touch()
        for bucket in buckets:
            bucket.read()

    buckets = [env.resources[label] for label in cloud.rich]
    return settings


def existing(cloud: Cloud) -> Pipeline:
    """A bucket that is there already, beside one that is made, and a branch."""
    env = cloud.env()
    there = cloud.bucket(existing=True)
    if cloud.name == "azure":
        there = there.replace(storage_account="glacierthere")
    env.register("old", env.provider.bucket(cloud.bucket_name("there"), path="old.parquet", config=there))
    env.register("new", env.provider.bucket(cloud.bucket_name("new"), path="new"))

    @env.task()
    def look(old: Bucket) -> bool:
        return old.exists()

    @env.task()
    def copy(old: Bucket, new: Bucket) -> None:
        new.write(old.read())

    @env.pipeline()
    def migration() -> None:
        if look():
            copy()

    return migration


EXAMPLES: dict[str, Callable[[Cloud], Pipeline]] = {
    each.__name__: each
    for each in (sales, shared, functions, scheduled, template, strict, composed, hostile, rich, existing)
}
