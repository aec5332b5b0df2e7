"""`%glacier diff ENV ENV`: what differs between two environments: settings, and where each came from; infrastructure.

The infrastructure is what `%glacier export` would generate in each of them, for the notebook's pipelines too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier import diff

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take two environments."""
    parser.add("left", names="environments", help="an environment")
    parser.add("right", names="environments", help="another one")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Compare."""
    here = session.current
    pipelines = [] if here is None else [here.find_pipeline(name) for name in here.pipelines]
    return diff(session.named(given.left), session.named(given.right), pipelines=pipelines)
