"""Pipelines with cached tasks: which tasks run again after a change, and that no result is ever stale."""

import importlib
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from glacier import Bucket, GlacierEnv, home
from glacier.cache import fingerprint as keys
from glacier.cache import secret
from glacier.config import LocalConfig
from glacier.errors import GlacierWarning
from glacier.providers import LocalProvider

FILES = {
    "flow": """
        import polars as pl

        import tools
        from glacier import GlacierEnv
        from glacier.config import LocalConfig
        from glacier.providers import LocalProvider

        env = GlacierEnv(LocalProvider(config=LocalConfig(base_path="{base}")))
        RATE = 2


        def kept(df):
            return tools.positive(df)


        def powers_of(base):
            def power(exponent):
                return base**exponent

            return power


        square = powers_of(3)


        class Scale:
            step = 1

            def of(self, df):
                return df.with_columns(pl.col("a") * RATE + self.step)


        @env.task(cache=True)
        def load(path: str) -> pl.DataFrame:
            # The first step.
            return pl.read_csv(path)


        @env.task(cache=True)
        def clean(df, limit=100):
            found = kept(df)
            return found.head(limit)


        @env.task(cache=True)
        def scale(df):
            return Scale().of(df)


        @env.task(cache=True)
        def total(df, words=frozenset()):
            return df["a"].sum() + square(2) + len(words)


        @env.pipeline()
        def report(path, words=frozenset()):
            return total(scale(clean(load(path))), words)


        @env.task(cache=True)
        def counted(df) -> int:
            return df.lazy().select(pl.len()).collect().item()


        @env.pipeline()
        def count(df):
            return counted(df)
    """,
    "tools": """
        import polars as pl

        FLOOR = 0


        def above(df, floor):
            return df.filter(pl.col("a") > floor)


        def positive(df):
            return above(df, FLOOR)
    """,
}
ALL = {"load", "clean", "scale", "total"}


