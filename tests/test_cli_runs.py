"""`glacier run` while it goes on, `runs`, `logs`, `resume` and `cache`, as they are typed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from glacier import home
from glacier.cache.store import Store
from glacier.execution.events import Event
from glacier.execution.reports import LiveTable

SCRIPT = """
from pathlib import Path
import polars as pl
from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="data")), "dev")

@env.task()
def make(count: int) -> pl.DataFrame:
    print("making", count)
    with Path("calls").open("a") as file:
        file.write("make ")
    return pl.DataFrame({"n": range(count)})

@env.task()
def total(df: pl.DataFrame) -> int:
    if Path("fail").exists():
        raise ValueError("there is a file")
    return df["n"].sum()

@env.pipeline()
def adding(count: int = 4, password: str = ""):
    return total(make(count))
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str, str]]):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "script.py").write_text(SCRIPT)

    return command


def test_a_failed_run_is_looked_at_and_resumed(run, tmp_path: Path) -> None:
    assert run("runs")[1] == "no runs yet\n"
    assert "has no run yet" in run("resume")[2]
    (tmp_path / "fail").touch()
    assert run("run", "script.py", "-p", "count=3")[0] == 1
    failed = json.loads(run("runs", "--json")[1])[0]
    assert (failed["state"], failed["parameters"]) == ("failed", {"count": 3})
    table = run("runs")[1]
    assert failed["id"] in table
    assert "ValueError" in table
    assert "total  failed" in run("runs", failed["id"])[1]
    lines = run("logs", failed["id"][:5])[1].splitlines()
    assert run("logs")[1].splitlines() == lines
    assert lines[0].endswith("make: making 3")
    assert lines[1].endswith("total: failed in attempt 1: ValueError: there is a file")
    assert [line["text"] for line in json.loads(run("logs", failed["id"], "make", "--json")[1])] == ["making 3"]
    (tmp_path / "fail").unlink()
    code, out, err = run("resume", failed["id"])
    assert (code, out) == (0, "3\n")
    assert "make   cached" in err
    assert (tmp_path / "calls").read_text() == "make "
    assert [each["state"] for each in json.loads(run("runs", "--json", "--pipeline", "adding")[1])] == [
        "done",
        "failed",
    ]
    assert run("runs", "--env", "other")[1] == "no runs yet\n"


def test_what_cannot_be_resumed_says_what_to_do(run, tmp_path: Path) -> None:
    (tmp_path / "fail").touch()
    run("run", "script.py", "-p", "password=CANARY")
    failed = json.loads(run("runs", "--json")[1])[0]["id"]
    code, _, err = run("resume", failed)
    assert code == 1
    assert "does not keep: password" in err
    (tmp_path / "fail").unlink()
    (tmp_path / "script.py").rename(tmp_path / "moved.py")
    assert "there is no file" in run("resume", failed)[2]
    (tmp_path / "script.py").write_text(SCRIPT.replace('"dev"', '"prod"'))
    assert "defines no pipeline 'adding' in environment 'dev'" in run("resume", failed)[2]
    assert "has no run 'zzz'" in run("logs", "zzz")[2]


def test_a_pipeline_goes_step_by_step(run, tmp_path: Path) -> None:
    code, out, err = run("step", "script.py", "-p", "count=3")
    assert code == 0
    assert out.startswith("making 3\nmake (DataFrame): 3 of 3 rows")
    assert err.startswith("make: done in ")
    (tmp_path / "fail").touch()
    code, _, err = run("step", "script.py")
    assert code == 1
    assert "error: ValueError: there is a file" in err
    assert "the next `glacier step script.py` tries it again" in err
    (tmp_path / "fail").unlink()
    code, out, err = run("step", "script.py:adding", "--json")
    step = json.loads(out)
    assert (step["task"]["name"], step["value"], step["result"], step["done"]) == ("total", 3, 3, True)
    assert (tmp_path / "calls").read_text() == "make "
    states = [each["state"] for each in json.loads(run("runs", "--json")[1])]
    assert states == ["done", "failed", "paused"]


def test_a_step_says_what_it_goes_on_with_and_can_begin_anew_or_end(run) -> None:
    run("step", "script.py")
    first = json.loads(run("runs", "--json")[1])[0]["id"]
    err = run("step", "script.py", "--restart")[2]
    assert err.startswith("make: done in ")
    second = json.loads(run("runs", "--json")[1])[0]["id"]
    out, err = run("step", "script.py")[1:]
    assert f"goes on with run {second} (paused); --restart begins anew\n" in err
    assert err.endswith("adding is done\n")
    assert out == "6\n"
    assert first != second
    run("step", "script.py")
    assert run("step", "script.py", "--end")[1].startswith("adding ends here: run ")
    assert run("step", "script.py", "--end")[1] == "nothing of adding is under way\n"
    assert "another one for other ones" not in run("step", "script.py", "-p", "count=2")[2]
    assert run("step", "script.py", "-p", "count=5")[0] == 1


