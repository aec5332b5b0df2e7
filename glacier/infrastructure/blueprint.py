"""What a provider answers: blocks by file, and what the rest of the module must know of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glacier.errors import InfrastructureError
from glacier.terraform import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.infrastructure.needs import Use
    from glacier.terraform import Block, Ref, Value

__all__ = ["Backend", "Blueprint", "Draft", "Statement"]


@dataclass(frozen=True)
class Backend:
    """Where Terraform keeps its state: the kind of backend, and a start for the environment's `.tfbackend` file.

    A value of None has to be filled in by the user; `advice` are lines of comment that say how.
    """

    kind: str
    settings: Mapping[str, str | bool | None]
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """One permission: who may do what on which resources, and the tasks that need it.

    `resources` are as text, such as `aws_s3_bucket.sales.arn/raw/*`; `address` is the block that holds the statement.
    """

    address: str
    principal: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    uses: tuple[Use, ...]


@dataclass(frozen=True)
class Blueprint:
    """One provider's part of a module.

    Attributes:
        document: blocks by file: providers.tf, variables.tf, locals.tf, storage.tf, functions.tf, iam.tf, schedules.tf,
            outputs.tf. `terraform.tf` is written from `requirements` and `backend`; blocks keep their order but in
            variables.tf and outputs.tf, which are sorted.
        requirements: for each provider of Terraform, its `source` and `version`.
        backend: where the state may be kept.
        values: values of variables for the environment's `.tfvars`; secrets never stand there.
        assets: other files, such as zipped code, by path relative to the module.
        statements: the permissions in the document.
        resources: for each block's address, the Glacier resource that it is for, such as `bucket sales`.
        warnings: what the user should know, a line each.
    """

    document: Document = field(default_factory=lambda: Document({}))
    requirements: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Any])
    backend: Backend | None = None
    values: Mapping[str, Value] = field(default_factory=dict[str, Any])
    assets: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    statements: tuple[Statement, ...] = ()
    resources: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: tuple[str, ...] = ()


class Draft:
    """A blueprint in the making: blocks are added one by one, each with the Glacier resource that it is for."""

    def __init__(self) -> None:
        self._files: dict[str, list[Block]] = {}
        self.values: dict[str, Value] = {}
        self.assets: dict[str, bytes] = {}
        self.statements: list[Statement] = []
        self._resources: dict[str, str] = {}
        self._warnings: dict[str, None] = {}

    def add(self, file: str, block: Block, about: str = "") -> Block:
        """Put a block into a file and return it; `about` names the Glacier resource, such as `bucket sales`."""
        self._files.setdefault(file, []).append(block)
        if about:
            self._resources[block.address] = about
        return block

    def variable(self, block: Block, value: Value = None) -> Ref:
        """Declare a variable, once, with a value for the environment's `.tfvars`; return its reference.

        Raises:
            InfrastructureError: two different variables get the same name.
        """
        known = self._files.setdefault("variables.tf", [])
        same = next((each for each in known if each.labels == block.labels), None)
        if same is None:
            known.append(block)
        elif same != block:
            said = " and ".join(str(each.arguments.get("description")) for each in (same, block))
            raise InfrastructureError(
                f"two variables are called {block.labels[0]!r}: {said}", hint="rename one of them"
            )
        if value is not None:
            self.values[block.labels[0]] = value
        return block.ref

    def warn(self, line: str) -> None:
        """Say something to the user, once."""
        self._warnings[line] = None

    def finish(self, requirements: Mapping[str, Mapping[str, str]], backend: Backend | None) -> Blueprint:
        """Return the blueprint."""
        return Blueprint(
            document=Document({name: tuple(blocks) for name, blocks in self._files.items()}),
            requirements=requirements,
            backend=backend,
            values=self.values,
            assets=self.assets,
            statements=tuple(self.statements),
            resources=self._resources,
            warnings=tuple(self._warnings),
        )
