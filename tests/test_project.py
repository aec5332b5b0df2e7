"""Named environments out of a project's file."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from glacier import GlacierEnv, Project, diff
from glacier.errors import ConfigError

FILE = """
[env.dev]
provider = "local"
base_path = "./data"

[env.dev.resources.sales_raw]
bucket = "sales"
path = "raw/transactions.parquet"

[env.dev.resources.score]
handler = "scoring.handle"

[env.production]
extends = "dev"
provider = "aws"
region = "us-east-1"
profile = "prod"
protected = true
task = { retries = 3 }
bucket = { public_access_block = true }

[env.production.resources.sales_raw]
config = { versioning = true, encryption = "aws:kms" }
"""


@pytest.fixture
def write(tmp_path: Path):
    def make(text: str, name: str = "glacier.toml") -> Project:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return Project(tmp_path / name)

    return make


def refused(write, text: str, name: str = "a", **overrides: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        write(text).env(name, **overrides)
    return caught.value


# --- the file of the design ------------------------------------------------------------------------------------------


def test_the_environments_of_a_file_are_made_with_their_resources(write, tmp_path):
    project = write(FILE)
    dev = project.env("dev")
    assert project.names == ["dev", "production"]
    assert isinstance(dev, GlacierEnv)
    assert dev.provider.config.base_path == tmp_path / "data"
    assert dev.list_resources() == ["sales_raw", "score"]
    assert dev.get("sales_raw").uri == str(tmp_path / "data/sales/raw/transactions.parquet")
    assert dev.get("score").handler == "scoring.handle"
    assert dev.get("score").function_name == "score"


def test_an_environment_inherits_and_refines(write):
    env = write(FILE).env("prod")
    sales = env.get("sales_raw")
    assert env.name == "production"
    assert env.protected
    assert sales.uri == "s3://sales/raw/transactions.parquet"
    assert sales.config.versioning is True
    assert sales.config.encryption == "aws:kms"
    assert env.explain("sales_raw").origin("versioning") == "resource"
    assert env.explain("sales_raw").origin("public_access_block") == "environment production"

    @env.task()
    def clean():
        pass

    assert clean.config.retries == 3
    assert env.explain("clean").origin("retries") == "environment production"


def test_with_another_provider_its_fields_start_anew(write):
    env = write(FILE).env("production")
    assert "base_path" not in env.provider.config.model_fields_set


def test_settings_of_one_cloud_are_translated_for_another(write):
    text = FILE + '\n[env.google]\nextends = "production"\nprovider = "gcp"\nproject_id = "acme-data"\n'
    config = write(text).env("google").get("sales_raw").config
    assert type(config).__name__ == "GCSConfig"
    assert config.versioning is True


def test_a_level_refines_the_config_of_another_level_in_its_own_words(write):
    text = FILE + (
        '\n[env.google]\nextends = "production"\nprovider = "gcp"\nproject_id = "acme-data"\n'
        'bucket = {}\n[env.google.resources.sales_raw]\nconfig = { storage_class = "NEARLINE" }\n'
    )
    config = write(text).env("google").get("sales_raw").config
    assert (config.storage_class, config.versioning) == ("NEARLINE", True)


def test_a_template_brings_its_provider_and_defaults(write):
    env = write(
        '[env.a]\ntemplate = "ProductionAWSEnvironment"\nregion = "us-east-1"\ntask = { retries = 9 }\n'
        '[env.a.resources.raw]\nbucket = "raw-data"\npath = "x.parquet"\n'
    ).env("a")
    assert env.name == "a"
    assert env.explain("raw").origin("versioning") == "template ProductionAWSEnvironment"

    @env.task()
    def clean():
        pass

    assert (clean.config.retries, clean.config.retry_delay) == (9, 5)


def test_overrides_refine_like_one_more_table(write):
    env = write(FILE).env("production", region="eu-west-1", protected=False, task={"timeout": 5.0})
    assert env.provider.config.region == "eu-west-1"
    assert env.provider.config.profile == "prod"
    assert not env.protected


def test_the_table_of_a_pyproject_works_alike(write, tmp_path):
    text = "[project]\nname = 'x'\n\n" + FILE.replace("[env.", "[tool.glacier.env.")
    assert write(text, "pyproject.toml").env("dev").list_resources() == ["sales_raw", "score"]


def test_a_project_is_found_upward_and_glacier_toml_comes_first(tmp_path):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.glacier.env.other]\nprovider = 'local'\n")
    (tmp_path / "glacier.toml").write_text(FILE)
    assert Project.find(below).names == ["dev", "production"]
    assert Project.find(below).root == tmp_path


def test_without_a_project_the_error_says_what_to_write(tmp_path):
    with pytest.raises(ConfigError, match="no project above") as caught:
        Project.find(tmp_path)
    assert "glacier.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "default"),
    [
        (FILE, "dev"),
        ('default = "prod"\n' + FILE, "production"),
        ('[env.a]\nprovider = "aws"\nregion = "us-east-1"\nprotected = true\n', None),
        ("", None),
    ],
)
def test_a_project_knows_the_environment_to_begin_with(write, text, default):
    assert write(text).default == default


def test_two_environments_are_compared_by_effective_settings(write):
    project = write(FILE)
    found = diff(project.env("dev"), project.env("production"))
    rows = {(row.section, row.setting): row for row in found.differences}
    versioning = rows["resource sales_raw", "versioning"]
    assert versioning.left is None
    assert (versioning.right.value, versioning.right.level) == (True, "resource")
    assert ("resource score", "kind") not in rows
    assert "2 settings are the same" not in str(found)
    assert found.plain()["left"] == "dev"
    assert not diff(project.env("dev"), project.env("dev")).differences


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_beginning_that_fits_two_environments_is_refused(write):
    text = '[env.prod-eu]\nprovider = "local"\n[env.prod-us]\nprovider = "local"\n'
    said = str(refused(write, text, "prod"))
    assert "2 environments" in said
    assert "prod-eu, prod-us" in said


def test_an_exact_name_wins_over_longer_ones(write):
    project = write('[env.prod]\nprovider = "local"\n[env.prod-us]\nprovider = "local"\n')
    assert project.env("prod").name == "prod"


def test_an_unknown_environment_is_refused_with_the_nearest(write):
    assert "did you mean 'production'" in str(refused(write, FILE, "produktion"))


@pytest.mark.parametrize("name", ["", "nope"])
def test_a_name_that_is_none_is_refused(write, name):
    assert "no environments" in str(refused(write, FILE, name))


# --- errors name the place --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ('[env.a]\nprovider = "local"\nbase_pth = "x"\n', 3, "env.a.base_pth", "did you mean 'base_path'"),
        ('[env.a]\nprovider = "lokal"\n', 2, "env.a.provider", "did you mean 'local'"),
        ('[env.a]\ntemplate = "ProductionAwsEnvironment"\n', 2, "env.a.template", "ProductionAWSEnvironment"),
        ('[env.a]\ntemplate = "StagingAWSEnvironment"\nregin = "x"\n', 3, "env.a.regin", "did you mean 'region'"),
        ('[env.a]\nprovider = "local"\ntemplate = "StagingAWSEnvironment"\n', 3, "env.a.template", "leave out one"),
        ('[env.a]\nprovider = "local"\nlayout = "flt"\n', 3, "env.a.layout", "flat"),
        ('[env.a]\nprovider = "local"\ntask = { retris = 3 }\n', 3, "env.a.task.retris", "did you mean 'retries'"),
        ('[env.a]\nprovider = "local"\ntask = { retries = -1 }\n', 3, "env.a.task.retries", "greater than or equal"),
        ('[env.a]\nprovider = "local"\ntask = { executor = "dsk" }\n', 3, "env.a.task.executor", "did you mean 'dask'"),
        ('[env.a]\nprovider = "local"\nprotected = "yes"\n', 3, "env.a.protected", "must be a bool"),
        ('[env.a]\nprovider = "local"\nbucket = {}\n', 3, "env.a.bucket", "no such settings"),
        ('[env.a]\nprovider = "aws"\nregion = "moon-1"\n', 3, "env.a.region", "AWS region"),
        ('[env.a]\nextends = "b"\n', 2, "env.a.extends", "there is no environment 'b'"),
        ("[env.a]\nprotected = true\n", 1, "env.a", "names no provider"),
        (
            '[env.a]\nprovider = "local"\n[env.a.resources.x]\nbuckt = "b"\npath = "p"\n',
            4,
            "env.a.resources.x.buckt",
            "did you mean 'bucket'",
        ),
        (
            '[env.a]\nprovider = "local"\n[env.a.resources.x]\nbucket = "b"\n',
            3,
            "env.a.resources.x",
            "a bucket needs path",
        ),
        (
            '[env.a]\nprovider = "aws"\nregion = "us-east-1"\n[env.a.resources.x]\nbucket = "B"\npath = "p"\n',
            4,
            "env.a.resources.x",
            "S3 bucket name",
        ),
        (
            (
                '[env.a]\nprovider = "aws"\nregion = "us-east-1"\n[env.a.resources."x"]\nbucket = "bbb"\npath = "p"\n'
                "config = { versionin = true }\n"
            ),
            7,
            "env.a.resources.x.config.versionin",
            "did you mean 'versioning'",
        ),
        (
            '[env.a]\nprovider = "local"\n[env.a.resources.x]\nkind = "buckett"\n',
            3,
            "env.a.resources.x",
            "did you mean 'bucket'",
        ),
        ('[env.a]\nprovider = "local"\nresources = 3\n', 3, "env.a.resources", "must be a table"),
    ],
)
def test_an_error_names_file_line_and_key(write, text, line, key, says):
    error = refused(write, text)
    assert error.message.startswith(f"glacier.toml:{line}: {key}: ")
    assert says in str(error)


def test_environments_that_extend_each_other_are_refused(write):
    error = refused(write, '[env.a]\nextends = "b"\n[env.b]\nextends = "c"\n[env.c]\nextends = "a"\n')
    assert error.message.startswith("glacier.toml:6: env.c.extends")
    assert "a extends b extends c extends a" in error.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[env.a\n", "no TOML"),
        ('[env."a b"]\nprovider = "local"\n', "no legal environment name"),
        (
            "[environment.dev]\nprovider = 'local'\n",
            "glacier.toml:1: environment: there is no such key (known: default, env)",
        ),
        ("env = 3\n", "must be a table"),
        ("[env]\na = 3\n", "must be a table"),
    ],
)
def test_a_file_that_is_none_is_refused_when_it_is_read(write, text, says):
    with pytest.raises(ConfigError) as caught:
        write(text)
    assert says in str(caught.value)
    assert str(caught.value).startswith("glacier.toml")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "glacier.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        Project(tmp_path / "glacier.toml")


# --- variables and secrets --------------------------------------------------------------------------------------------

AZURE = """
[env.a]
provider = "azure"
subscription_id = "..."
resource_group = "rg"
location = "westeurope"
storage_account = "acmedata"
account_key = {key}
"""


def test_a_variable_is_read_when_the_environment_is_made(write, monkeypatch):
    project = write(AZURE.format(key='"${W1_STORAGE_KEY}"'))
    assert project.names == ["a"]
    with pytest.raises(ConfigError) as caught:
        project.env("a")
    assert caught.value.message == (
        "glacier.toml:8: env.a.account_key: the environment variable W1_STORAGE_KEY is not set"
    )
    monkeypatch.setenv("W1_STORAGE_KEY", "Q0FOQVJZ")
    env = project.env("a")
    assert env.provider.config.account_key == SecretStr("Q0FOQVJZ")
    shown = f"{env!r} {env.provider!r} {env.describe()} {diff(env, env)} {project!r} {project.entries}"
    assert "Q0FOQVJZ" not in shown


def test_a_variable_may_stand_within_a_text_and_be_a_number(write, monkeypatch):
    monkeypatch.setenv("W1_STAGE", "blue")
    monkeypatch.setenv("W1_SECONDS", "7200")
    env = write(
        '[env.a]\nprovider = "aws"\nregion = "us-east-1"\nprofile = "acme-${W1_STAGE}"\n'
        'session_duration = "${W1_SECONDS}"\ntags = { stage = "${W1_STAGE}" }\n'
    ).env("a")
    config = env.provider.config
    assert (config.profile, config.session_duration, config.tags) == ("acme-blue", 7200, {"stage": "blue"})


def test_a_text_is_no_number_unless_a_variable_gave_it(write):
    text = '[env.a]\nprovider = "aws"\nregion = "us-east-1"\nsession_duration = "7200"\n'
    assert "env.a.session_duration" in str(refused(write, text))


@pytest.mark.parametrize("text", ["${}", "${A B}", "${1}"])
def test_what_names_no_variable_is_refused(write, text):
    said = str(refused(write, f'[env.a]\nprovider = "local"\nbase_path = "{text}"\n'))
    assert "names no environment variable" in said


def test_a_secret_in_the_file_is_refused_and_not_repeated(write):
    said = str(refused(write, AZURE.format(key='"Q0FOQVJZ"')))
    assert "a secret does not belong into a file" in said
    assert "Q0FOQVJZ" not in said


def test_an_error_never_repeats_a_value_of_a_variable(write, monkeypatch):
    monkeypatch.setenv("W1_REGION", "CANARY-REGION")
    said = str(refused(write, '[env.a]\nprovider = "aws"\nregion = "${W1_REGION}"\n'))
    assert "env.a.region" in said
    assert "CANARY" not in said
