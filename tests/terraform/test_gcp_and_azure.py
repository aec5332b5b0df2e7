"""Terraform for Google Cloud and Azure: every example, checked by schema and carried through its life by Terraform."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import example_code
import pytest

from glacier import GlacierEnv
from terraform.configuration import read
from terraform.examples import CLOUDS, EXAMPLES, HOSTILE, with_option
from terraform.options import OPTIONS, SUBSCRIPTION, merged
from terraform.provider_schemas import ENDS, ends
from terraform.schema_checker import check
from terraform.terraform_cli import MISSING, Terraform, TerraformError, fmt

needs_terraform = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
each_cloud = pytest.mark.parametrize("cloud", ["gcp", "azure"])
each_example = pytest.mark.parametrize("example", EXAMPLES)

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")


def generate(cloud: str, example: str, folder: Path) -> Any:
    return EXAMPLES[example](CLOUDS[cloud]).run(mode="generate", output_dir=folder)


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every example of both clouds, generated: `CLOUD/EXAMPLE`."""
    folder = tmp_path_factory.mktemp("generated")
    for cloud in ("gcp", "azure"):
        for example in EXAMPLES:
            generate(cloud, example, folder / cloud / example)
    return folder


@each_cloud
@each_example
def test_examples_pass_the_schema_checker_at_both_ends(generated: Path, cloud: str, example: str) -> None:
    folder = generated / cloud / example
    assert {end: check(folder, ends(end)) for end in ENDS} == {end: [] for end in ENDS}


@each_cloud
@each_example
def test_json_passes_too(cloud: str, example: str, tmp_path: Path) -> None:
    EXAMPLES[example](CLOUDS[cloud]).run(mode="generate", output_dir=tmp_path, format="json")
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}


@needs_terraform
def test_terraform_would_format_nothing(generated: Path) -> None:
    assert fmt(generated) == ""


@each_cloud
@each_example
def test_generating_again_changes_nothing(cloud: str, example: str, tmp_path: Path) -> None:
    generate(cloud, example, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = generate(cloud, example, tmp_path)
    assert again["changes"] == {"new": [], "changed": [], "removed": []}
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@each_cloud
def test_environments_share_a_module_and_differ_in_their_values(cloud: str, tmp_path: Path) -> None:
    several = [environment(cloud, name) for name in ("dev", "prod")]
    pipeline = several[0].bind(example_code.nightly)
    pipeline.run(mode="generate", output_dir=tmp_path, environments=several)
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    values = [(tmp_path / "environments" / f"{name}.tfvars").read_text("utf-8") for name in ("dev", "prod")]
    assert ['"glacier-feed-dev"' in text for text in values] == [True, False]
    assert not any("condition" in text for text in values)


def environment(cloud: str, name: str) -> GlacierEnv:
    """An environment with buckets of its own for the scheduled pipeline."""
    env = CLOUDS[cloud].env(name)
    for label in ("feed", "copy"):
        env.register(label, env.provider.bucket(f"glacier-{label}-{name}", path=f"{label}.csv"))
    return env


@each_cloud
def test_names_like_our_own_do_no_harm(cloud: str, tmp_path: Path) -> None:
    env = CLOUDS[cloud].env()
    names = ("code", "code_of_functions", "code_of_main", "main", "buckets")
    for name in names:
        env.register(name, env.provider.bucket(f"glacier-{name.replace('_', '-')}", path="x.parquet"))
    env.register("fn", env.provider.serverless("main", handler="handlers.clean"))

    @env.task()
    def everything() -> None:
        for name in ("code", "code_of_functions", "code_of_main", "main", "buckets"):
            env.get(name).read()
        env.get("fn").invoke()

    @env.pipeline()
    def scheduler() -> None:
        everything()
        for bucket in buckets:
            bucket.read()

    buckets = [env.resources[name] for name in names]
    made = scheduler.run(mode="generate", output_dir=tmp_path)
    assert sum(about.startswith("bucket ") for about in made["resources"].values()) == len(names)
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}


# The life of every example -------------------------------------------------------------------------------------------


def module_call(folder: Path, cloud: str) -> str:
    """Return the call of a generated module, with the values of its environment and some for what is left open."""
    (values,) = folder.glob("environments/*.tfvars")
    given = [line for line in values.read_text("utf-8").splitlines() if " = " in line]
    named = {line.split()[0] for line in given}
    declared = [block for block in read(folder / "variables.tf", pytest.fail) if "default" not in block.body.attributes]
    missing = sorted({block.labels[0] for block in declared} - named)
    stand_ins = [f'{name} = "{__file__ if name.endswith("_package") else HIDDEN}"' for name in missing]
    return "\n".join([f'module "{cloud}_{folder.name}" {{', f'source = "{folder}"', *given, *stand_ins, "}", ""])


HIDDEN = "a secret that the user gives"


