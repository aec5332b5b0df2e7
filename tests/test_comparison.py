"""Two environments side by side: the infrastructure that each of them would generate."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from notebook import notebook
from typer.testing import CliRunner

from glacier import Bucket, GlacierEnv, Project, diff
from glacier.cli import app
from glacier.config import AwsConfig
from glacier.providers import AWSProvider

PROJECT = """
[env.dev]
provider = "local"
base_path = "dev"

[env.dev.resources.sales]
bucket = "acme-sales"
path = "raw.parquet"

[env.staging]
extends = "dev"
provider = "aws"
region = "eu-west-1"

[env.prod]
extends = "staging"

[env.prod.resources.sales]
config = { versioning = false }

[env.google]
extends = "dev"
provider = "gcp"
project_id = "acme-dev"
region = "europe-west1"
"""
PIPELINE = """
import polars as pl
from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="dev")), "dev")
env.register("sales", Bucket(env.provider, "acme-sales", "raw.parquet"))

@env.task()
def total(sales: Bucket) -> pl.DataFrame:
    return sales.read().sum()

@env.pipeline()
def totals():
    return total()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glacier.toml").write_text(PROJECT)
    (tmp_path / "totals.py").write_text(PIPELINE)
    return Project.find()


def test_resources_and_settings_that_differ_stand_side_by_side(project: Project) -> None:
    found = diff(project.env("staging"), project.env("prod")).infrastructure
    rows = {(row.section, row.setting): row for row in found.rows}
    versioning = rows.pop(("aws_s3_bucket_versioning.sales", "kind"))
    assert (versioning.left.value, versioning.left.level) == ("aws_s3_bucket_versioning", "bucket acme-sales")
    assert versioning.right is None
    waits = rows.pop(("aws_s3_bucket_lifecycle_configuration.sales", "depends_on"))
    assert (waits.left.value, waits.right) == ("[aws_s3_bucket_versioning.sales]", None)
    assert not rows
    assert (found.sizes, found.same) == ((7, 6), 5)


def test_variables_stand_there_with_the_environments_values(project: Project) -> None:
    def env(bucket: str) -> GlacierEnv:
        made = GlacierEnv(AWSProvider(config=AwsConfig(region="eu-west-1")), bucket)
        made.register("sales", Bucket(made.provider, bucket, "raw.parquet"))
        return made

    rows = {(row.section, row.setting): row for row in diff(env("acme-one"), env("acme-two")).infrastructure.rows}
    bucket = rows["aws_s3_bucket.sales", "bucket"]
    assert (bucket.left.value, bucket.right.value) == ('"acme-one"', '"acme-two"')
    assert (bucket.left.level, bucket.right.level) == ("bucket acme-one", "bucket acme-two")


def test_a_local_environment_builds_nothing(project: Project) -> None:
    found = diff(project.env("dev"), project.env("prod"))
    assert found.infrastructure.sizes[0] == found.infrastructure.same == 0
    assert {row.setting for row in found.infrastructure.rows} == {"kind"}
    assert f"infrastructure: 0 resources in dev, {found.infrastructure.sizes[1]} in prod, 0 the same" in str(found)
    assert "aws_s3_bucket.sales" in str(found)
    assert "<td" in found._repr_html_()
    assert "aws_s3_bucket.sales" in found._repr_html_()


def test_clouds_stand_side_by_side(project: Project) -> None:
    rows = {row.section: row for row in diff(project.env("staging"), project.env("google")).infrastructure.rows}
    assert rows["aws_s3_bucket.sales"].right is None
    assert rows["google_storage_bucket.sales"].left is None


def test_the_same_environment_differs_in_nothing(project: Project) -> None:
    found = diff(project.env("prod"), project.env("prod")).infrastructure
    assert found.rows == ()
    assert found.sizes == (found.same, found.same)
    assert found.same > 0


def test_what_cannot_be_generated_is_said_and_the_settings_are_compared_still(project: Project) -> None:
    prod = project.env("prod")
    prod.register("score", prod.provider.serverless("score", handler="..."))
    found = diff(project.env("dev"), prod)
    assert found.differences
    assert found.infrastructure.notes[0].startswith("infrastructure of prod is not known: ")
    assert found.infrastructure.notes[0] in str(found)
    assert "infrastructure of prod is not known" in found._repr_html_()


