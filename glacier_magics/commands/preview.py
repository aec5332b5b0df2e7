"""`%glacier preview RESOURCE`: schema, first rows and size, fetching as little as the format allows.

RESOURCE is a resource of the environment, RESOURCE/OBJECT for another object of its bucket, an address such as
s3://bucket/path or ./file.csv or, where no resource has the name, a variable of the notebook that holds a frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.browsing import bucket_in
from glacier.frames import look_at
from glacier_magics import widgets
from glacier_magics.views import With

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take what to look at, and what of it."""
    parser.add("resource", names="previewable", help="a resource, RESOURCE/OBJECT, an address, or a frame's variable")
    parser.add("-n", "--limit", type=int, default=20, help="rows to show (20)")
    parser.add("--columns", metavar="A,B", names="columns", help="columns to show")
    parser.add("--where", metavar="EXPR", names="where", help="rows to show, in SQL: 'amount > 100'")
    parser.add("--env", names="environments", help="another environment than the current one")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Preview."""
    found = _preview(session, given)
    return With(widgets.preview(found), found.plain)


def _preview(session: Session, given: argparse.Namespace) -> Any:
    columns = None if given.columns is None else [each.strip() for each in given.columns.split(",")]
    frame = None if given.env is not None or session.has_resource(given.resource) else session.frame(given.resource)
    if frame is not None:
        return look_at(frame, given.resource, given.limit, columns, given.where)
    env = session.env if given.env is None else session.named(given.env)
    found = bucket_in(env, given.resource).preview(given.limit, columns, given.where)
    session.schemas[env.name, given.resource] = list(found.schema)
    return found