def copied(generated: Path, folder: Path) -> Path:
    """Copy the examples, and let go of their keys, which Terraform must not destroy.

    Of each cloud only one keeps its provider, as Terraform starts a plugin for each of them.
    """
    modules = shutil.copytree(generated, folder / "modules")
    for path in modules.glob("*/*/providers.tf"):
        if path.parent.name != "sales":
            path.unlink()
    for path in modules.glob("*/*/storage.tf"):
        path.write_text(path.read_text("utf-8").replace("prevent_destroy = true", "prevent_destroy = false"), "utf-8")
    return modules


PROVIDERS = {
    "google": """
provider "google" {
  project = "glacier-test"
  region  = "us-central1"
}
""",
    "azurerm": f"""
provider "azurerm" {{
  subscription_id = "{SUBSCRIPTION}"
  features {{}}
}}
""",
    "aws": """
provider "aws" {
  region = "us-east-1"
}
""",
}


@needs_terraform
@pytest.mark.slow
def test_examples_live_with_the_real_terraform(generated: Path, tmp_path: Path, mirror: Path) -> None:
    """One root module calls all examples of both clouds, so that Terraform starts once for all of them."""
    modules = copied(generated, tmp_path)
    calls = [module_call(modules / cloud / example, cloud) for cloud in ("gcp", "azure") for example in EXAMPLES]
    (tmp_path / "main.tf").write_text("".join([*PROVIDERS.values(), *calls]), "utf-8")
    terraform = Terraform(tmp_path, mirror)
    terraform.init()
    assert [line for line in terraform.validate() if not line.startswith("Backend configuration ignored")] == []
    assert terraform.plan("-out=first.tfplan")
    terraform.apply("first.tfplan")
    state = terraform.state()
    expected = {f"{cloud}_{example}" for cloud in ("gcp", "azure") for example in EXAMPLES}
    assert {address.split(".")[1] for address in state} == expected
    gcp_state(state)
    azure_state(state)
    assert not terraform.plan()
    terraform.destroy("-refresh=false")
    assert terraform.state() == {}


def gcp_state(state: dict[str, Any]) -> None:
    function = state["module.gcp_hostile.google_cloudfunctions2_function.fn"]["service_config"][0]
    assert function["environment_variables"] == {"HOSTILE": HOSTILE, "PASSWORD": HIDDEN}
    bucket = state["module.gcp_hostile.google_storage_bucket.data_2024_raw"]
    assert bucket["labels"] == {"team": "data", **dict([CLOUDS["gcp"].tag])}


def azure_state(state: dict[str, Any]) -> None:
    app = state["module.azure_hostile.azurerm_function_app_flex_consumption.fn"]
    assert {"HOSTILE": HOSTILE, "PASSWORD": HIDDEN}.items() <= app["app_settings"].items()
    account = state["module.azure_hostile.azurerm_storage_account.main"]
    assert account["tags"] == {"team": "data", **dict([CLOUDS["azure"].tag])}


# What binds a module to azurerm 4, under an environment's longest name ---------------------------------------------

NAMES = {
    "azurerm_storage_account": "[a-z0-9]{3,24}",
    "azurerm_service_plan": "[A-Za-z0-9-]{1,60}",
    "azurerm_linux_function_app": "[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]",
    "azurerm_user_assigned_identity": r"[A-Za-z0-9][\w-]{2,127}",
    "azurerm_log_analytics_workspace": "[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "azurerm_log_analytics_storage_insights": "[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "azurerm_application_insights": r"[\w().-]{1,260}",
}
"""https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"""


@needs_terraform
@pytest.mark.slow
def test_what_logs_queues_lives_with_azurerm_4_only(tmp_path: Path, mirrors: dict[str, Path]) -> None:
    option = merged(each for each in OPTIONS["azure"] if "private_endpoint_subnet" not in each.bucket)
    option = replace(option, function={**option.function, "log_retention_days": 30})
    modules = tmp_path / "modules"
    with_option(CLOUDS["azure"], option, f"e{'_x' * 30}__").run(mode="generate", output_dir=modules)
    (tmp_path / "main.tf").write_text(module_call(modules, "azure") + PROVIDERS["azurerm"], "utf-8")
    (modules / "providers.tf").unlink()
    with pytest.raises(TerraformError, match=r"(?s)hashicorp/azurerm.*< 5\.0"):
        Terraform(tmp_path, mirrors["newest"]).init()
    terraform = Terraform(tmp_path, mirrors["oldest"])
    terraform.init()
    terraform.apply()
    state = terraform.state()
    named = [(address.split(".")[-2], values["name"]) for address, values in state.items() if "name" in values]
    assert {kind for kind, _ in named} >= NAMES.keys()
    assert [(kind, name) for kind, name in named if kind in NAMES and not re.fullmatch(NAMES[kind], name)] == []
    assert not terraform.plan()
    terraform.destroy("-refresh=false")
    assert terraform.state() == {}
