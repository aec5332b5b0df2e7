"""What AWS takes in one form only, or not at all: policies, tags, names, keys, logs, copies, regions."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from glacier import Bucket, GlacierEnv, task
from glacier.config import AwsConfig, LambdaConfig, S3Config
from glacier.errors import ConfigError, MissingDependencyError
from glacier.infrastructure import Blueprint
from glacier.providers import AWSProvider
from glacier.providers.aws.terraform import blueprint
from terraform.configuration import Expression, Template, read
from terraform.made_needs import bucket, function, needs, write
from terraform.provider_schemas import ENDS, ends
from terraform.schema_checker import check

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")

KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"


def env() -> GlacierEnv:
    return GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1")), "production")


def draw(*made: Any, region: str = "us-east-1", **fields: Any) -> Blueprint:
    return blueprint(AwsConfig(region=region), needs(*made, **fields))


def text(folder: Path, name: str) -> str:
    return (folder / name).read_text("utf-8")


def moving(here: GlacierEnv, *buckets: Bucket) -> Any:
    """Return a pipeline that reads and writes buckets."""

    @here.task()
    def move(all: list[Bucket]) -> None:
        for each in all:
            each.write(each.read())

    @here.pipeline()
    def moves() -> None:
        move(list(buckets))

    return moves


# Policies ------------------------------------------------------------------------------------------------------------


def policies(folder: Path, names: dict[str, str]) -> dict[str, str]:
    """Return the documents of a module as JSON without spaces, in the partition with the longest name."""
    found: dict[str, str] = {}
    for block in read(folder / "iam.tf", pytest.fail):
        if block.kind == "data" and block.labels[0] == "aws_iam_policy_document":
            body: Any = block.body
            statements = [_json(each.body, names) for each in body.blocks if each.kind == "statement"]
            whole = {"Version": "2012-10-17", "Statement": statements}
            found[block.labels[1]] = json.dumps(whole, separators=(",", ":"))
    return found


def _json(body: Any, names: dict[str, str]) -> dict[str, Any]:
    given = {
        "Sid": body.attributes.get("sid"),
        "Effect": "Allow",
        "Action": body.attributes["actions"],
        "Resource": [_arn(each, names) for each in body.attributes.get("resources", [])],
    }
    conditions = {
        each.body.attributes["test"]: {each.body.attributes["variable"]: each.body.attributes["values"]}
        for each in body.blocks
        if each.kind == "condition"
    }
    return {**given, "Condition": conditions} if conditions else given


def _arn(value: Any, names: dict[str, str]) -> str:
    said = value.text if isinstance(value, Expression | Template) else value
    return re.sub(r"\$\{aws_s3_bucket\.(\w+)\.arn\}", lambda found: f"arn:aws-us-gov:s3:::{names[found[1]]}", said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("buckets", "paths", "platform"), [(1, 1, False), (100, 1, False), (1, 150, False), (12, 12, False), (60, 1, True)]
)
def test_no_policy_is_longer_than_iam_takes(buckets: int, paths: int, platform: bool, tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    here = env()
    names = {f"bucket_{number}": f"a-bucket-with-quite-a-long-name-{number}" for number in range(buckets)}
    made = [
        here.provider.bucket(name, path=f"folder/that/is/not/short/{path}.parquet", config=S3Config(platform=platform))
        for name in names.values()
        for path in range(paths)
    ]
    for label, name in names.items():
        here.register(label, next(each for each in made if each.bucket_name == name))
    found = moving(here, *made).run("generate", output_dir=tmp_path)
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    lengths = {label: len(document) for label, document in policies(tmp_path, names).items()}
    assert lengths.pop("moves_runner") <= 10_240
    lengths.pop("moves_runner_trust")
    assert all(each <= 6_144 for each in lengths.values())
    attached = [each for each in found["resources"] if each.startswith("aws_iam_role_policy_attachment.")]
    assert len(attached) == len(lengths)
    assert (len(attached) > 8) == any("IAM attaches 10" in line for line in found["warnings"])


def test_permissions_name_the_document_that_has_them(tmp_path: Path) -> None:
    here = env()
    names = {f"b{number}": f"a-bucket-with-quite-a-long-name-{number}" for number in range(60)}
    made = [here.register(label, here.provider.bucket(name, path="x.parquet")) for label, name in names.items()]
    found = moving(here, *made).run("generate", output_dir=tmp_path)
    documents = policies(tmp_path, names)
    assert len(documents) > 2
    for each in found["permissions"]:
        _, _, label, sid = each["address"].split(".")
        assert f'"Sid":"{sid}"' in documents[label]


def test_a_path_is_never_a_variable_of_iam(tmp_path: Path) -> None:
    """The provider writes `&{` as `${`, and has no escape for it."""
    here = env()
    made = here.provider.bucket("sales", path="a&{aws:username}/${b}.csv")
    found = moving(here, made).run("generate", output_dir=tmp_path)
    assert "&{" not in text(tmp_path, "iam.tf")
    assert "/a&?aws:username}/$${$}{b}.csv" in text(tmp_path, "iam.tf")
    assert found["permissions"][0]["resources"] == ["aws_s3_bucket.sales.arn/a&?aws:username}/${$}{b}.csv"]


@task(executor="lambda", timeout=5)
def log(logs: Bucket) -> None:
    logs.write(logs.read())


def test_a_bucket_called_logs_is_not_the_log_of_a_function(tmp_path: Path) -> None:
    here = env()
    here.register("logs", here.provider.bucket("some-logs", path="x.csv"))
    write_log = here.bind(log)

    @here.pipeline()
    def logging() -> None:
        write_log()

    logging.run("generate", output_dir=tmp_path)
    (document,) = [each for each in policies(tmp_path, {"logs": "some-logs"}).values() if "WriteLogs" in each]
    sids = re.findall(r'"Sid":"(\w+)"', document)
    assert len(set(sids)) == len(sids) == 5


# Keys ----------------------------------------------------------------------------------------------------------------


def test_keys_whose_names_read_alike_are_two_keys() -> None:
    keys = ("alias/a-b", "alias/a_b")
    made = [bucket(f"b{place}", S3Config(encryption="aws:kms", kms_key=key)) for place, key in enumerate(keys)]
    drawn = draw(*made, grants=[("runner", "read", each, "x") for each in made])
    found = [each for each in drawn.document if each.labels[:1] == ("aws_kms_key",)]
    assert [each.arguments["key_id"] for each in found] == list(keys)
    used = [each.resources for each in drawn.statements if each.actions == ("kms:Decrypt",)]
    assert used == [(f"{each.address}.arn",) for each in found]


def test_no_key_is_asked_for_where_none_is_used(tmp_path: Path) -> None:
    here = env()
    config = S3Config(encryption="AES256", platform=True)
    found = moving(here, here.provider.bucket("sales", path="x", config=config)).run("generate", output_dir=tmp_path)
    assert not any("kms" in action for each in found["permissions"] for action in each["actions"])
    assert "aws_kms_key_arn" not in text(tmp_path, "variables.tf")


def test_an_existing_bucket_has_the_key_that_is_named_and_nothing_else(tmp_path: Path) -> None:
    here = env()
    config = S3Config(
        existing=True, encryption="aws:kms", kms_key=KEY, versioning=True, tags={"a": "b"}, access_log_bucket="logs"
    )
    found = moving(here, here.provider.bucket("sales", path="x", config=config)).run("generate", output_dir=tmp_path)
    assert found["warnings"] == [
        "bucket sales is there already; nothing is done about its access_log_bucket, tags, versioning"
    ]
    assert [each["resources"] for each in found["permissions"] if each["actions"][0] == "kms:Decrypt"] == [[KEY]]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, ":us-west-2:${data.aws_caller_identity.current.account_id}:alias/aws/s3"),
        ("alias/copies", ":us-west-2:${data.aws_caller_identity.current.account_id}:alias/copies"),
        ("1234abcd-12ab", ":us-west-2:${data.aws_caller_identity.current.account_id}:key/1234abcd-12ab"),
        (KEY, KEY),
    ],
)
def test_the_key_of_copies_is_an_arn(key: str | None, expected: str, tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_EncryptionConfiguration.html"""
    to: Any = {"destination_bucket": "copied", "destination_region": "us-west-2", "kms_key": key}
    write(draw(bucket("sales", S3Config(replication_config=to))), tmp_path)
    (line,) = re.findall(r"replica_kms_key_id = (.*)", text(tmp_path, "storage.tf"))
    assert expected in line
    assert line.startswith('"arn:')


