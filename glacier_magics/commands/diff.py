"""`%glacier diff ENV ENV`: what differs between two environments, and where each setting came from."""

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
    return diff(session.named(given.left), session.named(given.right))
