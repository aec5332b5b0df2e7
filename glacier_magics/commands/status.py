"""`%glacier`: where you are: environment, provider, account and region, resources, tasks, pipelines, the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.tables import lasting
from glacier_magics.views import Table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from glacier import GlacierEnv
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "card", "run"]

_PLACES = ("region", "location", "account_id", "project_id", "subscription_id", "resource_group", "profile")
_MOST = 12
"""Names of one kind on the card."""
_WHERE = (*_PLACES, "storage_account", "endpoint_url", "base_path")


def arguments(parser: Parser) -> None:
    """Take no words."""


def run(session: Session, given: argparse.Namespace) -> Any:
    """Show the status card."""
    return card(session, session.env)


def card(session: Session, env: GlacierEnv) -> Table:
    """Return an environment on one card."""
    state = env.describe()
    where = {key: state.provider["config"][key] for key in _WHERE if state.provider["config"].get(key) is not None}
    stale = session.stale.tasks(env)
    kinds = {"resources": state.resources, "tasks": state.tasks, "pipelines": state.pipelines}
    names = {kind: [each.name for each in known] for kind, known in kinds.items()}
    place = {"provider": state.provider["type"], **{key: str(value) for key, value in where.items()}}
    facts = {
        **place,
        "protected": "yes: a run that writes here asks first" if env.protected else "no",
        **{kind: _named(known) for kind, known in names.items()},
        "stale": _named([f"{name} ({reason})" for name, reason in stale.items()]),
        "last run": _last_run(env),
    }
    told = {"environment": env.name, **place, "protected": env.protected, **names, "stale": stale}
    data = {**told, "last run": facts["last run"]}
    return Table(f"environment {env.name}", ("", " "), list(facts.items()), data=data)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more or "none"


def _last_run(env: GlacierEnv) -> str:
    runs = [run for name in env.pipelines if (run := env.find_pipeline(name).last_run) is not None]
    if not runs:
        return "none"
    last = max(runs, key=lambda run: run.started)
    return f"{last.pipeline} {last.id}: {last.state}" + (f" in {lasting(last.seconds)}" if last.seconds else "")
