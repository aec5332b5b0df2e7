"""`%glacier debug`: the whole traceback of the last error of a command, also the frames that are not yours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError
from glacier_magics.errors_shown import full
from glacier_magics.views import Text

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take no words."""


def run(session: Session, given: argparse.Namespace) -> Any:
    """Show it."""
    if session.last_error is None:
        raise ConfigError("no command of this notebook has failed", hint="%tb shows the errors of plain cells")
    return Text(full(session.last_error))