def test_a_pipeline_that_cannot_be_followed_is_said_and_the_rest_counts(project: Project) -> None:
    dev, prod = project.env("dev"), project.env("prod")

    @dev.pipeline()
    def asking(day: str) -> str:
        return day

    @dev.pipeline()
    def broken() -> float:
        return 1 / 0

    found = diff(dev, prod, pipelines=[asking, broken]).infrastructure
    assert found.sizes == (0, 6)
    said = "\n".join(found.notes)
    assert "infrastructure of pipeline asking in prod is not known: " in said
    assert "nothing for its parameter 'day'" in said
    assert "infrastructure of pipeline broken in dev is not known: ZeroDivisionError: division by zero" in said
    assert len(found.notes) == 4


def test_pipelines_count_in_each_environment(project: Project) -> None:
    @project.env("dev").task(executor="lambda")
    def total(sales: Bucket) -> pl.DataFrame:
        return sales.read().sum()

    @total.env.pipeline()
    def totals():
        return total()

    without, found = (diff(total.env, project.env("prod"), pipelines=given).infrastructure for given in ((), (totals,)))
    extra = {row.section for row in found.rows} - {row.section for row in without.rows}
    assert "aws_lambda_function.totals_total" in extra
    assert any(address.startswith("aws_iam_role") for address in extra)
    assert found.sizes[0] == 0


def test_the_command_shows_text_and_json(project: Project) -> None:
    shown = CliRunner().invoke(app, ["diff", "dev", "prod"])
    assert (shown.exit_code, "aws_s3_bucket.sales" in shown.output) == (0, True)
    assert "aws_iam" not in shown.output
    done = CliRunner().invoke(app, ["diff", "dev", "prod", "--pipeline", "totals.py:totals", "--json"])
    plain = json.loads(done.output)["infrastructure"]
    assert plain["resources"]["left"] == 0
    assert {row["kind"] for row in plain["differences"]} >= {"aws_s3_bucket", "aws_iam_role"}
    assert plain["differences"][0].keys() == {
        "kind",
        "address",
        "setting",
        "left",
        "left_for",
        "right",
        "right_for",
    }


def test_the_notebooks_pipelines_count(project: Project, tmp_path: Path) -> None:
    with notebook(tmp_path / "ipython") as nb:
        nb.run("%load_ext glacier_magics")
        before = nb.run("%glacier diff dev prod --json").value.value["infrastructure"]
        nb.run("@env.task()\ndef total(sales: Bucket):\n    return sales.read().sum()")
        nb.run("@env.pipeline()\ndef totals():\n    return total()")
        shown = nb.run("%glacier diff dev prod")
        after = nb.run("%glacier diff dev prod --json").value.value["infrastructure"]
    assert after["resources"]["right"] > before["resources"]["right"]
    assert "aws_s3_bucket.sales" in shown.bundle["text/plain"]
    assert "aws_s3_bucket.sales" in shown.bundle["text/html"]


def test_a_secret_of_a_function_stays_out(project: Project) -> None:
    def env(secret: str) -> GlacierEnv:
        made = project.env("prod")
        config = made.provider.function_class(environment_vars={"DB_PASSWORD": secret, "MODE": secret[:3]})
        made.register("score", made.provider.serverless("score", handler="json.dumps", config=config))
        return made

    found = diff(env("one-canary"), env("two-canary"))
    assert "canary" not in f"{found} {found._repr_html_()} {found.plain()}"
    rows = {row.setting: row for row in found.infrastructure.rows}
    assert rows["environment.variables.MODE"].right.value == '"two"'


def test_what_is_the_same_of_several_resources_is_one_row(project: Project) -> None:
    envs = [project.env("dev"), project.env("prod")]
    for env in envs:
        for name in ("a", "b", "c", "d", "e"):
            env.register(name, env.provider.bucket("acme-more", path=f"{name}.parquet"))
    found = diff(*envs)
    assert sum(row.setting == "region" for row in found.differences) == 7
    (region,) = [line for line in str(found).splitlines() if line.startswith("resources") and "region" in line]
    assert region.split("  ")[0] == "resources sales, a, b, c and 2 more"
    assert "resource a  " in str(found)  # its address is its own
