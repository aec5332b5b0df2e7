"""The key of a task call: what changes it, what does not, and which part is named."""

import argparse
import dataclasses
import datetime
import decimal
import dis
import enum
import functools
import importlib
import inspect
import io
import os
import pickle
import re
import subprocess
import sys
import textwrap
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import polars as pl
import pydantic
import pytest

from glacier import GlacierEnv, Serverless
from glacier.cache import code, modules, plans
from glacier.cache import fingerprint as module
from glacier.cache.fingerprint import Fingerprint, fingerprint, fingerprint_or_warn
from glacier.cache.store import Store
from glacier.config import LocalConfig
from glacier.errors import GlacierWarning, Unfingerprintable
from glacier.providers import LocalProvider

SETTINGS = {"executor": "local", "timeout": None, "retries": 0}

FILES = {
    "work": '''
        """A module."""

        from __future__ import annotations

        import polars as pl

        import steps
        from steps import Cleaner

        RATE = 2
        NAMES = {"alpha": 1, "beta": 2}


        def scaled_by(factor):
            def scaled(column):
                return column * factor

            return scaled


        SCALED = scaled_by(3)


        def task(df, limit=10, *, strict=False):
            """Do the work."""
            # A comment.
            counted = steps.prepared(df)
            text = "kept"
            for name in NAMES:
                counted = counted + len(name)
            try:
                return SCALED(Cleaner().clean(counted)) * RATE + limit + len(text)
            except ValueError:
                return [each for each in range(RATE)]
    ''',
    "steps": """
        from deeper import rounded

        OFFSET = 1


        def prepared(df):
            return rounded(df) + OFFSET


        def unrelated():
            return 1


        class Cleaner:
            strength = 5

            def clean(self, value):
                return self.scrub(value) - self.strength

            def scrub(self, value):
                return value
    """,
    "deeper": """
        DIGITS = 2


        def rounded(value):
            return round(value, DIGITS)
    """,
}


