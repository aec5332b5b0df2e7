"""The writer of the journal: events go onto a list, and a thread or the end of a real task brings them to disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from glacier.errors import GlacierWarning, JournalError
from glacier.execution.journal import database, owner
from glacier.execution.journal.tiny import Lines, said

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HURRIED", "PAUSE", "Batch", "Begun", "Ended", "Row", "Writer", "forget", "values_of", "writer"]

PAUSE = 0.005
"""Seconds between two commits of small tasks. A task that took longer is committed at once, by its own thread."""

HURRIED = 0.2
"""Seconds that a thread of a run waits for another process that writes."""

_PATIENT = 10.0
_TRIES = 6
"""How often the patient wait may be in vain before the journal gives up."""

_IDLE = 2.0
"""Seconds after which a writer without a run closes its file and ends its thread."""

_KEPT_RUNS = 1000
_KEPT_BYTES = 512 * 1024 * 1024


class Begun(NamedTuple):
    """A run begins: the columns of its row."""

    run: str
    columns: dict[str, Any]


class Ended(NamedTuple):
    """A run ends."""

    run: str
    state: str
    seconds: float | None
    error: str | None
    values: bool = False
    """Whether it kept values that are worth the work of forgetting them."""


class Writer:
    """Writes the journal of one folder, for all runs of this process.

    Whoever notes something only appends to a list; a thread of the writer's own brings it to disk. It commits `PAUSE`
    seconds after the last commit, and at once when somebody waits in `flush`. No other thread takes a lock or touches
    the database: an interrupted run ends its threads wherever they are. What cannot be written is told in one warning
    by `troubles`, and the runs go on.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.off = False
        self._pending: list[Any] = []
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._numbers: dict[str, int] = {}
        self._headers: dict[str, Begun] = {}
        self._tries = 0
        self._troubles: deque[str] = deque(maxlen=10)

    def open(self, run: Begun) -> None:
        """Begin the entry of a run, on the thread that starts it."""
        with self._starting:
            self.note(run)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="glacier-journal", daemon=True)
                self._thread.start()

    def note(self, item: Any) -> None:
        """Take the end of a run, or what became of a step, to be written soon.

        The latter is a tuple: a function, the run's id, and more; the function is called with a `Batch` and the rest.
        `Lines` become such a tuple when they are taken.
        """
        self._pending.append(item)
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, patience: float = _PATIENT) -> bool:
        """Wait until all that was noted before is committed, but no longer than `patience` seconds; tell whether."""
        written = threading.Event()
        self.note(written)
        self._hurry.set()
        return self._thread is not None and written.wait(patience)

    def troubles(self) -> None:
        """Warn of what could not be written, each trouble once."""
        while self._troubles:
            warnings.warn(self._troubles.popleft(), GlacierWarning, stacklevel=2)

    # --- on the writer's thread -----------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._is_idle():
            self._wake.clear()
            self._hurry.clear()
            self._write()
            self._hurry.wait(PAUSE)
        self._drop_connection()

    def _is_idle(self) -> bool:
        """Wait for work; whether there was none for so long that the thread should end."""
        while not self._wake.wait(_IDLE):
            with self._starting:
                if not self._pending and not self._headers:
                    self._thread = None
                    return True
        return False

    def _write(self) -> None:
        count = len(self._pending)
        items = self._pending[:count]
        del self._pending[:count]
        waiting = [item for item in items if isinstance(item, threading.Event)]
        told = [
            item.taken() if isinstance(item, Lines) else item for item in items if not isinstance(item, threading.Event)
        ]
        if told and not self.off:
            self._commit(told)
        for each in waiting:
            each.set()

    def _commit(self, items: list[Any]) -> None:
        self._headers.update({item.run: item for item in items if isinstance(item, Begun)})
        try:
            self._try(items)
        except JournalError as error:
            self._give_up(str(error))
        except (sqlite3.Error, OSError) as error:
            if self._later(error):
                self._pending[:0] = items
                self._wake.set()
                return
            self._rescue(items, error)
        except Exception as error:  # what the journal makes of a step must not end the run
            self._give_up(f"the journal cannot tell of a run: {type(error).__name__}: {error}; runs go on without")
        self._tries = 0
        self._leave([item for item in items if isinstance(item, Ended)])

    def _later(self, error: Exception) -> bool:
        """Whether another process held the journal, so that it is worth another try."""
        self._tries += 1
        return getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY" and self._tries < _TRIES

    def _leave(self, ended: list[Ended]) -> None:
        for each in ended:
            self._headers.pop(each.run, None)
            self._numbers.pop(each.run, None)
            if each.state == "done":
                shutil.rmtree(values_of(self.home, each.run), ignore_errors=True)

    def _rescue(self, items: list[Any], error: Exception) -> None:
        """Begin a new journal in the place of a damaged one; stop where nothing can be written."""
        self._drop_connection()
        if not (isinstance(error, sqlite3.Error) and database.is_damage(error)):
            self._give_up(f"the journal {self.home / database.FILE} cannot be written: {error}; runs go on without")
            return
        aside = database.set_aside(self.home)
        self._troubles.append(f"the journal was damaged ({error}); it is now {aside}, and a new one begins")
        self._numbers.clear()
        open_runs = [each for each in self._headers.values() if each not in items]
        try:
            self._try([*open_runs, *items])
        except (sqlite3.Error, OSError, JournalError) as again:
            self._drop_connection()
            self._give_up(f"no new journal can be written: {again}; runs go on without")

    def _give_up(self, why: str) -> None:
        self.off = True
        self._troubles.append(why)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _try(self, items: list[Any]) -> None:
        if self._connection is None:
            self._connection = database.writable(self.home)
            _note_the_dead(self._connection, self.home)
            _prune(self._connection, self.home)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            Batch(connection, self.home, self._numbers).write(items)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


