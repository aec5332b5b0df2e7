"""Six queries of TPC-H, each as a pipeline of tasks that pass LazyFrames on, beside the same functions called plainly.

The tables are made with tpchgen-cli when the folder does not have them. Every task is
written as one writes it without Glacier; the last one collects. Results are compared with those of the plain script.

    python benchmarks/tpch.py [scale factor] [rounds] [folder]
"""

from __future__ import annotations

import inspect
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from polars import col as c
from polars.testing import assert_frame_equal
from rounds import compare, environment, machine, measure

if TYPE_CHECKING:
    from collections.abc import Callable

TABLES = ("customer", "lineitem", "nation", "orders", "region", "supplier")
REVENUE = c.l_extendedprice * (1 - c.l_discount)
Step = "Callable[..., Any]"


def q1(tables: dict[str, Step]) -> list[Step]:
    def shipped(lineitem: pl.LazyFrame) -> pl.LazyFrame:
        return lineitem.filter(c.l_shipdate <= date(1998, 9, 2))

    def priced(shipped: pl.LazyFrame) -> pl.LazyFrame:
        return shipped.with_columns(price=REVENUE).with_columns(charge=c.price * (1 + c.l_tax))

    def summary(priced: pl.LazyFrame) -> pl.LazyFrame:
        sums = (c.l_quantity.sum(), c.price.sum(), c.charge.sum(), c.l_discount.mean(), pl.len())
        return priced.group_by("l_returnflag", "l_linestatus").agg(*sums)

    def result(summary: pl.LazyFrame) -> pl.DataFrame:
        return summary.sort("l_returnflag", "l_linestatus").collect()

    return [tables["lineitem"], shipped, priced, summary, result]


def q3(tables: dict[str, Step]) -> list[Step]:
    def building(customer: pl.LazyFrame) -> pl.LazyFrame:
        return customer.filter(c.c_mktsegment == "BUILDING")

    def joined(building: pl.LazyFrame, orders: pl.LazyFrame, lineitem: pl.LazyFrame) -> pl.LazyFrame:
        placed = building.join(orders, left_on="c_custkey", right_on="o_custkey")
        return placed.join(lineitem, left_on="o_orderkey", right_on="l_orderkey")

    def recent(joined: pl.LazyFrame) -> pl.LazyFrame:
        return joined.filter(c.o_orderdate < date(1995, 3, 15), c.l_shipdate > date(1995, 3, 15))

    def result(recent: pl.LazyFrame) -> pl.DataFrame:
        sums = recent.group_by("o_orderkey", "o_orderdate", "o_shippriority").agg(revenue=REVENUE.sum())
        return sums.sort("revenue", "o_orderdate", descending=[True, False]).head(10).collect()

    return [*(tables[name] for name in ("customer", "orders", "lineitem")), building, joined, recent, result]


def q5(tables: dict[str, Step]) -> list[Step]:
    def lands(region: pl.LazyFrame, nation: pl.LazyFrame) -> pl.LazyFrame:
        return region.join(nation, left_on="r_regionkey", right_on="n_regionkey")

    def buyers(lands: pl.LazyFrame, customer: pl.LazyFrame, orders: pl.LazyFrame) -> pl.LazyFrame:
        people = lands.join(customer, left_on="n_nationkey", right_on="c_nationkey")
        return people.join(orders, left_on="c_custkey", right_on="o_custkey")

    def joined(buyers: pl.LazyFrame, lineitem: pl.LazyFrame, supplier: pl.LazyFrame) -> pl.LazyFrame:
        items = buyers.join(lineitem, left_on="o_orderkey", right_on="l_orderkey")
        return items.join(supplier, left_on=["l_suppkey", "n_nationkey"], right_on=["s_suppkey", "s_nationkey"])

    def asian(joined: pl.LazyFrame) -> pl.LazyFrame:
        year = (c.o_orderdate >= date(1994, 1, 1), c.o_orderdate < date(1995, 1, 1))
        return joined.filter(c.r_name == "ASIA", *year)

    def result(asian: pl.LazyFrame) -> pl.DataFrame:
        return asian.group_by("n_name").agg(revenue=REVENUE.sum()).sort("revenue", descending=True).collect()

    return [*tables.values(), lands, buyers, joined, asian, result]


def q6(tables: dict[str, Step]) -> list[Step]:
    def discounted(lineitem: pl.LazyFrame) -> pl.LazyFrame:
        low, high = (pl.lit(text).cast(pl.Decimal(15, 2)) for text in ("0.05", "0.07"))
        year = (c.l_shipdate >= date(1994, 1, 1), c.l_shipdate < date(1995, 1, 1))
        return lineitem.filter(*year, c.l_discount.is_between(low, high), c.l_quantity < 24)

    def result(discounted: pl.LazyFrame) -> pl.DataFrame:
        return discounted.select(revenue=(c.l_extendedprice * c.l_discount).sum()).collect()

    return [tables["lineitem"], discounted, result]


