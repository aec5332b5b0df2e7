"""`--check` lets Terraform itself judge what an export would write, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glacier import Bucket, GlacierEnv
from glacier.checking import checked, checks, failures
from glacier.cli import app
from glacier.config import AwsConfig
from glacier.providers import AWSProvider
from terraform.terraform_cli import MISSING
from terraform.test_deploy import PROGRAM

needs_terraform = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


@pytest.fixture
def providers(mirrors: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terraform finds stand-ins of the clouds' providers, as a user's own mirror would give them."""
    settings(tmp_path, mirrors["newest"], monkeypatch)


def written(file: Path, mirror: Path) -> Path:
    """Write a CLI configuration that names a mirror of providers."""
    file.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    return file


def settings(tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "settings.tfrc", mirror)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(file))
    monkeypatch.setenv("TF_DISABLE_PLUGIN_TLS", "1")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "totals.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def env() -> GlacierEnv:
    env = GlacierEnv(AWSProvider(config=AwsConfig(region="eu-west-1")), "prod")
    env.register("sales", Bucket(env.provider, "acme-sales", "x.parquet"))
    return env


def outcomes(found: Any) -> dict[str, str]:
    return {each["name"]: each["outcome"] for each in found["checks"]}


def command(program: Path, out: Path, *options: str) -> Any:
    return CliRunner().invoke(app, ["export", str(program), "-o", str(out), "--check", *options])


@needs_terraform
@pytest.mark.usefixtures("providers")
@pytest.mark.parametrize("format", ["hcl", "json"])
def test_what_would_be_written_passes_and_nothing_is_written(env: GlacierEnv, tmp_path: Path, format: str) -> None:
    found = checked(env.export, tmp_path / "infra", format=format)
    assert outcomes(found) == {"fmt": "passed", "validate": "passed"}
    assert found["changes"]["new"]
    assert "fmt: passed\nvalidate: passed" in str(found)
    assert not (tmp_path / "infra").exists()


@needs_terraform
@pytest.mark.usefixtures("providers")
def test_the_command_says_what_would_change_and_what_passed(program: Path, tmp_path: Path) -> None:
    out = tmp_path / "infra"
    first = command(program, out)
    assert (first.exit_code, out.exists()) == (1, False)
    assert "new storage.tf" in first.output
    CliRunner().invoke(app, ["export", str(program), "-o", str(out)])
    before = sorted(path.name for path in out.rglob("*"))
    again = command(program, out)
    assert (again.exit_code, "fmt: passed\nvalidate: passed\n" in again.output) == (0, True)
    assert outcomes(json.loads(command(program, out, "--json").output)) == {"fmt": "passed", "validate": "passed"}
    assert sorted(path.name for path in out.rglob("*")) == before


@needs_terraform
@pytest.mark.usefixtures("providers")
def test_what_terraform_refuses_is_told_with_its_place(tmp_path: Path, env: GlacierEnv) -> None:
    env.export(tmp_path)
    (tmp_path / "mine.tf").write_text('resource "aws_s3_bucket" "mine" {\n  bukcet = "x"\n}\n')
    fmt, validate = checks(tmp_path)
    assert (fmt.outcome, validate.outcome) == ("passed", "failed")
    assert validate.said.startswith("mine.tf:2: Unsupported argument: ")
    assert failures({"checks": [vars(fmt), vars(validate)]}) == [f"validate: failed: {validate.said}"]  # type: ignore


@needs_terraform
def test_a_file_that_fmt_would_write_otherwise_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.tf").write_text('locals { \n x="y"\n}\n')
    fmt, validate = checks(tmp_path)
    assert str(fmt) == "fmt: failed: it would write these otherwise: mine.tf"
    assert str(validate) == "validate: passed"


@needs_terraform
def test_a_module_that_cannot_be_read_fails_both(tmp_path: Path) -> None:
    (tmp_path / "mine.tf").write_text('resource "x" {\n')
    fmt, validate = checks(tmp_path)
    assert (fmt.outcome, validate.outcome) == ("failed", "failed")
    assert "mine.tf:1: Unclosed configuration block" in validate.said
    assert "\n" not in f"{fmt}{validate}"


@needs_terraform
def test_a_provider_that_cannot_be_had_is_no_failure(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    settings(tmp_path, tmp_path / "empty", monkeypatch)
    out = tmp_path / "infra"
    CliRunner().invoke(app, ["export", str(program), "-o", str(out)])
    done = command(program, out)
    assert done.exit_code == 0
    assert "fmt: passed\nvalidate: not run: terraform init: " in done.output
    assert "hashicorp/aws" in done.output
    assert "name a mirror of the providers" in done.output


@needs_terraform
def test_a_configuration_is_found_from_the_working_directory(
    program: Path, mirrors: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(tmp_path, mirrors["newest"], monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "settings.tfrc")
    assert "fmt: passed\nvalidate: passed\n" in command(program, Path("infra")).output


@needs_terraform
def test_the_users_own_configuration_and_data_are_let_be(
    program: Path, mirrors: dict[str, Path], tmp_path: Path
) -> None:
    """Terraform reads `~/.terraformrc`, and leaves nothing where `TF_DATA_DIR` says that it keeps its data."""
    (home := tmp_path / "home").mkdir()
    (data := tmp_path / "data").mkdir()
    written(home / ".terraformrc", mirrors["newest"])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("glacier")),
            "export",
            str(program),
            "-o",
            str(tmp_path / "out"),
            "--check",
        ],
        env={**kept, "HOME": str(home), "TF_DATA_DIR": str(data), "TF_DISABLE_PLUGIN_TLS": "1"},
        capture_output=True,
        text=True,
    )
    assert "fmt: passed\nvalidate: passed\n" in done.stdout, done.stderr
    assert list(data.iterdir()) == []


@needs_terraform
def test_a_configuration_that_is_not_there_is_named(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "nowhere.tfrc"))
    output = command(program, tmp_path / "infra").output
    assert "validate: not run" in output
    assert f"TF_CLI_CONFIG_FILE names {tmp_path / 'nowhere.tfrc'}, which is not there" in output


def test_without_terraform_each_check_says_the_next_step(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    out = tmp_path / "infra"
    CliRunner().invoke(app, ["export", str(program), "-o", str(out)])
    done = command(program, out)
    assert done.exit_code == 0
    for name in ("fmt", "validate"):
        assert f"{name}: not run: terraform is not installed" in done.output
    assert "install Terraform 1.10 or newer" in done.output


@needs_terraform
@pytest.mark.usefixtures("providers")
def test_a_failure_is_exit_code_1(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "infra"
    CliRunner().invoke(app, ["export", str(program), "-o", str(out)])
    assert command(program, out).exit_code == 0
    monkeypatch.setattr("glacier.infrastructure.export.hcl", lambda blocks, header: 'locals { \n x="y"\n}\n')
    CliRunner().invoke(app, ["export", str(program), "-o", str(out)])
    done = command(program, out)
    assert "fmt: failed: it would write these otherwise: " in done.output
    assert (done.exit_code, "new " in done.output or "changed " in done.output) == (1, False)
