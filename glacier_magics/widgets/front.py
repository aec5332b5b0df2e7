"""The widgets' side that a browser talks to: traits in, messages out.

The modules in `glacier_magics/static` are plain ES modules and CSS, kept in the package: nothing is fetched.
"""

# traitlets' traits and ipywidgets' classes are typed loosely.
# pyright: reportUnknownVariableType=false, reportUntypedBaseClass=false, reportMissingTypeStubs=false

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from pydantic import TypeAdapter, ValidationError

from glacier.errors import GlacierError
from glacier.redaction import told
from glacier_magics.widgets.texts import clean

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BoardFront", "Front", "ShelvesFront", "TableFront"]


def _static(name: str) -> str:
    return files("glacier_magics").joinpath("static", name).read_text(encoding="utf-8")


def _module(name: str) -> str:
    return f"{_static('common.js')}\n{_static(f'{name}.js')}"


class Front(anywidget.AnyWidget):
    """A widget whose messages are checked against a schema before `answer` gets them."""

    _css = _static("glacier.css")

    token = traitlets.Unicode().tag(sync=True)
    trouble = traitlets.Unicode().tag(sync=True)

    def __init__(self, schema: TypeAdapter[Any], answer: Callable[[Any], None], **traits: Any) -> None:
        super().__init__(**traits)
        self._schema = schema
        self._answer = answer
        self.on_msg(self._heard)
        _answer_while_busy(self.comm)

    def _heard(self, _: Any, content: Any, __: Any) -> None:
        try:
            message = self._schema.validate_python(content)
        except ValidationError:
            self.trouble = "the page sent a message that nobody understands"
            return
        self.trouble = ""
        try:
            self._answer(message)
        except Exception as error:
            self.trouble = _words(error)


def _answer_while_busy(comm: Any) -> None:
    """Let a message be heard on the thread that the page sends it to, also while a cell runs.

    JupyterLab sends messages of widgets to a thread of their own; ipykernel 7.4 routes them to whichever thread last
    published something, which for a live graph is the one that is busy with the run.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = _as_asked


def _as_asked(_: Any, asked: Any) -> Any:
    return asked


def _words(error: Exception) -> str:
    text = str(error) if isinstance(error, GlacierError) else told(error)
    return clean(text, 500)


class BoardFront(Front):
    """A graph: `sheet` and `svg` stay as they are, `states`, `details` and `run` follow the run, `shown` the clicks.

    `states` has a line for each box, of its id, state, note, rows, time and tries with tabs between them.
    """

    _esm = _module("board")

    view = traitlets.Unicode("graph").tag(sync=True)
    sheet = traitlets.Dict().tag(sync=True)
    svg = traitlets.Unicode().tag(sync=True)
    states = traitlets.Unicode().tag(sync=True)
    details = traitlets.Dict().tag(sync=True)
    run = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)


class TableFront(Front):
    """Rows: `about` says what they are of, `page` has those that are shown."""

    _esm = _module("table")

    about = traitlets.Dict().tag(sync=True)
    page = traitlets.Dict().tag(sync=True)


class ShelvesFront(Front):
    """An environment: `about` has its resources, `shelves` their listed objects, `found` the preview of one."""

    _esm = _module("shelves")

    about = traitlets.Dict().tag(sync=True)
    shelves = traitlets.Dict().tag(sync=True)
    found = traitlets.Dict().tag(sync=True)
