"""Files that know who wrote them: a manifest of hashes, so that edits are seen and foreign files stay as they are.

| the file                                  | what happens                                              |
|-------------------------------------------|-----------------------------------------------------------|
| is new                                    | written                                                   |
| is as Glacier left it, same contents      | not touched                                               |
| is as Glacier left it, other contents     | replaced at once                                          |
| is as Glacier left it, no longer generated| removed                                                   |
| was edited by hand                        | refused; with `force` replaced or removed                 |
| was not written by Glacier                | refused, also with `force`                                |
| is of another pipeline's module           | refused; with `force` replaced                            |
| is a start for the user (`seeds`)         | written where nothing is, then the user's own             |

What is refused is found before anything is written. What is about to be written stands in the manifest before it is, so
that a call that was killed in the midst of it can be made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glacier.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MANIFEST", "Written", "read_manifest", "read_resources", "write_files"]

MANIFEST = ".glacier-manifest.json"
"""The file that says which files of a folder are Glacier's, and what it wrote."""

_VERSION = 1
_UNFINISHED = ".glacier-part"


@dataclass(frozen=True)
class Written:
    """What became of each file, as paths relative to the folder; with `check` what would have become of it."""

    folder: Path
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the folder already was as it should be."""
        return not (self.new or self.changed or self.removed)

    @property
    def files(self) -> list[Path]:
        """All files that belong to the folder now, sorted."""
        return [self.folder / name for name in sorted((*self.new, *self.changed, *self.unchanged, *self.kept))]


def write_files(
    folder: str | os.PathLike[str],
    files: Mapping[str, bytes],
    *,
    seeds: Mapping[str, bytes] | None = None,
    resources: Mapping[str, str] | None = None,
    pipeline: str = "",
    force: bool = False,
    check: bool = False,
) -> Written:
    """Make a folder hold `files` (contents by relative path), and nothing else of what Glacier wrote there before.

    Each file is replaced as a whole or not at all. `seeds` are written where nothing is and never again; `resources`
    (the Glacier resource of each address in Terraform) are kept for `read_resources`; `pipeline` names the one that the
    module is of, "" a whole environment; `check` only says what would happen.

    Raises:
        InfrastructureError: a file was edited by hand, or is not Glacier's, or the folder has the module of something
            else, and nothing has been written; or the folder cannot be written.
    """
    root = Path(folder)
    try:
        if not force:
            _check_module(root, pipeline)
        plan = _planned(root, files, seeds or {}, force)
        if not check:
            _carry_out(plan, files, seeds or {}, {"resources": resources or {}, "module": {"pipeline": pipeline}})
    except OSError as error:
        raise InfrastructureError(
            f"{root} cannot be written: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""),
            hint="each file is a whole one, old or new: mend it and call again",
        ) from error
    return plan


def read_manifest(root: Path) -> dict[str, str]:
    """Return the hash of each file that Glacier wrote into a folder, by relative path; empty where it wrote none.

    Raises:
        InfrastructureError: the manifest is damaged.
    """
    return _read(root / MANIFEST)["files"]


def read_resources(root: Path) -> dict[str, str]:
    """Return the Glacier resource of each address in the Terraform of a folder, as far as Glacier wrote it.

    Raises:
        InfrastructureError: the manifest is damaged.
    """
    return _read(root / MANIFEST)["resources"]


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Return the tables of a manifest; `writing` is what a call that did not end would have left."""
    tables = ("files", "writing", "resources", "module")
    if not path.is_file():
        return {table: {} for table in tables}
    try:
        found = json.loads(path.read_text("utf-8"))
        version = found.get("version", _VERSION)
        given = {table: found["files"] if table == "files" else found.get(table, {}) for table in tables}
        read = {table: {str(name): str(value) for name, value in given[table].items()} for table in tables}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InfrastructureError(
            f"{path} is damaged", hint="restore it from version control, or generate into an empty folder"
        ) from error
    if version != _VERSION:
        raise InfrastructureError(f"{path} was written by another version of Glacier", hint="use that or a newer one")
    return read


