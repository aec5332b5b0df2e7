"""This machine: where objects are, and how paths are kept inside the base folder."""

from __future__ import annotations

import errno
import glob
import os
import re
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from glacier.errors import AccessError, ConfigError, GlacierWarning
from glacier.names import LOCAL_BUCKET, LOCAL_KEY
from glacier.resources.formats import is_pattern
from glacier.resources.listing import literal

if TYPE_CHECKING:
    from datetime import timedelta

    from obstore.store import ObjectStore

__all__ = ["LocalStorage"]

_LONGEST = 250
"""Bytes of a file name: NAME_MAX is 255, and an unfinished write adds `#` and a number."""
_ABANDONED = 3600
"""Seconds without a change after which an unfinished write counts as that of a dead process."""


class LocalStorage:
    """Folders below a base folder, as storage.

    | layout   | the object `path` of `bucket`                                             |
    |----------|---------------------------------------------------------------------------|
    | `bucket` | `base/bucket/path`                                                        |
    | `flat`   | `base/path`                                                               |
    | `auto`   | `base/bucket/path`; but if only `base/path` exists, that                  |

    Names and paths never leave the base folder: no `..`, nothing absolute, and no link that leads out of it.

    It remembers which bucket first made and first wrote each file, so that two buckets that meet in one file are
    noticed; it does so for as long as the provider lives.
    """

    def __init__(self, base: Path, layout: Literal["auto", "bucket", "flat"], create_dirs: bool) -> None:
        self.base = base
        self.layout = layout
        self.create_dirs = create_dirs
        self._made: dict[str, str] = {}
        self._written: dict[str, str] = {}

    # --- Storage ------------------------------------------------------------------------------------------------

    def store(self, bucket_name: str) -> ObjectStore:
        """Return a store of the whole base folder, so that both layouts have their place in it."""
        from obstore.store import LocalStore

        self._make(self.base)
        return LocalStore(self.base)

    def key(self, bucket_name: str, path: str) -> str:
        """Return the place of `path` below the base folder.

        Raises:
            ConfigError: the name or path is not allowed, or leads out of the base folder.
        """
        LOCAL_BUCKET.check(bucket_name, where="local bucket")
        LOCAL_KEY.check(path, where=f"local bucket {bucket_name!r}")
        _check_file_name(bucket_name, path)
        key = self._place(bucket_name, path)
        self._check_inside(self.base / key, bucket_name, path)
        return key

    def uri(self, bucket_name: str, path: str) -> str:
        """Return the absolute path of the file."""
        return str(self.base / self.key(bucket_name, path))

    def prefix(self, bucket_name: str, path: str) -> str:
        """Return the folder of a pattern, or the folder that `path` is, below the base folder.

        Raises:
            ConfigError: a link in there leads out of the base folder.
        """
        key = self.key(bucket_name, path)
        folder = literal(key) if is_pattern(path) else key
        self._check_links(self.base / folder, bucket_name, path)
        return folder

    def scan_target(self, bucket_name: str, path: str) -> tuple[str, dict[str, Any]]:
        """Return the path of the file, of the folder with `/` at its end, or the pattern with the rest escaped."""
        key = self.key(bucket_name, path)
        if is_pattern(path):
            self.prefix(bucket_name, path)
            above = glob.escape(f"{self.base}/{key.removesuffix(path)}")
            return above + path.replace("[", "[[]"), {}
        if self.is_folder(bucket_name, path):
            return f"{self.base / self.prefix(bucket_name, path)}/", {}
        return str(self.base / key), {}

    def is_there(self, bucket_name: str) -> bool:
        """Say yes: a bucket is the folder that the first write makes."""
        return True

    def is_folder(self, bucket_name: str, path: str) -> bool:
        """Whether there is a folder at that path."""
        return (self.base / self.key(bucket_name, path)).is_dir()

    def prepare(self, bucket_name: str, path: str) -> None:
        """Make the folders above `path`.

        Raises:
            ConfigError: one of them is a file, or is not there and the config says `create_dirs=False`.
            AccessError: they may not be made.
        """
        self._make(self.base)
        self._make((self.base / self.key(bucket_name, path)).parent)

    def claim(self, bucket_name: str, path: str) -> None:
        """Make the folders above `path`, remove unfinished writes of dead processes, and note who writes.

        Raises:
            ConfigError: as `prepare`, or another bucket wrote this file before.
        """
        self.prepare(bucket_name, path)
        file = os.path.realpath(self.base / self.key(bucket_name, path))
        mine = f"{bucket_name}/{path}"
        first = self._written.setdefault(file, mine)
        if first != mine:
            message = f"{mine!r} and {first!r} are one file on this machine, {file}: both write it"
            raise ConfigError(message, hint='give one of them another path, or use LocalConfig(layout="bucket")')
        _sweep(Path(file))

    def url(self, bucket_name: str, path: str, expires: timedelta) -> str:
        """Return a `file://` URL; it does not expire."""
        return (self.base / self.key(bucket_name, path)).as_uri()

    # --- the base folder ----------------------------------------------------------------------------------------

    def make_base(self) -> None:
        """Make the base folder, where folders are made.

        Raises:
            ConfigError: it is a file.
            AccessError: it may not be made.
        """
        if self.create_dirs or self.base.exists():
            self._make(self.base)

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if not self.create_dirs and not folder.exists():
            raise ConfigError(f"there is no folder {folder}", hint="make it, or use LocalConfig(create_dirs=True)")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except PermissionError as error:
            raise AccessError(f"not allowed to make the folder {folder}", hint="choose another base_path") from error
        except OSError as error:
            why = "a file is in its way" if error.errno in (errno.EEXIST, errno.ENOTDIR) else error.strerror
            raise ConfigError(f"cannot make the folder {folder}: {why}", hint="choose another path") from error

    # --- where things are ---------------------------------------------------------------------------------------

    def meet(self, bucket_name: str, path: str) -> None:
        """Warn when another bucket of this provider is the same file."""
        if is_pattern(path):
            return
        file = os.path.realpath(self.base / self.key(bucket_name, path))
        mine = f"{bucket_name}/{path}"
        first = self._made.setdefault(file, mine)
        if first != mine:
            line = f'{mine!r} and {first!r} are one file, {file}; LocalConfig(layout="bucket") keeps them apart'
            warnings.warn(line, GlacierWarning, stacklevel=3)

    def _place(self, bucket_name: str, path: str) -> str:
        apart = f"{bucket_name}/{path}"
        if self.layout != "auto":
            return path if self.layout == "flat" else apart
        only_flat = self._is_there(path) and not self._is_there(apart)
        return path if only_flat else apart

    def _is_there(self, key: str) -> bool:
        if is_pattern(key):
            # Path.glob would refuse `**` beside other characters.
            found = glob.iglob(key.replace("[", "[[]"), root_dir=self.base, recursive=True)  # noqa: PTH207
            return next(found, None) is not None
        return os.path.lexists(self.base / key)

    def _check_inside(self, place: Path, bucket_name: str, path: str) -> None:
        if _is_circle(place):
            message = f"local bucket {bucket_name!r}: path {path!r} cannot be followed: its links lead in a circle"
            raise ConfigError(message, hint=f"look at it: ls -l {place}")
        if not place.resolve().is_relative_to(self.base.resolve()):
            message = f"local bucket {bucket_name!r}: path {path!r} leads out of the base folder {self.base}"
            raise ConfigError(message, hint="copy what it links to into the base folder, or move base_path up")

    def _check_links(self, folder: Path, bucket_name: str, path: str) -> None:
        """Check every link below a folder that Polars walks by itself."""
        for here, folders, files in os.walk(folder):
            for name in (*folders, *files):
                if (place := Path(here, name)).is_symlink():
                    self._check_inside(place, bucket_name, path)


def _is_circle(place: Path) -> bool:
    """Whether links lead in a circle, which `Path.resolve` reports up to Python 3.12 only."""
    try:
        place.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _check_file_name(bucket_name: str, path: str) -> None:
    name = path.rpartition("/")[2]
    where = f"local bucket {bucket_name!r}"
    if any(len(part.encode()) > _LONGEST for part in path.split("/")):
        raise ConfigError(f"{where}: a part of the path is longer than {_LONGEST} bytes", hint="shorten the path")
    if re.search(r"#\d+$", name):
        raise ConfigError(f"{where}: {name!r} ends like an unfinished write ('#' and a number)", hint="rename the file")


def _sweep(file: Path) -> None:
    """Remove the unfinished writes of a file that nobody has gone on with for an hour."""
    for left in file.parent.glob(f"{glob.escape(file.name)}#*"):
        if re.search(r"#\d+$", left.name) and _idle(left) > _ABANDONED:
            left.unlink(missing_ok=True)


def _idle(file: Path) -> float:
    """Return the seconds since a file was changed; none when its writer has just finished and it is gone."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return 0
