"""Where in the user's source something happens: the identity of a step.

A step is the same step in every run, traced or live, when the same call at the same place of the source makes it for
the same time. Its key is therefore built of the name, the place and the count, and of nothing else.
"""

from __future__ import annotations

import contextlib
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from glacier.graph import Site

if TYPE_CHECKING:
    from types import CodeType, FrameType, TracebackType

__all__ = ["caller", "from_user", "in_file", "is_foreign", "line_of", "place", "unpack_count"]

_OURS = str(Path(__file__).parent.parent)
_STDLIB = str(Path(contextlib.__file__).parent)
_DEMO = str(Path(_OURS, "demo"))
_places: dict[tuple[CodeType, int], str] = {}


def caller() -> FrameType:
    """Return the nearest frame outside Glacier and the proxies it uses."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and _is_machinery(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def place(frame: FrameType, body: CodeType) -> str:
    """Name the place of `frame` within the pipeline body: `line:column` of each call on the way, innermost last.

    Lines count from the first line of each function, so that a change above it moves nothing.
    """
    parts: list[str] = []
    here: FrameType | None = frame
    while here is not None:
        if not _is_machinery(here.f_code.co_filename):
            parts.append(_position(here.f_code, here.f_lasti))
        if here.f_code is body:
            break
        here = here.f_back
    return "/".join(reversed(parts))


def line_of(frame: FrameType) -> Site | None:
    """Return the file and line that `frame` is at, None where it is no code of the user's."""
    filename = frame.f_code.co_filename
    return None if is_foreign(filename) else Site(filename, frame.f_lineno)


def in_file(frame: FrameType, body: CodeType) -> bool:
    """Whether the frame's code stands in the same file, or the same notebook cell, as the body."""
    return frame.f_code.co_filename == body.co_filename


def unpack_count(frame: FrameType) -> int | None:
    """How many values the running instruction `a, b = ...` of the frame wants, None when it is another one."""
    import dis

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
    return filename.startswith(_OURS) and not filename.startswith(_DEMO)


def _position(code: CodeType, instruction: int) -> str:
    known = _places.get((code, instruction))
    if known is None:
        # The end of a call is its own, while chained calls share their start.
        _, line, _, column = next(islice(code.co_positions(), instruction // 2, None), (None, None, None, None))
        start = code.co_firstlineno
        known = f"{(line or start) - start}:{column if column is not None else instruction}"
        _places[code, instruction] = known
    return known
