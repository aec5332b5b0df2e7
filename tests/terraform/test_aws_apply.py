"""Every example, and one stack of everything, built by the real provider of AWS on Moto, looked at, and removed."""

import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import example_code
import pytest
from botocore.exceptions import ClientError
from servers.moto import Moto

from glacier import Bucket, GlacierEnv, Serverless
from glacier.config import AwsConfig, LambdaConfig, S3Config
from glacier.environment import Defaults
from glacier.providers import AWSProvider
from terraform.aws_plugin import MIRROR, SOURCE, WHY_NOT, AwsTerraform
from terraform.configuration import read
from terraform.examples import CLOUDS, EXAMPLES, HOSTILE
from terraform.provider_schemas import ends
from terraform.terraform_cli import fmt, lay_out

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
    pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning"),
]

AT_ONCE = 4
"""Most of the time the provider waits until what it made is there for good."""

AWS = CLOUDS["aws"]
THERE = {"glacier-test-there", "there-already", "central-logs"}
"""Buckets that are there before."""
VALUES = {
    "aws_kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    "aws_access_log_bucket": "central-logs",
    "aws_code_signing_config_arn": "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0",
    "aws_subnet_ids": '["subnet-1"]',
    "aws_security_group_ids": '["sg-1"]',
}
"""What the platform would fill in."""
MADE = {
    "sales": ({"raw", "processed"}, set()),
    "shared": ({"lake"}, set()),
    "functions": ({"events"}, {"glacier-cleaner", "scoring-score"}),
    "scheduled": ({"feed"}, {"nightly-runner"}),
    "composed": ({"hybrid"}, set()),
    "hostile": ({"hostile", "hostile-2"}, {"glacier-hostile"}),
    "rich": ({"tiered", "plain"}, set()),
    "existing": ({"new"}, set()),
    "template": ({"prod"}, {"glacier-prod-cleaner", "totals-runner"}),
}
"""Buckets, without what all names begin with, and functions of each example."""


@pytest.fixture
def motos() -> Iterator[SimpleQueue[Moto]]:
    """Servers to borrow, as many as are needed at once."""
    free: SimpleQueue[Moto] = SimpleQueue()
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as starters:
        for server in starters.map(lambda _: Moto().__enter__(), range(AT_ONCE)):
            stack.push(server)
            free.put(server)
        yield free


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """The real provider of AWS, and a stand-in for Google's."""
    assert MIRROR
    made = lay_out(tmp_path / "mirror", [each for each in ends("newest") if each.name == "google"])
    for found in (MIRROR / SOURCE).glob("*/*"):  # Terraform follows a link only where a package begins
        (made / found.relative_to(MIRROR)).parent.mkdir(parents=True)
        (made / found.relative_to(MIRROR)).symlink_to(found)
    return made


def test_what_is_generated_is_built_as_it_was_asked_for_and_goes_without_a_trace(
    motos: SimpleQueue[Moto], plugins: Path, tmp_path: Path
) -> None:
    looks: dict[str, Callable[[Moto], None]] = {name: partial(_look_at_example, name) for name in MADE}
    looks["everything"] = _look_at_everything
    for name in looks:
        pipeline = everything() if name == "everything" else EXAMPLES[name](AWS)
        pipeline.run(mode="generate", output_dir=tmp_path / "made" / name)
    assert fmt(tmp_path / "made") == ""

    def life(name: str) -> None:
        moto = motos.get()
        try:
            build_and_remove(tmp_path / "made" / name, plugins, moto, looks[name])
        finally:
            motos.put(moto)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = {name: pool.submit(life, name) for name in reversed(looks)}
    failed = {name: repr(each.exception()) for name, each in done.items() if each.exception()}
    assert not failed, "\n".join(f"{name}: {said}" for name, said in failed.items())


def test_copies_are_planned(plugins: Path, tmp_path: Path) -> None:
    """Moto forgets which encrypted objects are copied, and each further plan would tell it again."""
    EXAMPLES["strict"](AWS).run(mode="generate", output_dir=tmp_path / "made")
    with Moto() as moto:
        terraform = AwsTerraform(tmp_path / "made", plugins, moto.endpoint, _values(tmp_path / "made"))
        terraform.init()
        assert terraform.validate() == []
        assert terraform.plan("-var-file=environments/test.tfvars")