class Batch:
    """One transaction: what was noted, brought into as few rows as there are tasks."""

    def __init__(self, connection: sqlite3.Connection, home: Path, numbers: dict[str, int]) -> None:
        self.home = home
        self.attempts: list[tuple[Any, ...]] = []
        self.logs: list[tuple[Any, ...]] = []
        self._lines: list[tuple[int, str]] = []
        self._connection = connection
        self._numbers = numbers
        self._tasks: dict[tuple[int, str], list[Any]] = {}

    def write(self, items: list[Any]) -> None:
        """Write what was noted, the ends of runs last."""
        ended: list[Ended] = []
        numbers = self._numbers
        for item in items:
            if isinstance(item, Begun):
                self._begin(item)
            elif isinstance(item, Ended):
                ended.append(item)
            elif item[1] in numbers:  # a thread that was given up may still tell of a run that is over
                item[0](self, numbers[item[1]], *item[2:])
        self._insert()
        for each in ended:
            self._end(each)

    def task(self, run: int, key: str, name: str) -> list[Any]:
        """Return the row of a step, to be filled: see `Row` for the places; None leaves what is known."""
        row = self._tasks.get((run, key))
        if row is None:
            row = self._tasks[run, key] = [name, None, None, None, None, None, 0, None, None, None, None, None, None]
        return row

    def tiny(self, run: int, lines: list[str]) -> None:
        """Write the lines of steps that were over at once."""
        self._lines += [(run, text) for text in said(lines)]

    def draw(self, run: int, graph: str) -> None:
        """Write the graph of a run, as JSON."""
        self._connection.execute("UPDATE run SET graph = ? WHERE number = ?", (graph, run))

    def _begin(self, item: Begun) -> None:
        columns = {"owner": owner.claim(self.home), **item.columns}
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT OR IGNORE INTO run (id, {names}) VALUES (?, {marks})"  # noqa: S608 - the names are ours
        self._connection.execute(statement, (item.run, *columns.values()))
        found = self._connection.execute("SELECT number FROM run WHERE id = ?", (item.run,)).fetchone()
        self._numbers[item.run] = found[0]

    def _end(self, item: Ended) -> None:
        number = self._numbers.get(item.run)
        self._connection.execute(
            "UPDATE run SET state = ?, seconds = ?, error = ? WHERE number = ?",
            (item.state, item.seconds, item.error, number),
        )
        if item.state == "done" and item.values:
            self._connection.execute("UPDATE task SET value = NULL, form = NULL WHERE run = ?", (number,))

    def _insert(self) -> None:
        rows = [(run, key, *row) for (run, key), row in self._tasks.items()]
        self._connection.executemany(_UPSERT, rows)
        if self._lines:
            self._connection.executemany("INSERT INTO tiny VALUES (?, ?)", self._lines)
        if self.attempts:
            self._connection.executemany("INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?)", self.attempts)
        if self.logs:
            self._connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", self.logs)


