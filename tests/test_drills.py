"""Fault drills: runs that are killed, interrupted, side by side, or on a full disk. What they do is in drills.py."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drills import ROUNDS, WIDTH

pytestmark = pytest.mark.slow

TASKS = 3 * WIDTH + 1


def drill(name: str, folder: Path, **options: Any) -> dict[str, Any]:
    """Do a drill in a process of its own; return what it saw."""
    script = Path(__file__).with_name("drills.py")
    environ = {**os.environ, "PYTHONPATH": str(script.parent.parent), "GLACIER_HOME": str(folder / "memory")}
    command = [sys.executable, str(script), name, str(folder)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_fifty_killed_runs_are_resumed_right(tmp_path: Path) -> None:
    saw = drill("killed", tmp_path)
    assert saw["wrong"] == []
    assert saw["seen"]["interrupted"] >= ROUNDS // 4
    assert 0 < saw["seen"]["succeeded"] < ROUNDS * TASKS


def test_fifty_killed_runs_leave_a_cache_that_is_intact(tmp_path: Path) -> None:
    saw = drill("killed_with_cache", tmp_path)
    assert saw["wrong"] == []
    assert saw["seen"]["interrupted"] >= ROUNDS // 4
    assert 0 < saw["seen"]["kept"] < ROUNDS * (TASKS - 1)


def test_fifty_interrupted_runs_end_clean(tmp_path: Path) -> None:
    saw = drill("interrupted", tmp_path)
    assert saw["wrong"] == []
    assert saw["left"] == ["report.parquet"]
    assert saw["states"]["cancelled"] >= ROUNDS // 2
    assert set(saw["states"]) == {"cancelled", "done"}
    assert saw["integrity"] == "ok"


def test_two_processes_share_a_journal_and_compute_each_result_once(tmp_path: Path) -> None:
    saw = drill("together", tmp_path)
    assert saw["codes"] == [0, 0]
    assert saw["states"] == {"done": 40}
    assert saw["tasks"] == {str(TASKS): 40}
    assert saw["integrity"] == "ok"
    once = {f"{name} {number}": 1 for name in ("make", "plan", "total") for number in range(WIDTH)}
    assert saw["calls"] == {**once, "save": 40}


# --- a full disk ------------------------------------------------------------------------------------------------------

SIZE = 6 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes; without the right to mount one, a limit on the size of files in its place."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], capture_output=True)
    yield disk
    if mounted.returncode == 0:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_fails_the_write_and_nothing_else(small_disk: Path, tmp_path: Path) -> None:
    limited = not os.path.ismount(small_disk)
    limit = {"preexec_fn": _limit_files} if limited else {}
    saw = drill("full", tmp_path, **limit)
    assert saw["kept"] == 10
    assert saw["left"] == ["x.parquet"]
    assert saw["result"] == 5
    if limited:
        assert "File too large" in saw["error"]
        return
    assert "the disk is full" in saw["error"]
    assert any("cannot be written" in line for line in saw["warned"])
    assert saw["states"] == ["done"]


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, SIZE))
