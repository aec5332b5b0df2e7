"""What is in the zip of a function, run as a cloud runs it: unpacked, by a Python that knows nothing of the project."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from servers.moto import Moto
from typer.testing import CliRunner

from glacier.cli import app
from terraform.configuration import read

REPORTS = """
import polars as pl
from glacier import Bucket, GlacierEnv
from glacier.config import AwsConfig
from glacier.providers import AWSProvider
from rules import least

env = GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1", endpoint_url={endpoint!r})), "production")
env.register("sales", env.provider.bucket("sales", path="sales.parquet"))
env.register("report", env.provider.bucket("sales", path="report.parquet"))


@env.task()
def large(sales: Bucket, report: Bucket, limit: int) -> None:
    report.write(sales.read().filter(pl.col("amount") >= limit))


@env.pipeline(schedule="rate(1 hour)")
def hourly(limit: int = least()) -> None:
    large(limit=limit)


@env.task(executor="lambda")
def total(sales: Bucket, factor: int = 1) -> int:
    return factor * sales.read()["amount"].sum()


@env.pipeline()
def totals() -> int:
    return total()


def most(sales: Bucket) -> int:
    return sales.read()["amount"].max()


largest = env.task(executor="lambda", timeout=5)(most)
smallest = env.task(executor="lambda", timeout=5, name="least_of_all")(lambda sales: sales.read()["amount"].min())
"""

EXTREMES = """
from reports import env, largest, smallest


@env.pipeline()
def extremes() -> int:
    return largest() - smallest()
"""

NOTEBOOK = """
from reports import env

@env.task(executor="lambda", timeout=5)
def written_here() -> int:
    return 1

@env.pipeline(schedule="rate(1 hour)")
def from_here() -> int:
    return written_here()
"""
CALL = """
import json, sys
sys.path.insert(0, "")
import glacier_entry
print(json.dumps(glacier_entry.handler(json.loads(sys.argv[1]), None)))
"""


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with Moto() as server:
        server.client("s3").create_bucket(Bucket="sales")
        yield server


@pytest.fixture
def project(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pipelines, and data in their bucket."""
    (tmp_path / "reports.py").write_text(REPORTS.format(endpoint=moto.endpoint), "utf-8")
    (tmp_path / "extremes.py").write_text(EXTREMES, "utf-8")
    (tmp_path / "rules.py").write_text("def least() -> int:\n    return 10\n", "utf-8")
    contents = BytesIO()
    pl.DataFrame({"amount": [5, 10, 20]}).write_parquet(contents)
    moto.client("s3").put_object(Bucket="sales", Key="sales.parquet", Body=contents.getvalue())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(project: Path, pipeline: str, function: str, event: Any) -> Any:
    """Export a pipeline, unpack the zip of one of its functions elsewhere, and call it with its own variables."""
    file = "extremes" if pipeline == "extremes" else "reports"
    done = CliRunner().invoke(app, ["export", f"{file}.py:{pipeline}", "-o", "infra", "--json"])
    assert done.exit_code == 0, done.output
    assert not [line for line in json.loads(done.stdout)["warnings"] if "in its file" in line]
    unpacked = project / "unpacked"
    with zipfile.ZipFile(project / "infra" / "packages" / f"{function}.zip") as archive:
        archive.extractall(unpacked)
    own = {"GLACIER_HOME": str(project / "home"), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    given = {**os.environ, **_variables(project / "infra" / "functions.tf", function), **own}
    command = [sys.executable, "-P", "-c", CALL, json.dumps(event)]
    answer = subprocess.run(command, cwd=unpacked, env=given, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def _variables(file: Path, function: str) -> dict[str, str]:
    (made,) = [
        block.body
        for block in read(file, pytest.fail)
        if block.labels[:1] == ("aws_lambda_function",) and block.body.attributes["function_name"] == function
    ]
    (environment,) = [block.body.attributes for block in made.blocks if block.kind == "environment"]
    return environment["variables"]


@pytest.mark.slow
@pytest.mark.parametrize(("event", "rows"), [(None, 2), ({"limit": 20}, 1)])
def test_a_scheduled_pipeline_runs_out_of_its_package(moto: Moto, project: Path, event: Any, rows: int) -> None:
    assert call(project, "hourly", "hourly-runner", event) == {"pipeline": "hourly"}
    written = moto.client("s3").get_object(Bucket="sales", Key="report.parquet")["Body"].read()
    assert pl.read_parquet(BytesIO(written)).height == rows


@pytest.mark.parametrize(("event", "total"), [(None, 35), ({"factor": 2}, 70)])
def test_a_task_runs_out_of_its_package(project: Path, event: Any, total: int) -> None:
    assert call(project, "totals", "totals-total", event) == total


@pytest.mark.parametrize(("function", "value"), [("extremes-most", 20), ("extremes-least-of-all", 5)])
def test_a_task_runs_by_the_name_that_its_module_has_for_it(project: Path, function: str, value: int) -> None:
    """A task need not be called as its function is, and a lambda has no name at all."""
    assert call(project, "extremes", function, None) == value


PLAIN = """
import sys
sys.path.insert(0, "")
from glacier.infrastructure.entry import handler
print(handler({"a": 3}, None))
"""


def test_a_plain_function_of_a_module_runs_as_it_is(project: Path) -> None:
    (project / "plain.py").write_text("def double(a):\n    return 2 * a\n")
    given = {**os.environ, "GLACIER_TARGET": "plain:double"}
    done = subprocess.run([sys.executable, "-c", PLAIN], cwd=project, env=given, capture_output=True, text=True)
    assert done.stdout == "6\n", done.stderr


def test_what_is_written_in_a_notebook_is_told_to_move(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(project))
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(NOTEBOOK, "<ipython-input-1>", "exec"), names)
    found = names["from_here"].run("generate", output_dir=project / "infra")
    told = [line for line in found["warnings"] if "is defined in no file" in line]
    assert [line.partition(":")[0] for line in told] == ["pipeline from_here", "task written_here"]
    assert not (project / "infra" / "packages").exists()
    sys.modules.pop("reports")
