"""Whether Terraform itself takes what an export would write: `fmt` and `validate` in a folder that is thrown away."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from glacier.errors import InfrastructureError
from glacier.terraform import program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from glacier.infrastructure.export import Generated

__all__ = ["Check", "checked", "checks", "failures"]

_OTHERWISE = 3
"""The exit code of `terraform fmt -check` where it would write a file in another way."""

Outcome = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Check:
    """One command of Terraform, and what came of it; `said` is why it failed or could not be run."""

    name: str
    outcome: Outcome
    said: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}{self.said and ': '}{self.said}"


def checked(generate: Callable[..., Generated], output_dir: str | os.PathLike[str], **options: Any) -> Generated:
    """Say what an export would change in its folder and, under `checks`, whether Terraform takes it; nothing stays.

    `generate` is called as `GlacierEnv.export` or `Pipeline.run` with their options of an export, twice: for the
    folder itself, with `check`, and for a temporary one, in which Terraform runs. Files of the user's own beside the
    generated ones are not looked at, and no backend is.
    """
    found = generate(output_dir=output_dir, **{**options, "check": True})
    with tempfile.TemporaryDirectory(prefix="glacier-check-") as scratch:
        folder = Path(scratch) / "module"
        generate(output_dir=folder, **{**options, "check": False})
        found["checks"] = [asdict(each) for each in checks(folder)]
    return found


def checks(folder: Path) -> tuple[Check, ...]:
    """Run `terraform fmt -check` and, where its providers can be had, `terraform validate` in a generated folder."""
    try:
        program.program()
    except InfrastructureError as error:
        return tuple(Check(name, "not run", _line(str(error))) for name in ("fmt", "validate"))
    return _fmt(folder), _validate(folder)


def failures(generated: Generated) -> list[str]:
    """Return a line for each check of an export that failed."""
    return [str(each) for each in map(_check, generated.get("checks", ())) if each.outcome == "failed"]


def _check(plain: dict[str, Any]) -> Check:
    return Check(**plain)


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Terraform with the user's own CLI configuration, and keep its data in the folder all the same."""
    return program.run(folder, *command, allowed=None, TF_DATA_DIR=".terraform")


def _fmt(folder: Path) -> Check:
    done = _run(folder, "fmt", "-check", "-recursive", "-no-color")
    if done.returncode == 0:
        return Check("fmt", "passed")
    others = f"it would write these otherwise: {', '.join(done.stdout.split())}"
    return Check("fmt", "failed", others if done.returncode == _OTHERWISE else _line(done.stderr))


def _validate(folder: Path) -> Check:
    made = _run(folder, "init", "-backend=false", "-json")
    if made.returncode != 0:
        return _unprepared(program.complaints(made), program.said(made))
    done = _run(folder, "validate", "-json")
    said = cast("list[dict[str, Any]]", json.loads(done.stdout)["diagnostics"])
    wrong = [_placed(each) for each in said if each["severity"] == "error"]
    return Check("validate", "failed", "; ".join(wrong)) if wrong else Check("validate", "passed")


def _unprepared(complaints: list[dict[str, Any]], said: str) -> Check:
    """Tell a module that is wrong from a provider that cannot be had: only the first points at a line of it."""
    wrong = [_placed(each) for each in complaints if "range" in each]
    if wrong:
        return Check("validate", "failed", "; ".join(wrong))
    return Check("validate", "not run", f"terraform init: {_line(said)} - {_step()}")


def _step() -> str:
    """Return what to do where a provider cannot be had."""
    named = os.environ.get("TF_CLI_CONFIG_FILE")
    if named and not Path(named).is_file():
        return f"TF_CLI_CONFIG_FILE names {named}, which is not there"
    return "run it where Terraform reaches its registry, or name a mirror of the providers in its CLI configuration"


def _placed(diagnostic: dict[str, Any]) -> str:
    place = diagnostic.get("range")
    where = f"{place['filename']}:{place['start']['line']}: " if place else ""
    return _line(where + program.worded(diagnostic))


def _line(text: str) -> str:
    return " ".join(text.split())
