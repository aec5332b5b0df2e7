"""Ctrl-C in the middle of a run: one KeyboardInterrupt, soon, and everything is usable afterwards."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

PROGRAM = """
import sys, time
from pathlib import Path
import polars as pl
from glacier import GlacierEnv, home
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

folder, work, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=folder)), "test")
target = env.register("target", env.provider.bucket("out", path="target.parquet"))

def slow_rows(frame):
    time.sleep(0.02)
    return frame

def sleeping():
    time.sleep(60)

def python():
    while True:
        sum(range(100))

def querying():
    n = 4_000
    pl.LazyFrame({"x": range(n)}).join(pl.LazyFrame({"y": range(n)}), how="cross").group_by("x").agg(
        pl.col("y").sort_by("y").sin().rolling_mean(50).sum()
    ).collect()

def sinking():
    parts = [pl.LazyFrame({"x": range(200_000)}).map_batches(slow_rows) for _ in range(3_000)]
    target.sink(pl.concat(parts))

WORK = {"sleeping": sleeping, "python": python, "querying": querying, "sinking": sinking}

@env.task()
def busy():
    print("running", flush=True)
    WORK[work]()
    return 1

@env.task()
def after(x):
    print("never", flush=True)

@env.task()
def quick():
    return 7

@env.pipeline()
def long():
    after(busy())

@env.pipeline()
def short():
    return quick()

interrupts = 0
with home.using(folder / "memory"):
    seen = []
    try:
        long.step(listeners=[seen.append]).next() if how == "step" else long.run(listeners=[seen.append])
    except KeyboardInterrupt:
        interrupts += 1
        stopped = time.time()
        try:
            time.sleep(1.5)  # a second one would come here
        except KeyboardInterrupt:
            interrupts += 1
    states = [step.state for step in long.last_run.tasks]
    print(stopped, interrupts, long.last_run.state, *states, seen[-1].kind, seen[-1].detail, short.run(), flush=True)
    left = sorted(str(path.name) for path in folder.rglob("*") if path.is_file() and "memory" not in path.parts)
    print(*left, flush=True)
"""


def interrupted(folder: Path, work: str, after: float, how: str = "run") -> tuple[float, list[str], list[str]]:
    """Interrupt the program `after` seconds into its task; return how long it took to stop, and what it says."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), work, how], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        time.sleep(after)
        sent = time.time()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    told, left = out.splitlines()
    stopped, *words = told.split()
    return float(stopped) - sent, words, left.split()


@pytest.mark.slow
@pytest.mark.parametrize("work", ["sleeping", "python", "querying", "sinking"])
def test_one_interrupt_stops_the_run_within_a_second(tmp_path: Path, work: str) -> None:
    old = tmp_path / "out" / "target.parquet"
    old.parent.mkdir()
    pl.DataFrame({"x": [1]}).write_parquet(old)
    before = old.read_bytes()

    took, words, left = interrupted(tmp_path, work, 0.3)
    assert words == ["1", "cancelled", "cancelled", "cancelled", "run_finished", "cancelled", "7"]
    assert left == ["target.parquet"]
    assert old.read_bytes() == before
    assert took < 1.0, f"it took {took:.2f} s"


@pytest.mark.slow
@pytest.mark.parametrize("work", ["sleeping", "python"])
def test_one_interrupt_stops_a_step_and_its_run(tmp_path: Path, work: str) -> None:
    _, words, _ = interrupted(tmp_path, work, 0.3, "step")
    assert words == ["1", "cancelled", "cancelled", "cancelled", "run_finished", "cancelled", "7"]


@pytest.mark.slow
def test_an_interrupt_at_any_moment_is_one(tmp_path: Path) -> None:
    moments = random.Random(4)
    for count in range(10):
        folder = tmp_path / str(count)
        _, words, _ = interrupted(folder, "python", moments.random() * 0.05)
        assert words == ["1", "cancelled", "cancelled", "cancelled", "run_finished", "cancelled", "7"]