# Buckets -------------------------------------------------------------------------------------------------------------


def test_a_log_bucket_of_the_module_is_made_first_and_lets_s3_write(tmp_path: Path) -> None:
    logs = bucket("logs", S3Config(encryption="AES256"))
    made = [bucket(name, S3Config(access_log_bucket="logs")) for name in ("one", "two")]
    drawn = draw(*made, logs)
    storage = text(write(drawn, tmp_path), "storage.tf")
    assert storage.count("target_bucket = aws_s3_bucket.logs.id") == 2
    assert storage.count("depends_on = [aws_s3_bucket_policy.logs]") == 2
    assert 'identifiers = ["logging.s3.amazonaws.com"]' in storage
    assert "values   = [aws_s3_bucket.one.arn, aws_s3_bucket.two.arn]" in storage
    assert drawn.warnings == ()
    assert "S3 writes access logs only where" in draw(*made, bucket("logs", S3Config())).warnings[0]
    outside = text(write(draw(*made), tmp_path), "storage.tf")
    assert outside.count('target_bucket = "logs"') == 2
    assert "logging.s3" not in outside


@pytest.mark.parametrize(
    ("destination", "region", "said"),
    [
        ("sales", "us-west-2", "a bucket of this environment itself"),
        ("other", "us-west-2", "a bucket of this environment itself"),
        ("copied", "us-west-2", "the copy of 'other'"),
        ("free", "cn-north-1", "S3 copies within one partition"),
        ("free", "us-gov-west-1", "S3 copies within one partition"),
    ],
)
def test_a_copy_that_s3_cannot_make_is_refused(destination: str, region: str, said: str) -> None:
    def to(name: str, where: str) -> Any:
        return {"destination_bucket": name, "destination_region": where}

    other = bucket("other", S3Config(replication_config=to("copied", "us-west-2")))
    with pytest.raises(ConfigError, match=said):
        draw(other, bucket("sales", S3Config(replication_config=to(destination, region))))


