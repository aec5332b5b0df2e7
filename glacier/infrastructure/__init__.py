"""From recorded pipelines to Terraform: what they need, what each provider makes of it, and the files."""

from __future__ import annotations

from glacier.infrastructure.blueprint import Backend, Blueprint, Statement
from glacier.infrastructure.needs import RUNNER, BucketNeed, FunctionNeed, Grant, Needs, Schedule, Use
from glacier.infrastructure.packages import Package

__all__ = [
    "RUNNER",
    "Backend",
    "Blueprint",
    "BucketNeed",
    "FunctionNeed",
    "Grant",
    "Needs",
    "Package",
    "Schedule",
    "Statement",
    "Use",
]
