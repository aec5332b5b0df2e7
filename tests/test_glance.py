"""What of a task's code is seen at a glance: what changes its parts, what does not, and what is left alone."""

from __future__ import annotations

import dataclasses
import functools
import sys
import textwrap
import threading
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from glacier import GlacierEnv, Serverless
from glacier.cache.fingerprint import fingerprint
from glacier.cache.glance import Glance
from glacier.providers import LocalProvider


def functions(source: str, **names: Any) -> dict[str, Any]:
    made = {"__name__": "__main__", "pl": pl, **names}
    exec(compile(textwrap.dedent(source), "cell", "exec"), made)
    return made


def parts(fn: Callable[..., Any]) -> dict[str, str]:
    return dict(Glance().parts(fn))


HELPERS = """
    RATE = 2
    NAMES = {"a": 1}

    class Cleaner:
        factor = 3

        def clean(self, x):
            return scaled(x) * self.factor

    def scaled(x):
        return x * RATE

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    def task(df, limit=10):
        return Cleaner().clean(df) + limit + len(NAMES) + even(4)
"""


def test_the_parts_are_those_of_the_cache_key() -> None:
    task = functions(HELPERS)["task"]
    seen = parts(task)
    assert set(seen) == {
        "code",
        "default task.limit",
        "global NAMES",
        "global RATE",
        "helper Cleaner",
        "helper Cleaner.clean",
        "helper even",
        "helper odd",
        "helper scaled",
    }
    own = {"config", "polars", "python", "default limit"}
    assert set(fingerprint(task, {}, {}).parts) - own == set(seen) - {"default task.limit"}


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return x * RATE", "return x + RATE", {"helper scaled"}),
        ("RATE = 2", "RATE = 3", {"global RATE"}),
        ("factor = 3", "factor = 4", {"helper Cleaner"}),
        ("limit=10", "limit=11", {"default task.limit"}),
        ("odd(n - 1)", "odd(n - 2)", {"helper even"}),
        ("+ limit", "- limit", {"code"}),
        ('{"a": 1}', '{"a": 2}', {"global NAMES"}),
        ("return x * RATE", "# a comment\n        return x * RATE", set[str]()),
    ],
)
def test_a_change_shows_in_its_own_part_alone(old: str, new: str, changed: set[str]) -> None:
    before, after = parts(functions(HELPERS)["task"]), parts(functions(HELPERS.replace(old, new))["task"])
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_function_is_looked_at_once() -> None:
    made = functions(HELPERS)
    glance = Glance()
    before = glance.parts(made["task"])
    made["RATE"] = 5
    assert glance.parts(made["task"]) == before
    assert parts(made["task"])["global RATE"] != before["global RATE"]


class Strange:
    """Whoever asks it what it is has gone too far."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise AssertionError("it was asked for its state")

    def __fingerprint__(self) -> str:
        raise AssertionError("it was asked for its version")


@dataclasses.dataclass
class Settings:
    rate: float = 1.5


@pytest.mark.parametrize(
    ("value", "other", "told"),
    [
        (1, 2, True),
        (True, 1, True),
        ("a", "b", True),
        (functools.partial(len), functools.partial(max), True),
        (Settings(), Settings(2.0), True),
        (pl.col("a") > 1, pl.col("a") > 2, True),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]}), True),
        (list(range(900)), [*range(899), 0], True),
        (list(range(5000)), [*range(4999), 0], False),
        (list(range(5000)), list(range(5001)), True),
        (pl.DataFrame({"a": range(200_000)}), pl.DataFrame({"a": range(1, 200_001)}), False),
        (pl.DataFrame({"a": range(200_000)}), pl.DataFrame({"a": range(200_001)}), True),
        (pl.LazyFrame({"a": [1]}), pl.LazyFrame({"a": [2]}), False),
        (Strange(), Strange(), False),
        (threading.Lock(), threading.Lock(), False),
        ("x" * 200_000, "y" * 200_000, False),
    ],
)
def test_which_values_are_told_from_each_other(value: Any, other: Any, told: bool) -> None:
    source = "def task():\n    return VALUE"
    seen = [parts(functions(source, VALUE=each)["task"])["global VALUE"] for each in (value, value, other)]
    assert seen[0] == seen[1]
    assert (seen[0] != seen[2]) is told


def test_functions_in_a_value_are_reached() -> None:
    source = "def f():\n    return {}\n\nTABLE = {{'a': [f]}}\n\ndef task():\n    return TABLE['a'][0]()"
    one, two = (parts(functions(source.format(each))["task"]) for each in (1, 2))
    assert {name for name in one if one[name] != two[name]} == {"helper f"}


def test_several_of_one_name_are_one_part() -> None:
    made = "def make(n):\n    def inner():\n        return n\n    return inner\n\n"
    source = made + "A, B = make(1), make({})\n\ndef task():\n    return A() + B()"
    one, two = (parts(functions(source.format(each))["task"]) for each in (2, 3))
    assert {name for name in one if one[name] != two[name]} == {"closure make.<locals>.inner.n"}


def test_nothing_outside_of_the_process_is_touched(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_module_of_mine.py").write_text("raise AssertionError('it was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    env = GlacierEnv(LocalProvider(), "dev")
    bucket, function = env.provider.bucket("sales", path="x.parquet"), Serverless(env.provider, "f", "h.h")
    source = """
        def task():
            import a_module_of_mine
            open("/etc/passwd"), env.get("sales"), bucket.read(), function.invoke(), "s3://sales/x"
    """
    monkeypatch.setattr("glacier.cache.fingerprint.named_file", lambda text: pytest.fail(f"looked for {text}"))
    monkeypatch.setattr("glacier.cache.fingerprint.bucket_identity", lambda bucket: pytest.fail("asked the store"))
    seen = parts(functions(source, env=env, bucket=bucket, function=function)["task"])
    assert set(seen) == {"code", "global bucket", "global env", "global function"}
    assert "a_module_of_mine" not in sys.modules


def test_a_value_that_cannot_be_told_has_no_part() -> None:
    deep: Any = None
    for _ in range(3000):
        deep = [deep]
    assert set(parts(functions("def task():\n    return DEEP", DEEP=deep)["task"])) == {"code"}
