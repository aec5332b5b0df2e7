"""Retries: after which errors, how long apart, how often; and what is told of them."""

import errno
import http.client
import threading
import time
import urllib.error
from email.message import Message
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from glacier import GlacierEnv, TaskConfig
from glacier.config import LocalConfig
from glacier.errors import (
    AccessError,
    ConfigError,
    ExecutorError,
    InfrastructureError,
    ObjectNotFoundError,
    TaskCancelledError,
    TaskMemoryError,
    TaskTimeoutError,
    TransferError,
    WorkerDiedError,
)
from glacier.execution.attempts import Call, Job, attempt
from glacier.execution.cancelling import Cancel
from glacier.execution.retrying import LONGEST_WAIT, lasting, passing, worth_another
from glacier.providers import LocalProvider


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


def job(env: GlacierEnv, cancel: Cancel | None = None, deadline: float | None = None, **settings: Any) -> Job:
    own = TaskConfig(**settings)
    return Job("sell", env.task_settings(own).values, env, cancel=cancel or Cancel(), deadline=deadline)


class Failing:
    """Raises an error each time, and counts."""

    def __init__(self, error: BaseException, times: int = 1000) -> None:
        self.error = error
        self.times = times
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return "sold"


def tries(env: GlacierEnv, error: BaseException, **settings: Any) -> int:
    """Return how often a task that raises this is tried."""
    fails = Failing(error)
    with pytest.raises(type(error)):
        attempt(Call(fails), job(env, **{"retries": 2, **settings}))
    return fails.calls


# --- which errors ---------------------------------------------------------------------------------------------------


