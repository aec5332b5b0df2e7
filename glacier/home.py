"""Where a project keeps what Glacier remembers of it: the folder `.glacier`."""

from __future__ import annotations

import os
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["home", "project_root", "using"]

_used: list[Path] = []


def home() -> Path:
    """Return the folder of run history and cache: `$GLACIER_HOME`, else `.glacier` at the project's root.

    Without a project it is `.glacier` in the working directory; within `using(path)` it is that path. The folder is
    not made here.
    """
    if _used:
        return _used[-1]
    named = os.environ.get("GLACIER_HOME", "").strip()
    return Path(named).expanduser() if named else (project_root() or Path.cwd()) / ".glacier"


@contextmanager
def using(path: str | os.PathLike[str]) -> Generator[Path]:
    """Let `home()` be `path` within the block, for every thread of this process: tests keep their memory apart so."""
    _used.append(Path(path))
    try:
        yield _used[-1]
    finally:
        _used.pop()


def project_root(start: Path | None = None) -> Path | None:
    """Return the nearest folder upward that has a `glacier.toml` or a `pyproject.toml` with `[tool.glacier]`."""
    here = (start or Path.cwd()).resolve()
    return next((folder for folder in (here, *here.parents) if _is_root(folder)), None)


def _is_root(folder: Path) -> bool:
    return (folder / "glacier.toml").is_file() or _has_table(folder / "pyproject.toml")


def _has_table(file: Path) -> bool:
    try:
        return "glacier" in tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False
