"""The journal: what it tells of runs, what it keeps, what it survives, and going on with a run."""

import json
import logging
import os
import pickle
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import SecretStr

from glacier import GlacierEnv, home
from glacier.config import LocalConfig
from glacier.errors import GlacierWarning, JournalError, PipelineError, ResourceNotFoundError
from glacier.execution.journal import History, database, owner, seal, tiny, values
from glacier.execution.journal.tiny import Lines, text_of
from glacier.execution.journal.writer import Batch, Begun, Ended, Row, Writer, forget, values_of, writer
from glacier.execution.memory import MISSING
from glacier.execution.steps import StepRun
from glacier.providers import LocalProvider
from glacier.recording.steps import Spot


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path / "data")), "dev")


class Switch:
    """Fails while it is on, and counts the calls of each task."""

    def __init__(self) -> None:
        self.on = True
        self.calls: list[str] = []


@pytest.fixture
def switch() -> Switch:
    return Switch()


def wired(env: GlacierEnv, switch: Switch, **settings: object):
    """A pipeline of four tasks whose last one fails while the switch is on."""

    @env.task(**settings)
    def make(n: int) -> pl.DataFrame:
        switch.calls.append("make")
        print("making", n)
        return pl.DataFrame({"n": range(n)})

    @env.task(**settings)
    def plan(df: pl.DataFrame) -> pl.LazyFrame:
        switch.calls.append("plan")
        return df.lazy().filter(pl.col("n") > 0)

    @env.task(**settings)
    def size(df: pl.DataFrame) -> int:
        switch.calls.append("size")
        return df.height

    @env.task(**settings)
    def total(lf: pl.LazyFrame, rows: int) -> int:
        switch.calls.append("total")
        if switch.on:
            raise ValueError("the switch is on")
        return lf.collect()["n"].sum() + rows

    @env.pipeline()
    def adding(n: int = 4):
        df = make(n)
        return total(plan(df), size(df))

    return adding


def failed(pipeline, **params: object) -> str:
    with pytest.raises(ValueError, match="the switch is on"):
        pipeline.run(**params)
    return pipeline.last_run.id


# --- what is recorded -------------------------------------------------------------------------------------------------


def test_a_run_is_told_whole(env: GlacierEnv, switch: Switch) -> None:
    before = datetime.now(UTC)
    adding = wired(env, switch, retries=1, retry_delay=0)
    run = env.runs[failed(adding, n=3)]
    assert (run.pipeline, run.environment, run.state) == ("adding", "dev", "failed")
    assert run.error == "ValueError: the switch is on"
    assert before <= run.started <= datetime.now(UTC)
    assert run.parameters == {"n": 3}
    assert run.options["on_error"] == "fail"
    assert run.versions["polars"] == pl.__version__
    assert len(run.config) == 16
    assert run.target == f"{Path(__file__).resolve()}:adding"
    states = {task.name: task.state for task in run.tasks}
    assert states == {"make": "done", "plan": "planned", "size": "done", "total": "failed"}
    make = next(task for task in run.tasks if task.name == "make")
    assert (make.rows, make.attempts, make.error, make.kept) == (3, 1, None, True)
    assert make.seconds >= 0
    assert run.started <= make.started
    assert run.graph == adding.last_run.graph
    assert [line.text for line in run.logs("make")] == ["making 3"]
    assert json.loads(json.dumps(run.plain()))["tasks"][0]["name"] == "make"
    assert "failed" in str(run)
    assert "image/svg+xml" in run._repr_mimebundle_()


def test_failed_attempts_are_kept_with_their_errors(env: GlacierEnv) -> None:
    seen: list[int] = []

    @env.task(retries=2, retry_delay=0)
    def flaky() -> int:
        seen.append(1)
        if len(seen) < 3:
            raise ConnectionError(f"try {len(seen)}")
        return 7

    @env.pipeline()
    def trying():
        return flaky()

    assert trying.run() == 7
    run = env.runs[0]
    assert run.tasks[0].attempts == 3
    assert run.tasks[0].state == "done"
    assert [attempt.error for attempt in run.attempts("flaky")] == ["ConnectionError: try 1", "ConnectionError: try 2"]


