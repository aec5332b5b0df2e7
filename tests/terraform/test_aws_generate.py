"""Terraform for AWS: every example, checked by schema."""

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from glacier import Bucket, GlacierEnv, Serverless
from glacier.config import AwsConfig, LambdaConfig, LocalConfig, S3Config
from glacier.environment import Defaults
from glacier.errors import ConfigError, InfrastructureError
from glacier.providers import AWSProvider, LocalProvider
from glacier.providers.aws.terraform import expression_of
from glacier.schedules import schedule
from terraform.configuration import Expression, read
from terraform.examples import CLOUDS, EXAMPLES
from terraform.provider_schemas import ENDS, ends
from terraform.schema_checker import check
from terraform.terraform_cli import MISSING, fmt

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")

AWS = CLOUDS["aws"]
STANDARD = {"terraform.tf", "providers.tf", "variables.tf", "locals.tf", "storage.tf", "iam.tf", "outputs.tf"}
STANDARD |= {"README.md", ".gitignore", ".glacier-manifest.json"}


def env(**options: Any) -> GlacierEnv:
    return GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1")), "production", **options)


def reading(env: GlacierEnv, *buckets: Bucket, **options: Any) -> Any:
    """Return a pipeline that reads buckets."""

    @env.task()
    def read_all(sources: list[Bucket]) -> list[pl.DataFrame]:
        return [source.read() for source in sources]

    @env.pipeline(**options)
    def reads() -> Any:
        return read_all(list(buckets))

    return reads


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    for name, example in EXAMPLES.items():
        example(AWS).run(mode="generate", output_dir=folder / name)
        example(AWS).run(mode="generate", output_dir=folder / f"{name}-json", format="json")
    return folder


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_pass_the_schema_checker_at_both_ends(generated: Path, example: str) -> None:
    for folder in (generated / example, generated / f"{example}-json"):
        assert {end: check(folder, ends(end)) for end in ENDS} == {end: [] for end in ENDS}


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_terraform_would_format_nothing(generated: Path) -> None:
    assert fmt(generated) == ""


@pytest.mark.parametrize("example", EXAMPLES)
def test_generating_again_changes_nothing(generated: Path, example: str, tmp_path: Path) -> None:
    again = EXAMPLES[example](AWS).run(mode="generate", output_dir=tmp_path)
    assert sorted(path.name for path in map(Path, again["files"]) if path.suffix == ".tfvars")
    here, there = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path, generated / example)
    )
    assert here == there
    once_more = EXAMPLES[example](AWS).run(mode="generate", output_dir=tmp_path)
    assert once_more["changes"] == {"new": [], "changed": [], "removed": []}


# What blocks say ------------------------------------------------------------------------------------------------------


def blocks(folder: Path, kind: str) -> dict[str, Any]:
    """Return the blocks of a resource type, by label."""
    found = [block for path in sorted(folder.glob("*.tf")) for block in read(path, pytest.fail)]
    return {block.labels[1]: block.body for block in found if len(block.labels) == 2 and block.labels[0] == kind}


def text(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for path in sorted(folder.rglob("*")) if path.suffix in {".tf", ".tfvars"})


def test_the_files_are_those_that_a_reviewer_expects(tmp_path: Path) -> None:
    here = env()
    found = reading(here, here.provider.bucket("sales", path="x.parquet")).run(mode="generate", output_dir=tmp_path)
    more = {"production.tfvars", "production.s3.tfbackend"}
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == STANDARD | more
    assert {Path(path).name for path in found["files"]} == STANDARD - {".glacier-manifest.json"} | more
    assert found["output_dir"] == str(tmp_path)
    assert found["resources"]["aws_s3_bucket.sales"] == "bucket sales"
    assert found["warnings"] == []
    assert "lock" not in "".join(found["files"])
    assert str(tmp_path) not in text(tmp_path)
    assert str(Path.home()) not in text(tmp_path)


