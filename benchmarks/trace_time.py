"""How long a pipeline takes to be traced into its graph, without running anything.

python benchmarks/trace_time.py [rounds]
"""

from __future__ import annotations

import statistics
from functools import partial

from overhead import pipelines
from rounds import argument, environment, machine, seconds


def main() -> None:
    print(machine())
    with environment() as env:
        for shape, pipeline in pipelines(env).items():
            for n in (1_000, 10_000):
                taken = [seconds(partial(pipeline.run, "analyze", n=n)) for _ in range(argument(1, 5))]
                print(f"{shape:6} of {n:6,}: {statistics.median(taken) * 1e6 / n:6.1f} us/task")


if __name__ == "__main__":
    main()
