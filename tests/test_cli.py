"""The `glacier` command, as it is typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

import glacier

SCRIPT = """
import polars as pl
from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="data")), "dev")
numbers = env.register("numbers", env.provider.bucket("raw", path="n.parquet"))

@env.task()
def make(count: int) -> pl.DataFrame:
    return pl.DataFrame({"n": range(count)})

@env.task()
def total(df: pl.DataFrame) -> int:
    return df["n"].sum()

@env.task()
def fails() -> None:
    raise ZeroDivisionError("of the user")

@env.pipeline()
def adding(count: int = 4):
    return total(make(count))

@env.pipeline()
def failing():
    fails()

if __name__ == "__main__":
    raise SystemExit("the command does not run this part")
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str, str]]):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "script.py").write_text(SCRIPT)

    return command


def test_version(run) -> None:
    assert run("--version") == (0, f"glacier {glacier.__version__}\n", "")


def test_run_prints_the_result_and_the_tasks(run) -> None:
    code, out, err = run("run", "script.py:adding", "-p", "count=5")
    assert (code, out) == (0, "10\n")
    assert "make" in err
    assert "total" in err


def test_analyze(run) -> None:
    code, out, _ = run("analyze", "script.py:adding", "--json")
    analysis = json.loads(out)
    assert code == 0
    assert analysis["tasks"] == ["make", "total"]
    assert [edge["access"] for edge in analysis["dag"]["edges"]] == ["data"]
    assert "adding: 2 tasks" in run("analyze", "script.py:adding")[1]


def test_dag_as_text_and_as_files(run, tmp_path: Path) -> None:
    assert "make" in run("dag", "script.py:adding")[1]
    for suffix in ("svg", "dot", "mmd", "txt", "png"):
        code, out, _ = run("dag", "script.py:adding", "-o", f"deep/dag.{suffix}")
        assert (code, out.strip()) == (0, f"deep/dag.{suffix}")
    ElementTree.parse(tmp_path / "deep" / "dag.svg")
    assert (tmp_path / "deep" / "dag.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = run("dag", "script.py:adding", "-o", "dag.doc")
    assert code == 1
    assert err == "error: no picture has the suffix '.doc'\nhint: use one of .svg, .png, .dot, .mmd, .txt\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nothing.py"], 1, "error: there is no file 'nothing.py'"),
        (["run", "script.py"], 1, "error: script.py defines 2 pipelines\nhint: say which: script.py:adding"),
        (["run", "script.py:addin"], 1, "error: script.py defines no pipeline 'addin'\nhint: did you mean 'adding'?"),
        (["run", "script.py:adding", "-p", "count"], 1, "error: 'count' is no parameter\nhint: write key=value"),
        (["run", "script.py:adding", "-p", "cuont=1"], 1, "'adding' has no parameter 'cuont'"),
        (["run"], 2, "Missing argument"),
        (["rnu", "script.py"], 2, "No such command 'rnu'"),
    ],
)
def test_errors_are_one_clean_line(run, arguments: list[str], code: int, message: str) -> None:
    left, out, err = run(*arguments)
    assert left == code
    assert message in err
    assert out == ""
    assert "Traceback" not in err


def test_a_users_error_names_its_line_and_its_task(run) -> None:
    code, _, err = run("run", "script.py:failing")
    assert code == 1
    assert err.startswith("error: ZeroDivisionError: of the user\n  at script.py:20\n")
    assert "task 'fails' of pipeline 'failing' in environment 'dev', attempt 1 of 1" in err
    with pytest.raises(ZeroDivisionError):
        run("run", "script.py:failing", "--debug")


def test_the_demo_writes_its_report_twice(run, tmp_path: Path) -> None:
    for _ in range(2):
        code, out, _ = run("demo", "flights")
        assert code == 0
        for part in ("extract_flights", "336,776", "327,346", "Alaska Airlines Inc.", "delay_by_carrier.parquet"):
            assert part in out
    assert glacier.GlacierEnv.from_provider("local", None).provider.get_provider_type() == "local"
    ElementTree.parse(tmp_path / "flights" / "flight_delays.svg")
