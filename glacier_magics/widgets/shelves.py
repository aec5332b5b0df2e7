"""An environment's resources and the objects in them, listed a page at a time."""

from __future__ import annotations

import threading
import time
from datetime import UTC
from fnmatch import fnmatchcase
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from glacier.card import card_of
from glacier.errors import GlacierError, ObjectNotFoundError
from glacier.resources import Bucket
from glacier.resources.border import crossing
from glacier.resources.listing import entries
from glacier.resources.parts import readable
from glacier_magics.widgets import markup
from glacier_magics.widgets.messages import SHELVES, Close, Filter, More, Open, Peek
from glacier_magics.widgets.pages import Pages
from glacier_magics.widgets.shown import Shown
from glacier_magics.widgets.tables import facts_of, nulls_of
from glacier_magics.widgets.texts import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glacier import GlacierEnv
    from glacier.resources.listing import ObjectInfo
    from glacier.state import ResourceState
    from glacier_magics.widgets.front import Front

__all__ = ["PAGE", "Shelf", "Shelves"]

PAGE = 100
"""Objects that are listed at a time."""
_LOOKED_THROUGH = 50_000
"""Objects that a filter looks through at a time."""
_SORTED = 2000
_SORTED_HERE = 20_000
"""A disk gives no order, and its first object takes almost as long as all of these."""
_SECONDS = 2.0
_LISTERS = 8
_SAVED = 10
_ROWS = 50