class Project:
    """A user's own modules in a folder, imported anew after each change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            self.write(name, textwrap.dedent(text))

    def write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.py").write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / f"{name}.py").read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def task(self) -> Any:
        for name in FILES:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        for each in self.folder.glob("__pycache__/*"):
            each.unlink()
        return importlib.import_module("work").task

    def key(self, **arguments: Any) -> Fingerprint:
        return fingerprint(self.task(), {"df": 1, **arguments}, SETTINGS)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    module.is_own.cache_clear()
    yield Project(tmp_path)
    for name in FILES:
        sys.modules.pop(name, None)


def changed(before: Fingerprint, after: Fingerprint) -> set[str]:
    """The parts that differ; the keys differ exactly when there is one."""
    names = {name for name in {*before.parts, *after.parts} if before.parts.get(name) != after.parts.get(name)}
    assert (before.key != after.key) == bool(names)
    return names


CHANGES = {
    "the body of the task": ("work", "+ limit + len", "- limit + len", {"code"}),
    "a constant in the task": ("work", '"kept"', '"left"', {"code"}),
    "what an except clause catches": ("work", "except ValueError", "except KeyError", {"code"}),
    "a helper": ("steps", "rounded(df) + OFFSET", "rounded(df) - OFFSET", {"helper prepared"}),
    "a helper two calls away, in a third module": ("deeper", "round(value", "round(value + 1", {"helper rounded"}),
    "a global": ("work", "RATE = 2", "RATE = 3", {"global RATE"}),
    "the type of a global": ("work", "RATE = 2", "RATE = 2.0", {"global RATE"}),
    "a global of a helper's module": ("steps", "OFFSET = 1", "OFFSET = 2", {"global OFFSET"}),
    "a global two calls away": ("deeper", "DIGITS = 2", "DIGITS = 3", {"global DIGITS"}),
    "an item of a global dict": ("work", '"beta": 2', '"beta": 3', {"global NAMES"}),
    "the order of a global dict": (
        "work", '{"alpha": 1, "beta": 2}', '{"beta": 2, "alpha": 1}', {"global NAMES"}
    ),
    "a default": ("work", "limit=10", "limit=11", {"default limit"}),
    "a keyword-only default": ("work", "strict=False", "strict=True", {"default strict"}),
    "a closure value": ("work", "scaled_by(3)", "scaled_by(4)", {"closure scaled_by.<locals>.scaled.factor"}),
    "a nested function": ("work", "column * factor", "column / factor", {"helper scaled_by.<locals>.scaled"}),
    "a method": ("steps", "- self.strength", "+ self.strength", {"helper Cleaner.clean"}),
    "a method that a method calls": (
        "steps", "        return value\n", "        return value + 1\n", {"helper Cleaner.scrub"}
    ),
    "an attribute of a class": ("steps", "strength = 5", "strength = 6", {"helper Cleaner"}),
}  # fmt: skip

NO_CHANGES = {
    "nothing": ("work", "RATE = 2", "RATE = 2"),
    "a comment": ("work", "# A comment.", "# Another comment,\n    # of two lines."),
    "a docstring": ("work", "Do the work.", "Do the work, in other words."),
    "a module's docstring": ("work", "A module.", "Another one."),
    "lines and spaces": ("work", "RATE = 2\n", "\n\nRATE   =   2\n\n"),
    "the name of a local": ("work", "counted", "so_far"),
    "a function beside a helper": (
        "steps",
        "def unrelated():\n    return 1",
        "def unrelated():\n    return 2",
    ),
    "an annotation": ("work", "def task(df, limit=10", "def task(df: pl.DataFrame, limit: int = 10"),
    "a function that it does not reach": ("steps", "def unrelated()", "def something_else()"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_changes_the_key_and_is_named(project: Project, change: str) -> None:
    name, old, new, parts = CHANGES[change]
    before = project.key()
    project.edit(name, old, new)
    assert changed(before, project.key()) == parts


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_means_nothing_changes_nothing(project: Project, change: str) -> None:
    name, old, new = NO_CHANGES[change]
    before = project.key()
    project.edit(name, old, new)
    assert changed(before, project.key()) == set()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="since 3.14 code without a docstring keeps no place for one")
def test_a_new_docstring_changes_nothing(project: Project) -> None:
    project.edit("work", '    """Do the work."""\n', "")
    before = project.key()
    project.edit("work", "    # A comment.\n", '    """Do the work."""\n')
    assert changed(before, project.key()) == set()


def test_an_import_inside_a_function_counts_before_it_was_ever_imported(project: Project) -> None:
    project.edit("work", "    # A comment.\n", "    from late import late\n\n    late()\n")
    project.write("late", "def late():\n    return 1\n")
    sys.modules.pop("late", None)
    before = project.key()
    project.edit("late", "return 1", "return 2")
    sys.modules.pop("late")
    assert changed(before, project.key()) == {"helper late"}
    sys.modules.pop("late")


TWO = """
def plus(a):
    return a + 1


def minus(a):
    return a - 1


up, down = plus, minus


"""


def test_exchanged_helpers_are_noticed(project: Project) -> None:
    """The parts are the same, bound to each other's names."""
    project.edit("work", "def task(", f"{TWO}def task(")
    project.edit("work", "+ limit + len", "+ up(limit) + down(1) + len")
    before = project.key()
    project.edit("work", "up, down = plus, minus", "up, down = minus, plus")
    assert changed(before, project.key()) == {"code"}


def test_two_functions_of_one_factory_are_told_apart(project: Project) -> None:
    project.edit("work", "SCALED = scaled_by(3)", "SCALED, OTHER = scaled_by(3), scaled_by(4)")
    project.edit("work", "+ limit + len", "+ OTHER(limit) + len")
    before = project.key()
    project.edit("work", "scaled_by(3), scaled_by(4)", "scaled_by(4), scaled_by(3)")
    assert changed(before, project.key())


# --- arguments -------------------------------------------------------------------------------------------------------


def task(value: Any = None) -> Any:
    return value


def key(value: Any) -> Fingerprint:
    return fingerprint(task, {"value": value}, SETTINGS)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