def test_a_bucket_is_safe_by_default(tmp_path: Path) -> None:
    here = env()
    reading(here, here.provider.bucket("sales", path="x.parquet")).run(mode="generate", output_dir=tmp_path)
    around = (
        "ownership_controls public_access_block versioning server_side_encryption_configuration "
        "lifecycle_configuration policy"
    )
    for name in around.split():
        assert set(blocks(tmp_path, f"aws_s3_bucket_{name}")) == {"sales"}
    storage = (tmp_path / "storage.tf").read_text()
    said = ('sse_algorithm = "aws:kms"', "bucket_key_enabled = true", '"aws:SecureTransport"')
    for line in (*said, "days_after_initiation"):
        assert line in storage


def test_settings_become_blocks(tmp_path: Path) -> None:
    here = env()
    config = S3Config(
        versioning=False,
        encryption="AES256",
        storage_class="STANDARD_IA",
        lifecycle_rules=[{"days": 60, "transition": "GLACIER", "prefix": "raw/"}, {"days": 1, "expiration": True}],
        public_access_block=False,
        access_log_bucket="logs-of-all",
        event_notifications=True,
        tags={"owner": "data"},
    )
    reading(here, here.provider.bucket("sales", path="x.parquet", config=config)).run(
        mode="generate", output_dir=tmp_path
    )
    assert blocks(tmp_path, "aws_s3_bucket_versioning") == {}
    storage = (tmp_path / "storage.tf").read_text()
    for line in (
        'sse_algorithm = "AES256"',
        'days          = 30\n      storage_class = "STANDARD_IA"',
        'days          = 60\n      storage_class = "GLACIER"',
        'prefix = "raw/"',
        "block_public_acls       = false",
        'target_bucket = "logs-of-all"',
        "eventbridge = true",
        'owner = "data"',
    ):
        assert line in storage
    declined = re.findall(r"skip=(\w+):", storage)
    assert declined == ["CKV_AWS_21", "CKV_AWS_144", "CKV_AWS_145", "CKV2_AWS_6"]


@pytest.mark.parametrize(("platform", "said", "sends"), [(True, None, True), (True, False, False), (False, True, True)])
def test_events_are_sent_where_the_platform_or_the_bucket_says(
    tmp_path: Path, platform: bool, said: bool | None, sends: bool
) -> None:
    here = env()
    config = S3Config(platform=platform, event_notifications=said)
    reading(here, here.provider.bucket("sales", path="x", config=config)).run(mode="generate", output_dir=tmp_path)
    assert bool(blocks(tmp_path, "aws_s3_bucket_notification")) == sends


def test_one_bucket_of_several_resources_is_one_resource(tmp_path: Path) -> None:
    here = env()
    config = S3Config(versioning=True)
    one = here.provider.bucket("sales", path="a.parquet", config=config)
    reading(here, one, here.provider.bucket("sales", path="b.parquet")).run(mode="generate", output_dir=tmp_path)
    assert list(blocks(tmp_path, "aws_s3_bucket")) == ["sales"]
    other = here.provider.bucket("sales", path="b.parquet", config=S3Config(versioning=False))
    with pytest.raises(ConfigError, match=r"[ab]\.parquet.*[ab]\.parquet.*different configs"):
        reading(here, one, other).run(mode="generate", output_dir=tmp_path / "other")


def test_an_existing_bucket_is_a_data_source(tmp_path: Path) -> None:
    here = env()
    there = here.provider.bucket("sales", path="x.parquet", config=S3Config(existing=True))
    reading(here, there).run(mode="generate", output_dir=tmp_path)
    assert [block.kind for block in read(tmp_path / "storage.tf", pytest.fail)] == ["data"]
    assert "data.aws_s3_bucket.sales.arn" in (tmp_path / "iam.tf").read_text()


def test_copies_go_to_a_second_provider(tmp_path: Path) -> None:
    here = env()
    to = {"destination_bucket": "sales-copy", "destination_region": "us-west-2"}
    copied = here.provider.bucket("sales", path="x.parquet", config=S3Config(replication_config=to))
    reading(here, copied).run(mode="generate", output_dir=tmp_path)
    assert 'alias   = "us_west_2"\n  region  = "us-west-2"' in (tmp_path / "providers.tf").read_text()
    assert set(blocks(tmp_path, "aws_s3_bucket")) == {"sales", "sales_replica"}
    assert set(blocks(tmp_path, "aws_s3_bucket_versioning")) == {"sales", "sales_replica"}
    assert "aws_s3_bucket_replication_configuration" in (tmp_path / "storage.tf").read_text()
    given = S3Config(replication_config={**to, "role": "arn:aws:iam::123456789012:role/copies"})
    there = here.provider.bucket("sales", path="x.parquet", config=given)
    reading(here, there).run(mode="generate", output_dir=tmp_path)
    assert "sales_replication" not in (tmp_path / "iam.tf").read_text()


