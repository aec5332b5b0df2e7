"""What `terraform show -json` says of a plan, in a form in which two modules can be held against each other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["outputs", "resources"]


def resources(plan: Mapping[str, Any], module: str = "", folder: str = "") -> dict[str, Any]:
    """Return every resource and data source of a module by address, without the index that a count gives it.

    What is planned comes with its values, known and unknown ones, and what is secret of them; data sources that were
    read already with their values. Paths into the module's folder are the same for all folders.
    """
    read = {each["address"]: each["values"] for each in _within(plan.get("prior_state", {}).get("values", {}))}
    changes = {each["address"]: _change(each["change"]) for each in plan["resource_changes"]}
    prefix = f"module.{module}." if module else ""
    found = {address: each for address, each in {**read, **changes}.items() if address.startswith(prefix)}
    plain = {_plain(address.removeprefix(prefix)): each for address, each in found.items()}
    assert len(plain) == len(found)
    return json.loads(json.dumps(plain).replace(f"{folder}/", "./") if folder else json.dumps(plain))


def outputs(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of the root module that will not be null."""
    found = {name: (each.get("after"), each["after_unknown"]) for name, each in plan["output_changes"].items()}
    return {name: each for name, each in found.items() if each != (None, False)}


def _plain(address: str) -> str:
    return re.sub(r"\[0\]$", "", address)


def _change(change: Mapping[str, Any]) -> list[Any]:
    return [change[key] for key in ("actions", "after", "after_unknown", "after_sensitive")]


def _within(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    root = values.get("root_module", {})
    return _of(root)


def _of(module: Mapping[str, Any]) -> list[dict[str, Any]]:
    inner = [each for child in module.get("child_modules", []) for each in _of(child)]
    return [*module.get("resources", []), *inner]
