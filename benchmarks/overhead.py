"""What Glacier adds to each task: chains and fans of tasks that do nothing, beside plain Python and a thread pool.

"engine" is a run that the journal does not record; "glacier" is `pipeline.run()` as it is, "with events" the same with
a listener. All of it counts: recording the body, scheduling, running and returning.

    python benchmarks/overhead.py [most tasks] [rounds]
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from rounds import argument, compare, environment, machine, measure, processor_seconds, seconds

from glacier.execution.options import RunOptions
from glacier.execution.run import Run, execute

if TYPE_CHECKING:
    from collections.abc import Callable

Graph = dict[int, tuple[int, ...]]


def chain(n: int) -> Graph:
    return {i: (i - 1,) if i else () for i in range(n)}


def fan(n: int) -> Graph:
    return {0: (), **dict.fromkeys(range(1, n), (0,)), n: tuple(range(1, n))}


def nothing(*_: Any) -> int:
    return 1


def plain(graph: Graph) -> None:
    values: dict[int, int] = {}
    for key, needs in graph.items():
        values[key] = nothing(*[values[need] for need in needs])


def pool(graph: Graph) -> None:
    sorter, values = TopologicalSorter(graph), {}
    sorter.prepare()
    with ThreadPoolExecutor(8) as threads:
        running = {}
        while sorter.is_active():
            for key in sorter.get_ready():
                running[threads.submit(nothing, *[values[need] for need in graph[key]])] = key
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(done)
                values[key] = done.result()
                sorter.done(key)


def pipelines(env: Any) -> dict[str, Any]:
    @env.task()
    def task(*_: Any) -> int:
        return 1

    @env.task()
    def one(x: int) -> int:
        return 1

    @env.pipeline()
    def chained(n: int) -> Any:
        value = one(0)
        for _ in range(n - 1):
            value = one(value)
        return value

    @env.pipeline()
    def fanned(n: int) -> Any:
        source = one(0)
        return task([one(source) for _ in range(n - 1)])

    return {"chain": chained, "fan": fanned}


def engine(pipeline: Any, n: int) -> Any:
    return execute(Run(pipeline.name, "bench"), pipeline, pipeline.env, lambda: pipeline.fn(n), RunOptions())


def candidates(pipeline: Any, graph: Graph, n: int) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {
        "plain dict loop": partial(plain, graph),
        "engine": partial(engine, pipeline, n),
        "glacier": partial(pipeline.run, n=n),
        "glacier, with events": partial(pipeline.run, n=n, listeners=[[].append]),
    }
    return found if n > 10_000 else {**found, "graphlib + thread pool": partial(pool, graph)}


def main() -> None:
    print(machine())
    print("microseconds a task by the clock, then of processor time (all threads); ratios within each round")
    for n in (1, 100, 1_000, 10_000, 100_000):
        if n <= argument(1, 100_000):
            with environment() as env:
                for shape, pipeline in pipelines(env).items():
                    graph = chain(n) if shape == "chain" else fan(n)
                    rounds = argument(2, 7) if n < 100_000 else 3
                    for clock, unit in ((seconds, "us/task"), (processor_seconds, "us cpu")):
                        taken = measure(candidates(pipeline, graph, n), rounds, clock)
                        compare(f"{shape} of {n:,}", taken, unit, 1e6 / n)


if __name__ == "__main__":
    main()
