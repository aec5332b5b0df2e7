"""The promises of the package as such: light imports, public names, a clean lock file, one version."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import glacier

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = [Requirement(line) for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()]
HEAVY = {"boto3", "botocore", "google.cloud", "azure", "IPython", "ipywidgets", "polars", "obstore", "graphviz"}


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("statement", ["import glacier", "from glacier import GlacierEnv, Bucket, Inject, task"])
def test_import_is_light(statement: str) -> None:
    loaded = modules_after(statement)
    assert "glacier" in loaded
    assert not loaded & HEAVY


def test_the_check_of_light_imports_sees_a_heavy_one() -> None:
    assert modules_after("import polars") & HEAVY == {"polars"}


def test_public_names_import() -> None:
    assert {"GlacierEnv", "Bucket", "Inject", "task"} <= set(glacier.__all__)
    assert [name for name in glacier.__all__ if not hasattr(glacier, name)] == []
    assert set(glacier.__all__) <= set(dir(glacier))


def test_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = glacier.no_such_name


def test_lock_has_no_address_and_no_path() -> None:
    assert [str(one) for one in LOCK if one.url] == []
    assert [str(one) for one in LOCK if not re.fullmatch(r"==[\w.!+]+", str(one.specifier))] == []


def declared() -> list[Requirement]:
    """Everything that pyproject.toml asks for, but for the project itself."""
    extras = PROJECT["project"]["optional-dependencies"]
    groups = [PROJECT["project"]["dependencies"], *extras.values(), *PROJECT["dependency-groups"].values()]
    asked = [Requirement(text) for group in groups for text in group]
    return [one for one in asked if one.name != PROJECT["project"]["name"]]


@pytest.mark.parametrize("asked", declared(), ids=str)
def test_lock_satisfies_the_project(asked: Requirement) -> None:
    pins = [pin for pin in LOCK if pin.name == asked.name]
    assert pins, "run `make lock`"
    versions = [next(iter(pin.specifier)).version for pin in pins]
    assert [version for version in versions if version not in asked.specifier] == []


def test_version_is_the_newest_of_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0]
    assert glacier.__version__ == PROJECT["project"]["version"] == newest


@pytest.mark.parametrize("package", ["glacier", "glacier_magics"])
def test_types_are_shipped(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
