"""What the module of several environments plans for each of them is what that environment's own module plans.

On AWS the real provider plans against Moto; on Google Cloud and Azure the real Terraform plans with a stand-in for the
provider, builds, plans again and removes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from servers.moto import Moto

from terraform.aws_plugin import MIRROR, WHY_NOT, AwsTerraform
from terraform.configuration import read
from terraform.planned import outputs, resources
from terraform.setups import SHARED, environment, exported
from terraform.terraform_cli import MISSING, Terraform, fmt
from terraform.test_gcp_and_azure import PROVIDERS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
    pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning"),
]

GIVEN = {
    "aws_kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    "aws_access_log_bucket": "central-logs",
    "aws_code_signing_config_arn": "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0",
    "aws_subnet_ids": '["subnet-1"]',
    "aws_security_group_ids": '["sg-1"]',
}
"""What the platform would fill in; whatever else is left open is a secret."""


def generated(cloud: str, case: str, folder: Path) -> list[str]:
    """Write the module that environments share, in both forms, and each one's own; return the environments' names.

    They are in the folders `hcl` and `json`, and `own_dev` ...
    """
    environments = [environment(cloud, name, setup) for name, setup in SHARED[cloud][case].items()]
    for form in ("hcl", "json"):
        exported(environments, folder / form, format=form)
    for each in environments:
        exported([each], folder / f"own_{each.name}")
    assert fmt(folder) == ""
    return [each.name for each in environments]


def left_open(folder: Path) -> dict[str, str]:
    """Return values for the variables of an environment's own module that have none."""
    (values,) = folder.glob("environments/*.tfvars")
    given = {line.split()[0] for line in values.read_text("utf-8").splitlines() if " = " in line}
    bodies: dict[str, Any] = {block.labels[0]: block.body for block in read(folder / "variables.tf", pytest.fail)}
    missing = {name for name, body in bodies.items() if "default" not in body.attributes} - given
    return {name: GIVEN.get(name, "a secret that the user gives") for name in sorted(missing)}


# AWS -----------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
@pytest.mark.parametrize("case", ["template with more", "copies", "three"])
def test_the_provider_of_aws_plans_the_same(case: str, tmp_path: Path) -> None:
    names = generated("aws", case, tmp_path)
    form = "json" if case == "three" else "hcl"
    with Moto() as moto:
        for name in names:
            for label in ("sales", "archive"):
                moto.client("s3").create_bucket(Bucket=f"glacier-{label}-{name}")
        for name in names:
            values = left_open(tmp_path / f"own_{name}")
            own, shared = (plan_of_aws(tmp_path / each, name, moto, values) for each in (f"own_{name}", form))
            assert resources(shared) == resources(own)
            assert outputs(shared) == outputs(own)


def plan_of_aws(folder: Path, name: str, moto: Moto, values: dict[str, str]) -> Any:
    terraform = AwsTerraform(folder, MIRROR or Path(), moto.endpoint, values)
    terraform.init()
    assert terraform.validate() == []
    assert terraform.plan("-out=now.tfplan", f"-var-file=environments/{name}.tfvars")
    return json.loads(terraform.run("show", "-json", "now.tfplan").stdout)


# Google Cloud and Azure ----------------------------------------------------------------------------------------------


