"""Whose code a module is: the user's own, which counts line by line, or a library's, which counts by its version."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_own", "library_version"]

_OURS = ("glacier", "glacier_magics")
_INSTALLED = ("site-packages", "dist-packages")


@lru_cache(maxsize=4096)
def is_own(name: str) -> bool:
    """Whether the module of that name is the user's: a notebook, a script, or a file that is not installed.

    An editable install is the user's own; what is installed into `site-packages` is a library. The module need not be
    imported yet.
    """
    root = name.partition(".")[0]
    if root in _OURS or root in sys.stdlib_module_names or root == "builtins":
        return root == "__main__"
    place = _place(root)
    return place is None or not any(part in _INSTALLED for part in place.parts)


def library_version(name: str) -> tuple[str, str]:
    """Return the distribution that a library's module is of, and its version; the standard library is Python's."""
    root = name.partition(".")[0]
    if root in sys.stdlib_module_names:
        return "python", f"{sys.version_info[0]}.{sys.version_info[1]}"
    return root, _version(root)


@lru_cache(maxsize=1024)
def _version(root: str) -> str:
    """Return a version that is the same before and after the module is imported."""
    if root in _OURS:
        import glacier

        return glacier.__version__
    place = _place(root)
    if place is None:
        return "unknown"
    installed = next((each for each in (place, *place.parents) if each.name in _INSTALLED), None)
    by_name = None if installed is None else _distributions(installed).get(_normal(root))
    return by_name or _recorded(root) or _stamp(place)


@lru_cache(maxsize=64)
def _distributions(folder: Path) -> Mapping[str, str]:
    """Return the versions of what is installed in a folder, by name: `NAME-VERSION.dist-info`, as PEP 427 has it."""
    found = (each[: -len(".dist-info")].partition("-") for each in os.listdir(folder) if each.endswith(".dist-info"))  # noqa: PTH208 - names suffice
    return {_normal(name): version for name, _, version in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _recorded(root: str) -> str | None:
    """Return the versions of the distributions that say that a module of this name is theirs; slow the first time."""
    from importlib import metadata

    names = metadata.packages_distributions().get(root, ())
    return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(set(names))) or None


def _stamp(place: Path) -> str:
    """Return what changes when a module without a version does."""
    try:
        found = place.stat()
    except OSError:
        return "unknown"
    return f"{found.st_size} bytes of {found.st_mtime_ns}"


def _place(root: str) -> Path | None:
    """Return the file of a module, or the folder of a package without one, imported or not."""
    module: Any = sys.modules.get(root)
    file: Any = getattr(module, "__file__", None)
    folders: Any = getattr(module, "__path__", None)
    if module is None:
        try:
            spec = importlib.util.find_spec(root)
        except (ImportError, ValueError):
            spec = None
        if spec is not None:
            file, folders = spec.origin, spec.submodule_search_locations
    if isinstance(file, str):
        return Path(file)
    return next((Path(each) for each in folders or ()), None)
