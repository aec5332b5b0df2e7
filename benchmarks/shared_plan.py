"""A LazyFrame with two consumers, and a chain with one: Glacier beside the same queries in plain Polars.

python benchmarks/shared_plan.py [rounds] [million rows]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
from rounds import argument, compare, environment, machine, measure


def shared(file: Path) -> pl.LazyFrame:
    rows = pl.scan_parquet(file)
    per_key = rows.group_by("key").agg(pl.mean("value").alias("mean"), pl.len().alias("n"))
    return rows.join(per_key, on="key").with_columns(off=(pl.col("value") - pl.col("mean")).abs())


def by_group(df: pl.LazyFrame) -> pl.DataFrame:
    return df.group_by("group").agg(pl.mean("off"), pl.max("n")).sort("group").collect()


def by_day(df: pl.LazyFrame) -> pl.DataFrame:
    return df.group_by("day").agg(pl.sum("off"), pl.min("n")).sort("day").collect()


def write(file: Path, rows: int) -> None:
    number = pl.int_range(rows, eager=True)
    pl.DataFrame(
        {"key": number * 7919 % 200_000, "value": number % 1013, "group": number % 13, "day": number % 365}
    ).write_parquet(file)


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder, environment() as env:
        file = Path(folder, "rows.parquet")
        write(file, argument(2, 5) * 1_000_000)
        tasks = [env.task()(each) for each in (shared, by_group, by_day)]

        @env.pipeline()
        def two() -> Any:
            df = tasks[0](file)
            return tasks[1](df), tasks[2](df)

        @env.pipeline()
        def one() -> Any:
            return tasks[1](tasks[0](file))

        rounds = argument(1, 7)
        naive = {"plain Polars": lambda: (by_group(shared(file)), by_day(shared(file))), "glacier": two.run}
        single = {"plain Polars": lambda: by_group(shared(file)), "glacier": one.run}
        for title, candidates in (("two consumers", naive), ("one consumer", single)):
            compare(title, measure(candidates, rounds))


if __name__ == "__main__":
    main()
