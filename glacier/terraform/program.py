"""The `terraform` program, run in a folder; its own words are passed on in errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from glacier.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["complaints", "lines", "program", "run", "said", "worded"]

_OWN = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}


def program() -> str:
    """Return the path of the program.

    Raises:
        InfrastructureError: it is not installed.
    """
    found = shutil.which("terraform")
    if found is None:
        raise InfrastructureError(
            "terraform is not installed, or not on the PATH",
            hint="install Terraform 1.10 or newer: https://developer.hashicorp.com/terraform/install",
        )
    return found


def run(
    folder: Path, command: str, *options: str, allowed: Sequence[int] | None = (0,), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder and return what it said; with `allowed` None every exit code is.

    The user's CLI configuration is in force, as `TF_CLI_CONFIG_FILE` names it from the working directory; `variables`
    are further ones of its environment.

    Raises:
        InfrastructureError: the program is not installed, or its exit code is not allowed.
    """
    done = subprocess.run(  # noqa: S603 - the program is terraform, the arguments are ours
        [program(), f"-chdir={folder}", command, *options],
        env={**os.environ, **_OWN, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if allowed is not None and done.returncode not in allowed:
        raise InfrastructureError(f"terraform {command} in {folder} failed: {said(done)}")
    return done


def lines(output: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of an output that has one on a line."""
    for line in output.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def complaints(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return the errors of a command that speaks JSON, https://developer.hashicorp.com/terraform/internals/machine-readable-ui."""
    return [line["diagnostic"] for line in lines(done.stdout) if line.get("@level") == "error" and "diagnostic" in line]


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return why a command failed."""
    return "; ".join(map(worded, complaints(done))) or (done.stderr or done.stdout).strip()


def worded(diagnostic: dict[str, Any]) -> str:
    """Return one of Terraform's diagnostics as text."""
    return f"{diagnostic['summary']}: {diagnostic.get('detail', '')}".strip(": ")