def test_a_copy_is_logged_and_sends_events_as_well(tmp_path: Path) -> None:
    here = env()
    to = {"destination_bucket": "sales-copy", "destination_region": "us-west-2", "access_log_bucket": "logs-us-west-2"}
    config = S3Config(replication_config=to, access_log_bucket="logs", event_notifications=True)
    copied = here.provider.bucket("sales", path="x.parquet", config=config)
    reading(here, copied).run(mode="generate", output_dir=tmp_path)
    logs = {
        label: body.attributes["target_bucket"] for label, body in blocks(tmp_path, "aws_s3_bucket_logging").items()
    }
    assert logs == {"sales": "logs", "sales_replica": "logs-us-west-2"}
    assert set(blocks(tmp_path, "aws_s3_bucket_notification")) == {"sales", "sales_replica"}
    storage = (tmp_path / "storage.tf").read_text()
    assert set(re.findall(r"(?:skip=|ignore:)([\w-]+)[: ](.*)", storage)) == {
        ("AWS-0132", "AWS' own key: S3Config(kms_key=...)"),
        ("AWS-0132", "AWS' own key: S3ReplicationConfig(kms_key=...)"),
    }


@pytest.mark.parametrize("others", [(), ("made",)])
def test_code_goes_where_the_function_says(others: tuple[str, ...], tmp_path: Path) -> None:
    here = env()
    given = {"given": LambdaConfig(code_bucket="platform-artifacts"), **dict.fromkeys(others)}
    for name, config in given.items():
        here.register(name, here.provider.serverless(name, handler="handlers.clean", config=config))
    here.export(tmp_path)
    objects = {label: body.attributes for label, body in blocks(tmp_path, "aws_s3_object").items()}
    assert objects["given"]["bucket"] == "platform-artifacts"
    assert "depends_on" not in objects["given"]
    assert set(blocks(tmp_path, "aws_s3_bucket")) == ({"code_of_functions"} if others else set())
    assert all("depends_on" in objects[name] for name in others)
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}


def test_tags_cascade(tmp_path: Path) -> None:
    provider = AWSProvider(config=AwsConfig(region="us-east-1", tags={"team": "data", "cost": "1"}))
    here = GlacierEnv(provider, "production", defaults=Defaults(tags={"stage": "prod"}))
    config = S3Config(tags={"cost": "2", "own": "x"})
    reading(here, provider.bucket("sales", path="x.parquet", config=config)).run(mode="generate", output_dir=tmp_path)
    values = (tmp_path / "locals.tf").read_text()
    assert 'cost  = "1"\n    stage = "prod"\n    team  = "data"' in values
    assert 'cost = "2"\n    own  = "x"\n  }' in (tmp_path / "storage.tf").read_text()


def calling(here: GlacierEnv, function: Serverless, timeout: float | None = None) -> Any:
    @here.task(timeout=timeout)
    def call(fn: Serverless) -> Any:
        return fn.invoke()

    @here.pipeline()
    def calls() -> Any:
        return call(function)

    return calls