class Model(pydantic.BaseModel):
    rate: float = 1.0
    names: set[str] = set()


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: int) -> None:
        self.x = x


frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"], "c": [0.5, None, 2.5]})
DIFFERENT: dict[str, tuple[Any, Any]] = {
    "numbers": (1, 2),
    "a bool and a number": (True, 1),
    "a number and a float": (1, 1.0),
    "zeros": (0.0, -0.0),
    "texts": ("a", "b"),
    "text and bytes": ("a", b"a"),
    "none and text": (None, "None"),
    "list and tuple": ([1], (1,)),
    "nesting": ([[1], [2]], [[1, 2]]),
    "concatenation": (["ab", "c"], ["a", "bc"]),
    "order of a list": ([1, 2], [2, 1]),
    "order of a dict": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "sets": ({1, 2}, {1, 3}),
    "set and frozenset": ({1}, frozenset({1})),
    "huge numbers": (10**5000, 10**5000 + 1),
    "dates": (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)),
    "time zones": (
        datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    ),
    "decimals": (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
    "members of an enum": (Colour.RED, Colour.BLUE),
    "objects": (Point(1), Point(2)),
    "objects in objects": (Point(1, Point(2)), Point(1, Point(3))),
    "objects with slots": (Slotted(1), Slotted(2)),
    "models": (Model(rate=1.0), Model(rate=2.0)),
    "patterns": (re.compile("a"), re.compile("a", re.I)),
    "functions": (lambda: 1, lambda: 2),
    "partials": (functools.partial(task, 1), functools.partial(task, 2)),
    "bound methods": (Point(1).__eq__, Point(2).__eq__),
    "classes": (Point, Model),
    "ranges": (range(3), range(4)),
    "slices": (slice(1), slice(2)),
    "values of a frame": (frame, frame.with_columns(a=pl.Series([1, 3, None]))),
    "order of rows": (frame, frame.reverse()),
    "order of columns": (frame, frame.select("b", "a", "c")),
    "names of columns": (frame, frame.rename({"a": "d"})),
    "types of columns": (frame, frame.with_columns(pl.col("a").cast(pl.Int32))),
    "where values are missing": (
        pl.DataFrame({"a": [None, 0]}), pl.DataFrame({"a": [0, None]})
    ),
    "missing and zero": (pl.DataFrame({"a": [None, 0]}), pl.DataFrame({"a": [0, 0]})),
    "missing and NaN": (pl.DataFrame({"a": [None, 0.5]}), pl.DataFrame({"a": [float("nan"), 0.5]})),
    "missing and empty text": (pl.DataFrame({"a": [None, "x"]}), pl.DataFrame({"a": ["", "x"]})),
    "frames without rows": (pl.DataFrame(schema={"a": pl.Int64}), pl.DataFrame(schema={"a": pl.String})),
    "enums of columns": (
        pl.DataFrame({"a": ["x"]}, schema={"a": pl.Enum(["x", "y"])}),
        pl.DataFrame({"a": ["x"]}, schema={"a": pl.Enum(["x", "z"])}),
    ),
    "lists in columns": (pl.DataFrame({"a": [[1], [2]]}), pl.DataFrame({"a": [[1, 2], []]})),
    "series": (pl.Series("a", [1, 2]), pl.Series("b", [1, 2])),
    "a series and a frame": (pl.Series("a", [1]), pl.DataFrame({"a": [1]})),
    "expressions": (pl.col("a") + 1, pl.col("a") + 2),
    "plans": (frame.lazy().filter(pl.col("a") > 1), frame.lazy().filter(pl.col("a") > 2)),
    "frames in plans": (frame.lazy(), frame.reverse().lazy()),
    "a frame and its plan": (frame, frame.lazy()),
    "functions in plans": (
        frame.lazy().map_batches(lambda df: df.head(1)), frame.lazy().map_batches(lambda df: df.head(2))
    ),
    "functions in expressions": (
        pl.col("a").map_batches(lambda s: s + 1, return_dtype=pl.Int64),
        pl.col("a").map_batches(lambda s: s + 2, return_dtype=pl.Int64),
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", DIFFERENT)
def test_different_arguments_have_different_keys(pair: str) -> None:
    one, other = DIFFERENT[pair]
    assert changed(key(one), key(other))


def shuffled(parts: int) -> pl.DataFrame:
    return pl.concat([frame[i : i + 1] for i in range(parts)], rechunk=False)


def through(kind: str) -> pl.DataFrame:
    sink = io.BytesIO()
    getattr(frame, f"write_{kind}")(sink)
    sink.seek(0)
    return getattr(pl, f"read_{kind}")(sink)


EQUAL: dict[str, tuple[Any, Any]] = {
    "a frame": (frame, frame.clone()),
    "a frame in other chunks": (frame, shuffled(3)),
    "a frame from parquet": (frame, through("parquet")),
    "a frame from arrow": (frame, through("ipc")),
    "a frame known to be sorted": (frame.select("a"), frame.select(pl.col("a").set_sorted())),
    "a slice": (frame.head(2), frame.vstack(frame).slice(3, 2)),
    "a set built otherwise": ({"a", "b", "c"}, {"c"} | {"b"} | {"a"}),
    "objects": (Point(1, [2]), Point(1, [2])),
    "models": (Model(names={"a", "b"}), Model(names={"b", "a"})),
    "methods": (Point(1, [2]).__repr__, Point(1, [2]).__repr__),
    "plans": (frame.lazy().filter(pl.col("a") > 1), frame.lazy().filter(pl.col("a") > 1)),
    "expressions": (pl.col("a") + 1, pl.col("a") + 1),
    "locks": (threading.Lock(), threading.Lock()),
}


@pytest.mark.parametrize("pair", EQUAL)
def test_equal_arguments_have_one_key(pair: str) -> None:
    one, other = EQUAL[pair]
    assert changed(key(one), key(other)) == set()


def test_a_value_that_contains_itself_ends() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [2]
    other.append(other)
    assert changed(key(one), key(other)) == {"argument value"}


def test_a_stored_result_counts_by_its_digest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, same = (store.put(name, frame, {}, "one") for name in ("aa", "bb"))
    other = store.put("cc", frame.reverse(), {}, "one")
    assert changed(key(first), key(same)) == set()
    assert changed(key([first]), key([other])) == {"argument value"}


SEED = """
import sys
sys.path.insert(0, sys.argv[1])
from glacier.cache.fingerprint import fingerprint

WORDS = {"one", "two", "three", "four", "five", "six"}

def task(value):
    return value in WORDS or value in {"alpha", "beta", "gamma", "delta", "epsilon"}

class Thing:
    def __init__(self):
        self.words = frozenset(WORDS)
        self.by_word = {word: {word} for word in sorted(WORDS)}

print(fingerprint(task, {"value": WORDS, "thing": Thing(), "nested": [({"a", "b"},)]}, {}).key)
"""


def test_sets_do_not_depend_on_the_seed_of_hashes(tmp_path: Path) -> None:
    (tmp_path / "seed.py").write_text(SEED)
    found = {
        subprocess.run(
            [sys.executable, str(tmp_path / "seed.py"), str(Path(__file__).parents[1])],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (0, 1, 2)
    }
    assert len(found) == 1
    assert re.fullmatch(r"[0-9a-f]{32}\n", found.pop())


# --- files -----------------------------------------------------------------------------------------------------------


def rewrite_with_its_time(path: Path, content: bytes) -> None:
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("size", [10, 1 << 20])
@pytest.mark.parametrize("given", [str, Path, lambda path: [{"at": str(path)}], lambda path: Point(1, path)])
def test_a_file_behind_a_path_counts_even_if_size_and_time_stay(
    tmp_path: Path, given: Callable[[Path], Any], size: int
) -> None:
    path = tmp_path / "in.bin"
    path.write_bytes(b"a" * size)
    before = key(given(path))
    assert changed(before, key(given(path))) == set()
    rewrite_with_its_time(path, b"a" * (size // 2) + b"b" + b"a" * (size - size // 2 - 1))
    assert changed(before, key(given(path))) == {"argument value"}


def test_saving_a_small_file_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("a\n1\n")
    before = key(str(path))
    path.write_text("a\n1\n")
    os.utime(path, (1, 1))
    assert changed(before, key(str(path))) == set()


def test_a_file_that_appears_or_goes_counts(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    absent = key(str(path))
    path.write_text("a\n1\n")
    present = key(str(path))
    assert changed(absent, present) == {"argument value"}
    path.unlink()
    assert changed(absent, key(str(path))) == set()


@pytest.mark.parametrize("what", ["in", "in/*.csv", "in/**/*.csv"])
def test_a_folder_or_pattern_counts_by_its_files(tmp_path: Path, what: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/one.csv").write_text("a\n1\n")
    before = key(f"{tmp_path}/{what}")
    (tmp_path / "in/two.csv").write_text("a\n2\n")
    assert changed(before, key(f"{tmp_path}/{what}")) == {"argument value"}


def test_a_file_named_in_the_code_counts(project: Project) -> None:
    data = project.folder / "rates.csv"
    data.write_text("a\n1\n")
    project.edit("work", '"kept"', repr(str(data)))
    before = project.key()
    rewrite_with_its_time(data, b"a\n2\n")
    assert changed(before, project.key()) == {f"file {data}"}


@pytest.mark.parametrize("of", ['"{}"', 'pathlib.Path("{}")'])
def test_a_file_in_a_folder_that_the_code_knows_counts(project: Project, of: str) -> None:
    data = project.folder / "data"
    data.mkdir()
    (data / "rates.csv").write_text("a\n1\n")
    project.edit("work", "RATE = 2", f"RATE = 2\nimport pathlib\nBASE = {of.format(data)}")
    project.edit("work", '"kept"', 'BASE, "rates.csv"')
    before = project.key()
    (data / "other.csv").write_text("a\n1\n")
    assert changed(before, project.key()) == set()
    (data / "rates.csv").write_text("a\n2\n")
    assert changed(before, project.key()) == {f"file {data}/rates.csv"}


def test_a_pattern_in_the_code_counts(project: Project) -> None:
    project.edit("work", '"kept"', repr(f"{project.folder}/*.csv"))
    before = project.key()
    (project.folder / "one.csv").write_text("a\n1\n")
    assert changed(before, project.key()) == {f"file {project.folder}/*.csv"}


@pytest.mark.parametrize("text", ["/", "./", "..", "a.b", "[a-z]+/.*", "/*", "**/*", "//", "/tmp", "a/[b", "*.csv"])
def test_text_that_is_no_file_is_just_text(project: Project, text: str) -> None:
    project.edit("work", '"kept"', repr(text))
    assert not any(name.startswith("file ") for name in project.key().parts)


@pytest.mark.parametrize("kind", ["parquet", "csv", "ipc", "ndjson"])
def test_a_file_behind_a_plan_counts(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"in.{kind}"
    scan = getattr(pl, f"scan_{kind}")
    getattr(frame, f"write_{kind}")(path)
    before = key(scan(path))
    assert changed(before, key(scan(path))) == set()
    getattr(frame.reverse(), f"write_{kind}")(path)
    assert changed(before, key(scan(path))) == {"argument value"}


def test_a_plan_that_reads_from_elsewhere_is_a_miss() -> None:
    with pytest.raises(Unfingerprintable, match="s3://there/in.parquet"):
        key(pl.scan_parquet("s3://there/in.parquet"))
    with pytest.raises(Unfingerprintable, match="names data elsewhere"):
        key("gs://there/in.parquet")


# --- resources -------------------------------------------------------------------------------------------------------


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=str(tmp_path / "data"))), name="here")
    env.register("sales", env.provider.bucket("shop", path="sales.parquet"))
    env.register("stock", env.provider.bucket("shop", path="stock/*.parquet"))
    env.register("hook", env.provider.serverless("hook", handler="json.dumps"))
    return env


def test_a_bucket_counts_by_what_is_in_it(env: GlacierEnv) -> None:
    absent = key(env.get("sales"))
    env.get("sales").write(frame)
    present = key(env.get("sales"))
    assert changed(absent, present) == {"resource value"}
    assert changed(present, key(env.provider.bucket("shop", path="sales.parquet"))) == set()
    env.get("sales").write(frame.reverse())
    assert changed(present, key(env.get("sales"))) == {"resource value"}


def test_a_pattern_of_a_bucket_counts_by_every_object(env: GlacierEnv) -> None:
    env.provider.bucket("shop", path="stock/one.parquet").write(frame)
    before = key(env.get("stock"))
    env.provider.bucket("shop", path="stock/two.parquet").write(frame)
    assert changed(before, key(env.get("stock"))) == {"resource value"}


def test_a_scan_of_a_bucket_counts_by_the_file(env: GlacierEnv) -> None:
    env.get("sales").write(frame)
    before = key(env.get("sales").scan())
    env.get("sales").write(frame.reverse())
    assert changed(before, key(env.get("sales").scan())) == {"argument value"}


def test_functions_are_told_apart(env: GlacierEnv) -> None:
    other = Serverless(env.provider, "hook", "json.loads")
    assert changed(key(env.get("hook")), key(other)) == {"resource value"}


def test_an_environment_counts_by_the_resources_that_the_code_names(env: GlacierEnv) -> None:
    def named() -> Any:
        return env.get("sales").read()

    def now() -> Fingerprint:
        return fingerprint(named, {}, SETTINGS)

    env.get("sales").write(frame)
    before = now()
    env.provider.bucket("shop", path="stock/one.parquet").write(frame)
    assert changed(before, now()) == set()
    env.get("sales").write(frame.reverse())
    assert changed(before, now()) == {"resource sales"}


def test_an_environment_whose_resources_are_named_by_arguments_counts_by_all(env: GlacierEnv) -> None:
    def named(which: str) -> Any:
        return env.get(which).read()

    before = fingerprint(named, {"which": "stock"}, SETTINGS)
    env.provider.bucket("shop", path="stock/one.parquet").write(frame)
    assert changed(before, fingerprint(named, {"which": "stock"}, SETTINGS)) == {"resource stock"}


def test_a_task_that_makes_buckets_while_it_runs_is_a_miss(env: GlacierEnv) -> None:
    def making() -> Any:
        return env.provider.bucket("shop", path="x.parquet").read()

    with pytest.raises(Unfingerprintable, match="makes buckets") as caught:
        fingerprint(making, {}, SETTINGS)
    assert caught.value.part == "environment here"


def test_a_task_that_a_task_calls_counts_as_a_helper(env: GlacierEnv) -> None:
    def outer_of(amount: int) -> Callable[[], Any]:
        @env.task()
        def inner() -> Any:
            return amount

        return lambda: inner()

    one, other = (fingerprint(outer_of(amount), {}, SETTINGS) for amount in (1, 2))
    assert len(changed(one, other)) == 1
    assert next(iter(changed(one, other))).endswith("inner.amount")


# --- settings and versions -------------------------------------------------------------------------------------------


def test_a_setting_counts_if_a_result_can_depend_on_it() -> None:
    before = fingerprint(task, {}, SETTINGS)
    assert changed(before, fingerprint(task, {}, {**SETTINGS, "timeout": 5.0, "retries": 3})) == set()
    assert changed(before, fingerprint(task, {}, {**SETTINGS, "executor": "process"})) == {"config"}


def test_a_value_of_a_config_object_counts() -> None:
    one, other = LocalConfig(base_path="one"), LocalConfig(base_path="two")
    assert changed(key(one), key(LocalConfig(base_path="one"))) == set()
    assert changed(key(one), key(other)) == {"argument value"}


def test_the_version_of_polars_counts() -> None:
    now, then = fingerprint(task, {}, SETTINGS), fingerprint(task, {}, SETTINGS, polars="1.0.0")
    assert changed(now, then) == {"polars"}
    assert now.parts["polars"] == pl.__version__


def test_a_library_counts_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    import tenacity

    def uses() -> Any:
        return tenacity.stop_after_attempt(3)

    before = fingerprint(uses, {}, SETTINGS)
    assert before.parts["module tenacity"]
    monkeypatch.setattr(module, "library_version", lambda name: (name.partition(".")[0], "99"))
    assert changed(before, fingerprint(uses, {}, SETTINGS)) == {"module tenacity"}


def test_a_library_that_was_not_imported_yet_counts_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def uses() -> Any:
        import tenacity

        return tenacity

    def now() -> Fingerprint:
        module.is_own.cache_clear()
        modules._version.cache_clear()
        return fingerprint(uses, {}, SETTINGS)

    monkeypatch.delitem(sys.modules, "tenacity", raising=False)
    before = now()
    assert "tenacity" not in sys.modules
    importlib.import_module("tenacity")
    assert changed(before, now()) == set()
    assert re.match(r"\d+\.\d+", before.parts["module tenacity"])


def test_a_namespace_that_the_user_registered_with_polars_counts() -> None:
    def register(amount: int) -> None:
        class Mine:
            def __init__(self, expr: pl.Expr) -> None:
                self.expr = expr

            def more(self) -> pl.Expr:
                return self.expr + amount

        with warnings.catch_warnings(action="ignore"):
            pl.api.register_expr_namespace("of_this_test")(Mine)

    def uses() -> pl.Expr:
        return pl.col("a").of_this_test.more()

    try:
        register(1)
        before = fingerprint(uses, {}, SETTINGS)
        register(1)
        assert changed(before, fingerprint(uses, {}, SETTINGS)) == set()
        register(2)
        assert changed(before, fingerprint(uses, {}, SETTINGS))
    finally:
        pl.Expr._accessors.discard("of_this_test")
        del pl.Expr.of_this_test


def test_an_attribute_of_a_function_counts() -> None:
    def helper() -> Any:
        return helper.factor

    helper.factor = 1
    before = fingerprint(helper, {}, SETTINGS)
    helper.factor = 2
    assert changed(before, fingerprint(helper, {}, SETTINGS)) == {"code"}


def test_a_class_made_while_the_program_ran_counts_by_what_is_in_it() -> None:
    one, same, other = (dataclasses.make_dataclass("Made", [name]) for name in ("a", "a", "b"))
    assert changed(key(one), key(same)) == set()
    assert changed(key(one), key(other))


def test_a_wrapped_function_counts_with_its_wrapper() -> None:
    def by(amount: int) -> Callable[..., Any]:
        @functools.lru_cache
        def add(value: int) -> int:
            return value + amount

        @functools.wraps(add)
        def wrapper(value: int) -> int:
            return add(value)

        return wrapper

    one, same, other = (fingerprint(by(amount), {}, SETTINGS) for amount in (1, 1, 2))
    assert changed(one, same) == set()
    assert changed(one, other)


def test_a_library_s_wrapper_counts_with_what_it_wraps() -> None:
    import tenacity

    def by(amount: int) -> Callable[..., Any]:
        @tenacity.retry(stop=tenacity.stop_after_attempt(2))
        def add(value: int) -> int:
            return value + amount

        return add

    one, same, other = (fingerprint(by(amount), {}, SETTINGS) for amount in (1, 1, 2))
    assert changed(one, same) == set()
    assert changed(one, other)


# --- what cannot be fingerprinted ------------------------------------------------------------------------------------


class Lake:
    """A resource of the user's own."""

    def scan(self) -> pl.LazyFrame:
        return frame.lazy()


class TellingLake(Lake):
    def __init__(self, version: int) -> None:
        self.version = version

    def __fingerprint__(self) -> str:
        return f"version {self.version}"


UNKNOWN: dict[str, Callable[[], Any]] = {
    "a generator": lambda: (each for each in range(3)),
    "an open file": lambda: io.TextIOWrapper(io.BytesIO()),
    "a mock": Mock,
    "a resource of the user's own": Lake,
    "a provider": lambda: LocalProvider(config=LocalConfig(base_path="x")),
    "an object in an object": lambda: Point(1, [Point(2, (each for each in ()))]),
    "a frame of objects": lambda: pl.DataFrame({"a": [object()]}, schema={"a": pl.Object}),
    "something very deep": lambda: functools.reduce(lambda inner, _: [inner], range(100_000), []),
    "a plan that is made later": lambda: frame.lazy().pipe_with_schema(lambda lf, schema: lf),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_cannot_be_told_is_never_a_constant(kind: str) -> None:
    with pytest.raises(Unfingerprintable) as caught:
        key(UNKNOWN[kind]())
    assert caught.value.part == "argument value"


def test_an_object_may_speak_for_itself() -> None:
    assert changed(key(TellingLake(1)), key(TellingLake(1))) == set()
    assert changed(key(TellingLake(1)), key(TellingLake(2))) == {"argument value"}


def test_what_cannot_be_fingerprinted_is_said_once_and_names_task_and_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_said", set())
    with pytest.warns(GlacierWarning, match="task 'load' is not cached: argument value: a generator"):
        assert fingerprint_or_warn("load", task, {"value": (x for x in ())}, SETTINGS) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fingerprint_or_warn("load", task, {"value": (x for x in ())}, SETTINGS) is None
    assert fingerprint_or_warn("load", task, {"value": 1}, SETTINGS) is not None


def test_a_global_that_cannot_be_told_is_named(project: Project) -> None:
    project.edit("work", "RATE = 2", "RATE = (each for each in ())")
    with pytest.raises(Unfingerprintable) as caught:
        project.key()
    assert caught.value.part == "global RATE"


def test_an_attribute_of_a_class_that_cannot_be_told_is_named(project: Project) -> None:
    project.edit("steps", "strength = 5", "strength = (each for each in ())")
    with pytest.raises(Unfingerprintable) as caught:
        project.key()
    assert caught.value.part == "helper Cleaner"


def test_data_in_a_plan_is_never_unpickled(capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that look like a pickle are the user's, wherever they are."""

    class Touch:
        def __reduce__(self) -> Any:
            return (print, ("unpickled",))

    evil = pickle.dumps(Touch(), protocol=5)
    for lazy in (
        pl.DataFrame({"function": [evil]}).lazy(),
        pl.LazyFrame().select(pl.lit(pl.Series("function", list(evil), dtype=pl.UInt8))),
        pl.DataFrame({"a": [1]}).lazy().select(pl.lit(evil).alias("scan_fn")),
    ):
        try:
            assert key(lazy).key
        except Unfingerprintable:
            continue
    assert "unpickled" not in capsys.readouterr().out


# --- the reading of code ---------------------------------------------------------------------------------------------


def every_code(root: types.CodeType) -> Iterator[types.CodeType]:
    yield root
    for const in root.co_consts:
        if isinstance(const, types.CodeType):
            yield from every_code(const)


@pytest.mark.parametrize("of", [argparse, dis, inspect, subprocess, textwrap])
def test_globals_are_those_that_python_s_own_disassembler_sees(of: types.ModuleType) -> None:
    functions = [
        each for each in vars(of).values() if isinstance(each, types.FunctionType) and each.__module__ == of.__name__
    ]
    assert functions
    for fn in functions:
        seen = {
            instruction.argval
            for each in every_code(fn.__code__)
            for instruction in dis.get_instructions(each)
            if instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}
        }
        assert set(code.facts(fn.__code__).globals) == seen


def test_a_plan_in_an_unknown_form_is_no_plan() -> None:
    for raw in (
        b"",
        b"DSL_VERSION",
        b"DSL_VERSION\xa9dsl_plans",
        b"DSL_VERSION\xa9dsl_plans\x92\x01",
        b"x\xa9dsl_plans\x90",
    ):
        with pytest.raises(Unfingerprintable):
            plans.Plan(raw)
