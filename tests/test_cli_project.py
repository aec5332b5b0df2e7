"""The `glacier` command in a project with named environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from glacier.cli import main

PROJECT = """
[env.dev]
provider = "local"
base_path = "dev"

[env.dev.resources.sales_data]
bucket = "sales"
path = "raw.parquet"

[env.dev.resources.report]
bucket = "sales"
path = "report.parquet"

[env.production]
extends = "dev"
base_path = "production"
protected = true
"""
SCRIPT = """
import polars as pl
from glacier import Bucket, GlacierEnv
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(), "written-for")

@env.task()
def extract_sales(sales_data: Bucket) -> pl.DataFrame:
    return sales_data.read()

@env.task()
def save(df: pl.DataFrame, report: Bucket) -> None:
    report.write(df)

@env.pipeline()
def counting():
    return extract_sales().height

@env.pipeline()
def saving():
    save(extract_sales())
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "glacier.toml").write_text(PROJECT)
    (tmp_path / "flow.py").write_text(SCRIPT)
    for rows, name in enumerate(("dev", "production"), start=2):
        (tmp_path / name / "sales").mkdir(parents=True)
        pl.DataFrame({"order_id": range(rows)}).write_parquet(tmp_path / name / "sales" / "raw.parquet")
    return tmp_path


@pytest.fixture
def run(project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["glacier", *arguments])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_environments_are_listed(run):
    code, out, _ = run("env", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["default"], [each["name"] for each in found["envs"]]) == ("dev", ["dev", "production"])
    assert "protected" in run("env")[1]


def test_one_environment_is_shown_on_a_card(run):
    card = json.loads(run("env", "prod", "--json")[1])
    assert (card["environment"], card["protected"]) == ("production", True)
    assert card["resources"] == ["sales_data", "report"]
    assert "protected  yes: a run that writes here asks first" in run("env", "prod")[1]
    assert "protected  no" in run("env", "dev")[1]
    assert "did you mean 'production'" in run("env", "produktion")[2]


def test_a_pipeline_runs_in_a_named_environment(run):
    assert run("run", "flow.py:counting", "--env", "dev")[1].strip() == "2"
    assert run("run", "flow.py:counting", "--env", "prod")[1].strip() == "3"


def test_a_protected_environment_is_not_written_without_a_yes(run, project):
    code, _, err = run("run", "flow.py:saving", "--env", "prod")
    assert code == 1
    assert "is protected, and pipeline 'saving' writes report" in err
    assert not (project / "production" / "sales" / "report.parquet").exists()
    assert run("run", "flow.py:saving", "--env", "prod", "--yes")[0] == 0
    assert (project / "production" / "sales" / "report.parquet").exists()


def test_resources_are_listed_previewed_and_explained(run):
    listed = json.loads(run("ls", "--env", "dev", "--json")[1])
    assert [each["name"] for each in listed["resources"]] == ["sales_data", "report"]
    assert "raw.parquet" in run("ls", "sales*", "--env", "dev")[1]
    assert json.loads(run("preview", "sales_data", "--env", "prod", "--json")[1])["total"] == 3
    assert "sales_data" in run("preview", "sales_dta", "--env", "dev")[2]
    assert run("explain", "sales_data", "--env", "dev")[0] == 0


def test_environments_are_compared(run):
    found = json.loads(run("diff", "dev", "prod", "--json")[1])
    assert ("environment", "protected") in {(row["section"], row["setting"]) for row in found["differences"]}


@pytest.mark.slow
def test_the_shell_has_the_environment_and_the_tasks_of_a_file(project):
    lines = 'env.list_resources()\nenv.get("sales_data").scan().collect().height\nenv.tasks\n%glacier env\n'
    done = subprocess.run(
        [str(Path(sys.executable).with_name("glacier")), "shell", "flow.py", "--env", "production"],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "IPYTHONDIR": str(project / "ipython")},
        timeout=120,
    )
    assert "['sales_data', 'report']" in done.stdout
    assert "['extract_sales', 'save']" in done.stdout
    assert "glacier> " in done.stdout
    assert "environments" in done.stdout
    assert not list((project / "ipython").rglob("history.sqlite"))