def q10(tables: dict[str, Step]) -> list[Step]:
    def joined(
        customer: pl.LazyFrame, orders: pl.LazyFrame, lineitem: pl.LazyFrame, nation: pl.LazyFrame
    ) -> pl.LazyFrame:
        placed = customer.join(orders, left_on="c_custkey", right_on="o_custkey")
        items = placed.join(lineitem, left_on="o_orderkey", right_on="l_orderkey")
        return items.join(nation, left_on="c_nationkey", right_on="n_nationkey")

    def returned(joined: pl.LazyFrame) -> pl.LazyFrame:
        quarter = (c.o_orderdate >= date(1993, 10, 1), c.o_orderdate < date(1994, 1, 1))
        return joined.filter(*quarter, c.l_returnflag == "R")

    def result(returned: pl.LazyFrame) -> pl.DataFrame:
        sums = returned.group_by("c_custkey", "c_name", "n_name").agg(revenue=REVENUE.sum())
        return sums.sort("revenue", "c_custkey", descending=[True, False]).head(20).collect()

    return [*(tables[name] for name in ("customer", "orders", "lineitem", "nation")), joined, returned, result]


def q18(tables: dict[str, Step]) -> list[Step]:
    def big(lineitem: pl.LazyFrame) -> pl.LazyFrame:
        return lineitem.group_by("l_orderkey").agg(quantity=c.l_quantity.sum()).filter(c.quantity > 300)

    def joined(big: pl.LazyFrame, orders: pl.LazyFrame, lineitem: pl.LazyFrame, customer: pl.LazyFrame) -> pl.LazyFrame:
        chosen = orders.join(big, left_on="o_orderkey", right_on="l_orderkey", how="semi")
        items = chosen.join(lineitem, left_on="o_orderkey", right_on="l_orderkey")
        return items.join(customer, left_on="o_custkey", right_on="c_custkey")

    def result(joined: pl.LazyFrame) -> pl.DataFrame:
        per_order = joined.group_by("c_name", "o_custkey", "o_orderkey", "o_orderdate", "o_totalprice")
        sums = per_order.agg(quantity=c.l_quantity.sum())
        return sums.sort("o_totalprice", "o_orderkey", descending=[True, False]).head(100).collect()

    return [*(tables[name] for name in ("customer", "orders", "lineitem")), big, joined, result]


QUERIES = (q1, q3, q5, q6, q10, q18)


def sources(folder: Path) -> dict[str, Step]:
    """Return a function for each table that scans it, called as the table is."""

    def source(table: str) -> Step:
        def scan() -> pl.LazyFrame:
            return pl.scan_parquet(folder / f"{table}.parquet")

        scan.__name__ = table
        return scan

    return {table: source(table) for table in TABLES}


def wired(functions: list[Step]) -> Any:
    """Call the functions in order, each with the results that its parameters name; return the last result."""
    values: dict[str, Any] = {}
    for function in functions:
        needs = inspect.signature(function).parameters
        values[function.__name__] = function(*[values[need] for need in needs])
    return values["result"]


def make_tables(folder: Path, scale: float) -> None:
    missing = [table for table in TABLES if not (folder / f"{table}.parquet").exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            str(Path(sys.executable).with_name("tpchgen-cli")),
            "parquet",
            "-s",
            f"{scale:g}",
            f"--output-dir={folder}",
        ]
        subprocess.run([*command, f"--tables={','.join(missing)}"], check=True)


def main() -> None:
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(tempfile.gettempdir(), f"tpch-{scale:g}")
    make_tables(folder, scale)
    print(f"{machine()}, scale factor {scale:g}")
    ratios = [compared(query, folder, rounds) for query in QUERIES]
    print(f"geometric mean of the ratios: {statistics.geometric_mean(ratios):.3f}x")


def compared(query: Callable[[dict[str, Step]], list[Step]], folder: Path, rounds: int) -> float:
    """Measure one query both ways, print it, and return the median ratio."""
    functions = query(sources(folder))
    with environment() as env:
        tasks = [env.task()(function) for function in functions]
        pipeline = env.pipeline(name=query.__name__)(body_of(tasks))
        assert_frame_equal(pipeline.run(), wired(functions), check_exact=False)
        taken = measure({"plain script": partial(wired, functions), "glacier": pipeline.run}, rounds)
    compare(query.__name__, taken)
    return statistics.median(ours / plain for plain, ours in zip(*taken.values(), strict=True))


def body_of(tasks: list[Any]) -> Callable[[], Any]:
    def body() -> Any:
        return wired(tasks)

    return body


if __name__ == "__main__":
    main()
