"""Terraform itself, run offline in a folder with the providers of a filesystem mirror."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terraform.provider_schemas import Schema

__all__ = ["MISSING", "Terraform", "TerraformError", "fmt", "lay_out"]

PROGRAM = shutil.which("terraform")
MISSING = None if PROGRAM else "terraform is not installed: generated code is held to the provider schemas only"

_PLUGIN = Path(__file__).parent / "stand_in_provider.py"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class TerraformError(AssertionError):
    """Terraform failed; its own words."""


def lay_out(mirror: Path, schemas: Iterable[Schema]) -> Path:
    """Make a filesystem mirror in which a stand-in serves each schema under its provider's name and version."""
    system = f"{platform.system().lower()}_{_MACHINES[platform.machine()]}"
    for schema in schemas:
        folder = mirror / "registry.terraform.io" / "hashicorp" / schema.name / schema.version / system
        folder.mkdir(parents=True)
        shutil.copy(schema.path, folder / "schema.json")
        plugin = folder / f"terraform-provider-{schema.name}_v{schema.version}"
        plugin.write_text("\n".join([f"#!{sys.executable}", *_PLUGIN.read_text("utf-8").splitlines()[1:], ""]), "utf-8")
        plugin.chmod(0o755)
    return mirror


@dataclass
class Terraform:
    """Terraform in one folder. Its state stays there, whatever backend the files name."""

    folder: Path
    mirror: Path

    def __post_init__(self) -> None:
        override = 'terraform {\n  backend "local" {}\n}\n'
        (self.folder / "backend_override.tf").write_text(override, "utf-8")
        self._settings = self.folder / ".terraformrc"
        self._settings.write_text(
            f'provider_installation {{\n  filesystem_mirror {{\n    path = "{self.mirror}"\n  }}\n}}\n', "utf-8"
        )

    def run(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run a command and return what it said.

        Raises:
            TerraformError: its exit code is not allowed.
        """
        done = subprocess.run(
            [PROGRAM or "terraform", *arguments],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
        )
        if done.returncode not in allowed:
            raise TerraformError(f"terraform {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def _environment(self) -> dict[str, str]:
        own = {
            "TF_CLI_CONFIG_FILE": str(self._settings),
            "TF_DISABLE_PLUGIN_TLS": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "NO_COLOR": "1",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        return {**kept, **own}

    def init(self) -> None:
        self.run("init", "-no-color")

    def validate(self) -> list[str]:
        """Return the errors and warnings of `terraform validate`, as text."""
        found = json.loads(self.run("validate", "-json", allowed=(0, 1)).stdout)
        return [f"{each['summary']}: {each.get('detail', '')}" for each in found["diagnostics"]]

    def plan(self, *options: str) -> bool:
        """Whether there is anything to change."""
        return self.run("plan", "-no-color", "-detailed-exitcode", *options, allowed=(0, 2)).returncode == 2

    def apply(self, *options: str) -> None:
        self.run("apply", "-no-color", "-auto-approve", *options)

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the values of every resource and data source, by address."""
        root = json.loads(self.run("show", "-json").stdout).get("values", {}).get("root_module", {})
        return {each["address"]: each["values"] for each in _resources(root)}

    def destroy(self, *options: str) -> None:
        self.run("destroy", "-no-color", "-auto-approve", *options)


def _resources(module: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [each for child in module.get("child_modules", []) for each in _resources(child)]
    return [*module.get("resources", []), *inner]


def fmt(folder: Path) -> str:
    """Return the names of the files that `terraform fmt` would change, a line each."""
    command = [PROGRAM or "terraform", "fmt", "-check", "-recursive", str(folder)]
    return subprocess.run(command, capture_output=True, text=True).stdout
