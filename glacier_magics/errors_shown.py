"""How errors look in a notebook: ours in one line, the user's with the user's own frames, the rest on demand."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.errors import GlacierError
from glacier.jsonable import jsonable
from glacier.redaction import quiet, redacted, told
from glacier_magics.parsing import CommandError, shortened

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from types import TracebackType

    _Framed = tuple[BaseException, TracebackType | None]

__all__ = ["CellFailed", "cut", "full", "tidied"]

_LONGEST = 1500
_PART = 20_000
"""Characters of one part of a traceback, such as the message, that a cell shows."""
_OURS = str(Path(__file__).parent)
_ELSEWHERE = "%glacier debug shows where"


class CellFailed(Exception):
    """Stands for an error that IPython shows with every frame, or not at all; `error` is it."""

    def __init__(self, error: BaseException, lines: list[str]) -> None:
        super().__init__(told(error)[:_LONGEST])
        self.error = error
        self._lines = lines

    def _render_traceback_(self) -> list[str]:
        return self._lines


def tidied(error: BaseException, shell: Any) -> BaseException:
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
    if _tells(error) and redacted(str(error)) != str(error):
        return CommandError(told(error, _LONGEST))
    own = [(each, cut(each.__traceback__)) for each in _chain(error)]
    if isinstance(error, SyntaxError) or not _tells(error) or any(_members(each) for each, _ in own):
        return CellFailed(error, _rendered(error, own, shell))
    # IPython asks this hook for the lines to show; the frames themselves stay for the debugger.
    error._render_traceback_ = lambda: _rendered(error, own, shell)  # type: ignore[attr-defined]
    return error


def cut(traceback: TracebackType | None) -> TracebackType | None:
    """Return the frames of a traceback that are the user's."""
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
    return made


def full(error: BaseException) -> str:
    """Return the whole traceback of an error as text: frames and lines, no values, no secrets."""
    import traceback

    return redacted("".join(traceback.format_exception(error)))


def _rendered(error: BaseException, own: Sequence[_Framed], shell: Any) -> list[str]:
    with _having(own):
        shown = [shortened(_with_cells(each, shell), _PART) for each in _parts(error, shell)]
        hidden = error.__traceback__ is None and not isinstance(error, KeyboardInterrupt | SyntaxError)
    return [*shown, _ELSEWHERE] if hidden else shown


def _parts(error: BaseException, shell: Any) -> Iterator[str]:
    """Yield an error as IPython shows it, and after a group each of its errors."""
    if isinstance(error, SyntaxError):
        yield from shell.SyntaxTB.structured_traceback(type(error), error, [])
    elif error.__traceback__ is None:
        yield from shell.InteractiveTB.get_exception_only(type(error), error)
    else:
        yield from shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__, tb_offset=0)
    for each in _members(error):
        yield from _parts(each, shell)


def _with_cells(text: str, shell: Any) -> str:
    """Return a text in which lines of cells are called so, not by the name of a file that nobody has seen."""

    def named(found: re.Match[str]) -> str:
        cell = shell.compile.format_code_name(found[1])
        return f"{' '.join(cell)}, line {found[2]}" if cell else found[0]

    return re.sub(r'File "([^"]+)", line (\d+)', named, text)


@contextmanager
def _having(own: Sequence[_Framed]) -> Generator[None]:
    """Let errors have other frames within the block."""
    before = [(each, each.__traceback__) for each, _ in own]
    _put(own)
    try:
        yield
    finally:
        _put(before)


def _put(frames: Sequence[_Framed]) -> None:
    for each, traceback in frames:
        each.__traceback__ = traceback


def _members(error: BaseException) -> Sequence[BaseException]:
    group: Any = error
    return group.exceptions if isinstance(error, BaseExceptionGroup) else ()


def _tells(error: BaseException) -> bool:
    """Whether an error has a text, which kernels ask for."""
    try:
        str(error)
    except Exception:
        return False
    return True


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error with all its causes and, of a group, its errors; each once."""
    found: dict[int, BaseException] = {}
    todo = [error]
    while todo:
        each = todo.pop()
        if id(each) not in found:
            found[id(each)] = each
            todo += [other for other in (each.__cause__, each.__context__) if other is not None]
            todo += _members(each)
    return list(found.values())


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
