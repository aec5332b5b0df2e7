"""Terraform for AWS: every example, checked by schema, and planned by the real provider where the machine has it."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from servers.moto import Moto

from glacier import Bucket, GlacierEnv, Serverless
from glacier.config import AwsConfig, LambdaConfig, LocalConfig, S3Config
from glacier.environment import Defaults
from glacier.errors import ConfigError, InfrastructureError
from glacier.providers import AWSProvider, LocalProvider
from glacier.providers.aws.terraform import expression_of
from glacier.schedules import schedule
from terraform.aws_plugin import WHY_NOT, AwsTerraform
from terraform.configuration import read
from terraform.examples import CLOUDS, EXAMPLES, HOSTILE
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
    here, there = ({path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
                   for root in (tmp_path, generated / example))
    assert here == there
    once_more = EXAMPLES[example](AWS).run(mode="generate", output_dir=tmp_path)
    assert once_more["changes"] == {"new": [], "changed": [], "removed": []}


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with Moto() as server:
        server.client("s3").create_bucket(Bucket=AWS.bucket_name("there"))
        yield server


VALUES = {
    "aws_kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    "aws_access_log_bucket": "central-logs",
    "aws_code_signing_config_arn": "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0",
    "aws_subnet_ids": '["subnet-1"]',
    "aws_security_group_ids": '["sg-1"]',
}


@pytest.mark.slow
@pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
@pytest.mark.parametrize("example", [name for name in EXAMPLES if name != "composed"])
def test_the_real_provider_plans_it(moto: Moto, example: str, tmp_path: Path) -> None:
    EXAMPLES[example](AWS).run(mode="generate", output_dir=tmp_path)
    declared = {block.labels[0] for block in read(tmp_path / "variables.tf", pytest.fail)}
    values = {name: value for name, value in VALUES.items() if name in declared}
    given = {name: __file__ if name.endswith("_package") else HOSTILE for name in declared if name.startswith(("fn_", "clean"))}
    terraform = AwsTerraform(tmp_path, endpoint=moto.endpoint, values={**values, **given})
    terraform.init()
    assert terraform.validate() == []
    assert terraform.plan(f"-var-file=environments/{next((tmp_path / 'environments').iterdir()).name}")
