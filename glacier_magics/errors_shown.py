"""How errors look in a notebook: ours in one line, the user's with the user's own frames, the rest on demand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.errors import GlacierError
from glacier.jsonable import jsonable
from glacier.redaction import quiet, redacted, told
from glacier_magics.parsing import CommandError, shortened

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["cut", "full", "tidied"]

_LONGEST = 1500
_OURS = str(Path(__file__).parent)


def tidied(error: Exception, shell: Any) -> Exception:
    """Return the error to raise for one that a command ran into.

    Wrong settings become one line of ours; an error of the user's shows only frames of the user's code, and becomes
    ours where its class keeps to a text with a secret.
    """
    quiet(error)
    if isinstance(error, GlacierError):
        return _short(error)
    if type(error).__module__.startswith("pydantic"):
        lines = [f"{'.'.join(str(each) for each in line['loc'])}: {line['msg']}" for line in _lines(error)]
        return CommandError(shortened("; ".join(lines)))
    if redacted(str(error)) != str(error):
        return CommandError(told(error, _LONGEST))
    own = cut(error.__traceback__)
    kind = type(error)
    # IPython asks this hook for the lines to show; the frames themselves stay for the debugger.
    error._render_traceback_ = lambda: shell.InteractiveTB.structured_traceback(kind, error, own, tb_offset=0)  # type: ignore[attr-defined]
    return error


def cut(traceback: TracebackType | None) -> TracebackType | None:
    """Return the frames of a traceback that are the user's, or all of them where none is."""
    from types import TracebackType

    frames: list[TracebackType] = []
    here = traceback
    while here is not None:
        if _is_user(here.tb_frame.f_code.co_filename):
            frames.append(here)
        here = here.tb_next
    made: TracebackType | None = None
    for each in reversed(frames):
        made = TracebackType(made, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return made or traceback


def full(error: BaseException) -> str:
    """Return the whole traceback of an error as text: frames and lines, no values, no secrets."""
    import traceback

    return redacted("".join(traceback.format_exception(error)))


def _is_user(filename: str) -> bool:
    from glacier.recording.sites import is_foreign

    return not (is_foreign(filename) or filename.startswith(_OURS))


def _short(error: GlacierError) -> GlacierError:
    if len(str(error)) > _LONGEST:
        error.message = shortened(error.message)
        error.hint = None if error.hint is None else shortened(error.hint)
        error.args = (error.message,)
    return error


def _lines(error: Any) -> list[Any]:
    return jsonable(error.errors(include_url=False, include_input=False, include_context=False))
