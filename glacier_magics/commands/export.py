"""`%glacier export [PIPELINE] -o DIR`: the infrastructure of a pipeline as Terraform: its files, and who may do what.

Without a pipeline it is that of all of the environment. --env, given several times, puts environments into one module,
with values for each. --check writes nothing: it says what would change, and whether
Terraform's fmt and validate take it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from glacier.checking import checked, failures
from glacier.errors import InfrastructureError
from glacier.loading import arguments_of
from glacier_magics.exported import Exported

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a pipeline, a folder, and how it is written."""
    parser.add("pipeline", nargs="?", names="pipelines", help="a pipeline; without one, all that the environment has")
    parser.add("-o", "--output", metavar="DIR", names="files", default="terraform", help="the folder (terraform)")
    parser.add("--env", action="append", default=[], names="environments", help="an environment; may be repeated")
    parser.add("--check", action="store_true", help="write nothing: what would change, fmt, validate")
    parser.add("--format", choices=["hcl", "json"], default="hcl", help="hcl, or json for Terraform's JSON form")
    parser.add("--force", action="store_true", help="replace files that were edited by hand")
    parser.add_parameters()


def run(session: Session, given: argparse.Namespace) -> Any:
    """Export."""
    write, options = _writer(session, given)
    if not given.check:
        return Exported(write(output_dir=given.output, **options))
    found = checked(write, given.output, **options)
    if wrong := failures(found):
        print(found)
        raise InfrastructureError(f"Terraform does not take it: {'; '.join(wrong)}", hint="this is a bug of Glacier")
    return Exported(found)


def _writer(session: Session, given: argparse.Namespace) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return what exports, and the options that it takes."""
    how: dict[str, Any] = {"format": given.format, "force": given.force}
    environments = [session.named(name) for name in given.env]
    if environments:
        how["environments"] = environments
    if given.pipeline is None:
        return session.env.export, how
    pipeline = session.pipeline(given.pipeline)
    return partial(pipeline.run, "generate"), {**how, **arguments_of(pipeline, given.param)}
