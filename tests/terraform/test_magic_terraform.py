"""`%glacier export --check` and `%glacier deploy` in a notebook, with stand-ins of the clouds' providers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from notebook import Notebook, notebook

from glacier.errors import InfrastructureError
from terraform.terraform_cli import MISSING
from terraform.test_checking import settings

pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

PROJECT = """
[env.prod]
provider = "aws"
region = "eu-west-1"

[env.prod.resources.sales]
bucket = "acme-sales"
path = "raw.parquet"
"""
PIPELINE = """
@env.task()
def total(sales: Bucket):
    return sales.read().sum()

@env.pipeline()
def totals():
    return total()
"""


@pytest.fixture
def nb(mirrors: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    settings(tmp_path, mirrors["newest"], monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glacier.toml").write_text(PROJECT)
    with notebook(tmp_path / "ipython") as made:
        made.run("%load_ext glacier_magics")
        made.run(PIPELINE)
        yield made


def test_a_check_tells_changes_and_what_terraform_says(nb: Notebook, tmp_path: Path) -> None:
    shown = nb.run("%glacier export totals -o infra --check")
    for form in ("text/plain", "text/html"):
        assert "new storage.tf" in shown.bundle[form]
        assert "fmt: passed\nvalidate: passed" in shown.bundle[form]
    assert not (tmp_path / "infra").exists()


def test_a_check_in_a_notebook_finds_the_configuration_from_its_folder(
    nb: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "settings.tfrc")
    found = nb.run("%glacier export totals -o infra --check --json").value.value
    assert {each["name"]: each["outcome"] for each in found["checks"]} == {"fmt": "passed", "validate": "passed"}


def test_a_check_without_a_mirror_is_said_to_have_not_run(
    nb: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    settings(tmp_path, tmp_path / "empty", monkeypatch)
    shown = nb.run("%glacier export totals -o infra --check")
    assert "fmt: passed\nvalidate: not run: terraform init: " in shown.text
    assert "name a mirror of the providers in its CLI configuration" in shown.text


def test_a_check_that_fails_fails_the_cell(nb: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glacier.infrastructure.export.hcl", lambda blocks, header: "locals {\n  x = var.y\n}\n")
    shown = nb.fail("%glacier export -o infra --check")
    assert isinstance(shown.error, InfrastructureError)
    assert "validate: failed: " in shown.traceback
    assert "new storage.tf" in shown.printed


def test_a_plan_is_shown_and_nothing_is_applied(nb: Notebook, tmp_path: Path) -> None:
    nb.run("%glacier export totals -o infra")
    shown = nb.run("%glacier deploy infra --plan --yes --local-state")
    assert "prod: " in shown.text
    assert "<td" in shown.bundle["text/html"]
    assert "aws_s3_bucket.sales" in shown.bundle["text/html"]
    plan = nb.run("%glacier deploy infra --plan --local-state --json").value.value
    assert {"address": "aws_s3_bucket.sales", "action": "create", "about": "bucket acme-sales"} in plan["changes"]
    assert not plan["applied"]
    assert not (tmp_path / "infra" / "prod.tfstate").exists()


def test_nothing_is_applied_without_a_yes(nb: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nb.run("%glacier export totals -o infra")
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "")
    refused = nb.run("%glacier deploy infra --local-state")
    assert asked == ["apply this? [y/N] "]
    assert "aws_s3_bucket.sales" in refused.printed
    assert "nothing was applied: answer y, or say --yes" in refused.text
    assert not (tmp_path / "infra" / "prod.tfstate").exists()
    applied = nb.run("%glacier deploy infra --local-state --yes")
    assert "prod is deployed" in applied.text
    assert len(asked) == 1
    assert "aws_s3_bucket" in (tmp_path / "infra" / "prod.tfstate").read_text()
    assert "nothing to change" in nb.run("%glacier deploy infra --plan --local-state").text