def test_history_is_a_list_newest_first(env: GlacierEnv, switch: Switch) -> None:
    adding = wired(env, switch)
    assert list(env.runs) == []
    assert str(env.runs) == "no runs yet"
    assert adding.last_run is None
    switch.on = False
    ids = []
    for n in range(3):
        adding.run(n=n)
        ids.append(adding.last_run.id)
    runs = env.runs
    assert [run.id for run in runs] == ids[::-1]
    assert (len(runs), runs[0].id, runs[-1].id, [run.id for run in runs[:2]]) == (3, ids[2], ids[0], ids[:0:-1])
    assert runs[ids[0][:6]].id == ids[0]
    with pytest.raises(ResourceNotFoundError, match="no run 'nothing'"):
        runs["nothing"]
    with pytest.raises(ResourceNotFoundError, match="3 runs have an id"):
        runs[""]
    with pytest.raises(IndexError):
        runs[3]
    assert ids[0] in str(runs)
    assert f">{ids[0]}</td>" in runs._repr_html_()
    other = GlacierEnv(env.provider, "other")
    assert len(other.runs) == 0
    assert len(History(home.home())) == 3


def test_the_last_run_of_another_process_is_at_hand(env: GlacierEnv, switch: Switch) -> None:
    run = failed(wired(env, switch))
    again = wired(env, switch)
    assert again.last_run.id == run
    assert again.last_run.states() == env.runs[run].states()


def test_what_tables_show_is_no_markup(env: GlacierEnv) -> None:
    @env.task()
    def bad() -> None:
        raise ValueError("<img src=x onerror=alert(1)>")

    @env.pipeline()
    def failing():
        bad()

    with pytest.raises(ValueError, match="img"):
        failing.run()
    assert "<img" not in env.runs._repr_html_()
    assert "&lt;img" in env.runs._repr_html_()


def test_no_secret_is_recorded(env: GlacierEnv) -> None:
    @env.task()
    def use(password: str, settings: dict, token: SecretStr) -> SecretStr:
        print("password=CANARY")
        return SecretStr("CANARY")

    @env.task()
    def fails(value: SecretStr) -> None:
        raise ValueError("later")

    @env.pipeline()
    def secretive(password: str, settings: dict, where: SecretStr, day: date):
        fails(use(password, settings, where))

    given = {"password": "CANARY", "settings": {"api_key": "CANARY"}, "where": SecretStr("CANARY")}
    with pytest.raises(ValueError, match="later"):
        secretive.run(**given, day=date(2026, 1, 1))
    run = env.runs[0]
    assert (run.parameters, run.hidden) == ({}, ["password", "settings", "where", "day"])
    assert not run.tasks[0].kept
    writer(home.home()).flush()
    for file in home.home().rglob("*"):
        assert not file.is_file() or b"CANARY" not in file.read_bytes()
    with pytest.raises(PipelineError, match="does not keep: settings"):
        secretive.resume(password="CANARY")


def test_files_are_the_users_alone(env: GlacierEnv, switch: Switch) -> None:
    failed(wired(env, switch))
    assert stat.S_IMODE(home.home().stat().st_mode) == 0o700
    for file in home.home().rglob("*"):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, file


# --- lines ------------------------------------------------------------------------------------------------------------


