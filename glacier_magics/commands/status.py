"""`%glacier`: where you are: provider, account, region, protected or not, what is registered, stale, the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.card import listed
from glacier.overview import in_words
from glacier_magics.commands.env import environments
from glacier_magics.views import Table

if TYPE_CHECKING:
    import argparse

    from glacier import GlacierEnv
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "card", "run"]


def arguments(parser: Parser) -> None:
    """Take no words."""


def run(session: Session, given: argparse.Namespace) -> Any:
    """Show the status card; where no environment is current, those that there are."""
    nowhere = session.current is None and session.problem is None
    return environments(session) if nowhere else card(session, session.env)


def card(session: Session, env: GlacierEnv) -> Table:
    """Return an environment on one card."""
    here, stale, last = env.card(), session.stale.tasks(env), _last_run(env)
    told = listed([f"{name} ({reason})" for name, reason in stale.items()])
    rows = [*here.rows, ("stale", told), ("last run", last)]
    data = {**here.plain(), "stale": stale, "last run": last}
    return Table(f"environment {env.name}", ("", " "), rows, data=data)


def _last_run(env: GlacierEnv) -> str:
    runs = [run for name in env.pipelines if (run := env.find_pipeline(name).last_run) is not None]
    return in_words(max(runs, key=lambda run: run.started, default=None))
