"""Environments of a project's file in one module, whatever their buckets are called."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glacier import Bucket, GlacierEnv
from glacier.cli import app
from glacier.config import AwsConfig, AzureBlobConfig, GCSConfig, S3Config
from glacier.infrastructure.unify import unified
from glacier.project import Project
from glacier.providers import AWSProvider
from glacier.terraform import Document, Ref, output
from terraform.configuration import read
from terraform.examples import CLOUDS
from terraform.provider_schemas import ENDS, ends
from terraform.schema_checker import check
from terraform.terraform_cli import MISSING, fmt

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")

PROJECT = """
[env.dev]
provider = "local"

[env.staging]
provider = "{provider}"
{fields}

[env.staging.resources]
sales = {{ bucket = "z-staging-lake", path = "sales.parquet" }}
old = {{ bucket = "z-staging-lake", path = "old.parquet" }}
report = {{ bucket = "a-staging-reports", path = "report.parquet" }}

[env.production]
extends = "staging"

[env.production.resources]
sales = {{ bucket = "b-production", path = "sales.parquet" }}
old = {{ bucket = "b-production", path = "old.parquet" }}
report = {{ bucket = "y-production", path = "report.parquet" }}
"""
PIPELINES = """
from glacier import Bucket
from glacier.project import Project

env = Project.find().env("dev")

@env.task()
def total(sales: Bucket, old: Bucket, report: Bucket) -> None:
    report.write(sales.read().vstack(old.read()))

@env.pipeline()
def totals() -> None:
    total()
"""
FIELDS = {
    "aws": 'region = "us-east-1"',
    "gcp": 'project_id = "glacier-test"',
    "azure": (
        'subscription_id = "00000000-0000-0000-0000-000000000000"\nresource_group = "data"\nlocation = "eastus"\n'
        'storage_account = "glaciermain"'
    ),
}
BUCKETS = {"aws": "aws_s3_bucket", "gcp": "google_storage_bucket", "azure": "azurerm_storage_container"}


@pytest.fixture(params=FIELDS)
def cloud(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project with environments in this cloud; the working directory lies in it."""
    text = PROJECT.format(provider=request.param, fields=FIELDS[request.param])
    (tmp_path / "glacier.toml").write_text(text, "utf-8")
    (tmp_path / "pipelines.py").write_text(PIPELINES, "utf-8")
    monkeypatch.chdir(tmp_path)
    return request.param


def made(folder: Path, kind: str) -> list[str]:
    """Return the labels of a kind of resource."""
    found = [block for path in sorted(folder.glob("*.tf")) for block in read(path, pytest.fail)]
    return [block.labels[1] for block in found if block.kind == "resource" and block.labels[0] == kind]