def test_lines_are_kept_by_task_and_still_go_where_they_went(
    env: GlacierEnv, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    meeting = threading.Barrier(2, timeout=20)

    @env.task()
    def left() -> int:
        meeting.wait()
        for number in range(20):
            print("left", number)
        logging.getLogger("mine").warning("half %s", "done")
        logging.getLogger("mine").debug("too much")
        return 1

    @env.task()
    def right() -> int:
        meeting.wait()
        for number in range(20):
            print("right", number)
        return 2

    @env.pipeline()
    def both():
        a, b = left(), right()
        return [a, b]

    stdout = sys.stdout
    factory = logging.getLogRecordFactory()
    both.run(max_workers=2)
    assert sys.stdout is stdout
    assert logging.getLogRecordFactory() is factory
    run = env.runs[0]
    assert [line.text for line in run.logs("right")] == [f"right {number}" for number in range(20)]
    assert [line.text for line in run.logs("left")] == [
        *(f"left {number}" for number in range(20)),
        "WARNING mine: half done",
    ]
    assert len(capsys.readouterr().out.splitlines()) == 40
    assert "half done" in caplog.text
    with pytest.raises(ResourceNotFoundError, match="no task 'rihgt'"):
        run.logs("rihgt")


def test_runs_log_with_the_standard_library(env: GlacierEnv, switch: Switch, caplog: pytest.LogCaptureFixture) -> None:
    adding = wired(env, switch)
    with caplog.at_level(logging.INFO, "glacier.run"):
        run = failed(adding)
    records = [record for record in caplog.records if record.name == "glacier.run"]
    assert {record.run for record in records} == {run}
    assert [record.task for record in records if record.levelno == logging.ERROR] == ["total"]
    assert logging.getLogger("glacier.run").handlers == []


# --- resuming ---------------------------------------------------------------------------------------------------------


def test_what_succeeded_is_not_run_again(env: GlacierEnv, switch: Switch) -> None:
    adding = wired(env, switch)
    run = failed(adding, n=5)
    switch.on = False
    assert adding.resume() == 15
    assert sorted(switch.calls) == ["make", "plan", "size", "total", "total"]
    resumed = env.runs[0]
    assert (resumed.resumes, resumed.state, resumed.parameters) == (run, "done", {"n": 5})
    assert {task.name: task.state for task in resumed.tasks} == {
        "make": "cached", "plan": "cached", "size": "cached", "total": "done",
    }  # fmt: skip
    assert {task.cache for task in resumed.tasks} == {f"run {run}", None}
    assert resumed.graph == env.runs[run].graph
    with pytest.raises(PipelineError, match="is done"):
        adding.resume()


def test_a_resumed_run_can_be_resumed(env: GlacierEnv, switch: Switch) -> None:
    adding = wired(env, switch)
    first = failed(adding, n=5000)
    with pytest.raises(ValueError, match="switch"):
        adding.resume(first)
    assert list(values_of(home.home(), adding.last_run.id).iterdir())
    switch.on = False
    assert adding.resume() == sum(range(5000)) + 5000
    assert switch.calls.count("make") == 1


def test_what_was_done_in_a_try_is_not_done_again(env: GlacierEnv, switch: Switch) -> None:
    @env.task()
    def connect() -> object:
        switch.calls.append("connect")
        return threading.Lock()  # it cannot be kept

    @env.task()
    def load() -> int:
        switch.calls.append("load")
        if switch.on:
            raise ValueError("the switch is on")
        return 3

    @env.pipeline()
    def careful() -> int:
        try:
            connect()
        finally:
            found = load()
        return found

    failed(careful)
    switch.on = False
    assert careful.resume() == 3
    assert switch.calls == ["connect", "load", "load"]


def test_a_resume_in_another_process(env: GlacierEnv, switch: Switch, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    child = {**os.environ, "GLACIER_HOME": str(tmp_path / "memory"), "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "glacier.cli", "run", "script.py", "-p", "n=3"]
    command[1:3] = ["-c", "from glacier.cli import main; main()"]
    first = subprocess.run(command, cwd=tmp_path, env={**child, "FAIL": "1"}, capture_output=True, text=True)
    assert first.returncode == 1
    run = History(tmp_path / "memory")[0]
    assert run.state == "failed"
    command[3:] = ["resume", run.id]
    second = subprocess.run(command, cwd="/", env=child, capture_output=True, text=True)
    assert second.stdout == "3\n", second.stderr
    assert (tmp_path / "calls").read_text().split() == ["make", "total", "total"]


SCRIPT = """
import os
from pathlib import Path
import polars as pl
from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="data")), "dev")

def note(name):
    with Path("calls").open("a") as file:
        file.write(name + "\\n")

@env.task()
def make(n: int) -> pl.DataFrame:
    note("make")
    return pl.DataFrame({"n": range(n)})

@env.task()
def total(df: pl.DataFrame) -> int:
    note("total")
    if "FAIL" in os.environ:
        raise ValueError("told to")
    return df["n"].sum()

@env.pipeline()
def adding(n: int = 4):
    return total(make(n))
"""


def test_a_task_whose_code_changed_runs_again_with_all_that_needs_it(env: GlacierEnv, switch: Switch) -> None:
    adding = wired(env, switch)
    failed(adding)
    switch.on = False

    with pytest.warns(GlacierWarning, match="defined twice"):

        @env.task()
        def plan(df: pl.DataFrame) -> pl.LazyFrame:
            return df.lazy().filter(pl.col("n") > 1)

    closure = dict(zip(adding.fn.__code__.co_freevars, adding.fn.__closure__, strict=True))
    closure["plan"].cell_contents = plan
    with pytest.warns(GlacierWarning, match="the code of 'plan' changed since"):
        assert adding.resume() == 5 + 4
    assert switch.calls.count("make") == 1
    assert switch.calls.count("size") == 1


@pytest.mark.parametrize("second", [3, "3", [3], date(2026, 1, 2)])
def test_a_task_called_with_another_argument_runs_again(env: GlacierEnv, switch: Switch, second: object) -> None:
    given: list[object] = [2]

    @env.task()
    def take(value: object) -> object:
        switch.calls.append("take")
        return value

    @env.task()
    def end(value: object) -> object:
        if switch.on:
            raise ValueError("the switch is on")
        return value

    @env.pipeline()
    def passing():
        return end(take(given[0]))

    failed(passing)
    failed_again = env.runs[0]
    switch.on, given[0] = False, second
    assert passing.resume(failed_again) == second
    assert switch.calls == ["take", "take"]


def test_what_the_body_itself_computes_is_part_of_an_argument(env: GlacierEnv, switch: Switch) -> None:
    limit = [1]

    @env.task()
    def make() -> pl.DataFrame:
        switch.calls.append("make")
        return pl.DataFrame({"n": range(4)})

    @env.task()
    def height(n: int) -> int:
        switch.calls.append("height")
        return n

    @env.task()
    def end(n: int) -> int:
        if switch.on:
            raise ValueError("the switch is on")
        return n

    @env.pipeline()
    def body():
        return end(height(make().height - limit[0]))

    failed(body)
    switch.on, limit[0] = False, 2
    assert body.resume() == 2
    assert switch.calls == ["make", "height", "height"]


def test_without_checkpoints_only_what_is_needed_runs_again(env: GlacierEnv, switch: Switch) -> None:
    @env.task()
    def side() -> None:
        switch.calls.append("side")

    adding = wired(env, switch)
    inner = adding.fn

    @env.pipeline()
    def with_side():
        side()
        return adding()

    assert inner is adding.fn
    with pytest.raises(ValueError, match="switch"):
        with_side.run(checkpoint=False)
    assert not any(task.kept for task in env.runs[0].tasks)
    switch.on = False
    assert with_side.resume() == 6 + 4
    assert switch.calls.count("side") == 1
    assert switch.calls.count("make") == 2


def test_a_value_that_cannot_be_kept_is_made_again(env: GlacierEnv, switch: Switch) -> None:
    @env.task()
    def lock() -> object:
        switch.calls.append("lock")
        return SimpleNamespace(lock=threading.Lock())

    @env.task()
    def end(lock: object) -> str:
        if switch.on:
            raise ValueError("the switch is on")
        return type(lock).__name__

    @env.pipeline()
    def locking():
        return end(lock())

    failed(locking)
    switch.on = False
    assert locking.resume() == "SimpleNamespace"
    assert switch.calls == ["lock", "lock"]


def test_a_damaged_value_is_made_again(env: GlacierEnv, switch: Switch) -> None:
    adding = wired(env, switch)
    run = failed(adding, n=5000)
    switch.on = False
    for file in values_of(home.home(), run).iterdir():
        data = bytearray(file.read_bytes())
        data[-100] ^= 1
        file.write_bytes(data)
    assert adding.resume() == sum(range(5000)) + 5000
    assert switch.calls.count("make") == 2


def test_a_run_that_is_done_keeps_no_large_values(env: GlacierEnv, switch: Switch) -> None:
    switch.on = False
    adding = wired(env, switch)
    adding.run(n=5000)
    assert not values_of(home.home(), adding.last_run.id).exists()
    assert not any(task.kept for task in env.runs[0].tasks)


def test_a_run_of_something_else_is_not_resumed(env: GlacierEnv, switch: Switch) -> None:
    run = failed(wired(env, switch))

    @env.pipeline()
    def other():
        return 1

    with pytest.raises(PipelineError, match="is one of pipeline 'adding'"):
        other.resume(run)
    with pytest.raises(ResourceNotFoundError, match="has no run of pipeline '[a-z]+' of environment 'dev' yet"):
        other.resume()
    with pytest.raises(PipelineError, match="had n=4: a run is resumed with its own parameters"):
        wired(env, switch).resume(env.runs[failed(wired(env, switch), n=4)], n=7)


# --- values -----------------------------------------------------------------------------------------------------------

FRAME = pl.DataFrame({"a": [1, None], "b": ["x", "ü"], "c": [[1], []], "d": [date(2026, 1, 1), None]})


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, "json"),
        (True, "json"),
        (-(10**30), "json"),
        (float("inf"), "json"),
        ("ü\ud800", "json"),
        ((1, 2), "pickle"),
        ({"a": {1, 2}}, "pickle"),
        (b"x" * 20_000, "pickle"),
        (date(2026, 1, 1), "pickle"),
    ],
    ids=repr,
)
def test_values_come_back_as_they_were(value: object, form: str) -> None:
    kept = values.contents(value)
    assert kept is not None
    assert kept.form == form
    again = values.load(*kept)
    assert (again, type(again)) == (value, type(value))