def test_a_function_brings_its_code(tmp_path: Path) -> None:
    here = env()
    fn = here.provider.serverless("cleaner", handler="handlers.clean")
    found = calling(here, fn, timeout=77).run(mode="generate", output_dir=tmp_path)
    package = (tmp_path / "packages" / "cleaner.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert "handlers.py" in archive.namelist()
        assert b"def clean" in archive.read("handlers.py")
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    made = blocks(tmp_path, "aws_lambda_function")["cleaner"].attributes
    assert (made["handler"], made["timeout"], made["runtime"]) == ("handlers.clean", 77, "python3.12")
    assert set(blocks(tmp_path, "aws_cloudwatch_log_group")) == set(blocks(tmp_path, "aws_iam_role")) - {"calls_runner"}
    again = calling(env(), env().provider.serverless("cleaner", handler="handlers.clean"), timeout=77)
    assert again.run(mode="generate", output_dir=tmp_path)["changes"]["changed"] == []
    manifest = json.loads((tmp_path / ".glacier-manifest.json").read_text())
    assert manifest["files"]["packages/cleaner.zip"] == hashlib.sha256(package).hexdigest()
    assert found["warnings"] == []


def test_code_that_is_not_found_is_a_variable_and_said(tmp_path: Path) -> None:
    here = env()
    fn = here.provider.serverless("cleaner", handler="nowhere.clean")
    found = calling(here, fn).run(mode="generate", output_dir=tmp_path)
    assert any("no file has its handler 'nowhere.clean'" in line for line in found["warnings"])
    assert not (tmp_path / "packages").exists()
    assert 'variable "cleaner_package"' in (tmp_path / "variables.tf").read_text()


def test_a_placeholder_is_no_handler_and_no_path(tmp_path: Path) -> None:
    here = env()
    with pytest.raises(InfrastructureError, match="placeholder"):
        calling(here, here.provider.serverless("cleaner", handler="...")).run(mode="generate", output_dir=tmp_path)
    with pytest.raises(InfrastructureError, match="placeholder"):
        reading(here, here.provider.bucket("sales", path="...")).run(mode="generate", output_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_variables_without_values(tmp_path: Path) -> None:
    here = env()
    config = LambdaConfig(environment_vars={"API_TOKEN": "s3cr3t", "LEVEL": "INFO"})
    fn = here.provider.serverless("cleaner", handler="handlers.clean", config=config)
    found = calling(here, fn).run(mode="generate", output_dir=tmp_path)
    assert "s3cr3t" not in text(tmp_path) + (tmp_path / "README.md").read_text() + str(found)
    assert 'LEVEL     = "INFO"' in (tmp_path / "functions.tf").read_text()
    assert "sensitive   = true" in (tmp_path / "variables.tf").read_text()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("rate(1 hour)", "rate(1 hour)"),
        ("rate(5 minutes)", "rate(5 minutes)"),
        ("cron(0 6 * * 1-5)", "cron(0 6 ? * 2-6 *)"),
        ("cron(*/15 0-6/2 1,15 * *)", "cron(*/15 0-6/2 1,15 * ? *)"),
        ("cron(0 0 * * 0,6)", "cron(0 0 ? * 1,7 *)"),
        ("cron(30 2 * 1-12/3 */2)", "cron(30 2 ? 1-12/3 */2 *)"),
    ],
)
def test_schedules_are_written_as_the_scheduler_reads_them(given: str, expected: str) -> None:
    assert expression_of(schedule(given)) == expected


CRONS = ("60 * * * *", "* 24 * * *", "* * 0 * *", "* * 1 * 1", "* * * * 7", "5/2 * * * *", "5-1 * * * *", "a * * * *")
NO_SCHEDULES = ["", "hourly", "rate(0 hours)", "rate(60 minutes)", "rate(1 week)", "rate(1.5 hours)", "rate(1 hour"]
NO_SCHEDULES += [f"cron({fields})" for fields in (*CRONS, "*/0 * * * *", "1,,2 * * * *", "0 0 * * ?", "* * * *")]


@pytest.mark.parametrize("given", NO_SCHEDULES)
def test_a_schedule_that_no_cloud_has_is_refused_where_it_is_written(given: str) -> None:
    def nightly() -> None: ...

    with pytest.raises(ConfigError, match="a schedule"):
        env().pipeline(schedule=given)(nightly)


