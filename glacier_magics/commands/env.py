"""`%glacier env [NAME]`: list the environments, or switch to one; `env` in the notebook is the current one.

A unique beginning of a name will do. With --provider (and its region, profile or other fields) one is made that the
project does not have; with fields alone, the project's is refined. --as VAR keeps it in a variable, beside `env`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.addresses import fields_of
from glacier_magics.session import MAKE
from glacier_magics.views import Table

if TYPE_CHECKING:
    import argparse

    from glacier import GlacierEnv
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "environments", "run"]


def arguments(parser: Parser) -> None:
    """Take a name, and what makes or refines an environment."""
    parser.add("name", nargs="?", names="environments", help="an environment; a unique beginning will do")
    parser.add("--provider", names="providers", help="local, aws, gcp, azure or another package's")
    parser.add("--region", help="region or location")
    parser.add("--profile", help="profile of the cloud's own tools")
    parser.add("--option", action="append", default=[], metavar="KEY=VALUE", help="another field of its config")
    parser.add("--as", dest="variable", metavar="VAR", help="bind it to VAR and leave `env` as it is")
    parser.add("--protect", action="store_true", help="ask before a run writes to it")


def run(session: Session, given: argparse.Namespace) -> Any:
    """List, switch or make."""
    if given.name is None:
        return environments(session)
    env = _wanted(session, given)
    if given.variable is None:
        session.enter(env)
    else:
        session.bind(given.variable, env)
    return env.card() if given.json else env


def _wanted(session: Session, given: argparse.Namespace) -> GlacierEnv:
    pairs = [*given.option, *([f"profile={given.profile}"] if given.profile else [])]
    if not (pairs or given.provider or given.region or given.protect):
        return session.named(given.name)
    kind = given.provider or session.provider_of(given.name)
    return session.make(given.name, given.provider, fields_of("", kind, pairs, given.region), given.protect)


def environments(session: Session) -> Table:
    """Return the list of environments, those of the project and those of the notebook."""
    entries = {} if session.project is None else {each.name: each for each in session.project.entries}
    rows = [_row(session, name, entries.get(name)) for name in session.known()]
    note = "" if rows else f"none yet: {MAKE}, or write a glacier.toml"
    return Table("environments", ("", "environment", "provider", "extends", "protected", "from"), rows, note)


def _row(session: Session, name: str, entry: Any) -> tuple[str, ...]:
    env = session.opened(name)
    current = session.current
    star = "*" if current is not None and current.name == name else ""
    if env is not None:
        kind, protected = env.provider.get_provider_type(), env.protected
    else:
        kind, protected = ("", False) if entry is None else (entry.provider, entry.protected)
    origin = "notebook" if entry is None else "project"
    return (star, name, kind, (entry.extends or "") if entry else "", "protected" if protected else "", origin)