class Calls:
    """A root module that calls the modules of all cases for each environment, so that Terraform starts once for all."""

    def __init__(self, cloud: str, folder: Path) -> None:
        self.folder = folder
        self.provider = PROVIDERS[{"gcp": "google", "azure": "azurerm"}[cloud]]
        self.places = {case.replace(" ", "_"): case for case in SHARED[cloud]}
        self.names = {place: generated(cloud, case, folder / place) for place, case in self.places.items()}
        self.given = {
            (place, name): left_open(folder / place / f"own_{name}")
            for place, names in self.names.items()
            for name in names
        }

    def terraform(self, mirror: Path, modules: Mapping[str, str]) -> Terraform:
        """Return Terraform for a root that calls these modules: their name in each place, by the name of the call."""
        calls = [
            f'module "{place}_{call}_{name}" {{\n{self._body(place, module.format(name), name)}}}\n'
            f'output "{place}_{call}_{name}" {{\n  value = module.{place}_{call}_{name}\n}}\n'
            for place, names in self.names.items()
            for name in names
            for call, module in modules.items()
        ]
        (self.folder / "main.tf").write_text("\n".join([self.provider, *calls]), "utf-8")
        for path in self.folder.glob("*/*/providers.tf*"):  # the root's are for all: a plugin starts for each of them
            path.unlink()
        terraform = Terraform(self.folder, mirror)
        terraform.init()
        assert [line for line in terraform.validate() if not line.startswith("Backend configuration ignored")] == []
        return terraform

    def _body(self, place: str, module: str, name: str) -> str:
        values = (self.folder / place / module / "environments" / f"{name}.tfvars").read_text("utf-8")
        more = "".join(f'{key} = "{value}"\n' for key, value in self.given[place, name].items())
        return f'source = "./{place}/{module}"\n{values}\n{more}'


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_terraform_plans_the_same(cloud: str, tmp_path: Path, mirror: Path) -> None:
    calls = Calls(cloud, tmp_path)
    terraform = calls.terraform(mirror, {"own": "own_{}", "hcl": "hcl", "json": "json"})
    assert terraform.plan("-out=now.tfplan")
    plan = json.loads(terraform.run("show", "-json", "now.tfplan").stdout)
    for place, names in calls.names.items():
        for name in names:
            own = resources(plan, f"{place}_own_{name}", f"{place}/own_{name}")
            assert own
            for form in ("hcl", "json"):
                assert resources(plan, f"{place}_{form}_{name}", f"{place}/{form}") == own


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_each_environment_is_built_and_goes_without_a_trace(
    cloud: str, tmp_path: Path, mirrors: dict[str, Path]
) -> None:
    calls = Calls(cloud, tmp_path)
    terraform = calls.terraform(mirrors["newest"], {"hcl": "hcl"})
    terraform.apply()
    made = json.loads(terraform.run("output", "-json").stdout)
    for place, names in calls.names.items():
        for name in names:
            there = {key for key, value in made[f"{place}_hcl_{name}"]["value"].items() if value is not None}
            own = read(tmp_path / place / f"own_{name}" / "outputs.tf", pytest.fail)
            assert there == {block.labels[0] for block in own}
    assert not terraform.plan()
    let_keys_be_destroyed(tmp_path)
    terraform.destroy("-refresh=false")
    assert terraform.state() == {}


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_what_an_environment_has_stays_where_others_join_its_module(
    cloud: str, tmp_path: Path, mirrors: dict[str, Path]
) -> None:
    """Each environment is built from a module of its own; then the same folder is generated again for all."""
    calls = Calls(cloud, tmp_path)
    calls.terraform(mirrors["newest"], {"own": "own_{}"}).apply()
    for place, names in calls.names.items():
        setups = SHARED[cloud][calls.places[place]]
        for name in names:
            exported(
                [environment(cloud, each, setup) for each, setup in setups.items()], tmp_path / place / f"own_{name}"
            )
    terraform = calls.terraform(mirrors["newest"], {"own": "own_{}"})
    terraform.plan("-out=now.tfplan")
    plan = json.loads(terraform.run("show", "-json", "now.tfplan").stdout)
    changed = [each["address"] for each in plan["resource_changes"] if each["change"]["actions"] != ["no-op"]]
    moved = {
        each["previous_address"]: each["address"] for each in plan["resource_changes"] if "previous_address" in each
    }
    assert changed == []
    assert moved
    assert moved == {address: f"{address}[0]" for address in moved}


def let_keys_be_destroyed(root: Path) -> None:
    """Lift what keeps keys, without which nothing that they encrypt can be read."""
    kept = 'resource "google_kms_crypto_key" "buckets" {\n  lifecycle {\n    prevent_destroy = false\n  }\n}\n'
    for path in root.glob("*/hcl/storage.tf"):
        if "prevent_destroy" in path.read_text("utf-8"):
            (path.parent / "key_override.tf").write_text(kept, "utf-8")