# Functions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tags", "untagged"), [(10, False), (11, True)])
def test_code_has_no_more_tags_than_an_object_takes(tags: int, untagged: bool) -> None:
    drawn = draw(function("fn", LambdaConfig()), tags={f"t{number}": "x" for number in range(tags)})
    (made,) = [each for each in drawn.document if each.labels[:1] == ("aws_s3_object",)]
    assert [each.kind for each in made.blocks] == (["override_provider"] if untagged else [])


def test_a_tag_of_everything_that_has_no_value_is_told_of() -> None:
    drawn = draw(bucket("sales", S3Config()), tags={"a": "", "b": "x"})
    assert drawn.warnings == ("tag 'a' has no value, which the provider takes for a change in every plan; give it one",)


@pytest.mark.parametrize(("runtime", "version"), [("3.13", ">= 5.100, < 7.0"), ("3.14", ">= 6.20, < 7.0")])
def test_a_new_python_needs_a_new_provider(runtime: str, version: str) -> None:
    drawn = draw(function("fn", LambdaConfig(), runtime=runtime))
    assert drawn.requirements["aws"]["version"] == version


def test_descriptions_of_roles_have_latin_letters_only(tmp_path: Path) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"""
    here = env()

    @here.pipeline(name="données_日本語")
    def pipeline() -> Any:
        return here.provider.bucket("sales", path="x.csv").read()

    pipeline.run("generate", output_dir=tmp_path)
    (said,) = re.findall(r'description += "(Runs .*)"', text(tmp_path, "iam.tf"))
    assert said == "Runs pipeline données_???."


def test_a_function_of_glaciers_own_without_a_timeout_is_told_of() -> None:
    told = draw(function("fn", LambdaConfig(), variables={"GLACIER_TARGET": "m:f"}, origin="task f")).warnings
    assert told == ("function fn: Lambda ends it after 3 s; give task f a timeout=, or LambdaConfig(timeout=...)",)
    assert draw(function("fn", LambdaConfig(timeout=5), variables={"GLACIER_TARGET": "m:f"})).warnings == ()


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_no_partition_stands_in_a_name(region: str, tmp_path: Path) -> None:
    to: Any = {"destination_bucket": "copied", "destination_region": region}
    drawn = draw(
        bucket("sales", S3Config(replication_config=to)),
        function("fn", LambdaConfig()),
        region=region,
        when="rate(1 hour)",
    )
    write(drawn, tmp_path)
    whole = "".join(path.read_text("utf-8") for path in tmp_path.glob("*.tf"))
    assert "arn:aws" not in whole
    assert "arn:${data.aws_partition.current.partition}:iam::aws:policy/AWSXRayDaemonWriteAccess" in whole
    assert ("dns_suffix" in whole) == (region == "cn-north-1")


# What a task uses unseen ----------------------------------------------------------------------------------------------


def test_resources_that_no_source_names_are_told_of(tmp_path: Path) -> None:
    here = env()
    outside = here.provider.bucket("outside", path="x.csv")
    for name in ("one", "two"):
        here.register(name, here.provider.bucket(f"the-{name}", path="x.csv"))
    settings = {"a": "b"}

    @here.task()
    def odd(env: GlacierEnv) -> None:
        for name in ("one", "two"):
            here.get(name).read()
        settings.get(name)
        outside.read()
        env.provider.bucket("inner", path="x.csv").read()

    @here.task()
    def even(env: GlacierEnv) -> None:
        here.get("one").write(env.get("two").read())
        print(settings.outside)  # pyright: ignore[reportAttributeAccessIssue]
        later()

    @here.pipeline()
    def touches() -> None:
        odd()
        even()

    found = touches.run("generate", output_dir=tmp_path)

    def later() -> None: ...

    told = [
        re.fullmatch(r"task (\w+): it uses (.*), for which there is no permission; .*", line)
        for line in found["warnings"]
    ]
    assert [(each[1], each[2]) for each in told if each] == [
        ("odd", "Bucket('s3://outside/x.csv', format='csv')"),
        ("odd", "resources of env that its source does not name"),
        ("odd", "resources of here that its source does not name"),
    ]


def test_what_could_only_be_followed_roughly_is_told_of(tmp_path: Path) -> None:
    here = env()
    sales = here.register("sales", here.provider.bucket("sales", path="x.csv"))

    @here.pipeline()
    def loops() -> None:
        for row in sales.read():
            row.print()

    found = loops.run("generate", output_dir=tmp_path)
    assert any(line.startswith("pipeline loops: a loop over read() of unknown length") for line in found["warnings"])
    assert str(Path(__file__).parent) not in "".join(found["warnings"])


def test_a_schedule_gives_no_parameters(tmp_path: Path) -> None:
    here = env()
    sales = here.register("sales", here.provider.bucket("sales", path="x.csv"))

    @here.pipeline(schedule="rate(1 hour)")
    def daily(day: str, sales: Bucket, limit: int = 3, **more: Any) -> Any:
        return sales.read()

    found = daily.run("generate", output_dir=tmp_path, day="monday")
    assert any(
        "starts it without parameters, and it needs day; give them defaults" in line for line in found["warnings"]
    )
    assert sales.path == "x.csv"
    with pytest.raises(MissingDependencyError, match=r"parameter 'day'.*export this pipeline alone: daily\.run"):
        here.export(tmp_path / "whole")
