"""Forgetting what nobody will ask for: of a run that is ended for good, and of those that a finished one resumed."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from glacier.errors import ResourceNotFoundError
from glacier.execution.journal import database
from glacier.execution.journal.history import History
from glacier.execution.journal.writer import values_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier.execution.journal.records import RunRecord

__all__ = ["end", "forget_values"]


def end(run: RunRecord) -> None:
    """End a run that was paused or has failed: it cannot be resumed any more, and what it kept is forgotten."""
    _write(run, "UPDATE run SET state = 'ended' WHERE number = ? AND state != 'running'")
    forget_values(run)


def forget_values(run: RunRecord) -> None:
    """Forget what a run, and those that it went on with, have kept."""
    for each in _line(run):
        _write(each, "UPDATE task SET value = NULL, form = NULL WHERE run = ?")
        shutil.rmtree(values_of(each.home, each.id), ignore_errors=True)


def _line(run: RunRecord) -> Iterator[RunRecord]:
    """Yield a run, the one that it resumed, the one before that."""
    history, here = History(run.home), run
    yield here
    with contextlib.suppress(ResourceNotFoundError):  # the oldest runs are forgotten
        while here.resumes is not None:
            here = history[here.resumes]
            yield here


def _write(run: RunRecord, statement: str) -> None:
    with contextlib.closing(database.writable(run.home)) as connection:
        connection.execute(statement, (run.number,))