class Project:
    """A pipeline in files, loaded anew for each run as a new process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "in.csv"
        self.data.write_text("a\n1\n2\n-3\n")
        for name, text in FILES.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text).replace("{base}", str(folder / "base")))

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / f"{name}.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def module(self) -> Any:
        forget()
        for each in self.folder.glob("__pycache__/*"):
            each.unlink()
        importlib.invalidate_caches()
        return importlib.import_module("flow")

    def run(self, pipeline: str = "report", **params: Any) -> set[str]:
        """Run, compare the value with that of a run without a cache, and return which tasks ran."""
        given = params or {"path": str(self.data)}
        flow = getattr(self.module(), pipeline)
        value = flow.run(**given)
        ran = {name for name, state in states(flow).items() if state != "cached"}
        with home.using(self.folder / f"apart-{time.monotonic_ns()}"):
            assert getattr(self.module(), pipeline).run(**given) == value
        return ran


def forget() -> None:
    for name in FILES:
        sys.modules.pop(name, None)


def states(pipeline: Any) -> dict[str, str]:
    return {step.name: step.state for step in pipeline.last_run.tasks}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    keys.is_own.cache_clear()
    yield Project(tmp_path)
    forget()


EDITS: dict[str, tuple[str, str, str, set[str]]] = {
    "nothing": ("flow", "RATE = 2", "RATE = 2", set()),
    "a comment": ("flow", "# The first step.", "# The very first step,\n    # in two lines.", set()),
    "the name of a local": ("flow", "found", "left", set()),
    "the body of the first task": ("flow", "return pl.read_csv(path)", "return pl.read_csv(path).head(1)", ALL),
    "the body of a task, with the same result": ("flow", "pl.read_csv(path)", "pl.read_csv(path).head(10)", {"load"}),
    "the body of a task in the middle": ("flow", "head(limit)", "head(1)", {"clean", "scale", "total"}),
    "a helper in the same module": (
        "flow", "return tools.positive(df)", "return tools.positive(df).head(1)", {"clean", "scale", "total"}
    ),
    "a helper in another module": ("tools", "above(df, FLOOR)", "above(df, 1)", {"clean", "scale", "total"}),
    "a helper two calls away": ("tools", "> floor", ">= floor + 2", {"clean", "scale", "total"}),
    "a helper two calls away, with the same result": ("tools", "> floor", ">= floor", {"clean"}),
    "a global": ("flow", "RATE = 2", "RATE = 3", {"scale", "total"}),
    "a global of another module": ("tools", "FLOOR = 0", "FLOOR = 1", {"clean", "scale", "total"}),
    "a default": ("flow", "limit=100", "limit=1", {"clean", "scale", "total"}),
    "a closure value": ("flow", "powers_of(3)", "powers_of(4)", {"total"}),
    "a method": ("flow", "+ self.step", "- self.step", {"scale", "total"}),
    "an attribute of a class": ("flow", "step = 1", "step = 2", {"scale", "total"}),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_a_change_runs_exactly_what_depends_on_it(project: Project, edit: str) -> None:
    name, old, new, ran = EDITS[edit]
    assert project.run() == ALL
    project.edit(name, old, new)
    assert project.run() == ran
    assert project.run() == set()


def test_a_file_of_the_same_size_behind_a_path_runs_what_depends_on_it(project: Project) -> None:
    assert project.run() == ALL
    project.data.write_text("a\n1\n5\n-3\n")
    assert project.run() == ALL
    project.data.write_text("a\n1\n5\n-4\n")
    assert project.run() == {"load", "clean"}
    project.data.write_text("a\n1\n5\n-4\n")
    assert project.run() == set()


def test_the_version_of_polars_runs_everything(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.run() == ALL
    monkeypatch.setattr(keys, "_polars_version", lambda: "99.0.0")
    assert project.run() == ALL


def test_an_executor_runs_what_uses_it(project: Project) -> None:
    assert project.run() == ALL
    project.edit("flow", "@env.task(cache=True)\ndef scale", '@env.task(cache=True, executor="process")\ndef scale')
    assert project.run() == {"scale"}


def test_a_set_is_the_same_however_it_was_built(project: Project) -> None:
    path = str(project.data)
    assert project.run(path=path, words={"a", "b", "c"}) == ALL
    assert project.run(path=path, words={"c"} | {"b"} | {"a"}) == set()
    assert project.run(path=path, words={"a", "b"}) == {"total"}


def table(path: Path) -> pl.DataFrame:
    frame = pl.DataFrame({"a": range(1000)})
    frame.write_parquet(path, row_group_size=100)
    return frame


INPUTS: dict[str, Callable[[Path], Any]] = {
    "an equal frame": lambda path: table(path).clone(),
    "a frame in other chunks": lambda path: pl.concat([table(path).slice(n, 10) for n in range(0, 1000, 10)]),
    "a frame from a file": lambda path: (table(path), pl.read_parquet(path))[1],
}


@pytest.mark.parametrize("kind", INPUTS)
def test_an_equal_frame_is_the_same(project: Project, kind: str) -> None:
    path = project.folder / "in.parquet"
    assert project.run("count", df=table(path)) == {"counted"}
    assert project.run("count", df=INPUTS[kind](path)) == set()
    assert project.run("count", df=table(path).head(1)) == {"counted"}


def test_a_file_behind_a_lazy_frame_runs_what_depends_on_it(project: Project) -> None:
    path = project.folder / "in.parquet"
    frame = table(path)
    assert project.run("count", df=pl.scan_parquet(path)) == {"counted"}
    assert project.run("count", df=pl.scan_parquet(path)) == set()
    frame.head(999).write_parquet(path)
    assert project.run("count", df=pl.scan_parquet(path)) == {"counted"}


def test_what_cannot_be_fingerprinted_runs_each_time_and_is_said(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_said", set())
    project.edit("flow", "step = 1", "step = (each for each in ())")
    project.edit("flow", "self.step", "1")
    with pytest.warns(GlacierWarning, match=r"task 'scale' is not cached: helper Scale: a generator"):
        assert project.run() == ALL
    assert project.run() == {"scale"}


def test_a_cached_task_that_writes_is_warned_of_once(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)))
    for name in ("wanted", "other"):
        env.register(name, env.provider.bucket("data", path=f"{name}.parquet"))
    env.get("other").write(pl.DataFrame({"a": [1]}))

    @env.task(cache=True)
    def saved_too(wanted: Bucket, other: Bucket) -> int:
        wanted.write(other.read())
        return 1

    @env.task(cache=True)
    def saved_by_name() -> int:
        env.get("wanted").delete()
        return 1

    @env.task(cache=True)
    def only_read(other: Bucket, handed_on: Bucket) -> int:
        return other.read().height + len(handed_on.get_uri())

    for _ in range(2):
        saved_too.run()
        saved_by_name.run()
        only_read.run(handed_on=env.get("wanted"))
    told = [str(each.message) for each in recwarn if "cache=True" in str(each.message)]
    start = "has cache=True and writes to 'wanted': where its result is kept it does not run"
    assert [each.partition(",")[0] for each in told] == [
        f"task {name!r} {start}" for name in ("saved_too", "saved_by_name")
    ]


def test_the_task_explains_itself(project: Project) -> None:
    assert project.run() == ALL
    assert project.module().scale.explain_cache().hit
    project.edit("flow", "RATE = 2", "RATE = 3")
    assert str(project.module().scale.explain_cache()) == "scale: global RATE changed"
    project.edit("tools", "> floor", ">= floor")
    assert str(project.module().clean.explain_cache()) == "clean: helper above changed"


PROCESS = """
import sys
sys.path[:0] = [{root!r}, {folder!r}]
from pathlib import Path
from glacier import home
from glacier.cache import secret

