"""What the workbench draws: graphs and their runs, environments, previews.

Each function returns an object that a notebook shows. What is saved with the notebook is static, so that it reads well
without a kernel: pictures, tables, text. In JupyterLab and Notebook 7 it comes alive where it stands, as long as its
kernel does (see `glacier_magics.widgets.shown`).

| module   | what it holds                                                        |
|----------|----------------------------------------------------------------------|
| shown    | Shown: a static bundle, and the widget that brings it to life        |
| front    | the widgets' side that a browser talks to: traits and messages       |
| messages | what a browser may say, as schemas                                   |
| sheet    | a graph as it is drawn: boxes, their texts, which step is in which   |
| ledger   | events of a run -> what each box shows                               |
| board    | a graph and its run: `dag`, `monitor`, `live`                        |
| pages    | rows of a frame as strings, a page at a time                         |
| tables   | `preview`                                                            |
| shelves  | `browser`                                                            |
| markup   | static HTML                                                          |
| texts    | foreign text on its way out                                          |
| formatters | what Glacier's objects look like while the workbench is loaded     |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from glacier import GlacierEnv
    from glacier.execution.journal.records import RunRecord
    from glacier.execution.run import Run
    from glacier.graph import Graph
    from glacier.resources.preview import Preview
    from glacier_magics.widgets.board import Board, Live
    from glacier_magics.widgets.shelves import Shelves
    from glacier_magics.widgets.tables import Table

__all__ = ["browser", "dag", "live", "monitor", "preview"]


def dag(
    graph: Graph,
    run: Run | RunRecord | None = None,
    *,
    env: GlacierEnv | None = None,
    values: Callable[[str], Any] | None = None,
) -> Board:
    """Show a graph, with what became of each step in `run`.

    Args:
        graph: what is drawn.
        run: a run of it, over or not.
        env: the environment whose tasks and resources it uses: a click on a node shows a task's code and previews a
            resource.
        values: the value of a step by its key, None where it is not known; it is previewed when a node is clicked.
            Without it, what the journal has kept of the run in `env` is.
    """
    from glacier_magics.widgets.board import Board

    return Board(graph, run, env=env, values=values)


def monitor(
    run: Run | RunRecord, *, env: GlacierEnv | None = None, values: Callable[[str], Any] | None = None
) -> Board:
    """Show a run as a progress line and a table of its tasks, with logs and errors on a click; `dag` is a tab away."""
    from glacier_magics.widgets.board import Board

    return Board(run.graph, run, env=env, values=values, view="table")


def live(
    graph: Graph,
    *,
    env: GlacierEnv | None = None,
    values: Callable[[str], Any] | None = None,
    view: str = "graph",
    states: dict[str, str] | None = None,
) -> Live:
    """Show a graph and keep it up to date while a run of it goes on.

    The result is a listener of runs, and a context that shows itself on entry and becomes static on exit:

        with live(pipeline.graph, env=env) as shown:
            pipeline.run(listeners=[shown], progress=False)

    `view` is what is shown first, `"graph"` or `"table"`. `states` are those before the run, such as `"stale"`, by key.
    """
    from glacier_magics.widgets.board import Live

    return Live(graph, env=env, values=values, view=view, states=states)


def browser(env: GlacierEnv, glob: str | None = None, page: int = 100) -> Shelves:
    """Show an environment's resources, those whose name matches `glob`, and the objects in them.

    Objects are listed `page` at a time. What answers within two seconds stands in the saved notebook too.
    """
    from glacier_magics.widgets.shelves import Shelves

    return Shelves(env, glob, page)


def preview(preview: Preview) -> Table:
    """Show a preview: what is shown of what, the columns with their types, and the rows."""
    from glacier_magics.widgets.tables import Table

    return Table(preview)
