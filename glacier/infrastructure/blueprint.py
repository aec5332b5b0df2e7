"""What a provider answers: blocks by file, and what the rest of the module must know of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glacier.terraform import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glacier.infrastructure.needs import Use
    from glacier.terraform import Value

__all__ = ["Backend", "Blueprint", "Statement"]


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
