"""`%glacier export [PIPELINE] -o DIR`: the infrastructure of a pipeline as Terraform: its files, and who may do what.

Without a pipeline it is that of all of the environment. --env, given several times, puts environments into one module,
with values for each. --check writes nothing and says what would change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.loading import parameters
from glacier_magics.exported import Exported

if TYPE_CHECKING:
    import argparse

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a pipeline, a folder, and how it is written."""
    parser.add("pipeline", nargs="?", names="pipelines", help="a pipeline; without one, all that the environment has")
    parser.add("-o", "--output", metavar="DIR", names="files", default="terraform", help="the folder (terraform)")
    parser.add("--env", action="append", default=[], names="environments", help="an environment; may be repeated")
    parser.add("--check", action="store_true", help="write nothing, only say what would change")
    parser.add("--format", choices=["hcl", "json"], default="hcl", help="hcl, or json for Terraform's JSON form")
    parser.add("--force", action="store_true", help="replace files that were edited by hand")
    parser.add("-p", "--param", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the pipeline")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Export."""
    how = {"format": given.format, "force": given.force, "check": given.check}
    environments = [session.named(name) for name in given.env]
    shared = {"environments": environments} if environments else {}
    if given.pipeline is None:
        return Exported(session.env.export(given.output, **how, **shared))
    pipeline = session.pipeline(given.pipeline)
    return Exported(pipeline.run("generate", output_dir=given.output, **how, **shared, **parameters(given.param)))