def botocore(code: str, status: int, **headers: str) -> Exception:
    from botocore.exceptions import ClientError

    response: Any = {
        "Error": {"Code": code, "Message": "said"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return ClientError(response, "PutObject")


def status(number: int) -> Exception:
    return urllib.error.HTTPError("https://example.org", number, "said", Message(), None)


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def named(module: str, name: str) -> BaseException:
    """Make an error of a package's class, which need not be installed."""
    return type(name, (Exception,), {"__module__": module})("said")


PASSING = [
    ConnectionResetError("said"),
    ConnectionRefusedError("said"),
    BrokenPipeError("said"),
    TimeoutError("said"),
    TaskTimeoutError("said"),
    WorkerDiedError("said"),
    http.client.IncompleteRead(b""),
    http.client.RemoteDisconnected("said"),
    urllib.error.URLError("[Errno 111] Connection refused"),
    *map(status, (408, 425, 429, 500, 502, 503, 504)),
    botocore("SlowDown", 503),
    botocore("RequestTimeout", 400),
    botocore("ThrottlingException", 400),
    named("botocore.exceptions", "ResponseStreamingError"),
    named("requests.exceptions", "ChunkedEncodingError"),
    named("azure.core.exceptions", "ServiceRequestError"),
    OSError("Generic S3 error: Error performing GET: Server returned error response: 503 Slow Down"),
    pl.exceptions.ComputeError("error sending request for url"),
    InfrastructureError("cannot read s3://b/k on aws: the store is too busy"),
    caused(InfrastructureError("cannot read s3://b/k on aws: said"), ConnectionResetError("said")),
    caused(RuntimeError("could not sell"), botocore("InternalError", 500)),
]
LASTING = [
    TypeError("said"),
    ValueError("said"),
    KeyError("said"),
    IndexError("said"),
    AttributeError("said"),
    NameError("said"),
    ImportError("said"),
    AssertionError("said"),
    NotImplementedError("said"),
    RecursionError("said"),
    MemoryError("said"),
    PermissionError("said"),
    FileNotFoundError("said"),
    FileExistsError("said"),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError("Generic S3 error: ... <Code>ExpiredToken</Code> ... 400 Bad Request"),
    pl.exceptions.ComputeError("No space left on device (os error 28)"),
    pl.exceptions.ColumnNotFoundError("said"),
    pl.exceptions.SchemaError("said"),
    *map(status, (400, 401, 403, 404, 405, 412)),
    *[botocore(code, 403) for code in ("AccessDenied", "InvalidAccessKeyId", "RequestTimeTooSkewed")],
    botocore("ExpiredToken", 400),
    botocore("NoSuchKey", 404),
    named("botocore.exceptions", "NoCredentialsError"),
    named("google.auth.exceptions", "DefaultCredentialsError"),
    named("azure.core.exceptions", "ClientAuthenticationError"),
    AccessError("said"),
    ObjectNotFoundError("said"),
    ConfigError("said"),
    TransferError("said"),
    caused(RuntimeError("could not sell"), PermissionError("said")),
    caused(ValueError("a price is no number"), ConnectionResetError("said")),
]
DEPENDING = [RuntimeError("said"), ZeroDivisionError("said"), Exception("503 cakes"), OSError("said")]


def says(error: BaseException) -> str:
    return f"{type(error).__name__}-{error}"[:60]


@pytest.mark.parametrize("error", PASSING, ids=says)
def test_what_passes_is_tried_again(env: GlacierEnv, error: Exception) -> None:
    assert passing(error)
    assert not lasting(error)
    assert tries(env, error) == tries(env, error, retry_on="transient") == 3


@pytest.mark.parametrize("error", LASTING, ids=says)
def test_what_lasts_is_not(env: GlacierEnv, error: Exception) -> None:
    assert lasting(error)
    assert not passing(error)
    assert tries(env, error) == tries(env, error, retry_on="transient") == 1


@pytest.mark.parametrize("error", DEPENDING, ids=says)
def test_of_anything_else_only_what_is_not_transient_by_name_is(env: GlacierEnv, error: Exception) -> None:
    assert not passing(error)
    assert not lasting(error)
    assert tries(env, error) == 3
    assert tries(env, error, retry_on="transient") == 1


@pytest.mark.parametrize("retry_on", [[ValueError], "ValueError", ["builtins.ValueError"], (LookupError, ValueError)])
def test_named_exceptions_are_tried_again_and_no_others(env: GlacierEnv, retry_on: Any) -> None:
    assert tries(env, ValueError("said"), retry_on=retry_on) == 3
    assert tries(env, UnicodeError("a child of it"), retry_on=retry_on) == 3
    assert tries(env, ConnectionError("said"), retry_on=retry_on) == 1
    assert (
        tries(env, ConnectionError("said"), retry_on=[*retry_on, "transient"] if type(retry_on) is list else OSError)
        == 3
    )


@pytest.mark.parametrize("error", [MemoryError(), TaskMemoryError("said"), TaskCancelledError("said")], ids=says)
def test_some_are_never_tried_again(env: GlacierEnv, error: Exception) -> None:
    assert tries(env, error, retry_on=Exception) == 1
    assert not worth_another(KeyboardInterrupt(), ["BaseException"])
    assert not worth_another(SystemExit(), ["SystemExit"])


@pytest.mark.parametrize("wrong", [3, [3], [int], KeyboardInterrupt, "no name", [""]])
def test_what_retry_on_takes(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="retry_on"):
        TaskConfig(retry_on=wrong)
    assert TaskConfig(retry_on=ConnectionError).retry_on == ("builtins.ConnectionError",)
    assert TaskConfig(**TaskConfig(retry_on=[OSError]).model_dump()).retry_on == ("builtins.OSError",)


def test_circular_causes_come_to_an_end() -> None:
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__cause__, other.__cause__ = other, one
    assert not passing(one)


# --- how far apart --------------------------------------------------------------------------------------------------


class Clock(Cancel):
    """Waits in no time, and remembers how long it should have been."""

    __slots__ = ("waits",)

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


def waits(env: GlacierEnv, error: BaseException, **settings: Any) -> list[float]:
    clock = Clock()
    with pytest.raises(type(error)):
        attempt(Call(Failing(error)), job(env, clock, **settings))
    return clock.waits


@given(delay=st.floats(0, 1000), retries=st.integers(1, 20))
def test_waits_grow_up_to_a_limit(delay: float, retries: int) -> None:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=Path("unused"), create_dirs=False)), "test")
    found = waits(env, ConnectionError(), retries=retries, retry_delay=delay)
    assert len(found) == retries
    assert all(0 <= wait <= min(delay * 2**n, max(LONGEST_WAIT, delay)) for n, wait in enumerate(found))


def test_waits_differ_so_that_a_crowd_spreads(env: GlacierEnv) -> None:
    firsts = [waits(env, ConnectionError(), retries=1, retry_delay=1)[0] for _ in range(200)]
    assert min(firsts) < 0.2 < 0.8 < max(firsts)


@pytest.mark.parametrize(("asked", "least"), [("7", 7), ("3600", LONGEST_WAIT), ("soon", 0), ("-1", 0)])
def test_a_busy_service_says_how_long_to_wait(env: GlacierEnv, asked: str, least: float) -> None:
    headers = {"retry-after": asked}
    for error in (botocore("SlowDown", 503, **headers), caused(RuntimeError(), botocore("SlowDown", 503, **headers))):
        assert waits(env, error, retries=2) == [least, least]


def test_a_wait_ends_when_the_run_is_cancelled(env: GlacierEnv) -> None:
    cancel, outcome = Cancel(), list[BaseException]()
    waiting = threading.Event()

    def note(kind: str, details: dict[str, Any]) -> None:
        if kind == "retried" and details["seconds"] > 0:
            waiting.set()

    def run() -> None:
        try:
            attempt(Call(Failing(ConnectionError())), job(env, cancel, retries=9, retry_delay=3600), note)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert waiting.wait(20)
    cancel.cancel()
    thread.join(20)
    assert [type(error) for error in outcome] == [TaskCancelledError]


