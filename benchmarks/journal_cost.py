"""What the journal costs a task: chains of tiny tasks, and of tasks of 10 ms, with the journal and without.

    python benchmarks/journal_cost.py [TASKS] [ROUNDS]

"on" and "off" run in turn, and the medians of the rounds are compared. "off" is the same run whose memory is taken out.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from glacier import GlacierEnv, home
from glacier.config import LocalConfig
from glacier.execution.options import RunOptions
from glacier.execution.run import Run, execute
from glacier.providers import LocalProvider

TASKS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 9


def pipelines(env: GlacierEnv):
    @env.task()
    def step(value):
        return value

    @env.task()
    def slow(value):
        time.sleep(0.01)
        return value

    @env.pipeline()
    def tiny(count: int):
        value = 1
        for _ in range(count):
            value = step(value)
        return value

    @env.pipeline()
    def real(count: int):
        value = 1
        for _ in range(count):
            value = slow(value)
        return value

    return tiny, real


def timed(work: Callable[[], object], count: int) -> tuple[float, float]:
    """Return µs per task: by the clock, and of the processors' time, which others on the machine do not lengthen."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) / count * 1e6, (time.process_time() - cpu) / count * 1e6


def with_journal(pipeline, count: int) -> tuple[float, float]:
    return timed(lambda: pipeline.run(count=count), count)


def without(pipeline, count: int) -> tuple[float, float]:
    run = Run(pipeline.name, pipeline.env.name)
    return timed(lambda: execute(run, pipeline, pipeline.env, lambda: pipeline.fn(count), RunOptions()), count)


def compare(name: str, pipeline, count: int) -> None:
    rounds = [(*without(pipeline, count), *with_journal(pipeline, count)) for _ in range(ROUNDS)]
    off, off_cpu, on, on_cpu = map(statistics.median, zip(*rounds, strict=True))
    numbers = f"{off:,.2f} | {on:,.2f} | {on - off:+,.2f} | {on_cpu - off_cpu:+,.2f}"
    print(f"| {name} | {count:,} | {numbers} |")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, home.using(Path(folder) / "memory"):
        tiny, real = pipelines(GlacierEnv(LocalProvider(config=LocalConfig(base_path=folder)), "benchmark"))
        print("| µs per task | tasks | without | with the journal | cost | cost in processor time |")
        print("|---|---|---|---|---|---|")
        compare("no-op, one run", tiny, 1)
        compare("no-ops in a chain", tiny, TASKS)
        compare("10 ms in a chain", real, 100)


if __name__ == "__main__":
    main()
