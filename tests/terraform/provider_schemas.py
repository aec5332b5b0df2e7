"""The provider schemas in `schemas/`, by provider and version."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["ENDS", "Schema", "ends", "schema"]

FOLDER = Path(__file__).parent / "schemas"
ENDS = ("oldest", "newest")


@dataclass(frozen=True)
class Schema:
    """What one version of one provider accepts.

    `provider`, `resources` and `data` hold blocks as `terraform providers schema -json` writes them.
    """

    name: str
    version: str
    provider: dict[str, Any]
    resources: dict[str, dict[str, Any]]
    data: dict[str, dict[str, Any]]
    path: Path


@cache
def schema(path: Path) -> Schema:
    raw = json.loads(path.read_text("utf-8"))
    return Schema(
        name=raw["provider"].rpartition("/")[2],
        version=raw["version"],
        provider=raw.get("provider_schema", {}).get("block", {}),
        resources={name: entry["block"] for name, entry in raw["resource_schemas"].items()},
        data={name: entry["block"] for name, entry in raw["data_source_schemas"].items()},
        path=path,
    )


def ends(end: str) -> list[Schema]:
    """Return the schema of every provider at one end of the supported range: "oldest" or "newest"."""
    of_provider: dict[str, list[Path]] = {}
    for path in sorted(FOLDER.glob("*.json"), key=_version):
        of_provider.setdefault(path.stem.rpartition("-")[0], []).append(path)
    place = {"oldest": 0, "newest": -1}[end]
    return [schema(paths[place]) for paths in of_provider.values()]


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.stem.rpartition("-")[2].split("."))
