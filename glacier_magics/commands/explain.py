"""`%glacier explain NAME`: the effective settings of a resource or task, and the level that each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a name."""
    parser.add("name", names="settings", help="a resource or task")
    parser.add("--env", names="environments", help="another environment than the current one")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Explain."""
    return (session.env if given.env is None else session.named(given.env)).explain(given.name)
