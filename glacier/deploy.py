"""Generated infrastructure put into effect: a thin wrapper over the `terraform` program.

Nothing is applied without a yes: `deploy` plans, and applies that very plan only with `yes=True` or when `confirm` says
so. Terraform's own words are passed on in errors.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import InfrastructureError
from glacier.terraform import program
from glacier.terraform.files import read_resources

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Change", "Deployed", "Deployment", "Plan", "deploy", "drift"]

_ACTIONS = {"update": "change", "delete": "destroy", "remove": "forget", "noop": "", "read": ""}
"""Our words where Terraform's are others."""

_SIGNS = {"create": "+", "change": "~", "replace": "-/+", "destroy": "-", "import": "<=", "move": ">", "forget": "x"}
_LAST = "glacier-environment"
_OVERRIDE = "backend_override.tf"
_LOCAL_STATE = 'terraform {\n  backend "local" {}\n}\n'


@dataclass(frozen=True)
class Change:
    """One thing that Terraform would do: `action` is create, change, replace, destroy, import, move or forget.

    `about` is the Glacier resource that the address belongs to, "" where Glacier did not write it. An output
    is told of as `output.NAME`.
    """

    address: str
    action: str
    about: str = ""


@dataclass(frozen=True)
class Plan:
    """What Terraform would do in one environment."""

    environment: str
    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes)

    def count(self, action: str) -> int:
        """Return how many changes are of one kind."""
        return sum(change.action == action for change in self.changes)

    def __str__(self) -> str:
        if not self.changes:
            return f"{self.environment}: nothing to change"
        wide = max(len(change.address) for change in self.changes)
        rows = [
            f"  {_SIGNS.get(each.action, '?'):>3} {each.address:<{wide}}  {each.about}".rstrip()
            for each in self.changes
        ]
        actions = dict.fromkeys((*_SIGNS, *(change.action for change in self.changes)))
        counts = [f"{count} to {action}" for action in actions if (count := self.count(action))]
        return "\n".join([f"{self.environment}: {', '.join(counts)}", *rows])


@dataclass(frozen=True)
class Deployed:
    """What came of `deploy`: the plan, whether it was applied, and the outputs of the module."""

    plan: Plan
    applied: bool
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])


def deploy(
    folder: str | os.PathLike[str],
    *,
    environment: str | None = None,
    yes: bool = False,
    confirm: Callable[[Plan], bool] | None = None,
    local_state: bool = False,
    env: Any = None,
) -> Deployed:
    """Plan a generated folder and, after a yes, apply the plan; outputs go into `env.outputs` too.

    Args:
        folder: where the infrastructure was generated.
        environment: which of its environments; needed where it has several.
        yes: apply without asking.
        confirm: is shown the plan and says whether to apply it; without it and without `yes` nothing is applied.
        local_state: keep the state in the folder, and not where the backend file says.
        env: a GlacierEnv that learns the outputs: names of buckets, ARNs of functions and roles.

    Raises:
        InfrastructureError: Terraform is missing or failed, or the backend file is not complete.
    """
    deployment = Deployment(folder, environment, local_state=local_state)
    deployment.init()
    deployment.validate()
    plan = deployment.plan()
    try:
        applied = bool(plan) and (yes or (confirm is not None and confirm(plan)))
        if applied:
            deployment.apply()
    finally:
        deployment.forget()
    outputs = deployment.outputs() if applied or not plan else {}
    if env is not None:
        env.outputs.update(outputs)
    return Deployed(plan, applied, outputs)


def drift(folder: str | os.PathLike[str], *, environment: str | None = None, local_state: bool = False) -> Plan:
    """Compare what is there with what was generated: the plan is empty when both are the same.

    Raises:
        InfrastructureError: Terraform is missing or failed.
    """
    deployment = Deployment(folder, environment, local_state=local_state)
    deployment.init()
    return deployment.plan(keep=False)


