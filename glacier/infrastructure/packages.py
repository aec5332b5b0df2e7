"""The source code of functions: a deterministic zip of the user's module and of the files it imports beside it."""

from __future__ import annotations

import ast
import io
import sys
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Package", "package_of"]

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Package:
    """The files of a function, by path in its zip.

    `imports` names the installed packages that they need besides, `left_out` the files in their folders that are no
    Python.
    """

    files: Mapping[str, bytes] = field(repr=False)
    imports: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @cached_property
    def zip(self) -> bytes:
        """The files as a zip that is the same, byte for byte, whenever they are."""
        return zipped(self.files)

    def adding(self, files: Mapping[str, bytes]) -> Package:
        """Return a package with further files, for a cloud that wants an entry file of its own."""
        return Package({**self.files, **files}, self.imports, self.left_out)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of sorted names, 1980's date and mode 0644."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            about = zipfile.ZipInfo(name, _EPOCH)
            about.external_attr = 0o100644 << 16
            about.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(about, files[name], compresslevel=9)
    return made.getvalue()


def package_of(module: str, folders: tuple[Path, ...], extra: Mapping[str, bytes] | None = None) -> Package | None:
    """Return the package of a module found in one of `folders`, with the modules beside it that it imports.

    A module that is a folder, or lies in one, brings the folder's Python files. None when there is no such file.
    """
    for folder in folders:
        if _file(folder, module) is not None:
            return _collected(folder, module, extra or {})
    return None


def _collected(folder: Path, module: str, extra: Mapping[str, bytes]) -> Package:
    files: dict[str, bytes] = dict(extra)
    needed: set[str] = set()
    others: set[str] = set()
    todo = [module]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for path in _sources(folder, name):
            if path.suffix != ".py":
                others.add(path.relative_to(folder).as_posix())
                continue
            contents = path.read_bytes()
            files[path.relative_to(folder).as_posix()] = contents
            for imported in _imports(contents):
                (todo.append if _file(folder, imported) else needed.add)(imported)
    for contents in extra.values():
        needed.update(_imports(contents))
    return Package(files, tuple(sorted(name for name in needed if _installed(name))), tuple(sorted(others)))


def _sources(folder: Path, module: str) -> Iterator[Path]:
    """Yield the file of a module, or all files of the folder that it is or lies in but hidden ones and bytecode."""
    top = folder / module.partition(".")[0]
    file = _file(folder, module)
    if file is not None and file.parent == folder:
        yield file
        return
    for path in sorted(top.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside):
            yield path


def _file(folder: Path, module: str) -> Path | None:
    """Return a module's file; where both a folder and a file have its name, Python takes the one with __init__.py."""
    base = folder.joinpath(*module.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _imports(contents: bytes) -> set[str]:
    """Return the top-level modules that a source imports anywhere in it; none when it is no Python of this version."""
    try:
        tree = ast.parse(contents)
    except (SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _installed(name: str) -> bool:
    """Whether a module is no part of Python itself."""
    return name not in sys.stdlib_module_names and name != "__future__"
