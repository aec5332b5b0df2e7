"""The environment: registry, factories, explanation, state, templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier import Bucket, Defaults, GlacierEnv, GlacierWarning, TaskConfig, read_state
from glacier.config import AwsConfig, AzureConfig, GcpConfig, LocalConfig, S3Config
from glacier.errors import ConfigError, ResourceNotFoundError
from glacier.providers import AWSProvider, AzureProvider, GCPProvider, LocalProvider
from glacier.state import PipelineState, ResourceState, State, TaskState, write_state
from glacier.templates import (
    DevelopmentLocalEnvironment,
    ProductionAWSEnvironment,
    ProductionAzureEnvironment,
    ProductionGCPEnvironment,
    StagingAWSEnvironment,
    StagingAzureEnvironment,
    StagingGCPEnvironment,
)


@pytest.fixture
def aws() -> AWSProvider:
    return AWSProvider(config=AwsConfig(region="us-east-1", profile="prod", tags={"team": "data", "stage": "prod"}))


def test_the_registry(aws: AWSProvider) -> None:
    env = GlacierEnv(provider=aws, name="prod", resources={"sales": aws.bucket("sales", path="data.parquet")})
    env.register("customers", aws.bucket("customers", path="data.parquet"))
    assert env.list_resources() == ["sales", "customers"]
    assert env.get("sales").bucket_name == "sales"
    with pytest.raises(ResourceNotFoundError, match="'prod' has no resource 'sale' .*did you mean 'sales'"):
        env.get("sale")
    with pytest.raises(KeyError):
        env.get("")


def test_registering_again_replaces_and_says_so(aws: AWSProvider) -> None:
    env = GlacierEnv(aws, "prod")
    first = env.register("sales", aws.bucket("sales", path="a.parquet"))
    env.register("sales", first)
    with pytest.warns(GlacierWarning, match="resource 'sales' of environment 'prod' is replaced"):
        env.register("sales", aws.bucket("sales", path="b.parquet"))
    assert env.get("sales").path == "b.parquet"
    with pytest.raises(ConfigError, match="differs from 'Sales' only in case"):
        env.register("Sales", first)


def test_ways_to_make_an_environment(aws: AWSProvider) -> None:
    config = AwsConfig(region="us-east-1")
    assert aws.env(name="production").name == "production"
    made = GlacierEnv.from_provider(provider_type="aws", config=config, name="production")
    assert made.provider.config is config
    with pytest.raises(ConfigError, match="unknown provider 'amazon' .*known: aws, azure, gcp, local"):
        GlacierEnv.from_provider("amazon", config)
    with pytest.raises(ConfigError, match="AwsConfig"):
        GlacierEnv.from_provider("aws", GcpConfig(project_id="my-project"))


@pytest.mark.parametrize(
    ("variables", "kind", "field", "value"),
    [
        ({}, LocalProvider, "base_path", Path("data")),
        ({"GLACIER_BASE_PATH": "elsewhere"}, LocalProvider, "base_path", Path("elsewhere")),
        ({"GLACIER_PROVIDER": "aws", "AWS_REGION": "eu-west-1"}, AWSProvider, "region", "eu-west-1"),
        ({"GLACIER_PROVIDER": "aws", "AWS_DEFAULT_REGION": "eu-west-1"}, AWSProvider, "region", "eu-west-1"),
        ({"GLACIER_PROVIDER": "aws", "AWS_REGION": "eu-west-1", "AWS_PROFILE": "p"}, AWSProvider, "profile", "p"),
        ({"GLACIER_PROVIDER": "gcp", "GOOGLE_CLOUD_PROJECT": "my-project"}, GCPProvider, "project_id", "my-project"),
        (
            {
                "GLACIER_PROVIDER": "azure",
                "AZURE_SUBSCRIPTION_ID": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
                "AZURE_RESOURCE_GROUP": "rg",
                "AZURE_LOCATION": "eastus",
                "AZURE_STORAGE_ACCOUNT": "account1",
            },
            AzureProvider,
            "storage_account",
            "account1",
        ),
    ],
)  # fmt: skip
def test_from_env(
    variables: dict[str, str], kind: type, field: str, value: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    env = GlacierEnv.from_env({**variables, "GLACIER_ENV": "staging", "GLACIER_DEBUG": "1"})
    assert isinstance(env.provider, kind)
    assert getattr(env.provider.config, field) == value
    assert (env.name, env.debug) == ("staging", True)


def test_in_from_env_a_keyword_beats_a_variable(tmp_path: Path) -> None:
    variables = {"GLACIER_PROVIDER": "aws", "AWS_REGION": "eu-west-1", "GLACIER_ENV": "staging"}
    env = GlacierEnv.from_env(variables, region="us-east-2", name="mine", debug=True)
    assert (env.provider.config.region, env.name, env.debug) == ("us-east-2", "mine", True)
    assert GlacierEnv.from_env(variables, provider="local", base_path=tmp_path).provider.config.base_path == tmp_path


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"GLACIER_PROVIDER": ""}, "GLACIER_PROVIDER is empty"),
        ({"GLACIER_PROVIDER": "amazon"}, "unknown provider 'amazon'"),
        ({"GLACIER_PROVIDER": "aws"}, "AWS_REGION"),
        ({"GLACIER_PROVIDER": "gcp"}, "GOOGLE_CLOUD_PROJECT"),
        ({"GLACIER_PROVIDER": "aws", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://x.org"}, "endpoint_url"),
    ],
)  # fmt: skip
def test_from_env_names_the_variable_that_is_wrong(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GlacierEnv.from_env(variables)


def test_a_composed_environment_routes_buckets_and_functions(aws: AWSProvider) -> None:
    gcp = GCPProvider(config=GcpConfig(project_id="my-project"))
    env = GlacierEnv.compose(storage=aws, compute=gcp, name="hybrid")
    assert env.storage is aws
    assert env.compute is gcp
    assert env.provider.bucket("data", path="x.parquet").provider is aws
    assert env.provider.serverless("process", handler="main.run").provider is gcp
    assert env.provider.get_provider_type() == "aws+gcp"
    single = GlacierEnv(aws, "single")
    assert single.storage is single.compute is aws


def test_explain_says_where_each_value_came_from(aws: AWSProvider) -> None:
    defaults = Defaults(bucket=S3Config(encryption="AES256", versioning=False), tags={"stage": "test", "owner": "us"})
    env = GlacierEnv(aws, "prod", defaults=defaults)
    env.register(
        "sales_raw", aws.bucket("sales", path="x.parquet", config=S3Config(versioning=True, tags={"tier": "1"}))
    )
    explained = env.explain("sales_raw")
    assert explained.values["versioning"] is True
    assert explained.origin("versioning") == "resource"
    assert explained.origin("encryption") == "environment"
    assert explained.origin("region") == "provider"
    assert explained.values["tags"] == {"team": "data", "stage": "test", "owner": "us", "tier": "1"}
    assert [explained.origin(f"tags.{tag}") for tag in ("team", "stage", "tier")] == [
        "provider",
        "environment",
        "resource",
    ]
    assert "sales" not in str(explained)
    assert "versioning" in str(explained)
    assert "<table" in explained._repr_html_()
    with pytest.raises(ResourceNotFoundError, match="did you mean 'sales_raw'"):
        env.explain("sales_row")


def test_templates_are_a_level_of_the_cascade() -> None:
    prod = ProductionAWSEnvironment(
        region="us-east-1", profile="prod", enable_encryption=True, enable_versioning=True, enable_monitoring=True
    )
    prod.register("sales", prod.provider.bucket("sales", path="x.parquet"))
    explained = prod.explain("sales")
    assert explained.values["versioning"] is True
    assert explained.values["encryption"] == "aws:kms"
    assert explained.origin("versioning") == "template ProductionAWSEnvironment"
    assert prod.name == "production"

    @prod.task()
    def load() -> None: ...

    assert load.config.retries == 3
    refined = ProductionAWSEnvironment("us-east-1", defaults=Defaults(task=TaskConfig(retries=1)))
    assert refined.task_settings(TaskConfig()).origin("retries") == "environment"


@pytest.mark.parametrize(
    "make",
    [
        lambda path: DevelopmentLocalEnvironment(base_path=path),
        lambda _: StagingAWSEnvironment("us-east-1"),
        lambda _: ProductionGCPEnvironment("my-project"),
        lambda _: StagingGCPEnvironment("my-project"),
        lambda _: ProductionAzureEnvironment("...", "data-engineering"),
        lambda _: StagingAzureEnvironment("...", "data-engineering"),
    ],
)
def test_every_template_explains_a_bucket(make: Any, tmp_path: Path) -> None:
    env = make(tmp_path)
    env.register("sales", env.provider.bucket("sales-data", path="x.parquet"))
    assert env.name in {"development", "staging", "production"}
    assert env.explain("sales").rows


def test_state_has_names_and_describe_has_more(aws: AWSProvider, tmp_path: Path) -> None:
    env = GlacierEnv(aws, "prod")
    env.register("sales", aws.bucket("sales", path="x.parquet", config=S3Config(versioning=True)))

    @env.task(retries=2)
    def extract() -> None: ...

    @env.pipeline()
    def etl() -> None: ...

    assert env.get_state() == {"resources": ["sales"], "tasks": ["extract"], "pipelines": ["etl"]}
    path = env.export_state(tmp_path / "deep" / "state" / "prod.json")
    exported = json.loads(path.read_text())
    assert exported["version"] == 1
    assert exported["resources"][0]["uri"] == "s3://sales/x.parquet"
    assert exported["tasks"][0]["config"]["retries"] == 2
    assert read_state(path) == env.describe()


def test_the_card_tells_where_and_whether_it_is_protected(aws: AWSProvider, tmp_path: Path) -> None:
    gcp = GCPProvider(config=GcpConfig(project_id="acme-data-1", region="europe-west1"))
    one = GlacierEnv(aws, "prod", resources={"sales": aws.bucket("sales", path="x")}, protected=True)
    both = GlacierEnv.compose(storage=aws, compute=gcp, name="both")
    assert one.card().plain() == {
        "environment": "prod",
        "provider": "AWSProvider",
        "region": "us-east-1",
        "profile": "prod",
        "protected": True,
        "resources": ["sales"],
        "tasks": [],
        "pipelines": [],
    }
    for form in (str(one.card()), one._repr_html_(), repr(one)):
        assert "us-east-1" in form
        assert "protected" in form
    assert "(protected)" not in repr(both)
    assert "protected  yes: a run that writes here asks first" in str(one.card())
    assert "for storage, GCPProvider for compute" in str(both.card())
    assert both.card().places["compute project_id"] == "acme-data-1"
    assert read_state(one.export_state(tmp_path / "state.json")).protected


def test_no_secret_reaches_state_or_reprs(tmp_path: Path) -> None:
    canary = "CANARY-5f2b"
    config = AzureConfig(
        subscription_id="...", resource_group="rg", location="eastus", storage_account="account1", account_key=canary
    )
    env = GlacierEnv(AzureProvider(config=config), "prod")
    env.register("sales", env.provider.bucket("sales", path="x.parquet"))
    exported = env.export_state(tmp_path / "state.json").read_text()
    explained = env.explain("sales")
    shown = [
        exported,
        repr(env),
        env._repr_html_(),
        str(explained),
        repr(explained),
        explained._repr_html_(),
        repr(env.get("sales")),
    ]
    assert all(canary not in text for text in shown)


def test_reprs_are_escaped(tmp_path: Path) -> None:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "<script>")), "test")
    assert "<script>" not in env._repr_html_()
    assert "GlacierEnv 'test'" in repr(env)


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,20}", fullmatch=True)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
configs = st.dictionaries(st.text(), plain, max_size=3)


@given(
    st.builds(
        State,
        environment=names,
        provider=configs,
        resources=st.lists(
            st.builds(ResourceState, name=names, kind=names, uri=st.none() | st.text(), config=configs), max_size=3
        ),
        tasks=st.lists(st.builds(TaskState, name=names, config=configs), max_size=3),
        pipelines=st.lists(st.builds(PipelineState, name=names), max_size=3),
    )
)
def test_state_round_trips(tmp_path_factory: pytest.TempPathFactory, state: State) -> None:
    path = tmp_path_factory.mktemp("state") / "state.json"
    assert read_state(write_state(state, path)) == state
    assert State.model_validate_json(state.model_dump_json()) == state


def test_environments_live_side_by_side(aws: AWSProvider, tmp_path: Path) -> None:
    dev = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "dev")
    prod = GlacierEnv(aws, "prod")
    for env in (dev, prod):

        @env.task()
        def process(source: Bucket) -> None: ...

    assert dev.tasks == prod.tasks == ["process"]
