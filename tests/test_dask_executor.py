"""`executor="dask"`: tasks on a real cluster, on the loopback interface."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from servers.process import free_ports

import glacier
from glacier import GlacierEnv, TaskConfig
from glacier.config import LocalConfig
from glacier.errors import (
    ExecutorError,
    InfrastructureError,
    TaskCancelledError,
    TaskTimeoutError,
    TransferError,
    WorkerDiedError,
)
from glacier.execution.attempts import Call, Job, attempt
from glacier.execution.cancelling import Cancel
from glacier.providers import LocalProvider

pytestmark = pytest.mark.slow

CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: Any) -> Iterator[str]:
    """The address of a cluster of two processes."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "cluster.py").write_text(CLUSTER)
    command = [sys.executable, "cluster.py"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, stderr=log, **pipes) as cluster:
        assert cluster.stdout is not None
        line = cluster.stdout.readline().strip()
        assert line.startswith("tcp://127.0.0.1:"), (folder / "log").read_text()
        yield line
        assert cluster.stdin is not None
        cluster.stdin.close()
        cluster.wait(60)


@pytest.fixture
def env(tmp_path: Path, address: str) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "data")), "test", dask=address)


def away(env: GlacierEnv, fn: Any, *args: Any, cancel: Cancel | None = None, **settings: Any) -> Any:
    own = TaskConfig(executor="dask", **settings)
    return attempt(Call(fn, args), Job("sell", env.task_settings(own).values, env, cancel=cancel or Cancel()))


def test_a_pipeline_runs_on_the_cluster(env: GlacierEnv) -> None:
    import os

    env.register("prices", env.provider.bucket("shop", path="prices.parquet"))

    @env.task(executor="dask")
    def made(n: int) -> pl.DataFrame:
        return pl.DataFrame({"n": range(n), "pid": os.getpid()})

    @env.task(executor="dask")
    def doubled(df: pl.DataFrame, prices: glacier.Bucket) -> pl.LazyFrame:
        prices.write(df.with_columns(pl.col("n") * 2))
        return prices.scan()

    @env.pipeline()
    def pipeline() -> pl.LazyFrame:
        return doubled(made(300_000))

    found = pipeline.run().collect()
    assert found["n"].sum() == 300_000 * 299_999
    assert found["pid"][0] != os.getpid()
    assert_frame_equal(found, env.get("prices").read())


def test_what_fails_there_is_raised_here(env: GlacierEnv) -> None:
    def fails() -> None:
        raise ZeroDivisionError("there")

    with pytest.raises(ZeroDivisionError, match="there") as caught:
        away(env, fails)
    assert "in fails\n    raise Zero" in "\n".join(caught.value.__notes__)
    with pytest.raises(TransferError, match="argument 'obj' of task 'sell'"):
        away(env, len, threading.Lock())
    with pytest.raises(TransferError, match="returns cannot be sent back"):
        away(env, threading.Lock)


def test_a_timeout_gives_up_and_the_cluster_goes_on(env: GlacierEnv) -> None:
    away(env, abs, -1)
    with pytest.raises(TaskTimeoutError, match="may still be at it"):
        away(env, time.sleep, 2, timeout=0.2)
    assert away(env, abs, -1, timeout=60) == 1


def test_a_cancelled_task_ends_the_wait(env: GlacierEnv, tmp_path: Path) -> None:
    cancel, mark = Cancel(), tmp_path / "mark"

    def slow() -> None:
        mark.touch()
        time.sleep(2)

    def when_it_runs() -> None:
        while not mark.exists():
            time.sleep(0.01)
        cancel.cancel()

    thread = threading.Thread(target=when_it_runs)
    thread.start()
    with pytest.raises(TaskCancelledError):
        away(env, slow, cancel=cancel)
    thread.join()


def test_workers_that_die_are_told_of(env: GlacierEnv) -> None:
    import os

    with pytest.raises(WorkerDiedError, match="task 'sell'"):
        away(env, os._exit, 1)
    assert away(env, abs, -1, timeout=60) == 1


def test_a_cluster_must_be_named_and_answer(env: GlacierEnv, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="memory limit"):
        away(env, abs, -1, memory=10)
    nowhere = GlacierEnv(env.provider, "nowhere")
    with pytest.raises(ExecutorError, match="DASK_SCHEDULER_ADDRESS"):
        away(nowhere, abs, -1)
    silent = GlacierEnv(env.provider, "silent", dask=f"tcp://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(InfrastructureError, match="does not answer"):
        away(silent, abs, -1)
