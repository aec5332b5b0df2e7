"""The drills of test_drills.py, in a process of their own: `python drills.py DRILL FOLDER` prints JSON.

Starting an interpreter with Polars takes longer than a run, so the runs that are killed are forked from this process.
That is safe as long as nothing of Polars has run here and there is one thread only: so nothing but forking happens
here.
"""

import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from glacier import Bucket, GlacierEnv, home
from glacier.config import LocalConfig
from glacier.execution.journal import History, RunRecord
from glacier.providers import LocalProvider

ROUNDS = 50
WIDTH = 4
ROWS = 3000
OVER = {"done", "planned", "cached"}


class Lab:
    """A pipeline of three layers that notes each call of a task, in a folder of its own."""

    def __init__(self, folder: Path, pause: float = 0.004, *, cache: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.refused = 0
        self.env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=folder / "data")), "drill")
        self.env.register("report", self.env.provider.bucket("out", path="report.parquet"))
        self.pipeline = self._pipeline(pause, cache)

    def _pipeline(self, pause: float, cache: bool) -> Any:
        env, calls = self.env, self.folder / "calls"

        def note(name: str) -> None:
            time.sleep(pause)
            descriptor = os.open(calls, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            os.write(descriptor, f"{name}\n".encode())
            os.close(descriptor)

        @env.task(cache=cache)
        def make(number: int) -> pl.DataFrame:
            note(f"make {number}")
            return pl.DataFrame({"n": pl.int_range(ROWS, eager=True) + number})

        @env.task(cache=cache)
        def plan(df: pl.DataFrame, number: int) -> pl.LazyFrame:
            note(f"plan {number}")
            return df.lazy().filter(pl.col("n") % 2 == 0)

        @env.task(cache=cache)
        def total(lf: pl.LazyFrame, number: int) -> int:
            note(f"total {number}")
            return lf.collect()["n"].sum()

        @env.task()
        def save(totals: list[int], report: Bucket) -> int:
            note("save")
            report.write(pl.DataFrame({"total": totals}))
            return sum(totals)

        @env.pipeline()
        def drill() -> int:
            return save([total(plan(make(number), number), number) for number in range(WIDTH)])

        return drill

    def calls(self) -> Counter[str]:
        """How often each task was called."""
        file = self.folder / "calls"
        return Counter(file.read_text().splitlines() if file.exists() else [])

    def report(self) -> list[int]:
        """What the target holds.

        Polars interrupts every new query as long as one that was interrupted is not over, whichever thread it is on.
        """
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with suppress(KeyboardInterrupt):
                return self._report()
            self.refused += 1
        raise TimeoutError("Polars interrupts every query")

    def _report(self) -> list[int]:
        return pl.read_parquet(self.folder / "data" / "out" / "report.parquet")["total"].to_list()


EXPECTED = [sum(n for n in range(number, number + ROWS) if n % 2 == 0) for number in range(WIDTH)]


def forked(work: Callable[[], None]) -> int:
    """Do some work in a process forked from this one; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


def ended(child: int) -> int:
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def integrity(folder: Path) -> str:
    connection = sqlite3.connect(folder / "runs.sqlite")
    try:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()


def names(run: RunRecord, states: set[str]) -> set[str]:
    """The names of a run's tasks in these states, with the number that stands in their call."""
    found = [task for task in run.tasks if task.state in states]
    return {task.name if task.name == "save" else f"{task.name} {_count(task.key) - 1}" for task in found}


def _count(key: str) -> int:
    return int(key.partition("#")[2] or 1)


def killed(folder: Path) -> dict[str, Any]:
    """Kill a run at a random moment, resume it, and compare with one that was left alone."""
    chance = random.Random(4)
    seen = Counter[str]()
    wrong: list[str] = []
    for number in range(ROUNDS):
        here = folder / str(number)
        child = forked(lambda here=here: _run(here))
        _until_it_runs(here)
        time.sleep(chance.uniform(0, 0.04))
        os.kill(child, signal.SIGKILL)
        seen["killed" if ended(child) == -signal.SIGKILL else "over"] += 1
        runs = History(here / "memory")
        before = runs[0]
        seen[before.state] += 1
        succeeded = names(before, OVER)
        seen["succeeded"] += len(succeeded)
        goes_on = before.state != "done"
        if ended(forked(lambda here=here, goes_on=goes_on: _resume(here, goes_on))) != 0:
            wrong.append(f"{number}: the resumed run failed, or the target is another one")
            continue
        lab = Lab(here)
        calls = lab.calls()
        again = {name for name, count in calls.items() if count > 1}
        seen["again"] += len(again)
        checks = {
            f"ran again though the journal had it done: {again & succeeded}": not again & succeeded,
            f"more than twice: {calls}": max(calls.values()) <= 2,
            f"not every task ran: {calls}": len(calls) == 3 * WIDTH + 1,
            f"the state is {History(here / 'memory')[0].state}": History(here / "memory")[0].state == "done",
            f"the journal is damaged: {integrity(here / 'memory')}": integrity(here / "memory") == "ok",
            "the result is another one": before.state == "done" or _result(here) == sum(EXPECTED),
        }
        wrong += [f"{number}: {text}" for text, fine in checks.items() if not fine]
    return {"seen": seen, "wrong": wrong}


def _until_it_runs(here: Path) -> None:
    deadline = time.monotonic() + 20
    while not (here / "memory" / "runs.sqlite").exists() or not History(here / "memory"):
        if time.monotonic() > deadline:
            raise TimeoutError("the run did not begin")
        time.sleep(0.001)


def _result(here: Path) -> int:
    return int((here / "result").read_text())


def _check_report(lab: Lab) -> None:
    if lab.report() != EXPECTED:
        raise AssertionError(lab.report())


def _run(here: Path) -> None:
    with home.using(here / "memory"):
        (here / "result").write_text(str(Lab(here).pipeline.run()))


def _resume(here: Path, goes_on: bool) -> None:
    with home.using(here / "memory"):
        lab = Lab(here)
        if goes_on:
            (here / "result").write_text(str(lab.pipeline.resume()))
        _check_report(lab)


def together(folder: Path) -> dict[str, Any]:
    """Run one pipeline in two processes at once, twenty times each, on one journal and one cache."""
    children = [forked(lambda: _twenty(folder)) for _ in range(2)]
    codes = [ended(child) for child in children]
    runs = list(History(folder / "memory"))
    return {
        "codes": codes,
        "states": Counter(run.state for run in runs),
        "tasks": Counter(len(run.tasks) for run in runs),
        "integrity": integrity(folder / "memory"),
        "calls": Counter(Lab(folder).calls()),
    }


def _twenty(folder: Path) -> None:
    with home.using(folder / "memory"):
        lab = Lab(folder, pause=0.001, cache=True)
        for _ in range(20):
            if lab.pipeline.run() != sum(EXPECTED):
                raise AssertionError("the result is another one")
        _check_report(lab)


def interrupted(folder: Path) -> dict[str, Any]:
    """Interrupt runs at random moments, with a real signal; then run again in the same process."""
    chance = random.Random(8)
    seen = Counter[str]()
    wrong: list[str] = []
    with home.using(folder / "memory"):
        lab = Lab(folder)
        lab.pipeline.run()
        for number in range(ROUNDS):
            before = lab.pipeline.last_run
            timer = threading.Timer(chance.uniform(0, 0.03), os.kill, (os.getpid(), signal.SIGINT))
            outcome = "none"
            try:
                timer.start()
                lab.pipeline.run()
                outcome = "over"
                timer.join()
                time.sleep(0.05)
            except KeyboardInterrupt:
                outcome = "cancelled" if outcome == "none" else outcome
            timer.join()
            seen[outcome] += 1
            last = lab.pipeline.last_run
            recorded = History(folder / "memory")[0]
            seen["too late"] += outcome == "cancelled" and last is not before and last.state == "done"
            if outcome == "cancelled" and last is not before and last.state not in {"cancelled", "done"}:
                wrong.append(f"{number}: the run is {last.state}")
            if recorded.id == last.id and recorded.state != last.state:
                wrong.append(f"{number}: the run is {last.state}, the journal says {recorded.state}")
            if lab.report() != EXPECTED:
                wrong.append(f"{number}: the target is another one")
        if lab.pipeline.run() != sum(EXPECTED):
            wrong.append("the next run has another result")
        time.sleep(0.2)
        left = [path.name for path in (folder / "data").rglob("*") if path.is_file()]
        states = Counter(run.state for run in History(folder / "memory"))
    seen["refused"] = lab.refused
    return {"seen": seen, "wrong": wrong, "left": left, "states": states, "integrity": integrity(folder / "memory")}


def full(folder: Path) -> dict[str, Any]:
    """Write a target, the journal and values on a disk that is full."""
    disk = folder / "disk"
    data = disk / "data"
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=data)), "drill")
    target = env.register("target", env.provider.bucket("out", path="x.parquet"))

    @env.task()
    def make(rows: int) -> pl.DataFrame:
        return pl.select(n=pl.int_range(rows).hash())

    @env.task()
    def save(df: pl.DataFrame, target: Bucket) -> int:
        target.write(df)
        return df.height

    @env.pipeline()
    def saving(rows: int) -> int:
        return save(make(rows))

    with home.using(folder / "memory"):
        saving.run(rows=10)
        error = ""
        try:
            saving.run(rows=3_000_000)
        except Exception as found:
            error = f"{type(found).__name__}: {found}"
        kept = target.read().height
        left = sorted(path.name for path in data.rglob("*") if path.is_file())
    (disk / "ballast").write_bytes(b"")
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(65536)):
                pass
        except OSError:
            pass
    with home.using(disk / "memory"), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        result = make.run(rows=5).height
    (disk / "ballast").unlink()
    with home.using(disk / "memory"):
        make.run(rows=5)
        states = [run.state for run in env.runs]
    return {
        "error": error,
        "kept": kept,
        "left": left,
        "result": result,
        "warned": [str(each.message) for each in warned],
        "states": states,
    }


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
