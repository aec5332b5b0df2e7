"""The `terraform` program, run in a folder; its own words are passed on in errors."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from glacier.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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
        KeyboardInterrupt: it was interrupted, and Terraform has come to its end.
    """
    done = _done([program(), f"-chdir={folder}", command, *options], variables)
    if allowed is not None and done.returncode not in allowed:
        why = said(done)
        raise InfrastructureError(f"terraform {command} in {folder} failed: {why}", hint=_next_step(why))
    return done


def _done(command: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Terraform in a session of its own, with files for what it says.

    So it outlives this process: killed in the midst of an apply, or by a pipe that nobody reads, it would leave a lock,
    and resources that no state knows.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - the program is terraform, the arguments are ours
            command,
            env={**os.environ, **_OWN, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        _wait(process)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(
            command, process.returncode, output.read().decode(errors="replace"), errors.read().decode(errors="replace")
        )


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for Terraform; each interrupt is passed on: after one it ends in good order, after a second at once."""
    interrupted: KeyboardInterrupt | None = None
    while process.poll() is None:
        try:
            process.wait()
        except KeyboardInterrupt as error:
            interrupted = error
            process.send_signal(signal.SIGINT)
            print("waiting for Terraform, which was asked to stop ...", file=sys.stderr)
    if interrupted is not None:
        raise interrupted


_NEXT_STEPS = (
    (
        "available provider packages|Failed to install provider",
        "run it where Terraform reaches its registry, or name a mirror of the providers in its CLI configuration",
    ),
    (
        "acquiring the state lock",
        "somebody else is at work, or a run was cut short: ask who the error names, then terraform force-unlock ID",
    ),
    (
        "Backend configuration changed|Backend type changed|Backend configuration block has changed",
        "move the state to where the backend file says now: terraform init -migrate-state -backend-config=FILE",
    ),
)


def _next_step(why: str) -> str | None:
    return next((step for pattern, step in _NEXT_STEPS if re.search(pattern, why)), None)


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
    about = f"{diagnostic['address']}: " if diagnostic.get("address") else ""
    return about + f"{diagnostic['summary']}: {diagnostic.get('detail', '')}".strip(": ")