class Row:
    """The places in the row of a step."""

    NAME, STATE, STARTED, SECONDS, ROWS, BYTES, ATTEMPTS, ERROR, CACHE, CODE, ARGUMENTS, FORM, VALUE = range(13)


_COLUMNS = ("name", "state", "started", "seconds", "rows", "bytes", "attempts", "error", "cache", "code", "arguments",
            "form", "value")  # fmt: skip
_LATER = ", ".join(
    f"{name} = max(attempts, excluded.attempts)"
    if name == "attempts"
    else f"{name} = coalesce(excluded.{name}, {name})"
    for name in _COLUMNS
)
_UPSERT = (
    f"INSERT INTO task (run, key, {', '.join(_COLUMNS)}) "  # noqa: S608 - the names are ours
    f"VALUES (?, ?, ?, coalesce(?, 'recorded'), {', '.join('?' * (len(_COLUMNS) - 2))}) "
    f"ON CONFLICT (run, key) DO UPDATE SET {_LATER}"
)


def _note_the_dead(connection: sqlite3.Connection, home: Path) -> None:
    """Note which runs were interrupted by the death of their process."""
    for (name,) in connection.execute("SELECT DISTINCT owner FROM run WHERE state = 'running'").fetchall():
        if not owner.lives(home, name):
            connection.execute("UPDATE run SET state = 'interrupted' WHERE state = 'running' AND owner = ?", (name,))


def _prune(connection: sqlite3.Connection, home: Path) -> None:
    """Forget the oldest runs beyond the number, or the half of them where the file has grown too large."""
    newest, count = connection.execute("SELECT max(number), count(*) FROM run").fetchone()
    keep = count // 2 if (home / database.FILE).stat().st_size > _KEPT_BYTES else _KEPT_RUNS
    if newest is None or count <= keep:
        return
    oldest = "SELECT number FROM run ORDER BY number DESC LIMIT 1 OFFSET ?"
    forget(connection, home, connection.execute(oldest, (keep,)).fetchone()[0])


def forget(connection: sqlite3.Connection, home: Path, last: int) -> None:
    """Delete every run up to the one of that number that is over, and what belongs to it."""
    connection.execute("BEGIN IMMEDIATE")
    over = "number <= ? AND state != 'running'"
    for (run,) in connection.execute(f"SELECT id FROM run WHERE {over}", (last,)).fetchall():  # noqa: S608
        shutil.rmtree(values_of(home, run), ignore_errors=True)
    for table in ("task", "tiny", "attempt", "log"):
        connection.execute(f"DELETE FROM {table} WHERE run IN (SELECT number FROM run WHERE {over})", (last,))  # noqa: S608
    connection.execute(f"DELETE FROM run WHERE {over}", (last,))  # noqa: S608
    connection.execute("COMMIT")


def values_of(home: Path, run: str) -> Path:
    """Return the folder of the values that a run keeps."""
    return home / "values" / run


_writers: dict[tuple[Path, int], Writer] = {}
_making = threading.Lock()


def writer(home: Path) -> Writer:
    """Return this process's writer for a folder: after a fork, a new one."""
    home = home.resolve()
    here = (home, os.getpid())
    with _making:
        known = _writers.get(here)
        if known is None or known.off:
            known = _writers[here] = Writer(home)
        return known
