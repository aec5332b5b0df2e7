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
task = { retries = 2 }
"""
SCRIPT = """
import polars as pl
from glacier import Bucket, GlacierEnv
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(), "written-for")

@env.task()
def extract_sales(sales_data: Bucket) -> pl.DataFrame:
    "What was sold."
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


def test_without_a_name_the_environment_that_a_notebook_begins_with_is_meant(run, project):
    assert run("ls", "--json")[1] == run("ls", "--env", "dev", "--json")[1]
    assert run("preview", "sales_data")[1] == run("preview", "sales_data", "--env", "dev")[1]
    assert run("explain", "sales_data")[1] == run("explain", "sales_data", "--env", "dev")[1]
    assert json.loads(run("ls", "sales_data", "--json")[1])["objects"][0]["path"] == "raw.parquet"
    (project / "sales_data").write_text("x\n1\n")
    assert "x" in run("preview", "sales_data", "--format", "csv")[1]
    (project / "glacier.toml").write_text(PROJECT.replace("[env.dev]", "[env.dev]\nprotected = true"))
    assert "name one: --env NAME" in run("explain", "sales_data")[2]


def test_environments_are_compared(run):
    found = json.loads(run("diff", "dev", "prod", "--json")[1])
    assert ("environment", "protected") in {(row["section"], row["setting"]) for row in found["differences"]}


def test_a_run_reads_from_another_environment(run, project):
    assert run("run", "flow.py:saving", "--env", "dev", "--read", "prod")[0] == 0
    assert pl.read_parquet(project / "dev" / "sales" / "report.parquet").height == 3
    assert not (project / "production" / "sales" / "report.parquet").exists()


def test_a_run_that_is_resumed_reads_from_where_it_read(run, project):
    failing = SCRIPT.replace("report.write(df)", "assert df.height == 9\n    report.write(df)")
    (project / "flow.py").write_text(failing)
    assert run("run", "flow.py:saving", "--env", "dev", "--read", "production")[0] == 1
    (project / "flow.py").write_text(failing.replace("== 9", "== 3"))
    code, _, said = run("resume")
    assert code == 0, said
    assert pl.read_parquet(project / "dev" / "sales" / "report.parquet").height == 3


def test_a_run_in_a_protected_environment_is_resumed_with_a_yes_only(run, project):
    failing = SCRIPT.replace("report.write(df)", "assert df.height == 9\n    report.write(df)")
    (project / "flow.py").write_text(failing)
    assert run("run", "flow.py:saving", "--env", "production", "--yes")[0] == 1
    (project / "flow.py").write_text(failing.replace("== 9", "== 3"))
    assert "environment 'production' is protected" in run("resume")[2]
    assert not (project / "production" / "sales" / "report.parquet").exists()
    code, _, said = run("resume", "--yes")
    assert code == 0, said
    assert pl.read_parquet(project / "production" / "sales" / "report.parquet").height == 3


def test_a_plan_is_made_of_a_part(run):
    planned = json.loads(run("plan", "flow.py:saving", "--env", "dev", "--until", "extract_sales", "--json")[1])
    assert [(each["name"], each["action"]) for each in planned] == [("extract_sales", "run"), ("save", "skip")]


def test_a_protected_environment_is_stepped_into_with_a_yes_only(run, project):
    assert run("step", "flow.py:saving", "--env", "prod")[0] == 1
    assert run("step", "flow.py:saving", "--env", "prod", "--yes")[0] == 0
    assert run("step", "flow.py:saving", "--env", "prod", "--yes")[0] == 0
    assert (project / "production" / "sales" / "report.parquet").exists()


def test_tasks_and_pipelines_of_a_file_are_listed(run):
    tasks = json.loads(run("tasks", "flow.py", "--json")[1])
    assert [(each["task"], each["environment"]) for each in tasks] == [
        ("extract_sales", "written-for"),
        ("save", "written-for"),
    ]
    assert json.loads(run("tasks", "flow.py", "--env", "prod", "--json")[1])[0] == {
        "task": "extract_sales",
        "environment": "production",
        "settings": "retries=2",
        "about": "What was sold.",
    }
    assert "extract_sales" in run("tasks", "flow.py")[1]
    run("run", "flow.py:counting", "--env", "dev")
    pipelines = json.loads(run("pipelines", "flow.py", "--env", "dev", "--json")[1])
    assert [(each["pipeline"], each["state"]) for each in pipelines] == [("counting", "done"), ("saving", "")]
    assert "counting" in run("pipelines", "flow.py", "--env", "dev")[1]


def test_a_file_without_tasks_says_how_to_begin(run, project):
    (project / "empty.py").write_text("")
    assert run("tasks", "empty.py")[1] == "no tasks: decorate a function with @env.task()\n"
    assert run("pipelines", "empty.py")[1] == "no pipelines: decorate a function with @env.pipeline()\n"
    assert "there is no file 'other.py'" in run("tasks", "other.py")[2]


def test_tasks_of_no_environment_are_listed_too(run, project):
    (project / "free.py").write_text("from glacier import task\n@task(retries=3)\ndef lonely():\n    return 1\n")
    assert json.loads(run("tasks", "free.py", "--json")[1]) == [
        {"task": "lonely", "environment": "", "settings": "retries=3", "about": ""}
    ]


def test_a_task_is_printed_with_its_real_inputs(run):
    code, out, _ = run("load", "flow.py", "save", "--env", "dev")
    assert code == 0
    assert out.splitlines() == [
        "# task save, as saving runs it, in environment dev",
        "df = env.find_pipeline('saving').run(until=['extract_sales'])",
        "report = env.get('report')",
        "",
        "report.write(df)",
    ]
    assert "did you mean 'save'?" in run("load", "flow.py", "sav")[2]
    assert "did you mean 'saving'?" in run("load", "flow.py", "save", "--pipeline", "savin")[2]


def test_what_is_loaded_runs_where_the_file_is(run, project):
    from glacier.loading import load_into
    from glacier.project import Project

    names = {"env": Project.find().env("dev")}
    names.update(load_into(names["env"], "flow.py"))
    exec(run("load", "flow.py", "save", "--env", "dev")[1], names)
    assert pl.read_parquet(project / "dev" / "sales" / "report.parquet").height == 2


def test_the_status_is_that_of_the_projects_own_environment(run):
    assert run("status")[1].splitlines()[0] == "environment dev"
    run("run", "flow.py:counting", "--env", "prod")
    found = json.loads(run("status", "flow.py", "--env", "prod", "--json")[1])
    assert (found["environment"], found["protected"]) == ("production", True)
    assert (found["tasks"], found["pipelines"]) == (["extract_sales", "save"], ["counting", "saving"])
    assert found["last run"].startswith("counting ")
    assert "last run   counting " in run("status", "--env", "prod")[1]


def test_without_an_environment_of_its_own_a_project_lists_them(run, project):
    (project / "glacier.toml").write_text('[env.production]\nprovider = "local"\nprotected = true\n')
    assert "production" in run("status")[1]
    assert json.loads(run("status", "--json")[1])["default"] is None


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
