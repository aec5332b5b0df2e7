"""The database of the journal: its tables, its version, and what happens to one that is damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

from glacier.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["FILE", "VERSION", "is_damage", "reading", "set_aside", "writable"]

FILE = "runs.sqlite"
VERSION = 2
"""The version of the tables, kept in SQLite's `user_version`."""

_BUSY = 10.0
"""Seconds to wait for another process that writes."""

_TABLES = """
CREATE TABLE run (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, environment TEXT NOT NULL,
    state TEXT NOT NULL, started REAL NOT NULL, seconds REAL, error TEXT, parameters TEXT NOT NULL,
    options TEXT NOT NULL, config TEXT NOT NULL, versions TEXT NOT NULL, target TEXT, folder TEXT NOT NULL,
    resumes TEXT, owner TEXT NOT NULL, pid INTEGER NOT NULL, graph TEXT
);
CREATE INDEX run_of_pipeline ON run (pipeline, environment, number);
CREATE TABLE task (
    run INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, started REAL, seconds REAL,
    rows INTEGER, bytes INTEGER, attempts INTEGER NOT NULL, error TEXT, cache TEXT, code TEXT, arguments TEXT,
    form TEXT, value BLOB, PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE TABLE attempt (
    run INTEGER NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, time REAL NOT NULL,
    seconds REAL, error TEXT
);
CREATE INDEX attempt_of_task ON attempt (run, key);
CREATE TABLE log (run INTEGER NOT NULL, key TEXT NOT NULL, time REAL NOT NULL, line TEXT NOT NULL);
CREATE INDEX log_of_task ON log (run, key);
"""

_TINY = "CREATE TABLE tiny (run INTEGER NOT NULL, lines TEXT NOT NULL); CREATE INDEX tiny_of_run ON tiny (run)"
"""What version 2 adds: see `tiny`."""


def writable(home: Path) -> sqlite3.Connection:
    """Open the journal in a folder for writing, making both where they are missing.

    In WAL mode with `synchronous=NORMAL` what was committed survives the death of the process; when the machine loses
    power the newest commits may be gone, but the database is whole.

    Raises:
        JournalError: a newer Glacier wrote it.
        sqlite3.Error: it is damaged, or its folder cannot be written.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(home / FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(home / FILE, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _upgrade(connection, home)
    except BaseException:
        connection.close()
        raise
    return connection


def _upgrade(connection: sqlite3.Connection, home: Path) -> None:
    if _version(connection, home) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be here too: the second one finds all done
    missing = [_TABLES, _TINY][_version(connection, home) :]
    for statement in ";".join(missing).split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, home: Path) -> int:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise JournalError(
            f"the journal {home / FILE} has format {version}, this Glacier knows {VERSION}",
            hint="upgrade glacier-workbench, or move the file away",
        )
    return version


@contextlib.contextmanager
def reading(home: Path) -> Generator[sqlite3.Connection | None]:
    """Open the journal in a folder for a look; None where there is none yet.

    Raises:
        JournalError: a newer Glacier wrote it, or it is damaged.
    """
    if not (home / FILE).is_file() or not (home / FILE).stat().st_size:
        yield None
        return
    connection = sqlite3.connect(home / FILE, timeout=_BUSY, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        yield connection if _version(connection, home) else None
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise JournalError(f"cannot read the journal {home / FILE}: {error}", hint="try again") from error
        raise JournalError(
            f"the journal {home / FILE} is damaged: {error}", hint="the next run sets it aside and begins a new one"
        ) from error
    finally:
        connection.close()


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is not, or no longer, a database."""
    return (
        error.sqlite_errorname in {"SQLITE_CORRUPT", "SQLITE_NOTADB"} if hasattr(error, "sqlite_errorname") else False
    )


def set_aside(home: Path) -> Path:
    """Rename a damaged journal, so that a new one can begin; return where it is now."""
    aside = home / f"{FILE}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            (home / f"{FILE}{suffix}").rename(f"{aside}{suffix}")
    return aside
