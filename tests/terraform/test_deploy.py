"""Generated infrastructure is planned, applied after a yes, compared, and told of, by the commands too."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glacier.cli import app
from glacier.deploy import Change, Deployment, Plan, deploy, drift
from glacier.errors import InfrastructureError
from glacier.terraform import Block, hcl, nested, output, resource, variable, write_files
from glacier.terraform.hcl import arguments
from terraform.terraform_cli import MISSING

pytestmark = pytest.mark.slow
needs_terraform = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

PROGRAM = """
import polars as pl
from glacier import Bucket, GlacierEnv
from glacier.config import AwsConfig
from glacier.providers import AWSProvider

env = GlacierEnv(AWSProvider(config=AwsConfig(region="eu-west-1")), "prod")

@env.task()
def total(source: Bucket) -> pl.DataFrame:
    return source.read().sum()

@env.pipeline()
def totals():
    return total(env.provider.bucket("sales", path="x.parquet"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A module that Terraform can apply without a provider, as `export` lays it out."""
    return module(tmp_path / "infra")


def module(folder: Path, value: str = "one", names: tuple[str, ...] = ("prod",), told: str | None = None) -> Path:
    kept = resource("terraform_data", "kept", input=value)
    blocks = [
        Block("terraform", (), {"required_version": ">= 1.10"}, (Block("backend", ("local",)),)),
        variable("environment", "string", "Name of the environment."),
        kept,
        output("kept", "What is kept.", kept.ref.output),
        output("hidden", "A secret.", "hush", sensitive=True),
        *([] if told is None else [output("told", "Something.", told)]),
    ]
    files = {"main.tf": hcl(blocks).encode()}
    files |= {f"environments/{name}.tfvars": arguments({"environment": name}).encode() for name in names}
    seeds = {f"backends/{name}.local.tfbackend": f'# path = ...\npath = "{name}.tfstate"\n'.encode() for name in names}
    write_files(folder, files, seeds=seeds, resources={"terraform_data.kept": "bucket sales"})
    return folder


class Env:
    def __init__(self) -> None:
        self.outputs: dict[str, Any] = {}


@needs_terraform
def test_nothing_is_applied_without_a_yes(folder: Path) -> None:
    done = deploy(folder)
    assert (done.applied, done.outputs) == (False, {})
    assert done.plan.changes == (Change("terraform_data.kept", "create", "bucket sales"),)
    assert re.search(r"prod: 1 to create\n +\+ terraform_data.kept +bucket sales", str(done.plan))
    refused: list[Plan] = []
    assert not deploy(folder, confirm=lambda plan: bool(refused.append(plan))).applied
    assert refused == [done.plan]
    assert not (folder / "prod.tfstate").exists()
    assert not list(folder.rglob("*.tfplan"))


@needs_terraform
def test_a_yes_applies_the_plan_and_outputs_come_back(folder: Path) -> None:
    env = Env()
    done = deploy(folder, yes=True, env=env)
    assert (done.applied, done.outputs) == (True, {"kept": "one"})
    assert env.outputs == {"kept": "one"}
    assert not list(folder.rglob("*.tfplan"))
    again = deploy(folder, yes=True)
    assert (bool(again.plan), again.applied, again.outputs) == (False, False, {"kept": "one"})
    assert str(again.plan) == "prod: nothing to change"


@needs_terraform
def test_drift_is_what_a_plan_would_change(folder: Path) -> None:
    deploy(folder, yes=True)
    assert not drift(folder)
    module(folder, "two")
    found = drift(folder)
    assert [(change.action, change.about) for change in found.changes] == [("change", "bucket sales")]
    assert found.count("change") == 1


@needs_terraform
def test_state_can_stay_in_the_folder(folder: Path) -> None:
    deploy(folder, yes=True, local_state=True)
    assert (folder / "prod.tfstate").exists()
    assert 'backend "local"' in (folder / "backend_override.tf").read_text()
    (folder / "prod.tfstate").rename(folder / "terraform.tfstate")
    with pytest.raises(InfrastructureError, match=r"if it is that of prod, call it prod\.tfstate"):
        deploy(folder, local_state=True)


@needs_terraform
@pytest.mark.parametrize("local_state", [False, True])
def test_environments_of_one_folder_have_a_state_each(tmp_path: Path, local_state: bool) -> None:
    folder = module(tmp_path, names=("dev", "prod"))
    for name in ("dev", "prod", "dev"):
        done = deploy(folder, environment=name, yes=True, local_state=local_state)
        assert done.outputs == {"kept": "one"}
        assert not drift(folder, environment=name)
    states = [json.loads((folder / f"{name}.tfstate").read_text()) for name in ("dev", "prod")]
    assert [len(state["resources"]) for state in states] == [1, 1]
    assert len({state["lineage"] for state in states}) == 2


@needs_terraform
def test_a_state_that_was_moved_away_is_not_begun_anew(folder: Path) -> None:
    deploy(folder, yes=True)
    (folder / "backends" / "prod.local.tfbackend").write_text('path = "elsewhere.tfstate"\n')
    with pytest.raises(
        InfrastructureError, match=r"(?s)Backend configuration changed.*-migrate-state -backend-config=FILE"
    ):
        deploy(folder, yes=True)


@needs_terraform
def test_a_plan_is_told_kind_by_kind_and_in_order(folder: Path) -> None:
    (folder / "many.tf").write_text("".join(f'resource "terraform_data" "{each}" {{}}\n' for each in "cba"))
    deploy(folder, yes=True)
    module(folder, "two")
    (folder / "many.tf").write_text("".join(f'resource "terraform_data" "{each}" {{}}\n' for each in "xw"))
    made = [("create", "w"), ("create", "x"), ("change", "kept"), ("destroy", "a"), ("destroy", "b"), ("destroy", "c")]
    assert [(each.action, each.address.removeprefix("terraform_data.")) for each in drift(folder).changes] == made


@needs_terraform
def test_a_change_of_outputs_alone_is_a_change(folder: Path) -> None:
    deploy(folder, yes=True)
    module(folder, told="another")
    assert drift(folder).changes == (Change("output.told", "create"),)
    assert deploy(folder, yes=True).outputs == {"kept": "one", "told": "another"}
    assert not drift(folder)


@needs_terraform
def test_what_is_only_moved_or_forgotten_is_shown_too(folder: Path) -> None:
    deploy(folder, yes=True)
    text = (folder / "main.tf").read_text()
    (folder / "main.tf").write_text(text.replace("kept", "held"))
    (folder / "moved.tf").write_text("moved {\n  from = terraform_data.kept\n  to = terraform_data.held\n}\n")
    assert Change("terraform_data.held", "move") in drift(folder).changes
    (folder / "moved.tf").write_text(
        "removed {\n  from = terraform_data.kept\n  lifecycle {\n    destroy = false\n  }\n}\n"
    )
    found = drift(folder)
    assert Change("terraform_data.kept", "forget", "bucket sales") in found.changes
    assert "1 to forget" in str(found)


@needs_terraform
def test_terraforms_own_folder_may_be_elsewhere(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_DATA_DIR", str(tmp_path / "data"))
    assert deploy(folder, yes=True).applied
    assert not (folder / ".terraform").exists()
    assert not list(tmp_path.rglob("*.tfplan"))


@needs_terraform
def test_where_no_registry_is_reached_the_error_says_what_to_do(folder: Path) -> None:
    nowhere = nested("required_providers", nowhere={"source": "localhost:1/nobody/nowhere"})
    (folder / "more.tf").write_text(hcl([Block("terraform", (), {}, (nowhere,))]))
    with pytest.raises(InfrastructureError, match=r"(?s)terraform init in .* failed: .*name a mirror of the providers"):
        deploy(folder, yes=True)


@needs_terraform
def test_a_state_that_somebody_else_holds_is_waited_for_by_nobody(folder: Path) -> None:
    deploy(folder, yes=True)
    module(folder, "two")
    with (folder / "prod.tfstate").open("r+b") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        with pytest.raises(InfrastructureError, match=r"(?s)acquiring the state lock.*terraform force-unlock"):
            deploy(folder, yes=True)
        assert drift(folder)
    assert deploy(folder, yes=True).applied


@needs_terraform
def test_an_apply_that_fails_keeps_what_it_made_and_no_plan(folder: Path) -> None:
    slow(folder, "exit 3")
    with pytest.raises(InfrastructureError, match=r"(?s)terraform apply in .* failed: .*slow.*exit status 3"):
        deploy(folder, yes=True)
    assert not list(folder.rglob("*.tfplan"))
    assert "kept" in (folder / "prod.tfstate").read_text()


def slow(folder: Path, command: str) -> None:
    """Add a resource that takes its time."""
    provisioner = f'  provisioner "local-exec" {{\n    command = "{command}"\n  }}\n'
    after = "  depends_on = [terraform_data.kept]\n"
    (folder / "slow.tf").write_text(f'resource "terraform_data" "slow" {{\n{after}{provisioner}}}\n')


DEPLOYING = "import sys\nfrom glacier.deploy import deploy\ndeploy(sys.argv[1], yes=True)\n"


@needs_terraform
def test_an_interrupt_waits_until_terraform_has_kept_what_it_made(folder: Path) -> None:
    slow(folder, "touch begun; sleep 60")
    command = [sys.executable, "-c", DEPLOYING, str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: (folder / "begun").exists() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT, said
    assert "waiting for Terraform" in said
    state = json.loads((folder / "prod.tfstate").read_text())
    assert "kept" in {each["name"] for each in state["resources"]}
    assert not list(folder.glob(".*.lock.info"))
    assert not list(folder.rglob("*.tfplan"))
    (folder / "slow.tf").unlink()
    assert deploy(folder, yes=True).outputs["kept"] == "one"


@needs_terraform
def test_terraform_comes_to_its_end_also_where_glacier_is_killed(folder: Path) -> None:
    slow(folder, "touch begun; sleep 2")
    process = subprocess.Popen([sys.executable, "-c", DEPLOYING, str(folder)], start_new_session=True)
    wait_until(lambda: (folder / "begun").exists() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: "slow" in (folder / "prod.tfstate").read_text() and not list(folder.glob(".*.lock.info")))
    assert not drift(folder)


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(1200):
        if done():
            return
        time.sleep(0.1)
    pytest.fail("it did not come to pass")


@needs_terraform
def test_terraforms_own_words_are_passed_on(folder: Path) -> None:
    (folder / "broken.tf").write_text('output "x" {\n  value = var.missing\n}\n')
    with pytest.raises(InfrastructureError, match=r"terraform validate in .* failed: .*var.missing|undeclared"):
        deploy(folder)


def test_an_unfinished_backend_file_is_refused(folder: Path) -> None:
    (folder / "backends/prod.local.tfbackend").write_text("# bucket = ...\n")
    with pytest.raises(InfrastructureError, match=r"does not say where the state is kept.*--local-state"):
        Deployment(folder).init()


def test_one_of_several_environments_has_to_be_named(tmp_path: Path) -> None:
    folder = module(tmp_path, names=("dev", "prod"))
    with pytest.raises(InfrastructureError, match=r"several environments.*dev, prod"):
        Deployment(folder)
    with pytest.raises(InfrastructureError, match=r"no environment 'test'.*dev, prod"):
        Deployment(folder, "test")
    assert Deployment(folder, "dev").environment == "dev"
    with pytest.raises(InfrastructureError, match="no generated infrastructure"):
        Deployment(tmp_path / "nowhere")


def test_without_terraform_the_error_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(InfrastructureError, match="install Terraform 1.10 or newer"):
        deploy(folder)


# The commands --------------------------------------------------------------------------------------------------------


def glacier(*arguments: str, input: str | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=input)


@needs_terraform
def test_the_command_asks_before_it_applies(folder: Path) -> None:
    refused = glacier("deploy", str(folder), input="n\n")
    assert (refused.exit_code, "Apply this?" in refused.output) == (0, True)
    planned = glacier("deploy", str(folder), "--plan")
    assert (planned.exit_code, "Apply this?" in planned.output) == (0, False)
    assert glacier("drift", str(folder)).exit_code == 2
    applied = glacier("deploy", str(folder), input="y\n")
    assert (applied.exit_code, "kept = one" in applied.output, "hush" in applied.output) == (0, True, False)
    clean = glacier("drift", str(folder))
    assert (clean.exit_code, clean.output) == (0, "prod: nothing to change\n")
    assert "kept = one" in glacier("deploy", str(folder), "--yes").output


def test_the_command_exports_and_checks(tmp_path: Path) -> None:
    program = tmp_path / "totals.py"
    program.write_text(PROGRAM)
    out = tmp_path / "infra"
    assert glacier("export", str(program), "-o", str(out), "--check").exit_code == 1
    assert not out.exists()
    done = glacier("export", f"{program}:totals", "-o", str(out))
    assert (done.exit_code, "new storage.tf" in done.output) == (0, True)
    assert glacier("export", str(program), "-o", str(out), "--check").exit_code == 0
    (out / "storage.tf").write_text("mine")
    refused = glacier("export", str(program), "-o", str(out))
    assert isinstance(refused.exception, InfrastructureError)
    forced = glacier("export", str(program), "-o", str(out), "--force", "--json")
    assert (forced.exit_code, '"storage.tf"' in forced.output) == (0, True)
    as_json = glacier("export", str(program), "-o", str(tmp_path / "json"), "--format", "json")
    assert (as_json.exit_code, (tmp_path / "json" / "storage.tf.json").exists()) == (0, True)
