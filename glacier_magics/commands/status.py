"""`%glacier`: where you are: environment, provider, account and region, resources, tasks, pipelines, the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier_magics.views import Table

if TYPE_CHECKING:
    import argparse

    from glacier import GlacierEnv
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "card", "run"]

_PLACES = ("region", "location", "account_id", "project_id", "subscription_id", "resource_group", "profile")
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
    facts = {
        "provider": state.provider["type"],
        **{key: str(value) for key, value in where.items()},
        "protected": "yes: a run that writes here asks first" if env.protected else "no",
        "resources": _named(each.name for each in state.resources),
        "tasks": _named(each.name for each in state.tasks),
        "pipelines": _named(each.name for each in state.pipelines),
        "stale": _named(f"{name} ({reason})" for name, reason in stale.items()),
        "last run": _last_run(env),
    }
    return Table(f"environment {env.name}", ("", " "), list(facts.items()), data={"environment": env.name, **facts})


def _named(names: Any) -> str:
    return ", ".join(names) or "none"


def _last_run(env: GlacierEnv) -> str:
    runs = [run for name in env.pipelines if (run := env.find_pipeline(name).last_run) is not None]
    if not runs:
        return "none"
    last = max(runs, key=lambda run: run.started)
    return f"{last.pipeline} {last.id}: {last.state}" + (f" in {last.seconds:.2f} s" if last.seconds else "")
