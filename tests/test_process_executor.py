"""`executor="process"`: what is sent, what is kept, what is killed, and what is said of it."""

import functools
import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rigs import Rig, having

import glacier
from glacier import Bucket, GlacierEnv, TaskConfig
from glacier.config import AzureConfig, LocalConfig
from glacier.errors import (
    GlacierError,
    TaskCancelledError,
    TaskMemoryError,
    TaskTimeoutError,
    TransferError,
    WorkerDiedError,
)
from glacier.execution.attempts import Call, Job, attempt
from glacier.execution.cancelling import Cancel
from glacier.execution.executors import process
from glacier.providers import AzureProvider, LocalProvider

SOON = 20.0
"""Seconds in which something that is certain to happen has happened, also on a busy machine."""


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "data")), "test")


def job(env: GlacierEnv, cancel: Cancel | None = None, **settings: Any) -> Job:
    own = TaskConfig(executor="process", **settings)
    return Job("sell", env.task_settings(own).values, env, cancel=cancel or Cancel())


def away(env: GlacierEnv, fn: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """Call a function in a worker."""
    return attempt(Call(fn, args), job(env, **settings))


def alive(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def eventually(true: Callable[[], Any], within: float = SOON) -> bool:
    until = time.monotonic() + within
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_a_task_runs_in_another_process_which_is_used_again(env: GlacierEnv) -> None:
    @env.task(executor="process")
    def where() -> int:
        return os.getpid()

    @env.pipeline()
    def several() -> list[int]:
        return [int(where()) for _ in range(5)]

    assert where() == where() != os.getpid()
    assert set(several.run()) == {where()}
    assert [step.state for step in several.last_run.tasks] == ["done"] * 5


def everything() -> pl.DataFrame:
    """Make a frame of many types."""
    frame = pl.DataFrame(
        {
            "int": [1, None, 3],
            "text": ["a", "", None],
            "list": [[1.5], [], None],
            "struct": [{"a": 1, "b": "x"}, None, {"a": None, "b": "z"}],
            "bytes": [b"\0", None, b""],
            "decimal": pl.Series(["1.25", None, "-3.5"]).cast(pl.Decimal(10, 2)),
            "enum": pl.Series(["x", None, "y"], dtype=pl.Enum(["x", "y"])),
            "category": pl.Series(["p", "q", None], dtype=pl.Categorical),
            "day": pl.Series([0, 1, None]).cast(pl.Date),
            "time": pl.Series([0, None, 2]).cast(pl.Datetime("us", "Europe/Paris")),
            "array": pl.Series([[1, 2], None, [3, 4]], dtype=pl.Array(pl.Int8, 2)),
        }
    )
    return frame.with_columns(null=None)


@pytest.mark.parametrize("rows", [0, 3, 60_000])
def test_frames_arrive_as_they_are(env: GlacierEnv, rows: int) -> None:
    frame = pl.concat([everything()] * (rows // 3)) if rows else everything().clear()
    folders = len(list(Path(process.tempfile.gettempdir()).glob("glacier-worker-*/*")))
    there_and_back = away(env, lambda df: {"same": df, "rows": df.height}, frame)
    assert_frame_equal(there_and_back["same"], frame, categorical_as_str=False)
    assert there_and_back["rows"] == rows
    assert len(list(Path(process.tempfile.gettempdir()).glob("glacier-worker-*/*"))) == folders


def test_a_lazyframe_arrives_as_its_plan(env: GlacierEnv, tmp_path: Path) -> None:
    everything().select("int", "text").write_parquet(tmp_path / "t.parquet")
    plan = pl.scan_parquet(tmp_path / "t.parquet").filter(pl.col("int") > 1)
    back = away(env, lambda lf: lf.select("int"), plan)
    assert type(back) is pl.LazyFrame
    assert "t.parquet" in back.explain()
    assert back.collect().rows() == [(3,)]


def test_other_values_arrive_too(env: GlacierEnv) -> None:
    numbers = bytearray(3_000_000)
    value = {"bytes": b"x" * 3_000_000, "buffer": numbers, "fn": functools.partial(max, 3), "path": Path("a")}
    back = away(env, lambda given: {**given, "six": given["fn"](6)}, value)
    assert (back["bytes"], back["buffer"], back["path"], back["six"]) == (value["bytes"], numbers, Path("a"), 6)


CELLS = """
from dataclasses import dataclass
from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="data")), "cells")
RATE = 3

@dataclass
class Price:
    euros: int

def doubled(price):
    return Price(price.euros * 2)

@env.task(executor="process")
def raised(price):
    helper = doubled(price)
    return Price(helper.euros * RATE)

@env.task(executor="process")
def named():
    return env.name

@env.task(executor="process")
def nested(price):
    return raised(price)

print(raised(Price(1)), named(), nested(Price(5)))
"""


def test_functions_and_classes_of_main_work(tmp_path: Path) -> None:
    (tmp_path / "cells.py").write_text(CELLS)
    here = {**os.environ, "PYTHONPATH": str(Path(glacier.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "cells.py"], cwd=tmp_path, env=here, capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr) == ("Price(euros=6) cells Price(euros=30)\n", "")


def test_functions_of_cells_that_are_run_again_are_the_new_ones(env: GlacierEnv) -> None:
    names: dict[str, Any] = {"__name__": "__main__", "env": env}
    for rate in (2, 3):
        code = f"RATE = {rate}\n@env.task(executor='process')\ndef sold(n):\n    return n * RATE"
        exec(compile(code, "<cell>", "exec"), names)
        assert names["sold"](5) == 5 * rate


def test_a_module_that_has_changed_is_loaded_anew(env: GlacierEnv, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "price_list_of_a_test.py"
    module.write_text("PRICE = 1\n")

    def price() -> tuple[int, int]:
        import price_list_of_a_test  # pyright: ignore

        return price_list_of_a_test.PRICE, os.getpid()

    first, again = away(env, price), away(env, price)
    assert first == again
    module.write_text("PRICE = 20\n")
    assert away(env, price)[0] == 20


def test_the_working_directory_and_variables_are_those_of_now(
    env: GlacierEnv, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert away(env, os.getcwd) == str(tmp_path)
    monkeypatch.setenv("GLACIER_TEST_OF_WORKERS", "new")
    assert away(env, os.getenv, "GLACIER_TEST_OF_WORKERS") == "new"


def test_a_pipeline_bound_to_another_environment_uses_that_one_there(env: GlacierEnv, tmp_path: Path) -> None:
    @env.task(executor="process")
    def name() -> str:
        return env.name

    @env.pipeline()
    def named() -> str:
        return name()

    other = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "other")), "other")
    assert (named.run(), named.bind(other).run()) == ("test", "other")


def test_an_environment_brings_its_resources_and_no_other_task(env: GlacierEnv) -> None:
    lock = threading.Lock()

    @env.task()
    def holds() -> bool:
        return lock.locked()

    @env.pipeline()
    def ran() -> bool:
        return holds()

    ran.run()
    env.register("prices", env.provider.bucket("shop", path="prices.parquet"))

    @env.task(executor="process")
    def inside(where: GlacierEnv) -> tuple[str, list[str], list[str]]:
        return where.name, where.list_resources(), where.tasks

    assert inside() == ("test", ["prices"], [])
    assert env.tasks == ["holds", "inside"]


def test_an_environment_leaves_its_guard_and_its_listeners_behind(env: GlacierEnv) -> None:
    lock = threading.Lock()
    env.guard = lambda target, params: lock.acquire() and lock.release()
    env.listeners.append(lambda event: lock.locked())

    @env.task(executor="process")
    def looks(env: GlacierEnv) -> tuple[Any, int]:
        return env.guard, len(env.listeners)

    assert looks() == (None, 0)


def test_a_task_reads_and_writes_buckets_there(env: GlacierEnv) -> None:
    env.register("prices", env.provider.bucket("shop", path="prices.parquet"))
    env.get("prices").write(pl.DataFrame({"euros": [1, 2]}))

    @env.task(executor="process")
    def raise_prices(prices: Bucket) -> pl.LazyFrame:
        prices.write(prices.read().with_columns(pl.col("euros") * 10))
        return prices.scan()

    assert raise_prices().collect()["euros"].to_list() == [10, 20]


@pytest.mark.parametrize("debug", [False, True])
def test_plans_pass_from_task_to_task_and_out_of_the_pipeline(tmp_path: Path, debug: bool) -> None:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test", debug=debug)
    env.register("prices", env.provider.bucket("shop", path="prices.parquet"))
    env.get("prices").write(pl.DataFrame({"euros": range(1000)}))

    @env.task(executor="process")
    def high(prices: Bucket) -> pl.LazyFrame:
        return prices.scan().filter(pl.col("euros") > 990)

    @env.task(executor="process")
    def doubled(lf: pl.LazyFrame) -> pl.LazyFrame:
        return lf.with_columns(pl.col("euros") * 2)

    @env.task()
    def total(lf: pl.LazyFrame) -> int:
        return lf.select(pl.sum("euros")).collect().item()

    @env.pipeline()
    def pipeline() -> tuple[int, pl.LazyFrame]:
        lf = doubled(high())
        return total(lf), lf

    summed, plan = pipeline.run()
    assert type(plan) is pl.LazyFrame
    assert summed == plan.collect()["euros"].sum() == 2 * sum(range(991, 1000))


def test_the_example_of_the_guide_runs(env: GlacierEnv) -> None:
    guide = Path(glacier.__file__).parents[1] / "docs" / "execution.md"
    (example,) = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {"__name__": "__main__", "env": env, "pl": pl}
    exec(compile(example, "<guide>", "exec"), names)
    assert names["clean"](pl.LazyFrame({"n": [1, None]})).rows() == [(1,)]


@pytest.mark.parametrize("rig", having("credentials"), indirect=True)
def test_buckets_and_plans_arrive_with_credentials(rig: Rig) -> None:
    env = GlacierEnv(rig.provider, "cloud")
    source, target = rig.bucket("in.parquet"), rig.bucket("out.parquet")
    source.write(pl.DataFrame({"euros": [1, 2, 3]}))

    @env.task(executor="process")
    def from_bucket(source: Bucket) -> pl.DataFrame:
        return source.read()

    @env.task(executor="process")
    def from_plan(plan: pl.LazyFrame, target: Bucket) -> pl.LazyFrame:
        target.write(plan.filter(pl.col("euros") > 1).collect())
        return target.scan()

    assert from_bucket(source)["euros"].to_list() == [1, 2, 3]
    back = from_plan(source.scan(), target)
    assert back.collect()["euros"].to_list() == [2, 3]


def test_secrets_go_into_no_file(env: GlacierEnv, tmp_path: Path, monkeypatch: Any) -> None:
    """What goes into a worker's folder is data of large frames; the key of an account goes over the connection."""
    key = "Q0FOQVJZQ0FOQVJZQ0FOQVJZ"
    provider = AzureProvider(
        config=AzureConfig(
            subscription_id="0" * 8 + "-0000-0000-0000-" + "0" * 12,
            resource_group="g",
            location="westeurope",
            storage_account="canary",
            account_key=key,
        )
    )
    from glacier.execution.executors.wire import encode

    folder = tmp_path / "worker"
    folder.mkdir()
    wide = pl.DataFrame({"n": range(500_000)})
    bucket = provider.bucket("container", "t.parquet")
    plan = pl.scan_parquet(bucket.uri, credential_provider=provider.storage.credentials)
    carried, body, *_ = encode((wide, plan), folder)
    assert key.encode() in carried
    assert key.encode() not in bytes(body)
    assert [key.encode() in file.read_bytes() for file in folder.iterdir()] == [False]


# --- what cannot be sent --------------------------------------------------------------------------------------------


def test_an_argument_that_cannot_be_sent_is_named_before_anything_runs(env: GlacierEnv, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    @env.task(executor="process", retries=3)
    def sell(price: Any, customer: Any) -> None:
        mark.touch()

    with (tmp_path / "open").open("w") as file, socket.socket() as open_socket:
        object_frame = pl.DataFrame({"o": [object()]}, schema={"o": pl.Object})
        for wrong in ((n for n in range(3)), threading.Lock(), object_frame, file, open_socket):
            with pytest.raises(TransferError, match="argument 'customer' of task 'sell'") as caught:
                sell(1, customer={"deep": [wrong]})
            assert isinstance(caught.value, TypeError)
            assert "attempt 1 of 4" in " ".join(caught.value.__notes__)
    assert not mark.exists()
    lock = threading.Lock()
    with pytest.raises(TransferError, match="the function of task 'sell'"):
        away(env, lambda: lock)


def test_a_result_that_cannot_be_sent_back_is_said_so(env: GlacierEnv) -> None:
    for result, kind in ((lambda: (n for n in range(3)), "generator"), (threading.Lock, "lock")):
        with pytest.raises(TransferError, match="what task 'sell' .* returns cannot be sent back") as caught:
            away(env, result)
        assert kind in str(caught.value)
    assert away(env, lambda: io.StringIO("fine").read()) == "fine"


# --- what it raises -------------------------------------------------------------------------------------------------


class ShopError(Exception):
    def __init__(self, shop: str, *, euros: int) -> None:
        super().__init__(shop)
        self.euros = euros


def test_an_error_is_raised_as_itself_with_its_causes_and_lines(env: GlacierEnv) -> None:
    @env.task(executor="process")
    def fails() -> None:
        try:
            raise KeyError("bread")
        except KeyError as error:
            raise ValueError("no price") from error

    @env.pipeline()
    def failing() -> None:
        fails()

    with pytest.raises(ValueError, match="no price") as caught:
        failing.run()
    assert isinstance(caught.value.__cause__, KeyError)
    notes = "\n".join(caught.value.__notes__)
    assert re.search(
        r"in its own process:\n  File \".*test_process_executor.py\", line \d+, in fails\n    raise Val", notes
    )
    assert "task 'fails' of pipeline 'failing'" in notes


def test_an_error_that_cannot_be_sent_is_raised_under_its_name(env: GlacierEnv) -> None:
    def fails() -> None:
        raise ShopError("bakery", euros=3)

    def holds() -> None:
        error = RuntimeError("held")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    class Silent(Exception):
        def __str__(self) -> str:
            raise ValueError

    def is_silent() -> None:
        raise Silent

    try:
        away(env, is_silent, retries=1)
    except Exception as error:
        assert type(error).__name__ == "Silent"
    else:
        pytest.fail("nothing was raised")
    with pytest.raises(RuntimeError, match="bakery") as caught:
        away(env, fails)
    assert type(caught.value).__name__ == "ShopError"
    with pytest.raises(RuntimeError, match="held"):
        away(env, holds)


def test_a_polars_error_and_one_of_glaciers_keep_their_classes(env: GlacierEnv) -> None:
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        away(env, lambda: pl.DataFrame({"a": [1]}).select("b"))

    def raises() -> None:
        raise GlacierError("what", hint="next")

    with pytest.raises(GlacierError) as caught:
        away(env, raises)
    assert (caught.value.message, caught.value.hint) == ("what", "next")


def test_exit_is_raised_and_the_worker_lives(env: GlacierEnv) -> None:
    before = away(env, os.getpid)
    with pytest.raises(SystemExit):
        away(env, sys.exit, 3)
    assert away(env, os.getpid) == before


# --- what it says ---------------------------------------------------------------------------------------------------


def test_what_it_prints_and_logs_is_kept_and_shown(env: GlacierEnv, capsys: Any, caplog: Any) -> None:
    def talks() -> None:
        print("to stdout")
        print("to stderr", file=sys.stderr)
        os.write(1, b"from C\n")
        subprocess.run(["echo", "from a child"], check=True)
        logging.getLogger("shop").info("sold %d", 3)
        logging.getLogger("botocore").info("canary")
        print("no newline", end="")

    told: list[dict[str, Any]] = []
    attempt(Call(talks), job(env), lambda kind, details: told.append(details) if kind == "log" else None)
    said = {(each["stream"], each["line"]) for each in told}
    lines = ("to stdout", "from C", "from a child", "no newline")
    assert said == {*[("stdout", line) for line in lines], ("stderr", "to stderr"), ("shop", "sold 3")}
    shown = capsys.readouterr()
    assert [line in shown.out for line in lines] == [True] * 4
    assert "to stderr" in shown.err
    with caplog.at_level(logging.INFO, "shop"):
        away(env, talks)
    assert [record.getMessage() for record in caplog.records if record.name == "shop"] == ["sold 3"]


def test_a_flood_of_lines_is_kept_whole(env: GlacierEnv, capsys: Any) -> None:
    def talks() -> None:
        for n in range(20_000):
            print("line", n)

    lines: list[str] = []
    attempt(Call(talks), job(env), lambda kind, details: lines.append(details["line"]) if kind == "log" else None)
    assert lines == [f"line {n}" for n in range(20_000)]


def test_listeners_of_a_run_hear_it(env: GlacierEnv, capsys: Any, tmp_path: Path) -> None:
    @env.task(executor="process", timeout=1, retries=1)
    def slow_once() -> int:
        print("here")
        if not (tmp_path / "tried").exists():
            (tmp_path / "tried").touch()
            time.sleep(3600)
        return 3

    @env.pipeline()
    def pipeline() -> int:
        return slow_once()

    heard: list[Any] = []
    assert pipeline.run(listeners=[heard.append]) == 3
    kinds = [(event.kind, event.attempt, event.detail) for event in heard if event.name == "slow_once"]
    log = ("log", 0, "here")
    expected = [("started", 1, ""), log, ("timed_out", 1, ""), ("retried", 1, ""), ("started", 2, ""), log]
    assert kinds == [*expected, ("succeeded", 2, "")]
    said = [event.error for event in heard if event.error]
    assert [text.partition(":")[0] for text in said] == ["TaskTimeoutError"] * 2


# --- what is killed -------------------------------------------------------------------------------------------------


def loop() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(3600)


def query() -> None:
    numbers = pl.LazyFrame({"n": range(3000)})
    pairs = numbers.join(numbers, how="cross", suffix="_2")
    pairs.join(numbers, how="cross", suffix="_3").select(pl.col("n").sum()).collect()


def holds_the_gil() -> None:
    re.match("(a+)+$", "a" * 60 + "b")


def swallows() -> None:
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            continue


def child() -> None:
    subprocess.run(["sleep", "3600"], check=True)


def reads_a_socket() -> None:
    one, _other = socket.socketpair()
    one.recv(1)


WORKLOADS = [loop, sleep, query, holds_the_gil, swallows, child, reads_a_socket]


def noting(mark: str, work: Callable[[], None]) -> None:
    """Leave the number of the process in a file, whole, then work."""
    Path(f"{mark}.part").write_text(str(os.getpid()))
    Path(f"{mark}.part").rename(mark)
    work()


def session(leader: int) -> list[int]:
    """Return the processes that live in the session of a process."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(folder.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKLOADS, ids=lambda work: work.__name__)
def test_a_timeout_kills_whatever_runs(env: GlacierEnv, tmp_path: Path, work: Callable[[], None]) -> None:
    late = []
    for n in range(3):
        away(env, os.getpid)
        start = time.monotonic()
        with pytest.raises(TaskTimeoutError, match="timeout of 1 s; its process was killed"):
            away(env, noting, str(tmp_path / f"pid{n}"), work, timeout=1)
        late.append(time.monotonic() - start - 1)
        if late[-1] <= 0.5:
            break
    assert min(late) <= 0.5
    for file in tmp_path.glob("pid*"):
        pid = int(file.read_text())
        assert eventually(lambda pid=pid: not session(pid))
    assert away(env, abs, -1) == 1


def test_a_timed_out_task_is_tried_again_in_a_new_process(env: GlacierEnv, tmp_path: Path) -> None:
    def slow_once() -> int:
        file = tmp_path / "tried"
        if not file.exists():
            file.write_text(str(os.getpid()))
            time.sleep(3600)
        return os.getpid()

    pid = away(env, slow_once, timeout=1, retries=1)
    assert pid != int((tmp_path / "tried").read_text())


def test_a_cancelled_run_kills_its_processes(env: GlacierEnv, tmp_path: Path) -> None:
    cancel, mark = Cancel(), tmp_path / "pid"
    canceller = threading.Thread(target=lambda: (eventually(mark.exists), cancel.cancel()))
    canceller.start()
    with pytest.raises(TaskCancelledError, match="its process was killed"):
        attempt(Call(noting, (str(mark), loop)), job(env, cancel, retries=5))
    canceller.join()
    assert eventually(lambda: not session(int(mark.read_text())))
    with pytest.raises(TaskCancelledError):
        attempt(Call(os.getpid), job(env, cancel))


INTERRUPTED = """
import os, signal, sys, threading, time
from pathlib import Path
from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="data")), "cells")

@env.task(executor="process")
def forever():
    Path("pid.part").write_text(str(os.getpid()))
    os.rename("pid.part", "pid")
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            pass

@env.task(executor="process")
def quick():
    return 3

@env.pipeline()
def pipeline():
    forever()

def interrupt():
    while not Path("pid").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    pipeline.run() if sys.argv[1] == "pipeline" else forever()
except KeyboardInterrupt:
    print("interrupted", quick())
"""


@pytest.mark.parametrize("how", ["pipeline", "task"])
def test_an_interrupt_kills_the_worker_and_the_next_task_works(tmp_path: Path, how: str) -> None:
    (tmp_path / "cells.py").write_text(INTERRUPTED)
    here = {**os.environ, "PYTHONPATH": str(Path(glacier.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "cells.py", how], cwd=tmp_path, env=here, capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.stderr) == ("interrupted 3\n", "")
    assert eventually(lambda: not session(int((tmp_path / "pid").read_text())))


CELL = """
import os, time
from pathlib import Path
from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="data")), "notebook")
RATE = 3

