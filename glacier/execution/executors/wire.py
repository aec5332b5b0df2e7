"""What goes between a process and its workers: frames of several parts, and values in them.

A value is a cloudpickle, so that functions of a notebook, of `__main__` and of other functions work. In it

- a DataFrame of more than `LARGE` bytes is an Arrow IPC file in the folder that both sides share, deleted once read;
- a LazyFrame is its plan, and a bucket is where it is; neither holds a secret. What the other side needs to get the
  same credentials goes beside the value, over the connection and into no file;
- an environment is the one that stands in for it (`glacier.context`);
- an open file is refused: its position and its lock stay here.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import cloudpickle  # pyright: ignore[reportMissingTypeStubs]

from glacier import context
from glacier.errors import TransferError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Iterator

    from glacier.execution.attempts import Call

__all__ = ["LARGE", "Failure", "Frame", "call_parts", "decode", "encode", "failure", "frames", "sending"]

LARGE = 1 << 20
"""Bytes of a DataFrame from which a file is faster than the connection."""

Frame = list[Any]
"""The parts of a message, each some bytes; the first is a pickle of what kind of message it is."""

_COUNT = struct.Struct(">Q")


# Values --------------------------------------------------------------------------------------------------------------


def encode(value: Any, folder: Path | None = None) -> Frame:
    """Return a value as parts; large frames become files in `folder`, if there is one.

    Raises:
        Exception: whatever pickling it raised.
    """
    body, parts, carried = io.BytesIO(), list[Any](), dict[str, Any]()
    with context.using(context.carried, carried):
        _Pickler(body, folder, lambda buffer: parts.append(buffer.raw())).dump(value)
    return [pickle.dumps(list(carried.values())), body.getvalue(), *parts]


def decode(parts: Frame) -> Any:
    """Return the value of `encode`, once: its files are deleted."""
    carried, body, *buffers = parts
    for make, arguments in pickle.loads(carried):
        make(*arguments)
    return pickle.loads(body, buffers=buffers)


class _Pickler(cloudpickle.Pickler):
    def __init__(self, file: Any, folder: Path | None, take: Callable[[pickle.PickleBuffer], Any]) -> None:
        super().__init__(file, protocol=5, buffer_callback=take)
        self._folder = folder

    def reducer_override(self, obj: Any) -> Any:
        """Say how an object is pickled; NotImplemented leaves it to pickle."""
        if isinstance(obj, io.IOBase) and _has_descriptor(obj):
            raise TypeError("an open file stays in the process that opened it")
        if type(obj).__name__ == "DataFrame" and type(obj).__module__.startswith("polars."):
            return self._frame(obj)
        instead = context.stand_in(obj)
        return super().reducer_override(obj) if instead is obj else (_itself, (instead,))  # pyright: ignore

    def _frame(self, frame: Any) -> Any:
        if self._folder is None or frame.estimated_size() <= LARGE:
            return NotImplemented
        file = self._folder / f"{uuid4().hex}.arrow"
        frame.write_ipc(file, compression="uncompressed")
        return _frame_of, (str(file),)


def _has_descriptor(file: io.IOBase) -> bool:
    if file in (sys.stdin, sys.stdout, sys.stderr):
        return False
    try:
        return file.fileno() >= 0
    except (OSError, ValueError):
        return False


def _itself(value: Any) -> Any:
    return value


def _frame_of(file: str) -> Any:
    import polars as pl

    frame = pl.read_ipc(file)
    Path(file).unlink()
    return frame


def call_parts(call: Call, job: object, folder: Path | None) -> Frame:
    """Return a call as parts.

    Raises:
        TransferError: the function or an argument cannot be sent; the error names it.
    """
    try:
        return encode((call.fn, call.args, dict(call.kwargs)), folder)
    except Exception as error:
        what = next((f"argument {name!r}" for name, value in _arguments(call) if not _goes(value)), "the function")
        message = f"{what} of {job} cannot be sent to another process: {_line(error)}"
        raise TransferError(message, hint='pass what it is made from, or use executor="local"') from error


def _arguments(call: Call) -> Iterator[tuple[str, Any]]:
    import inspect

    try:
        bound = inspect.signature(call.fn).bind(*call.args, **call.kwargs)
    except (TypeError, ValueError):
        yield from ((str(place), value) for place, value in enumerate(call.args))
        yield from call.kwargs.items()
    else:
        yield from bound.arguments.items()


def _goes(value: Any) -> bool:
    try:
        encode(value)
    except Exception:
        return False
    return True


# Failures ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """An exception on its way to another process, with the lines in which it was raised.

    Attributes:
        kind: module and name of its class.
        text: what it says.
        exact: the exception and its causes as `encode` returns them, None when they cannot be sent.
        lines: file, line number and function of the frames outside of Glacier's execution, outermost first.
    """

    kind: tuple[str, str]
    text: str
    exact: Frame | None
    lines: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])

    def rebuilt(self) -> BaseException:
        """Return the exception, else one whose class has the same name, with a note of the lines."""
        error = self._exact() or type(self.kind[1], (RuntimeError,), {"__module__": self.kind[0]})(self.text)
        if self.lines:
            error.add_note(f"in its own process:\n{self._shown().rstrip()}")
        return error

    def _exact(self) -> BaseException | None:
        if self.exact is None:
            return None
        with contextlib.suppress(Exception):
            return _joined(decode(self.exact))
        return None

    def _shown(self) -> str:
        """Return the lines with their source, which a notebook knows and its worker does not."""
        return "".join(traceback.format_list([traceback.FrameSummary(*line) for line in self.lines]))


def failure(error: BaseException) -> Failure:
    """Return an exception as something that can be sent wherever it goes."""
    kind = type(error)
    try:
        exact = [bytes(part) for part in encode(_apart(error))]
        _ = decode(exact)
    except Exception:
        exact = None
    lines = [(each.filename, each.lineno or 0, each.name) for each in traceback.extract_tb(error.__traceback__)]
    return Failure(
        (kind.__module__, kind.__qualname__), _text(error), exact, [line for line in lines if _is_users(line)]
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as why:
        return f"(its text cannot be told: {type(why).__name__})"


def _is_users(line: tuple[str, int, str]) -> bool:
    return not line[0].startswith(str(Path(__file__).parents[1]) + os.sep)


def _apart(error: BaseException | None, depth: int = 10) -> Any:
    """Take an exception and its causes apart: a pickle of an exception alone forgets them."""
    if error is None or not depth:
        return None
    cause, below = _apart(error.__cause__, depth - 1), _apart(error.__context__, depth - 1)
    return error, cause, below, error.__suppress_context__


def _joined(parts: Any) -> BaseException | None:
    if parts is None:
        return None
    error, cause, below, suppressed = parts
    error.__cause__, error.__context__ = _joined(cause), _joined(below)
    error.__suppress_context__ = suppressed
    return error


def _line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


# Frames --------------------------------------------------------------------------------------------------------------


def sending(connection: socket.socket, parts: Frame) -> Generator[None]:
    """Send a message; yield whenever a connection that does not block would."""
    views = [memoryview(part).cast("B") for part in parts]
    sizes = (len(view) for view in views)
    head = memoryview(_COUNT.pack(len(views)) + b"".join(_COUNT.pack(size) for size in sizes))
    for view in [head, *views]:
        at = 0
        while at < len(view):
            try:
                at += connection.send(view[at:])
            except BlockingIOError:
                yield


def frames(connection: socket.socket) -> Generator[Frame | None]:
    """Yield the messages as they come, and None whenever a connection that does not block would.

    Raises:
        EOFError: the other side is gone.
    """
    while True:
        (count,) = _COUNT.unpack((yield from _received(connection, _COUNT.size)))
        sizes = yield from _received(connection, count * _COUNT.size)
        parts: Frame = []
        for (size,) in _COUNT.iter_unpack(sizes):
            parts.append((yield from _received(connection, size)))
        taken = [parts]
        del parts  # between two messages nothing here holds the last one
        yield taken.pop()


def _received(connection: socket.socket, size: int) -> Generator[None, None, memoryview]:
    data, at = memoryview(bytearray(size)), 0
    while at < size:
        try:
            got = connection.recv_into(data[at:])
        except BlockingIOError:
            yield
            continue
        except ConnectionError as error:
            raise EOFError from error
        if not got:
            raise EOFError
        at += got
    return data
