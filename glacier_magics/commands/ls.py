"""`%glacier ls [GLOB]`: the environment's resources and the objects in them.

GLOB matches names of resources (sales*) or, with a slash, their objects (sales_raw/2024/*). It may be an address: a
folder or pattern such as s3://bucket/path or ./data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier import browse
from glacier.errors import ConfigError
from glacier_magics import widgets
from glacier_magics.views import With

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a pattern and a limit."""
    parser.add("glob", nargs="?", default="*", names="resources", help="a resource, a pattern, or an address")
    parser.add("--env", names="environments", help="another environment than the current one")
    parser.add("--limit", type=int, default=100, help="objects to list of each resource at a time (100)")


def run(session: Session, given: argparse.Namespace) -> Any:
    """List."""
    env = session.env if given.env is None else session.named(given.env)
    if given.limit < 1:
        raise ConfigError(f"--limit {given.limit} lists nothing", hint="1 or more")
    if "/" in given.glob:
        return browse(env, given.glob, given.limit)
    return With(
        widgets.browser(env, given.glob or "*", given.limit), lambda: browse(env, given.glob, given.limit).plain()
    )
