"""Where in the user's source something happens: the identity of a step.

A step is the same step in every run, traced or live, when the same call at the same place of the source makes it for
the same time. Its key is therefore built of the name, the place and the count, and of nothing else.
"""

from __future__ import annotations

import contextlib
import dis
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.graph import Site

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType, TracebackType

__all__ = [
    "caller",
    "from_user",
    "in_file",
    "is_foreign",
    "is_guarded",
    "line_of",
    "mark",
    "outside",
    "place",
    "unpack_count",
    "way",
]

_OURS = str(Path(__file__).parent.parent)
_STDLIB = str(Path(contextlib.__file__).parent)
_DEMO = str(Path(_OURS, "demo"))
_ours: dict[str, bool] = {}
"""Whether the code of a file is Glacier's own: asked for every step."""


def caller() -> FrameType:
    """Return the nearest frame outside Glacier and the proxies it uses."""
    return outside(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]


def outside(frame: FrameType, body: CodeType | None = None) -> FrameType:
    """Return `frame`, or the nearest one above it that is outside Glacier or is the body (of a task run alone)."""
    while _is_machinery(frame.f_code.co_filename) and frame.f_back is not None and frame.f_code is not body:
        frame = frame.f_back
    return frame


def way(frame: FrameType, body: CodeType) -> tuple[list[CodeType], list[int]]:
    """Return the functions from `frame` up to the pipeline body, without Glacier's own, and where each of them is."""
    codes: list[CodeType] = []
    instructions: list[int] = []
    here: FrameType | None = frame
    while here is not None:
        code = here.f_code
        if not _is_machinery(code.co_filename):
            codes.append(code)
            instructions.append(here.f_lasti)
        if code is body:
            break
        here = here.f_back
    return codes, instructions


def mark(frame: FrameType, body: CodeType) -> list[int]:
    """Return what `way` returns as numbers: the same for the same way, as long as the functions are alive."""
    marks: list[int] = []
    here: FrameType | None = frame
    while here is not None:
        code = here.f_code
        if not _ours.get(code.co_filename, False):
            marks.append(id(code))
            marks.append(here.f_lasti)
        if code is body:
            break
        here = here.f_back
    return marks


def place(codes: Iterable[CodeType], instructions: Iterable[int]) -> str:
    """Name the place that `way` found: `line:column` of each call on the way, innermost last.

    Lines count from the first line of each function, so that a change above it moves nothing.
    """
    parts = [_position(code, instruction) for code, instruction in zip(codes, instructions, strict=True)]
    return "/".join(reversed(parts))


def is_guarded(codes: Iterable[CodeType], instructions: Iterable[int]) -> bool:
    """Whether a `try` or `with` on the way that `way` found meets what is raised there."""
    return any(
        start <= instruction < end
        for code, instruction in zip(codes, instructions, strict=True)
        for start, end in _guarded(code)
    )


def line_of(frame: FrameType) -> Site | None:
    """Return the file and line that `frame` is at, None where it is no code of the user's."""
    filename = frame.f_code.co_filename
    return None if is_foreign(filename) else Site(filename, frame.f_lineno)


def in_file(frame: FrameType, body: CodeType) -> bool:
    """Whether the frame's code stands in the same file, or the same notebook cell, as the body."""
    return frame.f_code.co_filename == body.co_filename


def unpack_count(frame: FrameType) -> int | None:
    """How many values the running instruction `a, b = ...` of the frame wants, None when it is another one."""
    code = frame.f_code.co_code
    if dis.opname[code[frame.f_lasti]] != "UNPACK_SEQUENCE":
        return None
    return code[frame.f_lasti + 1]


def is_foreign(filename: str) -> bool:
    """Whether a file belongs to Glacier, to an installed package or to the standard library."""
    return _is_machinery(filename) or "site-packages" in filename or filename.startswith((_STDLIB, "<frozen"))


def from_user(traceback: TracebackType | None) -> TracebackType | None:
    """Drop the leading frames that are Glacier's own, so that the user's line comes first."""
    here = traceback
    while here is not None and _is_machinery(here.tb_frame.f_code.co_filename):
        here = here.tb_next
    return here or traceback


def _is_machinery(filename: str) -> bool:
    known = _ours.get(filename)
    if known is None:
        known = _ours[filename] = filename.startswith(_OURS) and not filename.startswith(_DEMO)
    return known


@lru_cache(maxsize=512)
def _guarded(code: CodeType) -> tuple[tuple[int, int], ...]:
    """Return where the instructions of the `try` and `with` blocks of a function begin and end.

    Other entries of the exception table lead to what the compiler tidies up by itself, as after a comprehension:
    https://github.com/python/cpython/blob/3.13/InternalDocs/exception_handling.md
    """
    if not code.co_exceptiontable:
        return ()
    table: Any = dis.Bytecode(code)
    meets = {each.offset for each in dis.get_instructions(code) if each.opname == "PUSH_EXC_INFO"}
    return tuple((each.start, each.end) for each in table.exception_entries if each.target in meets)


def _position(code: CodeType, instruction: int) -> str:
    # The end of a call is its own, while chained calls share their start.
    _, line, _, column = _positions(code)[instruction // 2]
    start = code.co_firstlineno
    return f"{(line or start) - start}:{column if column is not None else instruction}"


@lru_cache(maxsize=512)
def _positions(code: CodeType) -> tuple[tuple[int | None, int | None, int | None, int | None], ...]:
    return tuple(code.co_positions())