class Shelf:
    """One resource: what it is, and the objects that were listed so far."""

    def __init__(self, state: ResourceState, resource: Any, page: int = PAGE) -> None:
        self.state = state
        self.page = page
        self.resource = resource
        self.open = False
        self.found: list[ObjectInfo] = []
        self.trouble = ""
        self.asked = False
        self._rest: Iterator[ObjectInfo] = iter(())
        self._more = ""
        self._chosen: int | None = None
        self._text = ""

    @property
    def lists(self) -> bool:
        """Whether it has objects to list."""
        return isinstance(self.resource, Bucket)

    def list(self, text: str = "") -> None:
        """List the first page of the objects whose path holds the text."""
        self.found, self._chosen, self._more, self.trouble = [], None, "", ""
        self._text = text.lower()
        self._rest = self._ordered()
        self.more()
        self.asked = True

    def _ordered(self) -> Iterator[ObjectInfo]:
        """Yield the objects by path where there are not too many; else as the store lists them, which clouds sort."""
        rest = entries(self.resource)
        most = _SORTED_HERE if self.resource.on == "local" else _SORTED
        first = list(islice(rest, most))
        yield from sorted(first, key=lambda entry: entry.path) if len(first) < most else first
        yield from rest

    def more(self) -> None:
        """List another page."""
        try:
            with crossing(self.resource, "list"):
                self._extend()
        except ObjectNotFoundError:
            self.trouble = "not there yet"
        except GlacierError as error:
            self._more, self.trouble = "", clean(error.message, 300)

    def _extend(self) -> None:
        looked = self._looked(islice(self._rest, _LOOKED_THROUGH))
        new = list(islice(looked, self.page + 1))
        self._more = f"show more, {len(self.found) + self.page:,} are here" if len(new) > self.page else ""
        if not self._more and (ahead := next(self._rest, None)) is not None:
            self._rest = _with(ahead, self._rest)
            self._more = f"look further: {_LOOKED_THROUGH:,} objects were looked through"
        if len(new) > self.page:
            self._rest = _with(new.pop(), self._rest)
        self.found.extend(new)

    def _looked(self, found: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
        return (entry for entry in found if self._text in entry.path.lower())

    def preview(self, place: int) -> dict[str, Any]:
        """Return the preview of a listed object, as plain data."""
        self._chosen = place
        path = self.found[place].path
        try:
            shown = self.resource.provider.bucket(self.resource.bucket_name, path=path).preview(_ROWS)
        except GlacierError as error:
            return {"title": clean(path, 300), "facts": [], "page": None, "trouble": clean(str(error), 1000)}
        page = Pages(shown.rows, _ROWS, nulls_of(shown)).page()
        return {"title": clean(path, 300), "facts": facts_of(shown), "page": page, "trouble": ""}

    @property
    def summary(self) -> list[str]:
        """Size and date of the one object, or how many there are."""
        if not self.found:
            return ["-", self.trouble] if self.trouble else ["empty" if self.asked else "", ""]
        size = readable(sum(entry.size for entry in self.found))
        if not self._more:
            return [size, _date(max(self.found, key=lambda entry: entry.modified))]
        return ["", f"over {len(self.found):,} objects"]

    @property
    def plain(self) -> dict[str, Any]:
        """What the page shows of it."""
        return {
            "open": self.open,
            "entries": [[clean(each.path, 300), readable(each.size), _date(each)] for each in self.found],
            "more": self._more,
            "trouble": self.trouble,
            "chosen": self._chosen,
            "summary": self.summary,
        }


class Shelves(Shown):
    """The resource browser of an environment."""

    def __init__(self, env: GlacierEnv, glob: str | None = None, page: int = PAGE) -> None:
        super().__init__()
        self.env = env
        self.glob = glob
        described = env.describe()
        self.card = card_of(described)
        known = env.resources
        self.shelves = [
            Shelf(each, known[each.name], page)
            for each in described.resources
            if glob is None or fnmatchcase(each.name.lower(), glob.lower())
        ]
        self._ask_all()

    def _ask_all(self) -> None:
        """List the first page of every resource side by side; what does not answer in time is listed on a click."""
        todo: SimpleQueue[Shelf] = SimpleQueue()
        wanted = [shelf for shelf in self.shelves if shelf.lists][: _LISTERS * 10]
        for shelf in wanted:
            todo.put(shelf)
        workers = [threading.Thread(target=_list_all, args=(todo,), daemon=True) for _ in wanted[:_LISTERS]]
        for worker in workers:
            worker.start()
        ends = time.monotonic() + _SECONDS
        for worker in workers:
            worker.join(max(0.0, ends - time.monotonic()))
        if len(self.shelves) == 1 and self.shelves[0].asked:
            self.shelves[0].open = True

    @property
    def about(self) -> dict[str, Any]:
        """The environment and its resources, as plain data."""
        count = len(self.shelves)
        facts = [self.card.provider.replace("Provider", ""), f"{count:,} resource{'' if count == 1 else 's'}"]
        facts += ["protected"] if self.card.protected else []
        return {
            "title": clean(self.env.name, 100),
            "facts": facts,
            "empty": self._empty,
            "resources": [_plain(each) for each in self.shelves],
        }

    @property
    def _empty(self) -> str:
        """What to say where nothing is listed."""
        if self.env.resources:
            return clean(f"no resource is called {self.glob!r}; there are {', '.join(self.env.resources)}", 300)
        return "no resources yet: env.register(name, resource), or [env.NAME.resources.NAME] in glacier.toml"

    # --- alive --------------------------------------------------------------------------------------------------

    def _front(self) -> Front:
        from glacier_magics.widgets.front import ShelvesFront

        return ShelvesFront(SHELVES, self._answer, token=self.token, about=self.about, shelves=self._listed(), found={})

    def _listed(self) -> dict[str, Any]:
        return {str(place): shelf.plain for place, shelf in enumerate(self.shelves) if shelf.open}

    def _answer(self, wish: Open | Close | More | Filter | Peek) -> None:
        match wish:
            case Filter(text=text, shelves=places):
                for place in places:
                    self._shelf(place).list(text)
            case Open(shelf=place, text=text):
                shelf = self._shelf(place)
                shelf.list(text)
                shelf.open = True
            case Close(shelf=place):
                self._shelf(place).open = False
            case More(shelf=place):
                self._shelf(place).more()
            case Peek(shelf=place, entry=entry):
                self._peek(self._shelf(place), entry)
        self.front.shelves = self._listed()

    def _shelf(self, place: int) -> Shelf:
        """Return a shelf that has objects.

        Raises:
            GlacierError: there is none.
        """
        if place < len(self.shelves) and self.shelves[place].lists:
            return self.shelves[place]
        raise GlacierError(f"environment {self.env.name!r} has no such resource to list")

    def _peek(self, shelf: Shelf, entry: int) -> None:
        if entry >= len(shelf.found):
            raise GlacierError(f"resource {shelf.state.name!r} has no such object in the list")
        self.front.found = shelf.preview(entry)

    # --- static -------------------------------------------------------------------------------------------------

    def _bundle(self) -> dict[str, str]:
        rows = [row for shelf in self.shelves for row in _rows(shelf)]
        heads = ("resource", "kind", "address", "size", "modified (UTC)")
        table = markup.scrolled(markup.table(heads, rows, right=(3,))) if rows else markup.element("div", self._empty)
        html = markup.card(self.token if self.front else "", self.about["title"], self.about["facts"], table)
        return {"text/html": html, "text/plain": self._text()}

    def _text(self) -> str:
        lines = [f"{self.about['title']}: {', '.join(self.about['facts'])}"]
        lines += [] if self.shelves else [f"  {self._empty}"]
        for shelf in self.shelves:
            facts = [shelf.state.kind, shelf.state.uri or "", *shelf.summary]
            lines.append(f"  {clean(shelf.state.name)}  {'  '.join(clean(fact, 300) for fact in facts if fact)}")
            if len(shelf.found) > 1:
                lines += [f"    {clean(each.path, 300)}  {readable(each.size)}" for each in shelf.found[:_SAVED]]
        return "\n".join(lines)


def _list_all(todo: SimpleQueue[Shelf]) -> None:
    while True:
        try:
            shelf = todo.get_nowait()
        except Empty:
            return
        try:
            shelf.list()
        except Exception as error:
            shelf.trouble = clean(f"{type(error).__name__}: {error}", 300)


def _plain(shelf: Shelf) -> dict[str, Any]:
    return {
        "name": clean(shelf.state.name, 100),
        "kind": clean(shelf.state.kind, 40),
        "uri": clean(shelf.state.uri or "", 300),
        "lists": shelf.lists,
        "summary": shelf.summary,
    }


def _rows(shelf: Shelf) -> Iterator[list[Any]]:
    """Yield the static rows: the resource, and the first objects where it is more than one."""
    name = markup.element("strong", clean(shelf.state.name, 100))
    yield [name, shelf.state.kind, clean(shelf.state.uri or "", 300), *shelf.summary]
    if len(shelf.found) > 1:
        for each in shelf.found[:_SAVED]:
            yield ["", "", each.path, readable(each.size), _date(each)]
        left = len(shelf.found) - _SAVED
        if left > 0:
            yield ["", "", f"and {left:,}{'+' if shelf.plain['more'] else ''} more", "", ""]


def _with(first: ObjectInfo, rest: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
    yield first
    yield from rest


def _date(entry: ObjectInfo) -> str:
    return entry.modified.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
