"""`%glacier deploy DIR`: plan what an export describes and, after a yes, build it with Terraform; --plan only plans."""

from __future__ import annotations

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
        print(plan)
        return not given.plan and (given.yes or session.ask("apply this?"))

    done = deploy.deploy(given.folder, environment=given.env, confirm=agreed, local_state=given.local_state)
    if not done.applied:
        return Text(
            str(done.plan) if not done.plan else "nothing was applied",
            {"changes": [str(each) for each in done.plan.changes]},
        )
    rows = [(name, str(value)) for name, value in done.outputs.items()]
    return Table(f"{done.plan.environment} is deployed", ("output", "value"), rows)