def test_a_step_asks_for_what_the_journal_does_not_keep(run) -> None:
    run("step", "script.py", "-p", "password=CANARY")
    code, _, err = run("step", "script.py")
    assert code == 1
    assert "does not keep: password" in err
    assert run("step", "script.py", "-p", "password=CANARY")[1] == "6\n"


@pytest.mark.slow
def test_each_step_may_be_a_process_of_its_own(run, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("glacier")), "step", "script.py"]
    steps = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    assert "making 4" in steps[0].stdout
    assert steps[1].stdout == "6\n"
    assert "goes on with run" in steps[1].stderr
    assert (tmp_path / "calls").read_text() == "make "


def test_progress_in_lines(run) -> None:
    _, out, err = run("run", "script.py", "--progress")
    assert out == "making 4\n6\n"
    assert err.startswith("make: succeeded, ")
    assert "total: succeeded" in err
    assert "making" not in err
    assert not run("run", "script.py", "--no-progress")[2].startswith("make: ")


def test_the_cache_is_listed_and_cleared(run) -> None:
    assert run("cache", "ls")[1] == f"nothing is cached in {home.home() / 'cache'}\n"
    Store().put("k" * 32, 5, {"code": "x"}, "make")
    listed = run("cache", "ls")[1]
    assert listed.splitlines()[1].startswith("make  data")
    assert listed.endswith(f"1 result in {home.home() / 'cache'}\n")
    assert [each["task"] for each in json.loads(run("cache", "ls", "--json")[1])] == ["make"]
    assert run("cache", "ls", "other")[1].startswith("nothing of task 'other' is cached in ")
    assert run("cache", "clear", "other")[1] == "0 results removed\n"
    assert run("cache", "clear")[1] == "1 result removed\n"
    assert Store().entries() == []
    assert home.home().name.startswith("memory")


PROJECT = """
[env.prod]
provider = "local"
cache = "results"

[env.prod.resources.results]
bucket = "kept"
path = "cache"
"""


def test_the_cache_of_an_environment_of_the_project(run, tmp_path: Path) -> None:
    (tmp_path / "glacier.toml").write_text(PROJECT)
    (tmp_path / "script.py").write_text(SCRIPT.replace("@env.task()", "@env.task(cache=True)"))
    assert run("run", "script.py", "--env", "prod")[0] == 0
    assert [each["task"] for each in json.loads(run("cache", "ls", "--env", "prod", "--json")[1])] == ["total", "make"]
    assert "2 results in " in run("cache", "ls", "--env", "prod")[1]
    assert run("cache", "ls")[1].startswith("nothing is cached in ")
    assert "2 cached" in run("plan", "script.py", "--env", "prod")[1]
    assert "0 cached" in run("plan", "script.py")[1]
    assert run("cache", "why", "make", "script.py", "--env", "prod")[1] == "make: cached\n"
    assert run("cache", "clear", "--env", "prod")[1] == "2 results removed\n"
    assert "0 cached" in run("plan", "script.py", "--env", "prod")[1]
    (tmp_path / "glacier.toml").write_text(PROJECT.replace('"results"', '"0 GB"', 1))
    assert "results cannot be kept in '0 GB'" in run("cache", "ls", "--env", "prod")[2]


def test_why_tells_of_a_task_that_is_never_cached(run) -> None:
    assert run("cache", "why", "make", "script.py")[1] == "make: run, it is not declared with cache=True\n"


def test_a_plan_says_what_would_run_and_why(run, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.replace("@env.task()", "@env.task(cache=True)"))
    assert [each["action"] for each in json.loads(run("plan", "script.py", "--json")[1])] == ["run", "run"]
    run("run", "script.py")
    assert "2 cached" in run("plan", "script.py")[1]
    assert run("cache", "why", "make", "script.py")[1].startswith("make: cached")
    assert run("cache", "why", "make", "script.py", "-p", "count=9")[1].startswith("make: run, ")
    assert not (tmp_path / "fail").exists()


def test_a_live_table_shows_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    table = LiveTable(Console(file=screen, force_terminal=True, width=80, height=12))
    now = time.time()
    table(Event("run_started", "r", "", "adding", now, detail="dev"))
    for number in range(20):
        table(Event("started", "r", f"k{number}", f"task_{number}", now, 1))
    table(Event("succeeded", "r", "k3", "task_3", now, 1, 0.5, 7))
    table(Event("failed", "r", "k4", "[red]bad", now, 2, 0.5))
    table(Event("run_finished", "r", "", "adding", now, seconds=1.0, detail="failed"))
    shown = screen.getvalue()
    assert "Run r of adding in dev: failed in 1.00 s" in shown
    last = shown[shown.rindex("Run r of adding") :]
    assert "task_3    done" in last
    assert "[red]bad  failed" in last
    assert "task_0 " not in last
