"""Twenty tasks with results of 100 MB each: computed, computed and kept, and run again with everything kept.

python benchmarks/cached_rerun.py [tasks] [megabytes]
"""

from __future__ import annotations

from typing import Any

import polars as pl
from rounds import argument, environment, machine, seconds


def pipeline(env: Any, tasks: int, rows: int, cache: bool) -> Any:
    @env.task(cache=cache)
    def source() -> pl.DataFrame:
        number = pl.int_range(rows, eager=True)
        return pl.DataFrame({f"c{index}": number * (index + 3) % 1_000_003 for index in range(4)})

    @env.task(cache=cache)
    def grown(df: pl.DataFrame, n: int) -> pl.DataFrame:
        return df.with_columns((pl.col(f"c{n % 4}") * 31 + n) % 1_000_003)

    @env.task(cache=cache)
    def total(df: pl.DataFrame) -> int:
        return df["c0"].sum()

    @env.pipeline(name=f"chain_{cache}")
    def chain() -> int:
        df = source()
        for n in range(tasks - 2):
            df = grown(df, n)
        return total(df)

    return chain


def main() -> None:
    tasks, rows = argument(1, 20), argument(2, 100) * 1_000_000 // 32
    print(machine())
    with environment() as env:
        plain, kept = pipeline(env, tasks, rows, cache=False), pipeline(env, tasks, rows, cache=True)
        plain.run()
        base = seconds(plain.run)
        cold = seconds(kept.run)
        warm = min(seconds(kept.run) for _ in range(5))
        assert {step.state for step in kept.last_run.tasks} == {"cached"}
        print(f"{tasks} tasks of {rows * 32 / 1e6:.0f} MB")
        print(f"computed              {base:8.3f} s")
        print(f"computed and kept     {cold:8.3f} s  {cold / base:6.2f}x")
        print(f"all of it kept before {warm:8.4f} s  {warm / base:6.4f}x, {warm / tasks * 1e6:.0f} us a task")


if __name__ == "__main__":
    main()
