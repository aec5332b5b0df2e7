"""What all providers share: how they are made, what they make, and what they say in this version."""

import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from glacier import context
from glacier.config import (
    AwsConfig,
    AzureBlobConfig,
    AzureConfig,
    CloudFunctionConfig,
    GcpConfig,
    GCSConfig,
    LambdaConfig,
    LocalConfig,
    S3Config,
    TaskConfig,
)
from glacier.environment import GlacierEnv
from glacier.errors import ConfigError, GlacierWarning, InfrastructureError
from glacier.providers import AWSProvider, AzureProvider, GCPProvider, LocalProvider

AWS = AWSProvider(config=AwsConfig(region="us-east-1"))
GCP = GCPProvider(config=GcpConfig(project_id="my-project"))
AZURE = AzureProvider(config=AzureConfig(subscription_id="...", resource_group="data", location="eastus"))
CLOUDS = {"aws": AWS, "gcp": GCP, "azure": AZURE}


@pytest.mark.parametrize(("kind", "scheme"), [("aws", "s3"), ("gcp", "gs"), ("azure", "az")])
def test_addresses_are_those_of_the_cloud(kind: str, scheme: str) -> None:
    provider = CLOUDS[kind]
    bucket = provider.bucket("sales-data", path="raw/t.csv")
    assert bucket.get_uri() == bucket.uri == f"{scheme}://sales-data/raw/t.csv"
    assert provider.get_provider_type() == kind
    assert repr(bucket) == f"Bucket('{scheme}://sales-data/raw/t.csv', format='csv')"


@pytest.mark.parametrize("kind", ["gcp", "azure"])
def test_functions_of_other_clouds_than_aws_are_out_of_reach_and_said_to_be(kind: str) -> None:
    fn = CLOUDS[kind].serverless("clean", "main.clean")
    for verb in (fn.invoke, fn.invoke_async, fn.logs, fn.exists):
        with pytest.raises(InfrastructureError, match=f"on {kind}: this version of Glacier") as caught:
            verb()
        assert "LocalProvider or AWSProvider" in caught.value.hint


@pytest.mark.parametrize("kind", CLOUDS)
@pytest.mark.parametrize(("name", "path"), [("UPPER", "x"), ("ok-name", "/x"), ("ok-name", ""), ("a", "x"), (7, "x")])
def test_names_are_checked_when_a_bucket_is_made(kind: str, name: object, path: str) -> None:
    with pytest.raises(ConfigError):
        CLOUDS[kind].bucket(name, path)