def helper(n):
    return n * RATE

@env.task(executor="process")
def sold(n):
    print("sold", n)
    return helper(n)

@env.task(executor="process")
def forever():
    Path("pid.part").write_text(str(os.getpid()))
    os.rename("pid.part", "pid")
    while True:
        pass

@env.pipeline()
def pipeline():
    forever()
"""


# In a process of its own: jupyter_client leaves an event loop open.
FRONT_END = """
import json, sys, threading, time
from pathlib import Path
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel()
pid = Path("pid")

def run(cell):
    printed = []
    hook = lambda message: printed.append(message["content"].get("text", ""))
    reply = client.execute_interactive(cell, timeout=60, output_hook=hook)
    print(json.dumps([reply["content"].get("ename", "ok"), "".join(printed)]))

def interrupt():
    while not pid.exists():
        time.sleep(0.01)
    manager.interrupt_kernel()

for cell in json.load(sys.stdin):
    if "forever" in cell and "def" not in cell:
        threading.Thread(target=interrupt).start()
    run(cell)
    pid.exists() and pid.rename(f"killed{len(list(Path.cwd().glob('killed*')))}")
client.stop_channels()
manager.shutdown_kernel(now=True)
"""


@pytest.mark.slow
def test_a_notebook_defines_runs_and_interrupts_tasks(tmp_path: Path) -> None:
    stop = ["forever()", "print(sold(1))", "pipeline.run()  # forever", "print(sold(1))"]
    cells = [CELL, "print(sold(2))", "RATE = 5\nprint(sold(2))", *stop]
    here = {**os.environ, "PYTHONPATH": str(Path(glacier.__file__).parents[1])}
    (tmp_path / "front_end.py").write_text(FRONT_END)
    done = subprocess.run(
        [sys.executable, "front_end.py"],
        cwd=tmp_path,
        env=here,
        input=json.dumps(cells),
        text=True,
        stdout=subprocess.PIPE,
        timeout=300,
        check=True,
    )
    stopped = [["KeyboardInterrupt", ""], ["ok", "sold 1\n5\n"]]
    expected = [["ok", ""], ["ok", "sold 2\n6\n"], ["ok", "sold 2\n10\n"], *stopped, *stopped]
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected
    pids = [int(file.read_text()) for file in tmp_path.glob("killed*")]
    assert len(pids) == 2
    assert eventually(lambda: not any(session(pid) for pid in pids))


ORPHANS = """
import os, subprocess, sys, time
from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="data")), "cells")

