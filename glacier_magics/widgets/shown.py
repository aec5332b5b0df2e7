"""What a notebook shows and saves: static forms, brought to life in the page as long as the kernel is there.

A saved widget reopens as "model not found", also where a picture stands beside it. So the output itself is static
(SVG, PNG, HTML, text) and carries a token; the widget's module looks for the token in the page and takes the static
form's place. Where it cannot, in VS Code for one, the static form stays.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from glacier_magics.widgets.front import Front

__all__ = ["Shown", "in_notebook"]


class Shown:
    """Something that a notebook shows; `_front` makes its widget, `_bundle` its static forms by MIME type."""

    def __init__(self) -> None:
        self.token = uuid4().hex
        self.front: Any = None

    def _front(self) -> Front:
        raise NotImplementedError

    def _bundle(self) -> dict[str, str]:
        raise NotImplementedError

    def enliven(self) -> Any:
        """Make the widget, once, where a notebook can show it; None elsewhere."""
        if self.front is None and in_notebook():
            self.front = self._front()
        return self.front

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        self.enliven()
        return self._bundle()

    def __str__(self) -> str:
        return self._bundle()["text/plain"]

    __repr__ = __str__


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel; asking imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None
