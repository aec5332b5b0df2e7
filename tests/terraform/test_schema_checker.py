"""The schema checker and the stand-in provider: what is right passes, every mutation of it is caught by both."""

import json
from pathlib import Path

import pytest

from terraform.provider_schemas import ends
from terraform.schema_checker import allows, check
from terraform.terraform_cli import MISSING, Terraform, TerraformError

needs_terraform = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

GOOGLE = """
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 9.0"
    }
  }
}

provider "google" {
  project = "my-project"
  region  = "us-central1"
}

variable "days" {
  type    = number
  default = 7
}

locals {
  labels = { team = "data" }
}

resource "google_storage_bucket" "data" {
  name          = "data"
  location      = "US"
  force_destroy = false
  labels        = local.labels

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = var.days
      matches_prefix = ["raw/", "$${literal}"]
    }
  }
}

resource "google_storage_bucket_iam_member" "reader" {
  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${google_service_account.runner.email}"
}

resource "google_service_account" "runner" {
  account_id = "runner"
}
"""

AZURE = """
terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.55, < 6.0"
    }
  }
}

provider "azurerm" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
  features {}
}

data "azurerm_resource_group" "main" {
  name = "data"
}

resource "azurerm_storage_account" "main" {
  name                     = "data"
  resource_group_name      = data.azurerm_resource_group.main.name
  location                 = data.azurerm_resource_group.main.location
  account_tier             = "Standard"
  account_replication_type = "LRS"

  blob_properties {
    versioning_enabled = true
    delete_retention_policy {
      days = 7
    }
  }
}

resource "azurerm_storage_container" "sales" {
  name               = "sales"
  storage_account_id = azurerm_storage_account.main.id
}
"""

# (what is replaced, by what, a part of what the checker says)
GOOGLE_MUTATIONS = [
    ("force_destroy =", "force_destory =", "'force_destory' is unknown, did you mean 'force_destroy'?"),
    ('location      = "US"', "", "missing required attribute 'location'"),
    ("force_destroy = false", 'force_destroy = "yes"', "needs bool, not 'yes'"),
    ("force_destroy = false", "force_destroy = [false]", "needs bool, not a list"),
    ("labels        = local.labels", 'labels = ["team"]', "needs a map, not a list"),
    ("versioning {", "versioning = {", "'versioning' is a block, written as an attribute"),
    ("  versioning {\n    enabled = true\n  }", "  versions {\n    enabled = true\n  }", "block 'versions' is unknown"),
    ("  versioning {", "  versioning {\n    enabled = true\n  }\n  versioning {", "too many blocks 'versioning'"),
    ("    enabled = true", "", "missing required attribute 'enabled'"),
    ("    condition {\n      age ", "    nothing {\n      age ", "missing required block 'condition'"),
    ('    action {\n      type = "Delete"\n    }', 'action = "Delete"', "'action' is a block, written as an attribute"),
    ("matches_prefix = [", 'matches_prefix = "raw/" #', "needs a list, not 'raw/'"),
    ("age            = var.days", 'age = "old"', "needs number, not 'old'"),
    ("var.days", "var.day", "var.day is not declared"),
    ("local.labels", "local.label", "local.label is not declared"),
    (
        "google_storage_bucket.data.name",
        "google_storage_bucket.date.name",
        "google_storage_bucket.date is not declared",
    ),
    ("google_storage_bucket.data.name", "google_storage_bucket.data.nam", "has no attribute 'nam'"),
    (".runner.email}", ".runner.mail}", "has no attribute 'mail'"),
    ('"google_service_account" "runner"', '"google_service_acount" "runner"', "unknown or uncovered resource type"),
    ('account_id = "runner"', 'account_id = "runner"\n  email = "a@b"', "attribute 'email' is read-only"),
    ('  region  = "us-central1"', '  regoin = "us-central1"', "'regoin' is unknown"),
]
AZURE_MUTATIONS = [
    ("  features {}", "  feature {}", "block 'feature' is unknown, did you mean 'features'?"),
    ("versioning_enabled = true", "versioning = true", "'versioning' is unknown"),
    ("  account_replication_type", "  account_replication", "missing required attribute 'account_replication_type'"),
    ("      days = 7", '      days = "a week"', "needs number"),
    ("delete_retention_policy {", "delete_retention {", "block 'delete_retention' is unknown"),
    ('data "azurerm_resource_group"', 'data "azurerm_resource_grupp"', "unknown or uncovered data type"),
    ("azurerm_storage_account.main.id", "azurerm_storage_account.main.ident", "has no attribute 'ident'"),
    ("data.azurerm_resource_group.main.name", "data.azurerm_resource_group.other.name", "other is not declared"),
]
MUTATIONS = [(GOOGLE, *row) for row in GOOGLE_MUTATIONS] + [(AZURE, *row) for row in AZURE_MUTATIONS]