@env.task(executor="process")
def work(kind):
    import re
    os.makedirs("pids", exist_ok=True)
    open(f"pids/{os.getpid()}", "w").close()
    if kind == 0:
        re.match("(a+)+$", "a" * 60 + "b")
    if kind == 1:
        subprocess.run(["sleep", "3600"])
    time.sleep(3600)

@env.pipeline()
def pipeline():
    for kind in range(3):
        work(kind)

pipeline.run()
"""


@pytest.mark.slow
def test_nothing_survives_the_death_of_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "cells.py").write_text(ORPHANS)
    here = {**os.environ, "PYTHONPATH": str(Path(glacier.__file__).parents[1]), "TMPDIR": str(tmp_path)}
    kernel = subprocess.Popen([sys.executable, "cells.py"], cwd=tmp_path, env=here, start_new_session=True)
    try:
        assert eventually(lambda: len(list(tmp_path.glob("pids/*"))) == 3, 60)
        workers = [int(file.name) for file in tmp_path.glob("pids/*")]
        assert eventually(lambda: any(len(session(pid)) == 2 for pid in workers))
        assert len(list(tmp_path.glob("glacier-worker-*"))) >= 3
    finally:
        kernel.kill()
        kernel.wait()
    assert eventually(lambda: not any(session(pid) for pid in workers), 3)
    assert eventually(lambda: not list(tmp_path.glob("glacier-worker-*")))


# --- how it ends by itself ------------------------------------------------------------------------------------------


def test_a_crash_is_reported_with_the_line(env: GlacierEnv, capsys: Any) -> None:
    def crashes() -> None:
        import ctypes

        ctypes.string_at(0)

    with pytest.raises(WorkerDiedError, match=r"task 'sell'.*signal 11 \(SIGSEGV\)") as caught:
        away(env, crashes)
    notes = "\n".join(caught.value.__notes__)
    assert "Fatal Python error: Segmentation fault" in notes
    assert re.search(r"test_process_executor.py\", line \d+ in crashes", notes)
    assert away(env, abs, -1) == 1


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (lambda: os._exit(7), r"it exited with code 7"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), r"signal 9 \(SIGKILL\).*memory runs out"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), r"signal 15 \(SIGTERM\)"),
    ],
)
def test_a_worker_that_ends_says_why(env: GlacierEnv, ends: Callable[[], None], said: str) -> None:
    with pytest.raises(WorkerDiedError, match=said):
        away(env, ends)


def test_a_death_is_noticed_behind_a_child_that_holds_the_connection(env: GlacierEnv) -> None:
    def forks_and_dies() -> None:
        if os.fork():
            os._exit(4)
        time.sleep(3600)

    with pytest.raises(WorkerDiedError, match="exited with code 4"):
        away(env, forks_and_dies)


def test_one_that_dies_harms_no_other(env: GlacierEnv) -> None:
    @env.task(executor="process", retries=1)
    def sometimes(n: int) -> int:
        if n == 2:
            os._exit(1)
        time.sleep(0.2)
        return n

    @env.pipeline()
    def several() -> list[Any]:
        kept = []
        for n in range(4):
            try:
                kept.append(int(sometimes(n)))
            except WorkerDiedError:
                kept.append(None)
        return kept

    assert several.run() == [0, 1, None, 3]


def bytes_of(mebibytes: int) -> int:
    return len(bytearray(mebibytes << 20))


def rows_of(millions: int) -> int:
    return pl.select(pl.int_range(0, millions * 1_000_000)).height


@pytest.mark.parametrize(("work", "much"), [(bytes_of, 600), (rows_of, 100)])
def test_a_memory_limit_is_named(env: GlacierEnv, capsys: Any, work: Callable[[int], int], much: int) -> None:
    with pytest.raises(TaskMemoryError, match="took more memory than its limit of 300 MiB") as caught:
        away(env, work, much, memory=300, retries=3)
    assert isinstance(caught.value, MemoryError)
    assert "attempt 1 of 4" in " ".join(caught.value.__notes__)
    assert away(env, work, 20, memory=300) > 0
    assert away(env, work, much) > 0


# --- many -----------------------------------------------------------------------------------------------------------


def belongings() -> tuple[int, int]:
    """Return how many descriptors this process has open and how many processes it has started."""
    children = Path("/proc/self/task").glob("*/children")
    return len(list(Path("/proc/self/fd").iterdir())), sum(len(each.read_text().split()) for each in children)


@pytest.mark.slow
def test_two_hundred_calls_leave_nothing_behind(env: GlacierEnv) -> None:
    large = pl.DataFrame({"n": range(300_000)})
    away(env, pl.DataFrame.clear, large)
    before, pid = belongings(), away(env, os.getpid)
    for n in range(200):
        assert away(env, lambda df, n=n: df.height + n, large) == 300_000 + n
    # What other tests left behind may go meanwhile.
    assert all(now <= then for now, then in zip(belongings(), before, strict=True))
    assert away(env, os.getpid) == pid
    assert list(Path(process.tempfile.gettempdir()).glob("glacier-worker-*/*.arrow")) == []


@pytest.mark.slow
def test_fifty_processes_that_all_time_out_leave_nothing_behind(env: GlacierEnv) -> None:
    def times_out(n: int) -> bool:
        with pytest.raises(TaskTimeoutError) as caught:
            away(env, time.sleep, 3600, timeout=0.1, retries=1)
        return "attempt 2 of 2" in " ".join(caught.value.__notes__)

    process.shutdown()
    before = belongings()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(times_out, range(25)))
    process.shutdown()
    assert eventually(lambda: all(now <= then for now, then in zip(belongings(), before, strict=True)))


def test_several_run_side_by_side(env: GlacierEnv, tmp_path: Path) -> None:
    def meets(name: str) -> bool:
        (tmp_path / name).touch()
        return eventually(lambda: len(list(tmp_path.glob("m*"))) == 3)

    @env.task(executor="process")
    def meet(n: int) -> bool:
        return meets(f"m{n}")

    @env.pipeline()
    def three() -> list[bool]:
        return [meet(n) for n in range(3)]

    assert three.run() == [True] * 3


def test_a_fork_has_workers_of_its_own(tmp_path: Path) -> None:
    code = f"""
import os
{CELLS.rpartition("print(")[0]}
@env.task(executor="process")
def pid():
    return os.getpid()

mine = pid()
if not os.fork():
    print(pid() != mine)
    os._exit(0)
os.wait()
print(pid() == mine)
"""
    (tmp_path / "cells.py").write_text(code)
    here = {**os.environ, "PYTHONPATH": str(Path(glacier.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
    # Since 3.12 Python warns of any fork beside threads.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "cells.py"]
    done = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("True\nTrue\n", "")