def _check_module(root: Path, pipeline: str) -> None:
    """Refuse one pipeline's module where there is another one: Terraform would destroy what that has made."""
    known = _read(root / MANIFEST)["module"].get("pipeline", pipeline)
    if pipeline not in ("", known):
        what = f"pipeline {known!r}" if known else "a whole environment"
        raise InfrastructureError(
            f"{root} has the module of {what}, which that of pipeline {pipeline!r} would replace",
            hint="give it a folder of its own, or export the environment: env.export; force=True (--force) replaces it",
        )


def _planned(root: Path, files: Mapping[str, bytes], seeds: Mapping[str, bytes], force: bool) -> Written:
    known = _known(root)
    problems = [problem for name in (*files, *seeds, *known) if (problem := _outside(root, name))]
    problems += [problem for name in files if (problem := _refusal(root, name, files[name], known, force))]
    gone = [name for name in known if name not in files and (root / name).is_file() and name not in seeds]
    if not problems and not force:
        problems += [_edited(root / name) for name in gone if _digest(root / name) not in known[name]]
    if problems:
        raise InfrastructureError("; ".join(dict.fromkeys(problems)), hint=_hint(problems))
    return _plan(root, files, seeds, gone)


def _known(root: Path) -> dict[str, tuple[str, ...]]:
    """Return the hashes that each of Glacier's files may have: as it was left, or was about to be."""
    read = _read(root / MANIFEST)
    names = dict.fromkeys((*read["files"], *read["writing"]))
    return {name: tuple(read[each][name] for each in ("files", "writing") if name in read[each]) for name in names}


def _outside(root: Path, name: str) -> str | None:
    parent = (root / name).parent
    if not parent.resolve().is_relative_to(root.resolve()):
        return f"{parent} leads out of {root}"
    return None


def _refusal(root: Path, name: str, contents: bytes, known: Mapping[str, tuple[str, ...]], force: bool) -> str | None:
    path = root / name
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        return _foreign(path)
    found = _digest(path)
    if found == hashlib.sha256(contents).hexdigest() or found in known.get(name, ()):
        return None
    if name not in known:
        return _foreign(path)
    return None if force else _edited(path)


def _foreign(path: Path) -> str:
    return f"{path} was not written by Glacier"


def _edited(path: Path) -> str:
    return f"{path} was edited by hand"


def _hint(problems: list[str]) -> str:
    if any(problem.endswith("by Glacier") for problem in problems):
        return "move the file away, or generate into another folder"
    return "move the change into the pipeline's configuration or a file of your own; force=True (--force) drops it"


def _plan(root: Path, files: Mapping[str, bytes], seeds: Mapping[str, bytes], gone: list[str]) -> Written:
    there = {name for name in files if (root / name).is_file()}
    same = {name for name in there if (root / name).read_bytes() == files[name]}
    kept = {name for name in seeds if os.path.lexists(root / name)}
    return Written(
        folder=root,
        new=tuple(sorted((files.keys() - there) | (seeds.keys() - kept))),
        changed=tuple(sorted(there - same)),
        unchanged=tuple(sorted(same)),
        removed=tuple(sorted(gone)),
        kept=tuple(sorted(kept)),
    )


def _carry_out(
    plan: Written, files: Mapping[str, bytes], seeds: Mapping[str, bytes], more: Mapping[str, Mapping[str, str]]
) -> None:
    manifest = plan.folder / MANIFEST
    after = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    if not plan.clean:
        _keep(manifest, {**_read(manifest), "writing": after})
        _sweep({(plan.folder / name).parent for name in (*files, *seeds)})
    for name in (*plan.new, *plan.changed):
        _write(plan.folder / name, files[name] if name in files else seeds[name])
    for name in plan.removed:
        (plan.folder / name).unlink()
    _keep(manifest, {"files": after, **more})


def _keep(path: Path, tables: Mapping[str, Mapping[str, str]]) -> None:
    ordered = {table: {name: given[name] for name in sorted(given)} for table, given in tables.items()}
    contents = f"{json.dumps({'version': _VERSION, **ordered}, indent=2, ensure_ascii=False)}\n".encode()
    if not path.is_file() or path.read_bytes() != contents:
        _write(path, contents)


def _sweep(folders: Iterable[Path]) -> None:
    """Remove what a call that was killed has left half-written."""
    for stale in [path for folder in folders for path in folder.glob(f".*{_UNFINISHED}")]:
        stale.unlink(missing_ok=True)


def _write(path: Path, contents: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=_UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