def test_two_environments_share_a_module(tmp_path: Path) -> None:
    def here(name: str, memory: int) -> GlacierEnv:
        made = GlacierEnv(AWSProvider(config=AwsConfig(region="eu-west-1", tags={"stage": name})), name)
        config = LambdaConfig(memory=memory)
        made.register("fn", made.provider.serverless("cleaner", handler="handlers.clean", config=config))
        made.register("sales", made.provider.bucket(f"sales-{name}", path="x.parquet"))
        return made

    staging, production = here("staging", 256), here("production", 1024)

    @staging.task()
    def work(sales: Bucket, fn: Serverless) -> Any:
        return fn.invoke(sales.read().to_dicts())

    @staging.pipeline()
    def works() -> Any:
        return work()

    found = works.run(mode="generate", output_dir=tmp_path, environments=[staging, production])
    assert sorted(path.name for path in tmp_path.glob("*/*.tfvars")) == ["production.tfvars", "staging.tfvars"]
    assert sorted(path.name for path in tmp_path.glob("*/*.tfbackend")) == [
        "production.s3.tfbackend",
        "staging.s3.tfbackend",
    ]
    memory = blocks(tmp_path, "aws_lambda_function")["fn"].attributes["memory_size"]
    assert memory == Expression("${var.fn_memory_size}")
    assert "sales_bucket" in (tmp_path / "environments/staging.tfvars").read_text()
    assert "1024" in (tmp_path / "environments/production.tfvars").read_text()
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    assert {each["environment"] for each in found["permissions"]} == {"staging", "production"}
    production.register(
        "sales", production.provider.bucket("sales", path="x.parquet", config=S3Config(versioning=False))
    )
    found = works.run(mode="generate", output_dir=tmp_path, environments=[staging, production])
    assert found["switches"] == {"sales_versioning": ["staging"]}


def test_an_environment_exports_everything_that_is_registered(tmp_path: Path) -> None:
    here = env(resources={"unused": AWSProvider(config=AwsConfig(region="us-east-1")).bucket("unused", path="x.csv")})
    reading(here, here.provider.bucket("sales", path="x.parquet"), name="first")
    reading(here, here.provider.bucket("more", path="x.parquet"), name="second")
    found = here.export(tmp_path)
    assert set(blocks(tmp_path, "aws_s3_bucket")) == {"sales", "more", "unused"}
    assert {each["principal"] for each in found["permissions"]} == {"first_runner", "second_runner"}


def test_a_task_alone_generates_too(tmp_path: Path) -> None:
    here = env()
    here.register("sales", here.provider.bucket("sales", path="x.parquet"))

    @here.task()
    def extract(sales: Bucket) -> pl.LazyFrame:
        return sales.scan()

    found = extract.run(mode="generate", output_dir=tmp_path)
    (line,) = {use["line"] for each in found["permissions"] for use in each["uses"]} - {None} or {None}
    assert {use["task"] for each in found["permissions"] for use in each["uses"]} == {"extract"}
    assert line is None or line.startswith("tests/")


def test_permissions_name_task_and_line(tmp_path: Path) -> None:
    here = env()
    found = reading(here, here.provider.bucket("sales", path="x.parquet")).run(mode="generate", output_dir=tmp_path)
    first = found["permissions"][0]
    assert (first["principal"], first["actions"]) == ("reads_runner", ["s3:GetObject"])
    assert first["resources"] == ["aws_s3_bucket.sales.arn/x.parquet"]
    (use,) = first["uses"]
    file, _, line = use["line"].rpartition(":")
    lines = Path(__file__).read_text("utf-8").splitlines()
    assert (use["pipeline"], use["task"]) == ("reads", "read_all")
    assert Path(file).name == Path(__file__).name
    assert "return read_all(list(buckets))" in lines[int(line) - 1]


@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_may_do_everything(generated: Path, example: str) -> None:
    folder = generated / example
    for name, document in blocks(folder, "aws_iam_policy_document").items():
        for statement in document.blocks:
            if statement.kind == "statement" and statement.body.attributes.get("effect") != "Deny":
                attributes = statement.body.attributes
                assert all("*" not in action for action in attributes["actions"]), name
                assert "*" not in attributes.get("resources", []), name


def test_this_machine_needs_no_infrastructure(tmp_path: Path) -> None:
    here = LocalProvider(config=LocalConfig(base_path=tmp_path / "data")).env("local")
    with pytest.raises(InfrastructureError, match=r"'local' needs no infrastructure"):
        reading(here, here.provider.bucket("sales", path="x.parquet")).run(mode="generate", output_dir=tmp_path / "tf")
    assert not (tmp_path / "tf").exists()


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    here = env()
    with pytest.raises(ConfigError, match="yaml"):
        reading(here).run(mode="generate", output_dir=tmp_path, format="yaml")
