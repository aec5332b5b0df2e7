"""The other side of `executor="process"`: a process that runs one call after the other, and dies with its parent."""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import errno
import faulthandler
import importlib
import logging
import os
import pickle
import re
import select
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.errors import TaskMemoryError, TransferError
from glacier.execution.attempts import Call
from glacier.execution.executors.wire import decode, encode, failure, frames, sending

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from glacier.execution.executors.wire import Frame

__all__ = ["OUT_OF_MEMORY", "Terms", "main", "returned"]

OUT_OF_MEMORY = re.compile(r"(?i)memory allocation of|cannot allocate memory|out of memory|bad_alloc|os error 12\b")
"""What libraries say when the system gives them no memory."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_QUIET = ("boto3", "botocore", "urllib3", "azure", "google")
"""Loggers whose debugging lines may hold credentials."""


@dataclass(frozen=True)
class Terms:
    """How a call is to be run: what an error calls it, where, and with how much memory (MiB, None is no limit)."""

    job: str
    folder: str
    path: list[str]
    memory: int | None
    level: int


def main(descriptor: int, parent: int, folder: str) -> None:
    """Run what comes through the socket `descriptor` until `parent` is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    faulthandler.enable()
    connection = socket.socket(fileno=descriptor)
    threading.Thread(target=_watch, args=(descriptor,), daemon=True).start()
    answer = _Answers(connection)
    logging.getLogger().addHandler(_Forward(answer))
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    importlib.import_module("polars")  # loading it is no part of the first task
    modules = _Modules()
    answer("ready")
    for frame in frames(connection):
        assert frame is not None
        if modules.changed():
            answer("stale")
        else:
            _serve(frame, answer, Path(folder))
            modules.look()


class _Answers:
    """Sends messages, one at a time: a task's own threads log too."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def __call__(self, *what: Any, parts: Frame = []) -> None:  # noqa: B006 - never changed
        with self._lock:
            for _ in sending(self._connection, [pickle.dumps(what), *parts]):
                pass


class _Modules:
    """Remembers the files of the user's own modules that tasks have imported here: one that changes makes it stale."""

    def __init__(self) -> None:
        self._known = set(sys.modules)
        self._files: dict[str, tuple[int, int] | None] = {}

    def look(self) -> None:
        """Remember the modules that are new."""
        new = [sys.modules[name] for name in sys.modules.keys() - self._known]
        self._known.update(sys.modules)
        for module in new:
            file = getattr(module, "__file__", None)
            if file and not file.startswith((sys.prefix, sys.base_prefix)):
                self._files[file] = _signature(file)

    def changed(self) -> bool:
        """Whether a file is no longer the one that was imported."""
        return any(_signature(file) != before for file, before in self._files.items())


def _signature(file: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        about = Path(file).stat()
        return about.st_mtime_ns, about.st_size
    return None


class _Forward(logging.Handler):
    """Hands log records to the parent."""

    def __init__(self, answer: _Answers) -> None:
        super().__init__()
        self._answer = answer

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record with its text; like every handler, raise nothing."""
        try:
            self._answer("log", {**_plain(record), "msg": self.format(record), "args": None, "exc_info": None})
        except Exception:
            self.handleError(record)


def _plain(record: logging.LogRecord) -> dict[str, Any]:
    names = ("name", "levelno", "levelname", "pathname", "filename", "module", "lineno", "funcName", "created")
    return {name: getattr(record, name) for name in names}


def _serve(frame: Frame, answer: _Answers, folder: Path) -> None:
    terms: Terms = pickle.loads(frame[0])
    try:
        parts = contextvars.Context().run(_run, terms, frame[1:], folder)
    except BaseException as error:
        del frame
        _flush()
        answer("failed", failure(_out_of_memory(error, terms)))
    else:
        _flush()
        answer("done", parts=parts)


def _run(terms: Terms, parts: Frame, folder: Path) -> Frame:
    logging.getLogger().setLevel(terms.level)
    sys.path[:] = terms.path
    with contextlib.suppress(OSError):
        os.chdir(terms.folder)
    call = _decoded(parts, terms)
    with _limited(terms.memory):
        value = call()
    return returned(value, terms.job, lambda value: encode(value, folder))


def _decoded(parts: Frame, terms: Terms) -> Call:
    try:
        return Call(*decode(parts))
    except Exception as error:
        message = f"{terms.job} cannot be loaded in its own process: {type(error).__name__}: {error}"
        raise TransferError(message, hint="what it uses must be importable there as it is here") from error


def returned(value: Any, job: str, send: Callable[[Any], Frame]) -> Frame:
    """Return what `send` makes of a task's value.

    Raises:
        TransferError: it cannot be sent.
    """
    try:
        return send(value)
    except Exception as error:
        message = f"what {job} returns cannot be sent back from its process: {type(error).__name__}: {error}"
        hint = f'a {type(value).__name__} stays where it was made: return its data, or use executor="local"'
        raise TransferError(message, hint=hint) from error


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


# --- dying ----------------------------------------------------------------------------------------------------------


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when the thread that started it ends, and to prefer it when memory runs out."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    if os.getppid() != parent:
        os._exit(1)


def _watch(descriptor: int) -> None:
    """Wait until the parent has closed its end, and end this process with all that it has started."""
    hung_up = select.poll()
    hung_up.register(descriptor, 0)
    hung_up.poll()
    os.killpg(os.getpgid(0), signal.SIGKILL)


# --- memory ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _limited(memory: int | None) -> Generator[None]:
    """Let the block take `memory` MiB more of data than this process has now.

    The limit is RLIMIT_DATA: what can be written to. RLIMIT_AS would count what Polars' allocator and threads only
    reserve, hundreds of MiB of addresses. The query is for them to begin before.
    """
    if memory is None:
        yield
        return
    import resource

    import polars as pl

    pl.select(pl.int_range(100_000).sort().sum())
    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + (memory << 20), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def _out_of_memory(error: BaseException, terms: Terms) -> BaseException:
    """Return the error, or the one that names the limit if that is what it is about."""
    lacks = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    if terms.memory is None or not (lacks or OUT_OF_MEMORY.search(str(error))):
        return error
    made = TaskMemoryError(
        f"{terms.job} took more memory than its limit of {terms.memory} MiB",
        hint="raise memory=, or work on less at a time",
    )
    made.__cause__ = error
    return made
