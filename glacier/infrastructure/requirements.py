"""The distributions that a function's code needs, for clouds that install them when the function is deployed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Requirements", "requirements_of"]

_OWN = {"glacier": "glacier-workbench", "glacier_magics": "glacier-workbench"}
"""On PyPI, `glacier` belongs to somebody else."""


@dataclass(frozen=True)
class Requirements:
    """The lines of a requirements file, sorted; `unknown` names the modules that no installed distribution has."""

    lines: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def file(self) -> bytes:
        """The contents of a `requirements.txt`."""
        return "".join(f"{line}\n" for line in self.lines).encode()


def requirements_of(modules: Iterable[str], *always: str) -> Requirements:
    """Return what has to be installed for top-level modules, in the versions that are installed here, and `always`.

    A module that no installed distribution has, or several, is left out: a guessed name installs a stranger's code.
    """
    names = {module: _distribution(module) for module in modules}
    pinned = [f"{name}=={version(name)}" for name in names.values() if name]
    unknown = sorted(module for module, name in names.items() if not name)
    return Requirements(tuple(sorted({*pinned, *always})), tuple(unknown))


@cache
def _distribution(module: str) -> str | None:
    if module in _OWN:
        return _OWN[module]
    found = sorted(set(_installed().get(module, ())))
    same = [name for name in found if re.sub(r"[-_.]+", "_", name).lower() == module.lower()]
    return next(iter(same), found[0] if len(found) == 1 else None)


@cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()