def build_and_remove(folder: Path, plugins: Path, moto: Moto, look: Callable[[Moto], None]) -> None:
    """Take a module through its whole life: planned and built, planned without a difference, looked at, removed."""
    moto.reset()
    s3 = moto.client("s3")
    for name in THERE:
        s3.create_bucket(Bucket=name, ACL="log-delivery-write")
    terraform = AwsTerraform(folder, plugins, endpoint=moto.endpoint, values=_values(folder))
    values = f"-var-file=environments/{next((folder / 'environments').iterdir()).name}"
    terraform.init()
    assert terraform.validate() == []
    terraform.apply("-parallelism=30", values)
    again = terraform.run("plan", "-no-color", "-detailed-exitcode", "-parallelism=30", values, allowed=(0, 2))
    assert again.returncode == 0, again.stdout
    look(moto)
    terraform.destroy("-refresh=false", "-parallelism=30", values)
    # Read here, as Terraform loads the whole provider to show even this.
    assert json.loads((folder / "terraform.tfstate").read_text("utf-8"))["resources"] == []
    assert {each["Name"] for each in s3.list_buckets()["Buckets"]} == THERE
    assert moto.client("lambda").list_functions()["Functions"] == []
    assert moto.client("iam").list_roles()["Roles"] == []
    assert moto.client("sqs").list_queues().get("QueueUrls", []) == []


def _values(folder: Path) -> dict[str, str]:
    """Return what is left open in a module: what the platform names, secrets, and zips of code that is not found."""
    declared = {block.labels[0] for block in read(folder / "variables.tf", pytest.fail)}
    given = {name: value for name, value in VALUES.items() if name in declared}
    code = folder / "code.zip"
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("elsewhere.py", "def clean(event, context): ...\n")
    for name in declared - given.keys():
        if name.endswith("_package"):
            given[name] = str(code)
        elif name.startswith(("fn_", "cleaner_")):
            given[name] = HOSTILE
    return given


def _look_at_example(name: str, moto: Moto) -> None:
    buckets, functions = MADE[name]
    names = {AWS.bucket_name(each) for each in buckets}
    s3 = moto.client("s3")
    made = {each["Name"] for each in s3.list_buckets()["Buckets"]} - THERE
    assert {each for each in made if "-code-" not in each} == names
    assert len(made) == len(names) + bool(functions)
    for each in made:
        _look_at_bucket(s3, each, versioned=not each.endswith("-plain"))
    found = {each["FunctionName"]: each for each in moto.client("lambda").list_functions()["Functions"]}
    assert set(found) == functions
    assert all(each["TracingConfig"]["Mode"] == "Active" for each in found.values())
    groups = {each["logGroupName"] for each in moto.client("logs").describe_log_groups()["logGroups"]}
    assert groups == {f"/aws/lambda/{each}" for each in functions}
    if name == "template":
        _look_at_template(moto, found)
    if name == "hostile":
        variables = found["glacier-hostile"]["Environment"]["Variables"]
        assert (variables["HOSTILE"], variables["PASSWORD"]) == (HOSTILE, HOSTILE)
        tags = {each["Key"]: each["Value"] for each in s3.get_bucket_tagging(Bucket=min(names))["TagSet"]}
        assert tags.items() >= {AWS.tag}


def _look_at_template(moto: Moto, functions: dict[str, Any]) -> None:
    """What the platform gives is used, and whoever is to be told is told."""
    s3 = moto.client("s3")
    for each in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} - THERE:
        assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=each)
        assert s3.get_bucket_logging(Bucket=each)["LoggingEnabled"]["TargetBucket"] == VALUES["aws_access_log_bucket"]
        (rule,) = s3.get_bucket_encryption(Bucket=each)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == VALUES["aws_kms_key_arn"]
    for each in functions.values():
        assert (each["VpcConfig"]["SubnetIds"], each["VpcConfig"]["SecurityGroupIds"]) == (["subnet-1"], ["sg-1"])
        signing = moto.client("lambda").get_function_code_signing_config(FunctionName=each["FunctionName"])
        assert signing["CodeSigningConfigArn"] == VALUES["aws_code_signing_config_arn"]
    assert functions["totals-runner"]["KMSKeyArn"] == VALUES["aws_kms_key_arn"]
    alarms = {each["AlarmName"] for each in moto.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert {"glacier-production totals-runner errors", "glacier-production glacier-test-prod server errors"} <= alarms


def _look_at_bucket(s3: Any, name: str, versioned: bool) -> None:
    assert s3.get_bucket_versioning(Bucket=name).get("Status") == ("Enabled" if versioned else None)
    (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == ("aws:kms" if versioned else "AES256")
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert "abandoned-uploads" in {each["ID"] for each in rules}
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def everything() -> Any:
    """Return a pipeline that needs one of each kind of thing.

    What Moto takes and forgets is left out: the choice of encrypted objects in a replication.
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


def _look_at_everything(moto: Moto) -> None:
    _look_at_buckets(moto, moto.client("s3"))
    _look_at_functions(moto)
    _look_at_the_rest(moto)


def _look_at_buckets(moto: Moto, s3: Any) -> None:
    names = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    code = next(name for name in names if name.startswith("glacier-production-code-"))
    assert names - THERE == {"critical-sales", "archived-sales", "sales-copy", code}
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
    assert cleaner["Environment"]["Variables"] == {"LEVEL": "${INFO}", "API_TOKEN": HOSTILE}
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