def export(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["export", "pipelines.py", "-o", "infra", "--json", *arguments])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_two_environments_of_the_project_share_a_module(cloud: str) -> None:
    found = export("--env", "staging", "--env", "prod")
    infra = Path("infra")
    assert made(infra, BUCKETS[cloud]) == ["report", "sales"]
    assert sorted(path.name for path in infra.glob("environments/*")) == ["production.tfvars", "staging.tfvars"]
    kinds = {path.name.split(".")[0] for path in infra.glob("backends/*.tfbackend")}
    assert kinds == {"production", "staging"}
    for name, buckets in (("staging", ("z-staging-lake", "a-staging-reports")), ("production", ("b-production",))):
        values = (infra / "environments" / f"{name}.tfvars").read_text("utf-8")
        assert all(f'"{bucket}"' in values for bucket in buckets)
    assert {each["environment"] for each in found["permissions"]} == {"staging", "production"}
    assert {end: check(infra, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    assert MISSING or fmt(infra) == ""


def test_an_environment_of_the_project_stands_in_for_that_of_the_file(cloud: str) -> None:
    found = export("--env", "production")
    assert {each["environment"] for each in found["permissions"]} == {"production"}
    assert [path.name for path in Path("infra", "environments").iterdir()] == ["production.tfvars"]


def test_whole_environments_share_a_module_too(cloud: str) -> None:
    project = Project.find()
    staging, production = project.env("staging"), project.env("production")
    staging.register("more", staging.provider.bucket("m-staging", path="x.csv"))
    production.register("more", production.provider.bucket("a-production", path="x.csv"))

    @staging.pipeline()
    def looks() -> Any:
        return staging.get("sales").read()

    @production.pipeline(name="looks")
    def again() -> Any:
        return production.get("sales").read()

    found = staging.export("infra", environments=[staging, production])
    assert made(Path("infra"), BUCKETS[cloud]) == ["more", "report", "sales"]
    assert {use["pipeline"] for each in found["permissions"] for use in each["uses"]} == {"looks"}


def test_each_environment_has_its_own_settings_whichever_the_pipeline_was_written_for(cloud: str) -> None:
    with Path("glacier.toml").open("a") as file:
        file.write("[env.production.bucket]\nversioning = false\n[env.production.task]\ntimeout = 60\n")
    project = Project.find()
    staging, production = project.env("staging"), project.env("production")

    @staging.task()
    def total(sales: Bucket, report: Bucket) -> None:
        report.write(sales.read())

    @staging.pipeline()
    def totals() -> None:
        total()

    both = {"environments": [staging, production]}
    totals.run(mode="generate", output_dir="written", **both)
    bound = production.bind(totals)
    bound.run(mode="generate", output_dir="bound", **both)
    staging.bind(bound).run(mode="generate", output_dir="back", **both)
    production.export("whole", environments=[staging, production])
    wanted = texts(Path("written"))
    assert texts(Path("bound")) == texts(Path("back")) == wanted
    assert '"b-production"' in texts(Path("whole"))["environments/production.tfvars"]
    assert total.config.timeout is None


def texts(folder: Path) -> dict[str, str]:
    """Return what a module's files say, by their names."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in found}


def resolved(folder: Path, name: str) -> str:
    """Return the module's text with the values of one environment in the place of variables."""
    values = dict(re.findall(r"^(\w+) *= (.*)$", (folder / "environments" / f"{name}.tfvars").read_text("utf-8"), re.M))
    text = "".join(path.read_text("utf-8") for path in sorted(folder.glob("*.tf")))
    text = re.sub(r"\$\{var\.(\w+)\}", lambda found: values.get(found[1], found[0]).strip('"'), text)
    return re.sub(r"var\.(\w+)", lambda found: values.get(found[1], found[0]), text)


RULES: dict[str, tuple[Any, tuple[str, str]]] = {
    "aws": (S3Config, ("GLACIER", "DEEP_ARCHIVE")),
    "gcp": (GCSConfig, ("COLDLINE", "ARCHIVE")),
    "azure": (AzureBlobConfig, ("Cool", "Archive")),
}


@pytest.mark.parametrize("cloud", RULES)
def test_each_of_several_blocks_keeps_its_own_values(cloud: str, tmp_path: Path) -> None:
    """Two lifecycle rules with a number each, and variables whose names differ only in case."""
    config, classes = RULES[cloud]
    days = {"staging": (31, 93), "production": (62, 124)}
    several = [CLOUDS[cloud].env(name) for name in days]
    for env in several:
        rules = [{"days": day, "transition": to} for day, to in zip(days[env.name], classes, strict=True)]
        env.register("sales", env.provider.bucket("glacier-sales", path="x", config=config(lifecycle_rules=rules)))
        variables = {"Level": f"1-{env.name}", "LEVEL": f"2-{env.name}", "API_TOKEN": "hush"}
        function = CLOUDS[cloud].function(variables)
        env.register("fn", env.provider.serverless("cleaner", handler="handlers.clean", config=function))
    several[0].export(tmp_path, environments=several)
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    for env in several:
        text = resolved(tmp_path, env.name)
        for day in days[env.name]:
            assert len(re.findall(rf"\b{day}$", text, re.M)) == 1
        assert f'"1-{env.name}"' in text
        assert f'"2-{env.name}"' in text


def test_paths_in_permissions_may_differ(tmp_path: Path) -> None:
    several = [CLOUDS["aws"].env(name) for name in ("staging", "production")]
    for env in several:
        env.register("sales", env.provider.bucket(f"sales-{env.name}", path=f"{env.name}/${{x}}/sales.parquet"))

    @several[0].task()
    def total(sales: Bucket) -> Any:
        return sales.read()

    @several[0].pipeline()
    def totals() -> Any:
        return total()

    totals.run("generate", output_dir=tmp_path, environments=several)
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    assert MISSING or fmt(tmp_path) == ""
    for env in several:
        escaped = "$${$}{x}"
        assert f'"${{aws_s3_bucket.sales.arn}}/{env.name}/{escaped}/sales.parquet"' in resolved(tmp_path, env.name)


def test_one_environment_may_have_a_profile_and_another_none(tmp_path: Path) -> None:
    several = [
        GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1", profile=profile)), name)
        for name, profile in (("staging", None), ("production", "prod"))
    ]
    for env in several:
        env.register("sales", env.provider.bucket(f"sales-{env.name}", path="x"))
    several[0].export(tmp_path, environments=several)
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    values = [(tmp_path / "environments" / f"{env.name}.tfvars").read_text("utf-8") for env in several]
    assert ["aws_profile" in text for text in values] == [False, True]


def test_descriptions_are_no_variables() -> None:
    value = Ref("aws_s3_bucket", "sales").bucket
    documents = {
        name: Document({"outputs.tf": (output("bucket_sales", f"Bucket of {name}.", value),), "variables.tf": ()})
        for name in ("staging", "production")
    }
    made = unified(documents, {name: {} for name in documents}).document.files
    (block,) = made["outputs.tf"]
    assert block.arguments == {"description": "Bucket of staging. / Bucket of production.", "value": value}
    assert made["variables.tf"] == ()