def said(text: str, folder: Path, end: str = "newest", name: str = "main.tf") -> list[str]:
    (folder / name).write_text(text, "utf-8")
    return [f"{found.where}: {found.message}" for found in check(folder, ends(end))]


@pytest.mark.parametrize("text", [GOOGLE, AZURE])
def test_right_configurations_pass_at_both_ends(text: str, tmp_path: Path, end: str) -> None:
    assert said(text, tmp_path, end) == []


@pytest.mark.parametrize(("text", "old", "new", "finding"), MUTATIONS)
def test_the_checker_finds_every_mutation(text: str, old: str, new: str, finding: str, tmp_path: Path) -> None:
    assert old in text
    found = said(text.replace(old, new, 1), tmp_path)
    assert any(finding in line for line in found), found


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ('resource "google_service_account" "a" {\n  account_id = "b"\n}\n', "absent from required_providers"),
        (GOOGLE + 'resource "google_service_account" "runner" {\n  account_id = "b"\n}\n', "declared twice"),
        (GOOGLE.replace('"my-project"', '"my-project"\n  project = "other"'), "attribute 'project' set twice"),
        (GOOGLE.replace("< 9.0", "< 8.0"), "'>= 6.50, < 8.0' excludes the schema's 8.7.0"),
        ("resource {", "cannot be parsed"),
    ],
)
def test_the_checker_finds_what_stands_outside_of_resources(text: str, finding: str, tmp_path: Path) -> None:
    assert any(finding in line for line in said(text, tmp_path))


def test_an_empty_folder_is_a_finding(tmp_path: Path) -> None:
    assert [found.message for found in check(tmp_path, ends("newest"))] == ["no .tf or .tf.json file"]


def test_arguments_of_one_end_only_are_found_at_the_other(tmp_path: Path) -> None:
    text = AZURE.replace("storage_account_id = azurerm_storage_account.main.id", 'storage_account_name = "data"')
    assert said(text, tmp_path, "oldest") == []
    assert any("'storage_account_name' is unknown" in line for line in said(text, tmp_path, "newest"))


# JSON -----------------------------------------------------------------------------------------------------------------

RULE = {"action": [{"type": "Delete"}], "condition": {"age": 7}}
BUCKET = {"name": "data", "location": "US", "versioning": {"enabled": True}, "lifecycle_rule": [RULE, RULE]}
PROVIDERS = {"google": {"source": "hashicorp/google", "version": ">= 6.50, < 9.0"}}


