"""A process of its own runs the task: it can be killed at its timeout, and limited in its memory.

The processes are kept and used again, one call at a time each. A worker is in one of these states:

| state    | meaning                                | leaves when                                                 |
|----------|----------------------------------------|-------------------------------------------------------------|
| starting | Python and Polars are being loaded     | it says that it is ready                                    |
| idle     | it waits for a call                    | a call takes it; the environment variables here change      |
| running  | it runs a call                         | the call returns or raises                                  |
| gone     | killed, or died; its folder is deleted |                                                             |

A worker is killed with everything that it has started: it leads a session, and a small shell (`_LEASH`) that waits for
the end of this process, however it ends, kills that session. Besides, Linux kills a worker when the thread that started
it is gone, which therefore is one that stays (`_starter`). Nothing is ever forked: after Polars has run, that hangs.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import math
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.errors import (
    ExecutorError,
    TaskCancelledError,
    TaskMemoryError,
    TaskTimeoutError,
    TransferError,
    WorkerDiedError,
)
from glacier.execution.executors.wire import call_parts, decode, frames, sending
from glacier.execution.executors.worker import OUT_OF_MEMORY, Terms
from glacier.redaction import hushed, redacted

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from concurrent.futures import Future

    from glacier.execution.attempts import Call, Job, Note
    from glacier.execution.executors.wire import Frame

__all__ = ["shutdown", "submit"]

_LEASH = 'read -r _; kill -s KILL -- "-$1" 2>/dev/null; rm -rf -- "$2"'
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from glacier.execution.executors.worker import main; "
    "main(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])"
)
_PATIENCE = 60.0
"""Seconds in which a worker must have started."""
_LOOK = 1.0
"""Seconds between two looks whether a silent worker is still there."""
_LAST_WORDS = 40
"""Lines on stderr that are remembered for the case that the worker dies."""


def submit(call: Call, job: Job) -> Any:
    """Run the call in a worker and return its value.

    The timeout counts from when the worker is ready and gets the call.

    Raises:
        TransferError: the function, an argument or the result cannot be sent.
        TaskTimeoutError: it took longer; it was killed.
        TaskMemoryError: it took more than its `memory`.
        TaskCancelledError: the job was cancelled; it was killed.
        WorkerDiedError: its process ended by itself.
        Exception: whatever the task raised, with a note of the lines.
    """
    _check(job)
    while True:
        with _pool.worker(job) as worker, job.cancel.stopping(worker.kill), contextlib.suppress(_StaleError):
            return worker.run(call, job)


def shutdown() -> None:
    """Kill all workers; the next call starts new ones."""
    _pool.shutdown()


def _check(job: Job) -> None:
    if sys.platform == "win32":
        raise ExecutorError(f"{job}: this version runs no processes on Windows", hint='use executor="local"')
    if job.settings["memory"] is not None and not sys.platform.startswith("linux"):
        raise ExecutorError(f"{job}: memory= needs Linux", hint="leave it out on this machine")


# --- one worker -----------------------------------------------------------------------------------------------------


class _LateError(Exception):
    """The time is over."""


class _StaleError(Exception):
    """A module that the worker has imported has changed since; the call did not begin."""


class _Worker:
    """One process: `run` gives it a call, `kill` ends it at once, from any thread."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._gone = False
        self._ending = threading.Lock()
        self._starved = False
        self._said: deque[str] = deque(maxlen=_LAST_WORDS)
        self._folder = Path(tempfile.mkdtemp(prefix="glacier-worker-"))
        self._connection, theirs = socket.socketpair()
        self._connection.setblocking(False)
        with theirs:
            arguments = [json.dumps(sys.path), str(theirs.fileno()), str(os.getpid()), str(self._folder)]
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", _START, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=self.environment,
            )
        leash = ["/bin/sh", "-c", _LEASH, "leash", str(self._process.pid), str(self._folder)]
        nowhere = subprocess.DEVNULL
        self._leash = subprocess.Popen(
            leash, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
        self._frames = frames(self._connection)
        self._streams = {name: getattr(self._process, name) for name in ("stdout", "stderr")}
        self._rest = dict.fromkeys(self._streams, b"")
        for stream in self._streams.values():
            os.set_blocking(stream.fileno(), False)

    @property
    def alive(self) -> bool:
        """Whether it was not killed and did not die."""
        return not self._gone and self._process.poll() is None

    @property
    def usable(self) -> bool:
        """Whether it can take a call, in the environment that this process has now."""
        return self.alive and self.environment == dict(os.environ)

    def wait(self, job: Job) -> None:
        """Wait until it is ready.

        Raises:
            WorkerDiedError: it did not start.
        """
        try:
            self._exchange([], time.monotonic() + _PATIENCE, job.note)
        except (_LateError, EOFError):
            self.kill()
            said = "\n".join(self._said)
            raise WorkerDiedError(f"the process of {job} did not start: {said or 'it said nothing'}") from None

    def run(self, call: Call, job: Job) -> Any:
        """Run a call; after an interruption of any kind the worker is gone."""
        limit, memory = job.limit(), job.settings["memory"]
        level = min(logging.getLogger().level or logging.INFO, logging.INFO)
        terms = Terms(str(job), _folder(), sys.path, memory, level)
        parts = [pickle.dumps(terms), *call_parts(call, job, self._folder)]
        self._starved = False
        self._said.clear()
        try:
            answer = self._exchange(parts, None if limit is None else time.monotonic() + limit, job.note)
        except _LateError:
            self.kill()
            message = f"{job} took longer than its timeout of {limit:g} s; its process was killed"
            raise TaskTimeoutError(message, hint="raise timeout=, or do less in the task") from None
        except EOFError:
            raise self._death(job) from None
        except BaseException:
            self.kill()
            raise
        what, *details = pickle.loads(answer[0])
        if what == "stale":
            self.kill()
            raise _StaleError
        if what == "failed":
            raise details[0].rebuilt()
        return _decoded(answer[1:], job)

    def kill(self) -> None:
        """Kill the process, with all that it has started; who runs a call in it hears of its end."""
        with self._ending:
            self._gone = True
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Clear away what is left of it: no call runs in it any more.

        Its leash is let go first, and kills what is left of the session: only after `wait` may another process get
        the same number.
        """
        self.kill()
        assert self._leash.stdin is not None
        self._leash.stdin.close()
        self._leash.wait()
        self._process.wait()
        self._connection.close()
        for stream in self._streams.values():
            stream.close()

    # --- talking ----------------------------------------------------------------------------------------------------

    def _exchange(self, parts: Frame, deadline: float | None, note: Note) -> Frame:
        """Send a message, if there is one, and return the answer; meanwhile hand on what the worker says.

        Raises:
            _LateError: the deadline has passed.
            EOFError: the worker is gone.
        """
        outgoing = sending(self._connection, parts) if parts else iter(())
        poll, busy = select.poll(), True
        for stream in self._streams.values():
            poll.register(stream.fileno(), select.POLLIN)
        while True:
            busy = busy and _unfinished(outgoing)
            poll.register(self._connection.fileno(), select.POLLIN | (select.POLLOUT if busy else 0))
            self._wait(poll, deadline)
            for name in self._streams:
                self._listen(name, note)
            if (answer := self._answer(note)) is not None:
                self._listen_to_the_end(note)
                return answer

    def _wait(self, poll: select.poll, deadline: float | None) -> None:
        """Wait until there is something to do, or to see about."""
        left = _LOOK if deadline is None else min(deadline - time.monotonic(), _LOOK)
        if left <= 0:
            raise _LateError
        events = poll.poll(math.ceil(left * 1000))
        if not events and self._process.poll() is not None:
            raise EOFError  # a process that it has forked still holds the connection
        for descriptor, event in events:
            if descriptor != self._connection.fileno() and not event & select.POLLIN:
                poll.unregister(descriptor)

    def _answer(self, note: Note) -> Frame | None:
        """Return the answer, if it is there and whole."""
        while (frame := next(self._frames)) is not None:
            what, *details = pickle.loads(frame[0])
            if what != "log":
                return frame
            _log(details[0], note)
        return None

    def _listen(self, name: str, note: Note) -> None:
        """Hand on the lines that the worker has written to a stream."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._streams[name].fileno(), 1 << 16):
                *lines, self._rest[name] = (self._rest[name] + data).split(b"\n")
                for line in lines:
                    self._heard(name, line, note)

    def _listen_to_the_end(self, note: Note) -> None:
        """Hand on what is left when a call is over, also a line without an end."""
        for name in self._streams:
            self._listen(name, note)
            if self._rest[name]:
                self._heard(name, self._rest[name], note)
                self._rest[name] = b""

    def _heard(self, name: str, data: bytes, note: Note) -> None:
        line = data.decode(errors="replace")
        if name == "stderr":
            self._said.append(line)
            self._starved = self._starved or OUT_OF_MEMORY.search(line) is not None
        with context.using(context.lines, None):  # it is noted once, with the stream it came from
            print(hushed(line), file=getattr(sys, name))
        note("log", {"stream": name, "level": None, "line": redacted(line)})

    # --- its end ----------------------------------------------------------------------------------------------------

    def _death(self, job: Job) -> BaseException:
        """Return the error that says why the worker is gone."""
        if job.cancel.cancelled:
            return TaskCancelledError(f"{job} was cancelled; its process was killed")
        code = _code(self._process)
        self._listen_to_the_end(job.note)
        self.kill()
        said, memory = "\n".join(self._said), job.settings["memory"]
        if memory is not None and self._starved:
            message = f"{job} took more memory than its limit of {memory} MiB; its process ended ({_cause(code)})"
            return TaskMemoryError(message, hint="raise memory=, or work on less at a time")
        error = WorkerDiedError(f"the process of {job} ended before the task did: {_cause(code)}", hint=_advice(code))
        if said:
            error.add_note(f"the last that it said:\n{said}")
        return error


def _folder() -> str:
    with contextlib.suppress(OSError):
        return str(Path.cwd())
    return os.sep


def _decoded(parts: Frame, job: Job) -> Any:
    try:
        return decode(parts)
    except Exception as error:
        message = f"what {job} returned cannot be loaded here: {type(error).__name__}: {error}"
        raise TransferError(message, hint="its class must be importable in both processes") from error


def _unfinished(outgoing: Iterator[None]) -> bool:
    """Send as much as goes; return whether there is more."""
    try:
        next(outgoing)
    except (StopIteration, ConnectionError):
        return False
    return True


def _log(record: dict[str, Any], note: Note) -> None:
    """Give a log record of a worker to the logger of the same name here, and take note of it."""
    logger = logging.getLogger(record["name"])
    if logger.isEnabledFor(record["levelno"]):
        logger.handle(logging.makeLogRecord({**record, "msg": hushed(record["msg"])}))
    note("log", {"stream": record["name"], "level": record["levelname"], "line": redacted(record["msg"])})


def _code(process: subprocess.Popen[bytes]) -> int | None:
    """Return how a process that has closed its connection ended; None when it lives on without."""
    try:
        return process.wait(5)
    except subprocess.TimeoutExpired:
        return None


def _cause(code: int | None) -> str:
    if code is None:
        return "it closed its connection"
    if code >= 0:
        return f"it exited with code {code}"
    return f"it was ended by signal {-code} ({signal.Signals(-code).name})"


def _advice(code: int | None) -> str | None:
    if code == -signal.SIGKILL:
        return "Linux does so when memory runs out: work on less at a time, or give memory= to be told"
    if code is not None and code < 0:
        return "a compiled library failed; the lines that it was in are in the error's note"
    return None if code is None else "a task returns or raises: sys.exit and os._exit end its process"


# --- all of them ----------------------------------------------------------------------------------------------------


class _Pool:
    """The workers: as many as are needed at once, and as many kept as the scheduler has threads by default."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._kept = (os.cpu_count() or 1) + 4

    @contextlib.contextmanager
    def worker(self, job: Job) -> Generator[_Worker]:
        """Lend a worker; it is kept if it can take another call afterwards."""
        worker = self._take() or self._start(job)
        try:
            yield worker
        finally:
            self._give(worker)

    def shutdown(self) -> None:
        """Kill all workers."""
        with self._lock:
            while self._idle:
                self._drop(self._idle.pop())
            for worker in self._all:
                worker.kill()

    def _take(self) -> _Worker | None:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.usable:
                    return worker
                self._drop(worker)
            return None

    def _start(self, job: Job) -> _Worker:
        starting = _starter.submit(_Worker)
        try:
            worker = starting.result()
        except BaseException:
            starting.add_done_callback(_drop_started)
            raise
        with self._lock:
            self._all.add(worker)
        try:
            with job.cancel.stopping(worker.kill):
                worker.wait(job)
        except BaseException:
            worker.kill()
            self._give(worker)
            raise
        return worker

    def _give(self, worker: _Worker) -> None:
        with self._lock:
            if worker.alive and len(self._idle) < self._kept:
                self._idle.append(worker)
            else:
                self._drop(worker)

    def _drop(self, worker: _Worker) -> None:
        """Let another thread bury it: that takes as long as a shell takes to end."""
        self._all.discard(worker)
        worker.kill()
        try:
            _starter.submit(worker.bury)
        except RuntimeError:  # this process ends, and its threads have ended already
            worker.bury()


def _drop_started(starting: Future[_Worker]) -> None:
    """Bury a worker for which nobody has waited."""
    if starting.exception() is None:
        starting.result().bury()


def _renew() -> None:
    """Begin without workers: in a fork they are those of the parent, and the thread that starts them is missing."""
    global _starter, _pool
    _starter, _pool = ThreadPoolExecutor(1, "glacier-workers"), _Pool()


_starter = ThreadPoolExecutor(1, "glacier-workers")
_pool = _Pool()
atexit.register(shutdown)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_renew)
