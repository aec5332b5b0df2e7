"""`%glacier deploy DIR`: plan what an export describes and, after a yes, build it with Terraform; --plan only plans."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from glacier import deploy
from glacier_magics.views import Table, Text

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a folder, and how far to go."""
    parser.add("folder", names="files", help="the folder that %%glacier export wrote")
    parser.add("--plan", action="store_true", help="only show what would be done")
    parser.add("--yes", action="store_true", help="apply without asking")
    parser.add("--env", names="environments", help="which of its environments")
    parser.add("--local-state", action="store_true", help="keep Terraform's state in the folder")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Plan, ask and apply."""

    def agreed(plan: deploy.Plan) -> bool:
        if given.plan:
            return False
        print(plan)
        return given.yes or session.ask("apply this?")

    done = deploy.deploy(given.folder, environment=given.env, confirm=agreed, local_state=given.local_state)
    data = {"changes": [asdict(each) for each in done.plan.changes], "applied": done.applied}
    if done.applied:
        rows = [(name, str(value)) for name, value in done.outputs.items()]
        return Table(f"{done.plan.environment} is deployed", ("output", "value"), rows)
    if done.plan and not given.plan:
        return Text("nothing was applied: answer y, or say --yes", data)
    title, _, _ = str(done.plan).partition("\n")
    rows = [(each.action, each.address, each.about) for each in done.plan.changes]
    return Table(title, ("action", "address", "for"), rows, data=data)
