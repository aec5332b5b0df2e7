"""Needs made by hand, for tests of one provider's Terraform."""

from pathlib import Path
from typing import Any

from glacier.infrastructure import Blueprint, BucketNeed, FunctionNeed, Grant, Needs, Package, Runner, Schedule, Use
from glacier.schedules import schedule
from glacier.settings import Level, cascade
from glacier.terraform import Block, Document, Labels, hcl, nested, variable

__all__ = ["bucket", "function", "needs", "write"]

USE = Use("sales", "clean", None)
CODE = Package({"process.py": b"def handler(event, context):\n    return event\n"})


def bucket(name: str, config: Any, label: str | None = None) -> BucketNeed:
    effective = cascade(Level("resource", config.set_fields()))
    return BucketNeed(name, label or name.replace("-", "_"), config, effective)


def function(name: str, config: Any, **fields: Any) -> FunctionNeed:
    effective = cascade(Level("resource", config.set_fields()))
    given = {"handler": "process.handler", "runtime": None, "timeout": config.timeout, "package": CODE}
    return FunctionNeed(
        name=name, label=name.replace("-", "_"), config=config, effective=effective, **{**given, **fields}
    )


def needs(*made: BucketNeed | FunctionNeed, grants: Any = (), when: str | None = None, **fields: Any) -> Needs:
    """Needs of some; `grants` as (principal, deed, need, path), `when` schedules the first function."""
    buckets = tuple(each for each in made if isinstance(each, BucketNeed))
    functions = tuple(each for each in made if isinstance(each, FunctionNeed))
    given = [_grant(*each) for each in grants]
    known = {each.label for each in functions}
    runners = sorted({grant.principal for grant in given} - known)
    return Needs(
        environment="test",
        pipelines=("sales",),
        labels=Labels(),
        buckets=buckets,
        functions=functions,
        runners=tuple(Runner(label, label) for label in runners),
        grants=tuple(given),
        schedules=() if when is None else (Schedule("sales", schedule(when), functions[0]),),
        **fields,
    )


def _grant(principal: str, deed: Any, need: BucketNeed | FunctionNeed, path: str = "") -> Grant:
    if isinstance(need, BucketNeed):
        return Grant(principal, {deed: (USE,)}, need, None, path)
    return Grant(principal, {"call": (USE,)}, None, need)


def write(blueprint: Blueprint, folder: Path) -> Path:
    """Write a blueprint alone as a module."""
    requirements = nested("required_providers", **blueprint.requirements)
    environment = variable("environment", "string", "Name of the environment.", default="test")
    own = Document({"terraform.tf": (Block("terraform", (), {}, (requirements,)),), "variables.tf": (environment,)})
    files = (own + blueprint.document).files
    for name, blocks in files.items():
        (folder / name).write_text(hcl(blocks), "utf-8")
    for name, contents in blueprint.assets.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(contents)
    return folder