def test_handlers_are_checked_when_a_function_is_made() -> None:
    assert GCP.serverless("process", handler="main").handler == "main"
    with pytest.raises(ConfigError, match="module.function"):
        AWS.serverless("process", handler="main")
    with pytest.raises(ConfigError, match="function name"):
        AWS.serverless("not a name", handler="a.b")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AWSProvider(region="us-east-1"), "config=AwsConfig(region=...)"),
        (lambda: AWSProvider(), "config=AwsConfig(region=...)"),
        (lambda: AWSProvider("us-east-1"), "config=AwsConfig(region=...)"),
        (lambda: AWSProvider(config={"region": "us-east-1"}), "config=AwsConfig(region=...)"),
        (lambda: AWSProvider(config=LocalConfig()), "config=AwsConfig(region=...)"),
        (lambda: GCPProvider(config=AWS.config), "config=GcpConfig(project_id=...)"),
        (lambda: LocalProvider(base_path="./data"), "config=LocalConfig(base_path=...)"),
        (lambda: LocalProvider("./data"), "config=LocalConfig()"),
    ],
)
def test_a_provider_takes_its_own_config_and_nothing_else(
    make: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.hint == f"pass {words}"
    assert list(tmp_path.iterdir()) == []


# --- translation -------------------------------------------------------------------------------------------------


def test_a_config_of_another_cloud_is_translated() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bucket = GCP.bucket("sales-data", "t.parquet", config=S3Config(versioning=True, storage_class="STANDARD_IA"))
        assert AWS.bucket("sales-data", "t.parquet", config=S3Config(versioning=True)).config == S3Config(
            versioning=True
        )
    assert isinstance(bucket.config, GCSConfig)
    assert bucket.config.versioning is True
    fn = GCP.serverless("clean", "main", config=LambdaConfig(memory=1024, timeout=300))
    assert isinstance(fn.config, CloudFunctionConfig)


def test_what_is_lost_is_said_in_one_warning_or_raised() -> None:
    config = S3Config(
        versioning=True,
        replication_config={"destination_bucket": "sales-copy", "destination_region": "us-west-2"},
        encryption="aws:kms",
        kms_key="alias/mine",
    )
    with pytest.warns(GlacierWarning) as caught:
        made = AZURE.bucket("sales-data", "t.parquet", config=config)
    assert isinstance(made.config, AzureBlobConfig)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "S3Config on AzureProvider: " in str(caught[0].message)
    assert "replication_config" in str(caught[0].message)
    strict = AzureProvider(config=AZURE.config, strict=True)
    with pytest.raises(ConfigError, match="replication_config"):
        strict.bucket("sales-data", "t.parquet", config=config)


@pytest.mark.parametrize("config", [LambdaConfig(memory=512), TaskConfig(), {"versioning": True}, "versioned"])
def test_what_is_no_bucket_config_is_refused(config: object) -> None:
    with pytest.raises(ConfigError, match="a bucket of AWSProvider takes a S3Config, not a"):
        AWS.bucket("sales-data", "t.parquet", config=config)


# --- from the environment ----------------------------------------------------------------------------------------


def test_a_keyword_beats_a_variable_and_the_first_variable_the_second() -> None:
    variables = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-2", "AWS_PROFILE": "prod"}
    made = AWSProvider.from_variables(variables, profile="staging")
    assert (made.config.region, made.config.profile) == ("eu-west-1", "staging")
    assert AWSProvider.from_variables({"AWS_DEFAULT_REGION": "us-east-2"}).config.region == "us-east-2"


@pytest.mark.parametrize(
    ("kind", "variables", "words"),
    [
        (AWSProvider, {}, "AWS_REGION or AWS_DEFAULT_REGION is not set"),
        (AWSProvider, {"AWS_REGION": " "}, "AWS_REGION is empty"),
        (AWSProvider, {"AWS_REGION": "us-east1"}, "AWS_REGION"),
        (GCPProvider, {}, "GOOGLE_CLOUD_PROJECT is not set"),
        (AzureProvider, {"AZURE_SUBSCRIPTION_ID": "..."}, "AZURE_RESOURCE_GROUP is not set"),
        (LocalProvider, {"GLACIER_BASE_PATH": ""}, "GLACIER_BASE_PATH is empty"),
    ],
)
def test_the_variable_at_fault_is_named(kind: type, variables: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        kind.from_variables(variables)


# --- as objects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLOUDS)
def test_providers_make_environments_and_travel(kind: str) -> None:
    provider = CLOUDS[kind]
    env = provider.env(name="production")
    assert isinstance(env, GlacierEnv)
    assert env.provider is provider
    assert pickle.loads(pickle.dumps(provider)).config == provider.config


def test_no_secret_is_in_a_repr() -> None:
    config = AzureConfig(subscription_id="...", resource_group="data", location="eastus", account_key="CANARY+KEY==")
    provider = AzureProvider(config=config)
    bucket = provider.bucket("sales-data", "t.parquet", config=AzureBlobConfig(tier="Hot"))
    assert "CANARY" not in repr(provider) + repr(bucket) + bucket._repr_html_()


class Noted:
    """Stands for the recorder of a pipeline body."""

    def __init__(self) -> None:
        self.resources: list = []

    def resource(self, resource: object) -> None:
        self.resources.append(resource)


def test_what_a_body_makes_is_noted() -> None:
    noted = Noted()
    with context.using(context.recorder, noted):
        made = [AWS.bucket("sales-data", "t.parquet"), AWS.serverless("clean", "main.clean")]
    assert noted.resources == made


def test_making_resources_imports_no_heavy_package(tmp_path: Path) -> None:
    script = f"""
import sys
from glacier.config import *
from glacier.providers import *
from glacier.resources import Bucket, Serverless
AWSProvider(config=AwsConfig(region="us-east-1")).bucket("sales-data", "t.parquet").get_uri()
LocalProvider(config=LocalConfig(base_path={str(tmp_path)!r})).bucket("b", "t.parquet").get_uri()
heavy = "polars obstore boto3 botocore google azure IPython graphviz".split()
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_bucket_may_name_a_storage_account_of_its_own() -> None:
    provider = AzureProvider(
        config=AzureConfig(subscription_id="...", resource_group="data", location="eastus", storage_account="first1")
    )
    elsewhere = AzureBlobConfig(storage_account="second2")
    bucket = provider.bucket("sales", path="t.parquet", config=elsewhere)
    assert bucket.provider.storage.endpoint == "https://second2.blob.core.windows.net"
    assert bucket == provider.bucket("sales", path="t.parquet", config=elsewhere)
    same = provider.bucket("sales", path="t.parquet", config=AzureBlobConfig(storage_account="first1"))
    assert same.provider is provider


def test_an_unnamed_storage_account_gets_a_legal_name_that_stays() -> None:
    config = AzureConfig(subscription_id="...", resource_group="data", location="eastus")
    first, again = (AzureProvider(config=config).storage.account for _ in range(2))
    assert first == again
    assert AzureConfig(**config.set_fields(), storage_account=first).storage_account == first