def test_frames_and_plans_come_back(tmp_path: Path) -> None:
    kept = values.contents(FRAME)
    assert kept is not None
    assert_frame_equal(values.load(*kept), FRAME)
    FRAME.write_parquet(tmp_path / "x.parquet")
    for plan in (FRAME.lazy().filter(pl.col("a") > 0), pl.scan_parquet(tmp_path / "x.parquet").head(1)):
        kept = values.contents(plan)
        assert kept is not None
        assert kept.form == "plan"
        assert_frame_equal(values.load(*kept).collect(), plan.collect())


@pytest.mark.parametrize(
    "value",
    [
        SecretStr("x"),
        [{"deep": SecretStr("x")}],
        threading.Lock(),
        (each for each in ()),
        Mock(),
        lambda: 1,
        pl.scan_parquet("s3://bucket/x", storage_options={"aws_secret_access_key": "CANARY"}),
        [pl.scan_parquet("az://bucket/x", storage_options={"account_key": "CANARY"})],
    ],
    ids=["secret", "secret inside", "lock", "generator", "mock", "lambda", "plan", "plan inside"],
)
def test_what_is_secret_or_cannot_be_pickled_is_not_kept(value: object) -> None:
    assert values.contents(value) is None


def test_what_is_too_large_is_not_kept() -> None:
    large = pl.DataFrame({"a": range(20_000)})
    for value in (large, large.lazy(), list(range(100_000))):
        assert values.contents(value, 100_000) is None
        assert values.contents(value, None) is not None


