"""From recorded pipelines to Terraform: what they need, what each provider makes of it, and the files."""

from __future__ import annotations

from glacier.infrastructure.blueprint import Backend, Blueprint, Draft, Statement
from glacier.infrastructure.needs import BucketNeed, FunctionNeed, Grant, Needs, Runner, Schedule, Use
from glacier.infrastructure.packages import Package

__all__ = [
    "Backend",
    "Blueprint",
    "BucketNeed",
    "Draft",
    "FunctionNeed",
    "Grant",
    "Needs",
    "Package",
    "Runner",
    "Schedule",
    "Statement",
    "Use",
]