def as_json(**changes: object) -> str:
    bucket = {name: value for name, value in {**BUCKET, **changes}.items() if value is not None}
    required = {"required_providers": [PROVIDERS]}
    return json.dumps({"terraform": [required], "resource": {"google_storage_bucket": {"data": bucket}}})


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({}, None),
        ({"name": "$${literal}", "//": "a comment"}, None),
        ({"name": "${var.name}"}, "var.name is not declared"),
        ({"location": None}, "missing required attribute 'location'"),
        ({"labels": {"a": ["b"]}}, "needs string, not a list"),
        ({"versioning": [{"enabled": True}, {"enabled": False}]}, "too many blocks 'versioning'"),
        ({"versioning": ["on"]}, "a block must be an object"),
        ({"versionning": {}}, "'versionning' is unknown, did you mean 'versioning'?"),
        ({"lifecycle_rule": {"action": {"type": "Delete"}}}, "missing required block 'condition'"),
        ({"dynamic": {"cors": {"for_each": ["a"], "content": {"methods": ["GET"]}}}}, "'methods' is unknown"),
        ({"dynamic": {"cors": {"content": {}}}}, "needs for_each"),
    ],
)
def test_the_same_holds_for_json(changes: dict[str, object], finding: str | None, tmp_path: Path) -> None:
    found = said(as_json(**changes), tmp_path, name="main.tf.json")
    assert found == [] if finding is None else any(finding in line for line in found), found


@pytest.mark.parametrize(
    ("range_", "version", "allowed"),
    [
        (">= 6.50, < 9.0", "8.7.0", True),
        (">= 6.50, < 9.0", "9.0.0", False),
        ("~> 6.50", "6.99.1", True),
        ("~> 6.50", "7.0.0", False),
        ("~> 6.50.1", "6.51.0", False),
        ("6.50.0", "6.50.0", True),
        ("!= 6.50", "6.50.0", False),
        ("newest", "6.50.0", False),
    ],
)
def test_version_ranges(range_: str, version: str, allowed: bool) -> None:
    assert allows(range_, version) is allowed


# Terraform ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_terraform
def test_terraform_finds_every_mutation_too(tmp_path: Path, mirrors: dict[str, Path]) -> None:
    calls = []
    for place, (text, old, new, _) in enumerate([*MUTATIONS, (GOOGLE, "", "", ""), (AZURE, "", "", "")]):
        (tmp_path / f"m{place}").mkdir()
        (tmp_path / f"m{place}" / "main.tf").write_text(text.replace(old, new, 1), "utf-8")
        calls.append(f'module "m{place}" {{\n  source = "./m{place}"\n}}\n')
    (tmp_path / "main.tf").write_text("".join(calls), "utf-8")
    terraform = Terraform(tmp_path, mirrors["newest"])
    terraform.init()
    found = json.loads(terraform.run("validate", "-json", allowed=(1,)).stdout)["diagnostics"]
    places = {each["range"]["filename"].partition("/")[0] for each in found if each["severity"] == "error"}
    assert places == {f"m{place}" for place in range(len(MUTATIONS))}


@pytest.mark.slow
@needs_terraform
@pytest.mark.parametrize(
    ("text", "old", "new"),
    [(GOOGLE, "age            = var.days", "age = 8"), (AZURE, "days = 7", "days = 8")],
    ids=["google", "azurerm"],
)
def test_stand_ins_carry_a_configuration_through_its_life(
    text: str, old: str, new: str, tmp_path: Path, mirror: Path
) -> None:
    (tmp_path / "main.tf").write_text(text, "utf-8")
    terraform = Terraform(tmp_path, mirror)
    terraform.init()
    assert terraform.validate() == []
    assert terraform.plan()
    terraform.apply()
    state = terraform.state()
    assert len(state) == 3
    assert all(values["id"] for values in state.values())
    assert not terraform.plan()
    (tmp_path / "main.tf").write_text(text.replace(old, new), "utf-8")
    assert terraform.plan()
    terraform.destroy()
    assert terraform.state() == {}


@pytest.mark.slow
@needs_terraform
def test_stand_ins_refuse_null_for_a_required_argument(tmp_path: Path, mirrors: dict[str, Path]) -> None:
    text = GOOGLE.replace('location      = "US"', "location = var.where") + 'variable "where" {\n  default = null\n}\n'
    (tmp_path / "main.tf").write_text(text, "utf-8")
    terraform = Terraform(tmp_path, mirrors["newest"])
    terraform.init()
    with pytest.raises(TerraformError, match=r"location.*is required|required.*location"):
        terraform.plan()
