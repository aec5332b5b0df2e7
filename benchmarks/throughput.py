"""How fast a bucket reads and writes, beside plain Polars with the same options in the same run.

A parquet object of about 150 MB on each store of the tests (`make servers`), several rounds in turn. The ratio is
Polars' time to ours, so that 1.00 is as fast and more is faster: of the medians, of the fastest round of each, and the
median of the ratios within a round, which a busy machine disturbs least. Then what a scan with a filter and two columns
fetches.

    python benchmarks/throughput.py [rounds]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import polars as pl
from stores import BUCKET, CLOUDS, KEYS, provider, proxies, stores

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 4_000_000


def table() -> pl.DataFrame:
    """Return a table whose parquet file has about 150 MB in many row groups."""
    numbers = pl.int_range(ROWS, eager=True)
    noise = (numbers * 2_654_435_761) % 4_294_967_291
    return pl.DataFrame(
        {"id": numbers, **{f"f{i}": ((noise * (i + 3)) % 1_000_003).cast(pl.Float64) / 7 for i in range(4)}}
    )


def seconds(work: Callable[[], Any]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(label: str, rounds: int, plain: Callable[[], Any], ours: Callable[[], Any]) -> None:
    """Print the medians of both, taking turns, and their ratios."""
    polars: list[float] = []
    glacier: list[float] = []
    for number in range(rounds):
        turns = [(polars, plain), (glacier, ours)]
        for times, work in turns if number % 2 else turns[::-1]:
            times.append(seconds(work))
    medians = statistics.median(polars), statistics.median(glacier)
    within = statistics.median(one / other for one, other in zip(polars, glacier, strict=True))
    ratios = medians[0] / medians[1], min(polars) / min(glacier), within
    print(f"{label:<12}", *(f"{time:>9.2f}" for time in medians), *(f"{ratio:>9.2f}" for ratio in ratios))


def main(rounds: int) -> None:
    """Print the table."""
    os.environ |= KEYS
    frame = table().lazy()
    print(f"{rounds} rounds; seconds (medians), and ratios of medians, of the fastest, within a round")
    print(f"{'':<12} {'polars':>9} {'glacier':>9} {'medians':>9} {'fastest':>9} {'rounds':>9}")
    for kind in CLOUDS:
        server = stores()[kind]
        bucket, other = provider(kind).bucket(BUCKET, path="t.parquet"), server.uri(BUCKET, "plain.parquet")
        options = server.storage_options()
        bucket.sink(frame)
        frame.sink_parquet(other, storage_options=options)

        def plain_read(same: str = bucket.uri, options: Any = options) -> None:
            pl.read_parquet(same, storage_options=options)

        def plain_sink(other: str = other, options: Any = options) -> None:
            frame.sink_parquet(other, storage_options=options)

        compare(f"{kind} read", rounds, plain_read, bucket.read)
        compare(f"{kind} sink", rounds, plain_sink, lambda bucket=bucket: bucket.sink(frame))
        fetched(kind)


def fetched(kind: str) -> None:
    """Print what a scan with a filter and two columns fetches, from Polars and from a bucket."""
    proxy = proxies()[kind]

    def asked(scan: pl.LazyFrame) -> int:
        proxy.reset()
        scan.filter(pl.col("id") < 100).select("f1", "f2").collect()
        return proxy.bytes

    behind = provider(kind, proxy.endpoint).bucket(BUCKET, path="t.parquet")
    options = stores()[kind].storage_options(endpoint=proxy.endpoint)
    plain = asked(pl.scan_parquet(behind.uri, storage_options=options))
    print(f"{kind} filter, 2 columns: polars {plain:,} bytes, glacier {asked(behind.scan()):,} bytes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
