"""A graph and its run in a notebook: pictures and tables that follow the run."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from glacier.errors import GlacierError, RenderError
from glacier.render import png, svg, text
from glacier.resources import Bucket
from glacier.resources.preview import Preview
from glacier.tables import lasting
from glacier_magics.widgets import markup
from glacier_magics.widgets.ledger import Ledger, graph_of
from glacier_magics.widgets.messages import BOARD
from glacier_magics.widgets.pages import Pages, said
from glacier_magics.widgets.sheet import Sheet
from glacier_magics.widgets.shown import Shown, in_notebook
from glacier_magics.widgets.tables import facts_of, nulls_of
from glacier_magics.widgets.texts import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from glacier import GlacierEnv
    from glacier.execution.events import Event
    from glacier.execution.journal.records import RunRecord
    from glacier.execution.run import Run
    from glacier.graph import Graph, Node
    from glacier_magics.widgets.front import Front
    from glacier_magics.widgets.ledger import Entry
    from glacier_magics.widgets.messages import Look

__all__ = ["Board", "Live"]

WHITE = "white"
"""What saved pictures stand on: nobody knows the page they will be read on."""
EVERY, LATER, YOUNG = 0.1, 1 / 3, 2.0
"""Seconds between two updates of the page, at least: first, and when the run is older than the third number."""
SHARE = 25
"""How many times longer than it takes to tell the page, nothing is told: it never costs more than 4 % of a run."""
_PREVIEW = 20
_PNG_BOXES = 200


class Board(Shown):
    """A graph with the states of its steps: a picture first, or a table."""

    def __init__(
        self,
        graph: Graph | None,
        run: Run | RunRecord | None = None,
        *,
        env: GlacierEnv | None = None,
        values: Callable[[str], Any] | None = None,
        view: str = "graph",
    ) -> None:
        super().__init__()
        self.graph = graph_of(run) if graph is None and run is not None else graph
        assert self.graph is not None
        self.env = env
        self.values = values
        self.view = view
        self.sheet = Sheet(self.graph, env)
        self.ledger = Ledger(self.sheet)
        self._lines_told: dict[str, str] = {}
        self._fulfilled: deque[int] = deque(maxlen=100)
        if run is not None:
            self.ledger.record(run)

    # --- alive --------------------------------------------------------------------------------------------------

    def _front(self) -> Front:
        from glacier_magics.widgets.front import BoardFront

        return BoardFront(
            BOARD,
            self._look,
            token=self.token,
            view=self.view,
            sheet=self.sheet.plain,
            svg=self.sheet.svg(),
            states=self._spelled(self.ledger.entries()),
            details=self.ledger.details(),
            run=self.ledger.run,
            shown={},
        )

    def _spelled(self, entries: Mapping[str, Entry]) -> str:
        """Return all entries as text, a line each, with those that are new: text costs the widget machinery least."""
        self._lines_told.update({box: "\t".join([box, *map(str, entry)]) for box, entry in entries.items()})
        return "\n".join(self._lines_told.values())

    def _look(self, look: Look) -> None:
        if look.wish in self._fulfilled:
            return
        self._fulfilled.append(look.wish)
        node = self.sheet.node(look.box)
        self.front.shown = {"box": look.box, **(_nothing() if node is None else self._behind(node))}

    def _behind(self, node: Node) -> dict[str, Any]:
        try:
            return _value_shown(self._value(node), clean(node.name, 60))
        except GlacierError as error:
            return _nothing() | {"text": clean(str(error), 1000)}

    def _value(self, node: Node) -> Any:
        if node.kind != "resource":
            return self.values(node.key) if self.values else self._kept(node.key)
        resource = self.sheet.resource(node)
        return resource.preview(_PREVIEW) if isinstance(resource, Bucket) else None

    def _kept(self, key: str) -> Any:
        """Return a task's value out of the journal, None where the run has not kept it."""
        if self.env is None or not self.ledger.id:
            return None
        with suppress(GlacierError):
            return self.env.runs[self.ledger.id].value(key)
        return None

    # --- static -------------------------------------------------------------------------------------------------

    def _bundle(self) -> dict[str, str]:
        entries = self.ledger.entries()
        picture = self.sheet.drawn(
            {box: entry[0] for box, entry in entries.items()}, {box: entry[1] for box, entry in entries.items()}
        )
        if self.view == "table":
            return {"text/html": self._table(entries), "text/plain": self._lines(entries)}
        bundle = {"image/svg+xml": self._marked(svg(picture, WHITE, self.sheet.layout)), "text/plain": text(picture)}
        if len(picture.boxes) <= _PNG_BOXES:
            with suppress(RenderError):
                bundle["image/png"] = b64encode(png(picture, WHITE)).decode()
        return bundle

    def _marked(self, drawn: str) -> str:
        return drawn.replace("<svg ", f'<svg data-glacier="{self.token}" ', 1) if self.front else drawn

    def _table(self, entries: Mapping[str, Entry]) -> str:
        heads = ("task", "state", "rows", "time", "tries", "error")
        rows = markup.table(heads, self._rows(entries), right=(2, 3, 4))
        return markup.card(self.token if self.front else "", clean(self.graph_name, 100), [self.line], rows)

    def _rows(self, entries: Mapping[str, Entry]) -> list[list[str]]:
        details = self.ledger.details()
        rows: list[list[str]] = []
        for box in self.sheet.plain["boxes"]:
            if box["kind"] in ("task", "fold"):
                state, _, count, time, tries = entries[box["id"]]
                error = details.get(box["id"], {}).get("error", "").strip().split("\n")[-1]
                rows.append([box["label"], state, count, time, str(tries or ""), clean(error, 200)])
        return rows

    def _lines(self, entries: Mapping[str, Entry]) -> str:
        rows = self._rows(entries)
        widths = [max((len(row[place]) for row in rows), default=0) for place in range(5)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
        return "\n".join([f"{clean(self.graph_name, 100)}: {self.line}", *(f"  {line.rstrip()}" for line in lines)])

    @property
    def graph_name(self) -> str:
        """The name of the pipeline."""
        return self.sheet.graph.name

    @property
    def line(self) -> str:
        """The run in one line."""
        rows = self._rows(self.ledger.entries())
        over = sum(row[1] in ("done", "cached", "planned", "skipped", "failed", "cancelled") for row in rows)
        took = "" if self.ledger.seconds is None else f" in {lasting(self.ledger.seconds)}"
        return f"{self.ledger.state}, {over} of {len(rows)} tasks{took}" if self.ledger.state else f"{len(rows)} tasks"


class Live(Board):
    """A board that listens to a run. Between entry and exit of its context it stands in the notebook as a widget;
    then the same output becomes static, so that every viewer shows the last states. It can follow further runs.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        env: GlacierEnv | None = None,
        values: Callable[[str], Any] | None = None,
        view: str = "graph",
        states: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(graph, env=env, values=values, view=view)
        self.ledger.mark(states or {})
        self._handle: Any = None
        self._flushing = threading.Lock()
        self._news = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        """Take an event of the run; the page hears of it at most ten times a second, after 2 seconds three times."""
        self.ledger.note(event)
        if not self._news.is_set():
            self._news.set()

    def __enter__(self) -> Live:
        self.show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    @property
    def moves(self) -> bool:
        """Whether it is a widget now, which follows a run."""
        return self._thread is not None

    def show(self) -> None:
        """Show the board as a widget where there is a notebook; elsewhere nothing, until it is over."""
        if self._thread is not None or self.enliven() is None:
            return
        self._put({**self.front._repr_mimebundle_()[0], "text/plain": self._lines(self.ledger.entries())})
        self._over.clear()
        self._thread = threading.Thread(target=self._report, name="glacier-live", daemon=True)
        self._thread.start()

    def stand(self) -> None:
        """Show the board static, as it is; where there is a notebook, in the output that it has already."""
        if self.enliven() is None:
            print(self)
            return
        self.flush()
        self._put(self._bundle())

    def redrawn(self, graph: Graph) -> Live:
        """Return a board of another graph that takes the place of this one, once it is shown."""
        made = Live(graph, env=self.env, values=self.values, view=self.view)
        made._handle = self._handle
        if self.front is not None:
            self.front.close()
        return made

    def _put(self, data: dict[str, Any]) -> None:
        """Make data the board's output: a new one, or in the place of what it was."""
        from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

    def finish(self, run: Run | RunRecord | None = None) -> None:
        """Say the last states, and make the output static; `run` adds what events did not tell."""
        if run is not None:
            self.ledger.record(run)
        self._over.set()
        self._news.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        if self._handle is not None or not in_notebook():
            self.stand()

    def flush(self) -> None:
        """Tell the page what has changed."""
        with self._flushing, self.front.hold_sync():
            entries, details = self.ledger.take()
            if entries:
                self.front.states = self._spelled(entries)
            if details:
                self.front.details = {**self.front.details, **details}
            if self.front.run != self.ledger.run:
                self.front.run = self.ledger.run

    def _report(self) -> None:
        old = time.perf_counter() + YOUNG
        while not self._over.is_set():
            self._news.wait()
            self._news.clear()
            started = time.perf_counter()
            self.flush()
            self._over.wait(max(LATER if started > old else EVERY, SHARE * (time.perf_counter() - started)))


def _nothing() -> dict[str, Any]:
    return {"title": "", "page": None, "text": ""}


def _value_shown(value: Any, name: str) -> dict[str, Any]:
    """Return a step's value, or what is in a resource, as plain data; a lazy plan is not computed for it."""
    kind = type(value).__name__
    if isinstance(value, Preview):
        page = Pages(value.rows, _PREVIEW, nulls_of(value)).page()
        return _nothing() | {"title": ", ".join(facts_of(value)), "page": page}
    if kind == "DataFrame":
        nulls = {column.name: column.null_count() for column in value}
        page = Pages(value.head(_PREVIEW), _PREVIEW, nulls).page()
        return _nothing() | {"title": f"{name}: {value.height:,} rows", "page": page}
    if kind == "LazyFrame":
        return _nothing() | {"text": "a lazy plan: it is computed where it is collected"}
    return _nothing() | {"text": "" if value is None else clean(said(value), 500)}
