"""Each mistake gets an error that says what, where and the next step."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.errors import ConfigError, FormatError, GlacierError, ObjectNotFoundError, PipelineError, did_you_mean
from glacier.providers import LocalProvider


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


def reading(env: GlacierEnv, path: str, content: bytes | None):
    bucket = env.provider.bucket("raw", path=path)
    if content is not None:
        target = Path(bucket.get_uri())
        target.write_bytes(content)

    @env.task()
    def load(source: Bucket) -> pl.DataFrame:
        return source.read()

    @env.pipeline()
    def loading() -> pl.DataFrame:
        return load(bucket)

    return loading


@pytest.mark.parametrize(
    ("path", "content", "kind", "parts"),
    [
        ("absent.parquet", None, ObjectNotFoundError, ["absent.parquet", "raw"]),
        ("broken.parquet", b"PAR1 and nothing more", FormatError, ["broken.parquet", "parquet"]),
        ("text.parquet", b"a,b\n1,2\n", FormatError, ["text.parquet", "csv"]),
        ("empty.json", b"", FormatError, ["empty.json", "json"]),
    ],
)
def test_unreadable_files(env: GlacierEnv, path: str, content: bytes | None, kind: type, parts: list[str]) -> None:
    with pytest.raises(kind) as caught:
        reading(env, path, content).run()
    assert all(part in str(caught.value) for part in parts)
    assert caught.value.hint
    notes = " ".join(caught.value.__notes__)
    assert "task 'load' of pipeline 'loading' in environment 'test'" in notes


def test_a_body_that_raises_is_raised_in_every_mode(env: GlacierEnv) -> None:
    @env.pipeline()
    def broken() -> None:
        raise LookupError("no such thing")

    for mode in ("local", "analyze"):
        with pytest.raises(LookupError, match="no such thing"):
            broken.run(mode)
    assert broken.last_run.state == "failed"


def test_a_pipeline_that_calls_itself(env: GlacierEnv) -> None:
    @env.pipeline()
    def again() -> None:
        again()

    with pytest.raises(PipelineError, match="again -> again"):
        again.run()


def test_errors_render_as_one_line_and_a_hint() -> None:
    error = GlacierError("it broke", hint="mend it")
    assert error._render_traceback_() == ["GlacierError: it broke", "hint: mend it"]
    assert str(error) == "it broke (mend it)"
    assert GlacierError("it broke")._render_traceback_() == ["GlacierError: it broke"]


def test_every_error_is_also_a_builtin_and_survives_pickling() -> None:
    import pickle

    import glacier.errors as errors

    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, GlacierError) and kind is not GlacierError:
            builtins = [base for base in kind.__mro__ if base.__module__ == "builtins"]
            assert builtins[0] not in (Exception, BaseException, object), name
            copy = pickle.loads(pickle.dumps(kind("what", hint="next")))
            assert (type(copy), copy.message, copy.hint) == (kind, "what", "next")


def test_suggestions() -> None:
    assert did_you_mean("retires", ["retries", "timeout"]) == "did you mean 'retries'?"
    assert did_you_mean("xyz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("xyz", []) == "none is known yet"


def test_only_plain_functions_become_tasks_and_pipelines(env: GlacierEnv) -> None:
    import functools

    async def later() -> None: ...

    for decorate in (env.task(), env.pipeline()):
        with pytest.raises(ConfigError, match="'later' is async"):
            decorate(later)
        with pytest.raises(ConfigError, match="made of a function, not of int"):
            decorate(3)
    with pytest.raises(ConfigError, match="has no name of its own .*name="):
        env.task()(functools.partial(print))
    assert env.task(name="shout")(functools.partial(str.upper, "a"))() == "A"
