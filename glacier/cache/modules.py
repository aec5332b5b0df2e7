"""Whose code a module is: the user's own, which counts line by line, or a library's, which counts by its version."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["is_own", "library_version"]

_OURS = ("glacier", "glacier_magics")


@lru_cache(maxsize=4096)
def is_own(name: str) -> bool:
    """Whether the module of that name is the user's: a notebook, a script, or a file that is not installed.

    An editable install is the user's own; what is installed into `site-packages` is a library.
    """
    root = name.partition(".")[0]
    if root in _OURS or root in sys.stdlib_module_names or root == "builtins":
        return root == "__main__"
    module = sys.modules.get(root)
    if module is None or root == "__main__":
        return True
    return not any(part in ("site-packages", "dist-packages") for part in _place(module).parts)


def library_version(name: str) -> tuple[str, str]:
    """Return the distribution that a library's module is of, and its version; the standard library is Python's."""
    root = name.partition(".")[0]
    if root in sys.stdlib_module_names:
        return "python", f"{sys.version_info[0]}.{sys.version_info[1]}"
    return root, _version(root)


@lru_cache(maxsize=1024)
def _version(root: str) -> str:
    module = sys.modules.get(root)
    stated: Any = getattr(module, "__version__", None)
    return stated if isinstance(stated, str) else _recorded(root) or _stamp(module)


def _recorded(root: str) -> str | None:
    from importlib import metadata

    names = metadata.packages_distributions().get(root, ())
    return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(set(names))) or None


def _stamp(module: ModuleType | None) -> str:
    """Return what changes when a module without a version does."""
    try:
        found = _place(module).stat() if module is not None else None
    except OSError:
        found = None
    return "unknown" if found is None else f"{found.st_size} bytes of {found.st_mtime_ns}"


def _place(module: ModuleType) -> Path:
    file: Any = getattr(module, "__file__", None)
    if isinstance(file, str):
        return Path(file)
    return Path(next(iter(getattr(module, "__path__", ())), ""))