def test_nothing_that_another_user_wrote_is_unpickled() -> None:
    assert values.load("pickle", bytes(32) + pickle.dumps([1])) is MISSING
    assert seal.opened(seal.sealed(b"x")) == b"x"
    assert seal.opened(b"") is None


# --- the writer -------------------------------------------------------------------------------------------------------


def begun(run: str, **columns: object) -> Begun:
    given = {
        "pipeline": "p", "environment": "e", "state": "running", "started": time.time(), "parameters": "{}",
        "options": "{}", "config": "", "versions": "{}", "folder": "/", "owner": "nobody", "pid": 1, **columns,
    }  # fmt: skip
    return Begun(run, given | {"parameters": '{"given": {}, "hidden": []}'})


def finished(key: str, run: str = "r", state: str = "done") -> tuple[object, ...]:
    def write(batch: Batch, number: int) -> None:
        batch.task(number, key, "task")[Row.STATE] = state

    return write, run


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_small_tasks_reach_the_disk_by_themselves(tmp_path: Path) -> None:
    books = Writer(tmp_path)
    books.open(begun("r"))
    for number in range(1000):
        books.note(finished(f"k{number}"))
    until(lambda: bool(History(tmp_path)) and len(History(tmp_path)[0].tasks) == 1000)
    books.note(Ended("r", "done", 1.0, None))
    until(lambda: History(tmp_path)[0].state == "done")