class Deployment:
    """One environment of a generated folder, and the steps of Terraform in it."""

    def __init__(
        self, folder: str | os.PathLike[str], environment: str | None = None, *, local_state: bool = False
    ) -> None:
        self.folder = Path(folder)
        self.environment = _environment(self.folder, environment)
        self.local_state = local_state

    def init(self) -> None:
        """Fetch what the module needs, and find its state, which is another one for each environment."""
        override = self.folder / _OVERRIDE
        if self.local_state and not override.exists():
            override.write_text(_LOCAL_STATE, "utf-8")
        where = self._state_here() if override.exists() else self._backend()
        last = self._data / _LAST
        moved = last.is_file() and last.read_text("utf-8") != self.environment
        self._run("init", "-json", *where, *(["-reconfigure"] if moved else []))
        last.parent.mkdir(parents=True, exist_ok=True)
        last.write_text(self.environment, "utf-8")

    def validate(self) -> None:
        """Check the module."""
        self._run("validate", "-no-color")

    def plan(self, *, keep: bool = True) -> Plan:
        """Return what would be done; `keep` keeps it for `apply`."""
        options = [f"-out={self._plan_file}"] if keep else ["-lock=false"]
        self.forget()
        done = self._run("plan", "-json", "-detailed-exitcode", *options, *self._values(), allowed=(0, 2))
        changes = tuple(_changes(done.stdout, read_resources(self.folder)))
        return Plan(self.environment, changes if done.returncode == 2 else ())

    def apply(self) -> None:
        """Do what the plan says that was kept."""
        self._run("apply", "-json", str(self._plan_file))

    def forget(self) -> None:
        """Remove the plan that was kept: it holds secrets in the clear."""
        self._plan_file.unlink(missing_ok=True)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs of the module; sensitive ones are left out."""
        found = cast("dict[str, dict[str, Any]]", json.loads(self._run("output", "-json").stdout))
        return {name: each["value"] for name, each in found.items() if not each["sensitive"]}

    @property
    def _data(self) -> Path:
        """Where Terraform keeps what belongs to this working copy."""
        return (self.folder / os.environ.get("TF_DATA_DIR", ".terraform")).absolute()

    @property
    def _plan_file(self) -> Path:
        return self._data / "glacier.tfplan"

    def _state_here(self) -> list[str]:
        state, old = self.folder / f"{self.environment}.tfstate", self.folder / "terraform.tfstate"
        if old.exists() and not state.exists():
            raise InfrastructureError(
                f"{old} does not say of which environment it is the state",
                hint=f"if it is that of {self.environment}, call it {state.name}, else move it away",
            )
        return [f"-backend-config=path={state.name}"]

    def _values(self) -> list[str]:
        return [f"-var-file=environments/{self.environment}.tfvars"]

    def _backend(self) -> list[str]:
        found = sorted((self.folder / "backends").glob(f"{self.environment}.*.tfbackend"))
        for path in found[:1]:
            if lacking := _left_open(path):
                raise InfrastructureError(
                    f"{path} does not say where the state is kept: {', '.join(lacking)}",
                    hint="complete the file, or keep the state in the folder: local_state=True (--local-state)",
                )
        return [f"-backend-config={path.relative_to(self.folder)}" for path in found[:1]]

    def _run(self, command: str, *options: str, allowed: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
        return program.run(self.folder, command, *options, allowed=allowed)


def _environment(folder: Path, wanted: str | None) -> str:
    known = sorted(path.stem for path in (folder / "environments").glob("*.tfvars"))
    if not known:
        raise InfrastructureError(f"{folder} holds no generated infrastructure", hint="generate it: glacier export")
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted not in known:
        said = "has several environments" if wanted is None else f"has no environment {wanted!r}"
        raise InfrastructureError(f"{folder} {said}", hint=f"say which: {', '.join(known)}")
    return wanted


def _left_open(path: Path) -> list[str]:
    """Return the settings that a backend file asks for, as `# NAME = ...`, and does not give."""
    lines = path.read_text("utf-8").splitlines()
    asked = [line.removeprefix("# ").removesuffix(" = ...") for line in lines if re.fullmatch(r"# \w+ = \.\.\.", line)]
    given = {line.partition("=")[0].strip() for line in lines if not line.startswith("#")}
    return [name for name in asked if name not in given]


def _changes(said: str, resources: Mapping[str, str]) -> list[Change]:
    """Return what `terraform plan -json` says, kind by kind, as Terraform itself tells it in no order.

    Outputs follow from resources, and are told of only where nothing else changes.
    Source: https://developer.hashicorp.com/terraform/internals/machine-readable-ui
    """
    lines = list(program.lines(said))
    planned = [line["change"] for line in lines if line.get("type") == "planned_change"]
    made = [_change(each["resource"]["addr"], each["action"], resources) for each in planned]
    outputs = (item for line in lines if line.get("type") == "outputs" for item in line["outputs"].items())
    told = [_change(f"output.{name}", output.get("action", "noop"), {}) for name, output in outputs]
    return sorted(filter(None, made), key=_place) or sorted(filter(None, told), key=_place)


def _change(address: str, action: str, resources: Mapping[str, str]) -> Change | None:
    """Return a change in our own words, None for what changes nothing."""
    word = _ACTIONS.get(action, action)
    return Change(address, word, resources.get(address.partition("[")[0], "")) if word else None


def _place(change: Change) -> tuple[int, str]:
    known = list(_SIGNS)
    return known.index(change.action) if change.action in known else len(known), change.address
