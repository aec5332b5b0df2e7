"""One stack of everything, built by the real provider of AWS on Moto, compared, looked at and removed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import example_code
import pytest
from botocore.exceptions import ClientError
from servers.moto import Moto

from glacier import Bucket, GlacierEnv, Serverless
from glacier.config import AwsConfig, LambdaConfig, S3Config
from glacier.environment import Defaults
from glacier.providers import AWSProvider
from terraform.aws_plugin import WHY_NOT, AwsTerraform

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
    pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning"),
]
VALUES = "-var-file=environments/production.tfvars"
LEFT_OPEN = {"everything_pipeline_runner_package": "packages/cleaner.zip"}
"""The pipeline is defined in a function, so that its own code cannot be packed."""


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with Moto() as server:
        yield server


def everything() -> Any:
    """Return a pipeline that needs one of each kind of thing.

    What Moto takes and forgets is left out: events of buckets, and the choice of encrypted objects in a replication.
    """
    provider = AWSProvider(config=AwsConfig(region="us-east-1", tags={"team": "data eng"}))
    env = GlacierEnv(provider, "production", defaults=Defaults(tags={"monitoring": "enabled"}))
    to = {"destination_bucket": "sales-copy", "destination_region": "us-west-2"}
    critical = S3Config(encryption="AES256", replication_config=to)
    archive = S3Config(
        versioning=False,
        storage_class="INTELLIGENT_TIERING",
        lifecycle_rules=[{"days": 30, "transition": "GLACIER"}, {"days": 365, "expiration": True, "prefix": "tmp/"}],
        tags={"kind": "archive"},
    )
    function = LambdaConfig(
        memory=512,
        runtime="python3.12",
        environment_vars={"LEVEL": "${INFO}", "API_TOKEN": "hush"},
        reserved_concurrent_executions=3,
        ephemeral_storage=1024,
        architecture="arm64",
        log_retention_days=400,
    )
    bucket = provider.bucket
    env.register("sales", bucket("critical-sales", path="raw/*.parquet", config=critical))
    env.register("archive", bucket("archived-sales", path="old.parquet", config=archive))
    env.register("there", bucket("there-already", path="x.csv", config=S3Config(existing=True)))
    env.register("cleaner", provider.serverless("cleaner", handler="handlers.clean", config=function))
    score = env.bind(example_code.score)

    @env.task(timeout=60)
    def work(sales: Bucket, archive: Bucket, there: Bucket, cleaner: Serverless) -> None:
        there.read()
        archive.write(sales.read())
        cleaner.invoke()

    @env.pipeline(schedule="cron(0 6 * * 1-5)")
    def everything_pipeline() -> Any:
        work()
        return score(env.get("sales"))

    return everything_pipeline


def test_everything_is_built_as_it_was_asked_for_and_goes_without_a_trace(moto: Moto, tmp_path: Path) -> None:
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="there-already")
    everything().run(mode="generate", output_dir=tmp_path)
    terraform = AwsTerraform(tmp_path, endpoint=moto.endpoint, values={**LEFT_OPEN, "cleaner_api_token": "hush"})
    terraform.init()
    terraform.apply("-parallelism=30", VALUES)
    again = terraform.run("plan", "-detailed-exitcode", "-no-color", VALUES, allowed=(0, 2))
    assert again.returncode == 0, again.stdout
    _look_at_buckets(moto, s3)
    _look_at_functions(moto)
    _look_at_the_rest(moto)
    terraform.destroy("-refresh=false", "-parallelism=30", VALUES)
    assert terraform.state() == {}
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["there-already"]
    assert moto.client("lambda").list_functions()["Functions"] == []


def _look_at_buckets(moto: Moto, s3: Any) -> None:
    names = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    code = next(name for name in names if name.startswith("glacier-production-code-"))
    assert names == {"critical-sales", "archived-sales", "sales-copy", "there-already", code}
    west = moto.client("s3", "us-west-2")
    kms, aes = "aws:kms", "AES256"
    expected = ((s3, "critical-sales", aes), (s3, "archived-sales", kms), (west, "sales-copy", aes))
    for client, name, algorithm in expected:
        rules = client.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == algorithm
        blocked = client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        assert set(blocked.values()) == {True}
        statement = json.loads(client.get_bucket_policy(Bucket=name)["Policy"])["Statement"][0]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert s3.get_bucket_versioning(Bucket="critical-sales")["Status"] == "Enabled"
    assert "Status" not in s3.get_bucket_versioning(Bucket="archived-sales")
    assert west.get_bucket_location(Bucket="sales-copy")["LocationConstraint"] == "us-west-2"
    rules = s3.get_bucket_lifecycle_configuration(Bucket="archived-sales")["Rules"]
    assert [each["ID"] for each in rules] == ["abandoned-uploads", "storage-class", "rule-1", "rule-2"]
    assert rules[1]["Transitions"] == [{"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}]
    assert rules[3]["Expiration"]["Days"] == 365
    (replicated,) = s3.get_bucket_replication(Bucket="critical-sales")["ReplicationConfiguration"]["Rules"]
    assert replicated["Destination"]["Bucket"] == "arn:aws:s3:::sales-copy"
    tags = {each["Key"]: each["Value"] for each in s3.get_bucket_tagging(Bucket="archived-sales")["TagSet"]}
    assert tags == {"team": "data eng", "monitoring": "enabled", "kind": "archive"}


def _look_at_functions(moto: Moto) -> None:
    found = {each["FunctionName"]: each for each in moto.client("lambda").list_functions()["Functions"]}
    assert set(found) == {"cleaner", "everything-pipeline-score", "everything-pipeline-runner"}
    cleaner = found["cleaner"]
    assert (cleaner["MemorySize"], cleaner["Timeout"], cleaner["Runtime"]) == (512, 60, "python3.12")
    assert (cleaner["Architectures"], cleaner["EphemeralStorage"]) == (["arm64"], {"Size": 1024})
    assert cleaner["Environment"]["Variables"] == {"LEVEL": "${INFO}", "API_TOKEN": "hush"}
    variables = found["everything-pipeline-score"]["Environment"]["Variables"]
    assert variables["GLACIER_TARGET"] == "example_code:score"
    groups = moto.client("logs").describe_log_groups()["logGroups"]
    kept = {each["logGroupName"]: each["retentionInDays"] for each in groups}
    assert kept == {f"/aws/lambda/{name}": 400 if name == "cleaner" else 365 for name in found}


def _look_at_the_rest(moto: Moto) -> None:
    iam = moto.client("iam")
    policy = iam.get_role_policy(RoleName="glacier-production-everything-pipeline-score", PolicyName="access")
    statements = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}
    assert statements["ReadSales"]["Resource"] == "arn:aws:s3:::critical-sales/raw/*.parquet"
    assert "WriteArchive" not in statements
    with pytest.raises(ClientError):
        iam.get_role(RoleName="glacier-production-cleaner-runner")
    schedules = moto.client("scheduler")
    (listed,) = schedules.list_schedules()["Schedules"]
    schedule = schedules.get_schedule(Name=listed["Name"])
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(0 6 ? * 2-6 *)", "UTC")
    alarms = {each["AlarmName"] for each in moto.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert {"glacier-production cleaner errors", "glacier-production critical-sales server errors"} <= alarms