def test_a_dead_process_leaves_an_interrupted_run(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", DYING, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "written\n"
    assert History(tmp_path)[0].state == "running"
    child.kill()
    child.communicate()
    assert History(tmp_path)[0].state == "interrupted"
    assert History(tmp_path)[0].tasks[0].state == "interrupted"
    books = Writer(tmp_path)
    books.open(begun("new", owner=owner.claim(tmp_path)))
    books.flush()
    with database.reading(tmp_path) as connection:
        assert connection is not None
        assert [row[0] for row in connection.execute("SELECT state FROM run ORDER BY number")] == [
            "interrupted",
            "running",
        ]


DYING = """
import sys, time
from pathlib import Path
sys.path.insert(0, "tests")
from glacier.execution.journal import owner
from glacier.execution.journal.writer import Writer
from test_journal import begun, finished
home = Path(sys.argv[1])
books = Writer(home)
books.open(begun("r", owner=owner.claim(home)))
books.note(finished("k", state="running"))
books.flush()
print("written", flush=True)
time.sleep(60)
"""


def test_a_damaged_journal_is_set_aside_and_the_run_goes_on(env: GlacierEnv, switch: Switch) -> None:
    switch.on = False
    adding = wired(env, switch)
    home.home().mkdir(parents=True)
    (home.home() / database.FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(JournalError, match="is damaged"):
        list(env.runs)
    with pytest.warns(GlacierWarning, match="the journal was damaged"):
        assert adding.run() == 6 + 4
    assert [run.state for run in env.runs] == ["done"]
    assert len(list(home.home().glob("runs.sqlite.damaged-*"))) == 1


def test_a_journal_damaged_in_the_midst_of_a_run_is_set_aside(tmp_path: Path) -> None:
    books = Writer(tmp_path)
    books.open(begun("r"))
    books.note(finished("a"))
    books.flush()
    with sqlite3.connect(tmp_path / database.FILE) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray((tmp_path / database.FILE).read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    (tmp_path / database.FILE).write_bytes(data)
    books._drop_connection()
    books.note(finished("b"))
    books.flush()
    with pytest.warns(GlacierWarning, match="a new one begins"):
        books.troubles()
    assert [task.key for task in History(tmp_path)[0].tasks] == ["b"]


SMALL = [
    0,
    -7,
    2**62,
    2**80,
    True,
    False,
    None,
    1.5,
    float("inf"),
    "",
    'a "quoted" \\ text\n',
    "é\ud800",
    1 + 0j,
    b"x",
    "y" * 5000,
]


def test_tiny_tasks_share_rows_and_are_told_and_kept_one_by_one(env: GlacierEnv, switch: Switch) -> None:
    @env.task()
    def one(place: int) -> object:
        switch.calls.append("one")
        return SMALL[place % len(SMALL)]

    @env.task()
    def check(values: list[object]) -> list[object]:
        if switch.on:
            raise ValueError("the switch is on")
        return values

    @env.pipeline()
    def many():
        return check([one(place) for place in range(40 * len(SMALL))])

    with pytest.raises(ValueError, match="the switch is on"):
        many.run()
    failed = env.runs[0]
    with database.reading(home.home()) as connection:
        assert connection is not None
        rows = connection.execute("SELECT count(*) FROM task").fetchone()[0]
        lines = tiny.rows(connection, failed.number)
    assert rows + len(lines) == 40 * len(SMALL) + 1
    assert lines
    assert all(task.kept and task.attempts == 1 and task.seconds is not None for task in failed.tasks[:-1])
    assert [task.name for task in failed.tasks] == ["one"] * 40 * len(SMALL) + ["check"]
    starts = [task.started for task in failed.tasks]
    assert starts == sorted(starts)
    assert failed.graph is not None
    assert {task.key for task in failed.tasks} == {node.key for node in failed.graph.nodes}
    assert failed.value(lines[0]["key"]) == json.loads(lines[0]["value"])
    switch.on = False
    switch.calls.clear()
    assert repr(many.resume()) == repr(SMALL * 40)
    assert switch.calls == []


def test_tiny_tasks_are_forgotten_with_their_run(tmp_path: Path) -> None:
    books = Writer(tmp_path)
    lines = Lines("r", books.note, Batch.tiny)
    step = StepRun(Spot("a", 'a@"1:2', None), 2, 0, ())
    step.seconds = 0.00002
    books.open(begun("r"))
    lines.add(step, 1.5, lambda _: "code", "", text_of(12) or "")
    books.note(Ended("r", "done", 1.0, None))
    assert books.flush()
    (task,) = History(tmp_path)[0].tasks
    assert (task.key, task.name, task.seconds) == ('a@"1:2#2', "a", 0.00002)
    assert task.started == datetime.fromtimestamp(1.5, UTC)
    connection = database.writable(tmp_path)
    forget(connection, tmp_path, 1)
    assert connection.execute("SELECT count(*) FROM tiny").fetchone()[0] == 0
    connection.close()


def test_a_newer_journal_is_refused_and_the_run_goes_on(env: GlacierEnv, switch: Switch) -> None:
    switch.on = False
    adding = wired(env, switch)
    adding.run()
    other = home.home().with_name(f"{home.home().name}-newer")
    with home.using(other):
        database.writable(other).close()
        with sqlite3.connect(other / database.FILE) as connection:
            connection.execute(f"PRAGMA user_version = {database.VERSION + 1}")
        connection.close()
        with pytest.warns(GlacierWarning, match=f"has format {database.VERSION + 1}, this Glacier knows"):
            assert adding.run() == 6 + 4
        with pytest.raises(JournalError, match="upgrade glacier-workbench"):
            list(env.runs)


def test_a_journal_of_the_first_version_is_read_and_gone_on_with(env: GlacierEnv, switch: Switch) -> None:
    adding = wired(env, switch)
    with pytest.raises(ValueError, match="the switch is on"):
        adding.run()
    with sqlite3.connect(home.home() / database.FILE) as connection:
        connection.execute("DROP TABLE tiny")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    other = home.home().with_name(f"{home.home().name}-first")
    shutil.copytree(home.home(), other)
    with home.using(other):
        assert [task.state for task in env.runs[0].tasks] == ["done", "planned", "done", "failed"]
        switch.on = False
        assert adding.resume() == 6 + 4
        with database.reading(other) as connection:
            assert connection is not None
            assert connection.execute("SELECT count(*) FROM tiny").fetchone()[0] == 0


def test_a_journal_that_cannot_be_written_stops_no_run(env: GlacierEnv, switch: Switch, tmp_path: Path) -> None:
    switch.on = False
    (tmp_path / "file").touch()
    with home.using(tmp_path / "file" / "memory"), pytest.warns(GlacierWarning, match="cannot be written"):
        assert wired(env, switch).run() == 6 + 4


def test_another_process_that_writes_long_holds_no_run_up(tmp_path: Path) -> None:
    books = Writer(tmp_path)
    books.open(begun("r"))
    books.flush()
    blocking = sqlite3.connect(tmp_path / database.FILE, isolation_level=None, check_same_thread=False)
    blocking.execute("BEGIN IMMEDIATE")
    start = time.monotonic()
    for number in range(5):
        books.note(finished(f"k{number}"))
        books.flush(0.05)
    assert time.monotonic() - start < 5
    blocking.execute("COMMIT")
    blocking.close()
    until(lambda: len(History(tmp_path)[0].tasks) == 5)


def test_only_the_newest_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glacier.execution.journal.writer._KEPT_RUNS", 3)
    for number in range(6):
        books = Writer(tmp_path)
        books.open(begun(f"r{number}"))
        books.note(finished("k", f"r{number}"))
        books.note(Ended(f"r{number}", "done", 1.0, None))
        books.flush()
        values_of(tmp_path, f"r{number}").mkdir(parents=True)
    assert [run.id for run in History(tmp_path)] == ["r5", "r4", "r3", "r2"]
    assert sorted(path.name for path in (tmp_path / "values").iterdir()) == ["r2", "r3", "r4", "r5"]
    assert all(len(run.tasks) == 1 for run in History(tmp_path))
