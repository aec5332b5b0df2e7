"""`%glacier plan PIPELINE`: what would run, what is cached, why, and how much would be read; nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.jsonable import jsonable
from glacier.loading import arguments_of
from glacier_magics.cells import placed
from glacier_magics.commands.run import as_pipeline, options_of, selecting
from glacier_magics.views import Table

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a pipeline, and which part of it."""
    parser.add("pipeline", nargs="?", names="runnable", help="a pipeline or task; may be left out where there is one")
    selecting(parser)
    parser.add("--env", names="environments", help="in this environment")
    parser.add("--read", names="environments", help="reading from this environment")
    parser.add_parameters()


def run(session: Session, given: argparse.Namespace) -> Any:
    """Plan."""
    target = session.runnable(given.pipeline, given.env)
    pipeline = as_pipeline(target)
    plan = pipeline.plan(**options_of(session, given), **arguments_of(target, given.param))
    stale = session.stale.of(pipeline.env, pipeline.name)
    rows = [
        (each.name, each.action, "; ".join(filter(None, (each.why, _stale(stale, each.key)))), _size(each))
        for each in plan
    ]
    title, _, _ = str(plan).partition("\n")
    notes = "; ".join(f"approximate: {_told(note)}" for note in plan.approximations)
    data = [
        {"key": each.key, "name": each.name, "action": each.action, "why": each.why, "reads": each.reads}
        for each in plan
    ]
    return Table(title, ("task", "action", "why", "reads"), rows, notes, jsonable(data), right=(3,))


def _told(note: Any) -> str:
    return note.reason if note.site is None else f"{note.reason} ({placed(note.site.file, note.site.line)})"


def _stale(stale: Any, key: str) -> str:
    return f"stale: {stale[key]}" if key in stale else ""


def _size(entry: Any) -> str:
    return "" if entry.reads is None else f"{entry.reads:,} bytes"