def test_nothing_is_tried_after_the_deadline(env: GlacierEnv) -> None:
    busy = Failing(botocore("SlowDown", 503, **{"retry-after": "50"}))
    with pytest.raises(type(busy.error)):
        attempt(Call(busy), job(env, Clock(), deadline=time.monotonic() + 40, retries=5))
    assert busy.calls == 1
    with pytest.raises(TaskTimeoutError):
        attempt(Call(time.sleep, (60,)), job(env, deadline=time.monotonic() + 0.05))


# --- how often, and what is told ------------------------------------------------------------------------------------


def test_every_attempt_is_told_of(env: GlacierEnv) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    error = ConnectionError("said")
    value = attempt(Call(Failing(error, 2)), job(env, retries=5), lambda kind, details: told.append((kind, details)))
    assert value == "sold"
    assert told == [
        ("started", {"attempt": 1}),
        ("retried", {"attempt": 1, "error": error, "seconds": 0}),
        ("started", {"attempt": 2}),
        ("retried", {"attempt": 2, "error": error, "seconds": 0}),
        ("started", {"attempt": 3}),
    ]


def test_a_timeout_is_told_of_and_tried_again(env: GlacierEnv) -> None:
    told: list[str] = []
    with pytest.raises(TaskTimeoutError) as caught:
        attempt(Call(time.sleep, (60,)), job(env, timeout=0.02, retries=1), lambda kind, _: told.append(kind))
    assert told == ["started", "timed_out", "retried", "started", "timed_out"]
    assert "attempt 2 of 2" in " ".join(caught.value.__notes__)
    assert "may still run" in str(caught.value)


def test_threads_of_tasks_that_ended_in_time_are_used_again(env: GlacierEnv) -> None:
    threads = {attempt(Call(threading.get_ident), job(env, timeout=60)) for _ in range(20)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_after_threads_are_given_up_others_serve(env: GlacierEnv) -> None:
    for n in range(20):
        with pytest.raises(TaskTimeoutError):
            attempt(Call(time.sleep, (0.2,)), job(env, timeout=0.001))
        assert attempt(Call(abs, (-n,)), job(env, timeout=60)) == n


def test_a_thread_that_is_given_up_ends_at_its_next_line(env: GlacierEnv) -> None:
    ended = threading.Event()

    def loops() -> None:
        try:
            while True:
                pass
        finally:
            ended.set()

    with pytest.raises(TaskTimeoutError):
        attempt(Call(loops), job(env, timeout=0.05))
    assert ended.wait(20)


def test_a_task_with_a_timeout_raises_and_returns_as_itself(env: GlacierEnv) -> None:
    assert attempt(Call(divmod, (7, 2)), job(env, timeout=60)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        attempt(Call(divmod, (7, 0)), job(env, timeout=60))


def test_a_cancelled_wait_for_a_thread_ends(env: GlacierEnv) -> None:
    cancel, began = Cancel(), threading.Event()

    def slow() -> None:
        began.set()
        time.sleep(3600)

    canceller = threading.Thread(target=lambda: (began.wait(20), cancel.cancel()))
    canceller.start()
    with pytest.raises(TaskCancelledError, match="may still run"):
        attempt(Call(slow), job(env, cancel, timeout=3600, retries=3))
    with pytest.raises(TaskCancelledError):
        attempt(Call(slow), job(env, cancel, timeout=3600))
    canceller.join()


def test_a_thread_has_no_memory_limit(env: GlacierEnv) -> None:
    with pytest.raises(ExecutorError, match='use executor="process"'):
        attempt(Call(list), job(env, memory=100))


# --- storms ---------------------------------------------------------------------------------------------------------


def test_fifty_tasks_that_all_time_out(env: GlacierEnv) -> None:
    @env.task(timeout=0.05, retries=1)
    def slow(n: int) -> None:
        time.sleep(0.5)

    @env.pipeline()
    def several() -> None:
        for n in range(50):
            slow(n)

    with pytest.raises((TaskTimeoutError, ExceptionGroup)) as caught:
        several.run()
    errors = caught.value.exceptions if isinstance(caught.value, ExceptionGroup) else [caught.value]
    assert {type(error) for error in errors} == {TaskTimeoutError}
    assert {step.state for step in several.last_run.tasks} == {"failed", "cancelled"}
    assert all(step.attempts == 2 for step in several.last_run.tasks if step.state == "failed")


def test_fifty_tasks_that_all_are_tried_again(env: GlacierEnv) -> None:
    calls: dict[int, int] = dict.fromkeys(range(50), 0)

    @env.task(retries=3, retry_delay=0.01)
    def flaky(n: int) -> int:
        calls[n] += 1
        if calls[n] < 4:
            raise ConnectionError("again")
        return n

    @env.pipeline()
    def several() -> list[int]:
        return [flaky(n) for n in range(50)]

    assert several.run() == list(range(50))
    assert set(calls.values()) == {4}
    assert {step.attempts for step in several.last_run.tasks} == {4}
