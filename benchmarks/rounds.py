"""What the benchmarks of runs share: candidates that take turns, medians, and ratios to the first within each round."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from glacier import GlacierEnv, __version__, home
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

Candidates = Mapping[str, Callable[[], object]]
Clock = Callable[[Callable[[], object]], float]


@contextmanager
def environment(**options: object):
    """An environment in a folder of its own, whose history and cache are there too."""
    with tempfile.TemporaryDirectory() as folder, home.using(Path(folder, "memory")):
        yield GlacierEnv(LocalProvider(config=LocalConfig(base_path=Path(folder, "data"))), "bench", **options)


def machine() -> str:
    """Say on what this is measured: the versions, the processors and how busy they are."""
    versions = f"glacier {__version__}, Polars {pl.__version__}, Python {platform.python_version()}"
    return f"{versions}, {os.cpu_count()} processors, {load()}, {time.strftime('%Y-%m-%d')}"


def load() -> str:
    """Say how busy the machine is now."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def seconds(candidate: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    candidate()
    return time.perf_counter() - start


def processor_seconds(candidate: Callable[[], object]) -> float:
    """Time one call by what the processors did for it: on a busy machine that says more than the clock."""
    start = time.process_time()
    candidate()
    return time.process_time() - start


def measure(candidates: Candidates, rounds: int, clock: Clock = seconds) -> dict[str, list[float]]:
    """Time every candidate once a round, in turns."""
    taken = [{name: clock(candidate) for name, candidate in candidates.items()} for _ in range(rounds)]
    return {name: [one[name] for one in taken] for name in candidates}


def compare(title: str, taken: Mapping[str, Sequence[float]], unit: str = "s", scale: float = 1.0) -> None:
    """Print medians, and the median ratio to the first candidate of the same round."""
    first = next(iter(taken.values()))
    for name, times in taken.items():
        ratio = statistics.median(time / base for time, base in zip(times, first, strict=True))
        print(f"{title:24} {name:22} {statistics.median(times) * scale:12.3f} {unit:8} {ratio:8.2f}x")


def argument(position: int, default: int) -> int:
    """Return a number of the command line."""
    return int(sys.argv[position]) if len(sys.argv) > position else default
