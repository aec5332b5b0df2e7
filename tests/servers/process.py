"""Start a server on free loopback ports, wait until it answers, stop it for sure."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from glacier.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HOST = "127.0.0.1"
LEASH = Path(__file__).with_name("leash.py")

# Below the ports that Linux gives to outgoing connections (ip_local_port_range starts at 32768), twins included.
PORTS = range(11000, 21000)

# The kernel ends a leashed process when the thread that started it ends: this one lives as long as the tests.
SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="servers")


_CLAIMS = Path(tempfile.gettempdir(), f"glacier-ports-{os.getuid()}")


def free_ports(count: int, *, twin: int = 0) -> list[int]:
    """Return free loopback ports; each port plus `twin` is free too.

    They are this process's as long as it lives: a server may take seconds until it listens, and other tests look for
    ports meanwhile.
    """
    candidates = random.SystemRandom().sample(PORTS, len(PORTS))
    free = (port for port in candidates if is_free(port) and is_free(port + twin) and _claim(port))
    return list(islice(free, count))


def _claim(port: int) -> bool:
    """Whether nobody else has claimed a port; from now on it is claimed, by a descriptor that is never closed."""
    _CLAIMS.mkdir(exist_ok=True)
    descriptor = os.open(_CLAIMS / str(port), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True


def is_free(port: int) -> bool:
    """Whether nobody listens on that loopback port."""
    with socket.socket() as listener:
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def fetch(url: str, *, method: str = "GET", body: bytes | None = None, timeout: float = 5) -> tuple[int, bytes]:
    """Return the status and the body that `url` answers with; status 0 when nobody answers."""
    where = urlsplit(url)
    with closing(HTTPConnection(where.hostname or HOST, where.port, timeout=timeout)) as connection:
        try:
            connection.request(method, f"{where.path or '/'}?{where.query}", body)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException):
            return 0, b""


class Process:
    """A process on a leash: it writes into `log`, runs in the log's folder and dies with the test process.

    It sees PATH and a HOME of its own, so that no setting of the developer's changes the server.
    """

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self.log = log
        leashed = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *map(str, command)]
        with log.open("wb") as output:
            self._popen = SPAWNER.submit(
                subprocess.Popen[bytes],
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env={"PATH": os.environ["PATH"], "HOME": str(log.parent)},
            ).result()

    @property
    def pid(self) -> int:
        """The process id, the server's own from the moment the leash is on."""
        return self._popen.pid

    def wait_until(self, answers: Callable[[], bool], *, seconds: float = 30) -> None:
        """Return as soon as `answers()` is true.

        Raises:
            InfrastructureError: the process ended or the time passed; the message has the tail of its log.
        """
        end = time.monotonic() + seconds
        while not answers():
            if self._popen.poll() is not None:
                raise self._error(f"ended with code {self._popen.returncode} before it answered")
            if time.monotonic() > end:
                raise self._error(f"did not answer within {seconds:g} s")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill the process and wait for its end; a server of the tests has nothing to save."""
        self._popen.kill()
        self._popen.wait()

    def _error(self, what: str) -> InfrastructureError:
        tail = self.log.read_text(errors="replace")[-2000:].strip()
        return InfrastructureError(f"the process {self.log.stem!r} {what}", hint=f"its log ends with: {tail}")


class Server(ABC):
    """A store in a process and a folder of its own.

    `start()` returns at once, `wait()` when the store takes writes; a `with` block does both and stops it at the end.
    A server is started once; its `endpoint` is known from then on.

    Raises:
        InfrastructureError: a binary is missing, or the server does not come up.
    """

    endpoint: str
    busy_headers: Mapping[str, str] = {}
    busy_body: bytes

    _folder: tempfile.TemporaryDirectory[str]
    _process: Process

    @abstractmethod
    def command(self, folder: Path) -> Sequence[str | Path]:
        """Return the command that runs the server with its data in `folder`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server takes reads and writes."""

    @abstractmethod
    def make_bucket(self, name: str) -> str:
        """Create a bucket (a container on Azure) that does not exist and return its name."""

    @abstractmethod
    def uri(self, bucket: str, key: str) -> str:
        """Return the address of an object as Polars takes it."""

    @abstractmethod
    def store(self, bucket: str, *, endpoint: str | None = None, **options: Any) -> Any:
        """Return the obstore store of a bucket; `endpoint` leads through a proxy, `options` are the store's own."""

    @abstractmethod
    def storage_options(self, *, endpoint: str | None = None) -> dict[str, Any]:
        """Return the options that Polars needs for this server; `endpoint` leads through a proxy."""

    def start(self) -> Self:
        """Start the process; several servers started so come up side by side."""
        self._folder = tempfile.TemporaryDirectory(prefix="glacier-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        try:
            self._process = Process(self.command(folder), folder / f"{type(self).__name__.lower()}.log")
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def wait(self) -> Self:
        """Return when the server takes reads and writes.

        Raises:
            InfrastructureError: it ended, or did not answer in time; it is stopped then.
        """
        try:
            self._process.wait_until(self.answers)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Kill the process and remove its data."""
        self._process.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start().wait()

    def __exit__(self, *_: object) -> None:
        self.stop()