with home.using({memory!r}), secret.using(Path({key!r})):
    import flow

    print(flow.report.run(path={data!r}, words={{"one", "two", "three"}}))
    print({{step.name for step in flow.report.last_run.tasks if step.state != "cached"}} or "nothing")
"""


@pytest.mark.slow
def test_a_new_process_finds_what_another_kept(project: Project, tmp_path: Path) -> None:
    script = PROCESS.format(
        root=str(Path(__file__).parents[1]),
        folder=str(project.folder),
        memory=str(tmp_path / "memory"),
        key=str(tmp_path / "key"),
        data=str(project.data),
    )
    printed = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    ]
    assert printed[0][0] == printed[1][0]
    assert printed[1][1] == "nothing"


def test_frames_and_plans_come_back_as_themselves(project: Project) -> None:
    project.edit(
        "flow",
        "@env.pipeline()\ndef count",
        "@env.task(cache=True)\ndef lazily(df) -> pl.LazyFrame:\n    return df.lazy().filter(pl.col('a') > 1)\n\n\n"
        "@env.pipeline()\ndef both(df):\n    return df, lazily(df)\n\n\n@env.pipeline()\ndef count",
    )
    frame = pl.DataFrame({"a": [1, 2, 3]})
    for expected in ("done", "cached"):
        flow = project.module().both
        eager, lazy = flow.run(df=frame)
        assert states(flow) == {"lazily": expected}
        assert type(lazy) is pl.LazyFrame
        assert_frame_equal(eager, frame)
        assert_frame_equal(lazy.collect(), frame.filter(pl.col("a") > 1))


def test_a_damaged_result_is_computed_again(project: Project) -> None:
    assert project.run() == ALL
    for path in (home.home() / "cache/objects").iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.warns(GlacierWarning, match="is damaged and is computed again"):
        project.run()
    project.run()
    assert project.run() == set()


def test_the_key_is_not_in_the_project(project: Project, tmp_path: Path) -> None:
    with secret.using(tmp_path / "user"):
        project.run()
    assert not list((home.home() / "cache").rglob("*.key"))
