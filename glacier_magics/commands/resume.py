"""`%glacier resume [RUN]`: go on with a run that failed, was interrupted, goes by steps, or whose kernel died.

What succeeded is not run again, unless its code or that of a helper has changed; a changed value of a global does not
count, and a line says so. -p gives a parameter that the journal does not keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier.loading import arguments_of
from glacier_magics.watching import watched

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from glacier import Pipeline
    from glacier.execution.journal import RunRecord
    from glacier_magics.parsing import Parser
    from glacier_magics.session import Session

__all__ = ["arguments", "run"]


def arguments(parser: Parser) -> None:
    """Take a run and what it needs again."""
    parser.add("run", nargs="?", names="runs", help="a run's id, or the beginning of it; the newest when left out")
    parser.add_parameters()
    parser.add("-o", "--output", metavar="VAR", help="the variable for what it returns")
    parser.add("--env", names="environments", help="another environment than the current one")
    parser.add("--yes", action="store_true", help="write to a protected environment without being asked")


def run(session: Session, given: argparse.Namespace) -> Any:
    """Go on."""
    env = session.env if given.env is None else session.named(given.env)
    record = env.runs.find(given.run)
    here = session.env
    known = here is not env and record.pipeline in here.pipelines
    pipeline = session.pipeline(record.pipeline, env.name) if known else env.find_pipeline(record.pipeline)
    params = arguments_of(pipeline, given.param)
    session.check_name(given.output)
    if session.goes_stepwise(pipeline, record.id) and session.leave(pipeline):
        record = env.runs[record.id]
    shown, stale = {**record.parameters, **params}, session.stale.of(env, pipeline.name)
    with session.agreeing(given.yes), watched(session, pipeline, shown) as listeners:
        value = pipeline.resume(record, listeners=listeners, progress=False, **_read_again(session, record), **params)
    _say_what_is_old(session, pipeline, stale)
    if given.output is None:
        return value
    session.bind(given.output, value)
    return None


def _read_again(session: Session, record: RunRecord) -> dict[str, Any]:
    """Return the environment that a run read from, as an option."""
    name = record.options.get("read")
    return {} if name is None else {"read": session.named(name)}


def _say_what_is_old(session: Session, pipeline: Pipeline, stale: Mapping[str, str]) -> None:
    """Name the tasks that were taken over although something that they depend on has changed, such as a global."""
    run = session.run_here(pipeline)
    taken = [] if run is None else [each for each in run.tasks if each.state == "cached" and each.stored is None]
    old = [f"{each.name} ({stale[each.key]})" for each in taken if each.key in stale]
    if old:
        print(f"taken over with results of earlier: {', '.join(old)} | all anew: %glacier run {pipeline.name}")
