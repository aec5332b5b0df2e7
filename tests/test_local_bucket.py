"""The local provider: folders, layouts, links, killed writers, and functions."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import obstore
import polars as pl
import pytest

from glacier import context
from glacier.config import LambdaConfig, LocalConfig, S3Config
from glacier.errors import AccessError, ConfigError, GlacierWarning, ObjectNotFoundError
from glacier.providers import LocalProvider
from glacier.resources import Bucket, Serverless

ONE = pl.DataFrame({"n": [1]})
TWO = pl.DataFrame({"n": [2, 2]})


def provider(base: Path, **settings: object) -> LocalProvider:
    return LocalProvider(config=LocalConfig(base_path=base, **settings))


# --- the base folder and the layouts -----------------------------------------------------------------------------


def test_the_base_folder_is_made_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = provider(Path("./test data/deep"))
    assert (tmp_path / "test data" / "deep").is_dir()
    assert made.bucket("b", "x.csv").get_uri() == str(tmp_path / "test data" / "deep" / "b" / "x.csv")
    monkeypatch.chdir("/")
    made.bucket("b", "x.csv").write(ONE)
    assert (tmp_path / "test data" / "deep" / "b" / "x.csv").is_file()


def test_without_create_dirs_no_folder_is_made(tmp_path: Path) -> None:
    bucket = provider(tmp_path / "none", create_dirs=False).bucket("b", "deep/x.parquet")
    for verb in (lambda: bucket.write(ONE), bucket.get_uri, bucket.exists):
        with pytest.raises(ConfigError, match="there is no folder") as caught:
            verb()
        assert "create_dirs=True" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "none" / "b" / "deep").mkdir(parents=True)
    bucket.write(ONE)
    assert bucket.read().equals(ONE)


@pytest.mark.parametrize("base", ["file", "file/below"])
def test_a_file_cannot_be_the_base_folder(tmp_path: Path, base: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot make the folder .*: a file is in its way"):
        provider(tmp_path / base)


def test_a_base_folder_that_may_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(AccessError, match="not allowed to make the folder"):
        provider(tmp_path / "new")


def test_a_removed_base_folder_is_made_again(tmp_path: Path) -> None:
    bucket = provider(tmp_path / "base").bucket("b", "x.parquet")
    (tmp_path / "base").rmdir()
    bucket.write(ONE)
    assert bucket.read().equals(ONE)


@pytest.mark.parametrize(
    ("layout", "there", "found"),
    [
        ("auto", [], "b/x.parquet"),
        ("auto", ["x.parquet"], "x.parquet"),
        ("auto", ["b/x.parquet"], "b/x.parquet"),
        ("auto", ["x.parquet", "b/x.parquet"], "b/x.parquet"),
        ("bucket", ["x.parquet"], "b/x.parquet"),
        ("flat", ["b/x.parquet"], "x.parquet"),
    ],
)
def test_where_an_object_lies(tmp_path: Path, layout: str, there: list[str], found: str) -> None:
    for path in there:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        ONE.write_parquet(tmp_path / path)
    bucket = provider(tmp_path, layout=layout).bucket("b", "x.parquet")
    assert bucket.get_uri() == str(tmp_path / found)
    assert bucket.exists() is (found in there)


def test_patterns_and_folders_follow_the_layout(tmp_path: Path) -> None:
    (tmp_path / "2024").mkdir()
    ONE.write_parquet(tmp_path / "2024" / "a.parquet")
    local = provider(tmp_path)
    for path in ("2024", "2024/*.parquet"):
        assert local.bucket("b", path).read().equals(ONE)
        assert [entry.path for entry in local.bucket("b", path).list()] == ["2024/a.parquet"]
    local.bucket("b", "2024/b.parquet").write(TWO)
    for path in ("2024", "2024/*.parquet"):
        assert local.bucket("b", path).read().equals(TWO)


def test_special_characters_of_the_base_folder_are_literal(tmp_path: Path) -> None:
    for folder in ("a[1]*", "a1x", "year=2020"):
        local = provider(tmp_path / folder)
        local.bucket("b", "raw/x.parquet").write(pl.DataFrame({"from": [folder]}))
        for path in ("raw/x.parquet", "raw", "raw/*.parquet"):
            assert local.bucket("b", path).read().to_dicts() == [{"from": folder}]


def test_two_buckets_in_one_file_are_noticed(tmp_path: Path) -> None:
    local = provider(tmp_path, layout="flat")
    one = local.bucket("sales", "data.parquet")
    assert local.bucket("sales", "data.parquet") == one
    with pytest.warns(GlacierWarning, match=r"'customers/data.parquet' and 'sales/data.parquet' are one file"):
        other = local.bucket("customers", "data.parquet")
    one.write(ONE)
    one.write(TWO)
    with pytest.raises(ConfigError, match="both write it") as caught:
        other.write(ONE)
    assert 'layout="bucket"' in caught.value.hint
    assert one.read().equals(TWO)


# --- links -------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path: Path) -> LocalProvider:
    """A base folder with links: to a secret outside, to a file inside, in a circle."""
    base = tmp_path / "base"
    (base / "b" / "raw").mkdir(parents=True)
    (tmp_path / "base-evil").mkdir()
    for place in (tmp_path / "base-evil" / "x.parquet", base / "b" / "real.parquet"):
        ONE.write_parquet(place)
    (base / "b" / "raw" / "out").symlink_to(tmp_path / "base-evil")
    (base / "b" / "in.parquet").symlink_to("real.parquet")
    (base / "b" / "circle").symlink_to("circle")
    return provider(base)


@pytest.mark.parametrize("path", ["raw/out/x.parquet", "raw/out", "circle/x.parquet"])
def test_links_that_lead_out_are_refused_at_once(linked: LocalProvider, path: str) -> None:
    with pytest.raises(ConfigError, match=r"leads out of the base folder|cannot be followed"):
        linked.bucket("b", path)


@pytest.mark.parametrize("path", ["raw", "raw/*/x.parquet", "**/*.parquet"])
def test_folders_and_patterns_do_not_follow_links_out(linked: LocalProvider, path: str) -> None:
    for verb in ("read", "scan", "schema", "preview"):
        with pytest.raises(ConfigError, match=r"leads out of the base folder|cannot be followed"):
            getattr(linked.bucket("b", path), verb)()


def test_a_link_that_appears_later_is_refused_too(tmp_path: Path) -> None:
    bucket = provider(tmp_path / "base").bucket("b", "x.parquet")
    bucket.write(ONE)
    ONE.write_parquet(tmp_path / "secret.parquet")
    (tmp_path / "base" / "b" / "x.parquet").unlink()
    (tmp_path / "base" / "b" / "x.parquet").symlink_to(tmp_path / "secret.parquet")
    verbs = (bucket.read, bucket.scan, bucket.stat, bucket.exists, bucket.delete, bucket.url, bucket.get_uri)
    for verb in (*verbs, lambda: bucket.write(TWO), lambda: bucket.write(TWO, if_absent=True)):
        with pytest.raises(ConfigError, match="leads out of the base folder"):
            verb()
    assert pl.read_parquet(tmp_path / "secret.parquet").equals(ONE)
    assert repr(bucket) == "Bucket('b/x.parquet', format='parquet')"


def test_a_link_inside_is_followed_and_replaced_by_a_write(linked: LocalProvider) -> None:
    bucket = linked.bucket("b", "in.parquet")
    assert bucket.read().equals(ONE)
    bucket.write(TWO)
    assert bucket.read().equals(TWO)
    with pytest.warns(GlacierWarning, match="are one file"):
        real = linked.bucket("b", "real.parquet")
    assert real.read().equals(ONE)


def test_a_bucket_made_by_hand_is_checked_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1")
    for name, path in (("b", "../../secret.csv"), ("..", "secret.csv"), ("b", "/etc/hostname"), ("b", 7)):
        with pytest.raises(ConfigError):
            Bucket(provider(tmp_path / "base"), name, path).read()


@pytest.mark.parametrize("path", ["x#1", "a/x.parquet#27", "é" * 126])
def test_file_names_that_a_write_could_not_finish(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError):
        provider(tmp_path).bucket("b", path)


def test_what_the_disk_does_not_allow_is_an_access_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = provider(tmp_path).bucket("b", "x.parquet")
    bucket.write(ONE)
    monkeypatch.setattr(obstore, "head", Mock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(AccessError, match=r"not allowed to look at .*x\.parquet on local") as caught:
        bucket.stat()
    assert "owner and mode" in caught.value.hint


# --- killed writers ----------------------------------------------------------------------------------------------

KILLED = """
    import sys, time
    from pathlib import Path
    import polars as pl
    from glacier.config import LocalConfig
    from glacier.providers import LocalProvider
    from glacier.resources import writing

    writing._PART = 1 << 16
    def slow(values):
        if values.max() > 1_000_000:
            while not any(left.stat().st_size for left in Path(sys.argv[1], "b").glob("x.csv#*")):
                time.sleep(0.01)
            sys.stdout.write("writing\\n")
            sys.stdout.flush()
            time.sleep(60)
        return values
    rows = pl.LazyFrame({"n": pl.int_range(2_000_000, eager=True)})
    query = rows.with_columns(pl.col("n").map_batches(slow, return_dtype=pl.Int64, is_elementwise=True))
    LocalProvider(config=LocalConfig(base_path=sys.argv[1])).bucket("b", "x.csv").sink(query)
"""


def test_a_killed_writer_leaves_the_old_object(tmp_path: Path) -> None:
    local = provider(tmp_path)
    bucket = local.bucket("b", "x.csv")
    bucket.write(ONE)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "writing\n"
        child.send_signal(signal.SIGKILL)
    left = [file for file in (tmp_path / "b").iterdir() if file.name != "x.csv"]
    assert [file.name for file in left] == ["x.csv#1"]
    assert left[0].stat().st_size > 0
    assert bucket.read().equals(ONE)
    assert local.bucket("b", "*").list() == bucket.list()
    assert local.bucket("b", "x.csv").preview().rows.equals(ONE)
    bucket.write(TWO)
    assert left[0].exists(), "it could be another process's, still at work"
    long_ago = time.time() - 7200
    os.utime(left[0], (long_ago, long_ago))
    bucket.write(TWO)
    assert [file.name for file in (tmp_path / "b").iterdir()] == ["x.csv"]


def test_an_unfinished_write_that_ends_meanwhile_is_no_error(tmp_path: Path) -> None:
    bucket = provider(tmp_path).bucket("b", "x.csv")
    bucket.write(ONE)
    gone = tmp_path / "b" / "x.csv#5"  # a link to nothing: listed, and then not found, like a file that was renamed
    gone.symlink_to("nothing")
    bucket.write(TWO)
    assert bucket.read().equals(TWO)


def test_an_unfinished_write_does_not_disturb_a_folder(tmp_path: Path) -> None:
    local = provider(tmp_path)
    local.bucket("b", "raw/x.parquet").write(ONE)
    (tmp_path / "b" / "raw" / "x.parquet#1").write_bytes(b"PAR1 unfinished")
    assert local.bucket("b", "raw").read().equals(ONE)
    assert [entry.path for entry in local.bucket("b", "raw").list()] == ["raw/x.parquet"]


# --- configs, stand-ins, pickling --------------------------------------------------------------------------------


def test_a_clouds_config_is_kept_and_not_used(tmp_path: Path) -> None:
    config = S3Config(versioning=True, encryption="AES256", storage_class="INTELLIGENT_TIERING")
    bucket = provider(tmp_path).bucket("b", "x.parquet", config=config)
    assert bucket.config is config
    bucket.write(ONE)
    assert bucket.read().equals(ONE)


def test_making_a_bucket_touches_no_stand_in() -> None:
    stand_in = Mock()
    bucket = Bucket(provider=stand_in, bucket_name="data", path="x.parquet")
    Serverless(stand_in, "f", "m.f")
    assert stand_in.mock_calls == []
    assert bucket == Bucket(stand_in, "data", "x.parquet")
    assert bucket != Bucket(Mock(), "data", "x.parquet")
    assert hash(bucket) == hash(Bucket(stand_in, "data", "x.parquet"))
    assert stand_in.mock_calls == []


def test_a_bucket_travels_to_another_process(tmp_path: Path) -> None:
    bucket = provider(tmp_path).bucket("b", "x.parquet")
    bucket.write(ONE)
    assert pickle.loads(pickle.dumps(bucket)).read().equals(ONE)


# --- functions ---------------------------------------------------------------------------------------------------


@pytest.fixture
def functions(tmp_path: Path, request: pytest.FixtureRequest) -> LocalProvider:
    """A base folder with a module of its own name, so that no test sees another's."""
    source = """
        import os
        def echo(payload, context):
            return {"given": payload, "context": context, "level": os.environ.get("LOG_LEVEL")}
        def fail(payload, context):
            raise KeyError("no such customer")
        def odd(payload, context):
            return {1, 2}
        def narrow(payload):
            return payload
        not_callable = 3
    """
    module = f"handlers_{abs(hash(tmp_path))}"
    (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
    local = provider(tmp_path)
    local.module = module
    return local


def test_a_function_is_called_as_a_cloud_would(functions: LocalProvider) -> None:
    fn = functions.serverless("data-processor", f"{functions.module}.echo", config=LambdaConfig(memory=1024))
    assert fn.exists()
    assert fn.invoke(payload={"day": (1, 2)}) == {"given": {"day": [1, 2]}, "context": None, "level": None}
    assert fn.invoke_async({"n": 1}).result(timeout=10)["given"] == {"n": 1}
    lines = fn.logs()
    assert len(lines) == 2
    assert all(line.endswith(" ms ok") for line in lines)
    assert str(functions.config.base_path) not in sys.path


def test_a_functions_environment_lasts_for_its_call(functions: LocalProvider) -> None:
    config = LambdaConfig(environment_vars={"LOG_LEVEL": "DEBUG"})
    fn = functions.serverless("f", f"{functions.module}.echo", config=config)
    assert fn.invoke()["level"] == "DEBUG"
    assert "LOG_LEVEL" not in os.environ
    assert "DEBUG" not in repr(fn)


def test_environments_of_calls_side_by_side_leave_nothing_behind(
    functions: LocalProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
        import os, threading
        first_is_in, first_may_end = threading.Event(), threading.Event()
        def first(payload, context):
            first_is_in.set()
            return first_may_end.wait(9)
        def second(payload, context):
            first_may_end.set()
            payload and threading.Event().wait(payload)
            return os.environ["LEVEL"]
    """
    (tmp_path / f"{functions.module}_e.py").write_text(textwrap.dedent(source))
    monkeypatch.setenv("LEVEL", "outside")
    calls = {
        name: functions.serverless(
            name, f"{functions.module}_e.{name}", config=LambdaConfig(environment_vars={"LEVEL": name})
        )
        for name in ("first", "second")
    }
    pending = calls["first"].invoke_async()
    while not calls["first"].exists() or not sys.modules[f"{functions.module}_e"].first_is_in.wait(0.01):
        assert not pending.done()
    assert calls["second"].invoke(0.2) == "second"
    assert pending.result(timeout=9) is True
    assert os.environ["LEVEL"] == "outside"


def test_a_functions_own_error_is_raised_as_itself(functions: LocalProvider) -> None:
    fn = functions.serverless("f", f"{functions.module}.fail")
    with pytest.raises(KeyError, match="no such customer") as caught:
        fn.invoke({})
    assert caught.value.__notes__ == ["function 'f' on this machine"]
    with pytest.raises(KeyError):
        fn.invoke_async({}).result(timeout=10)
    assert [line.partition(" ms ")[2] for line in fn.logs()] == ["error KeyError: 'no such customer'"] * 2


@pytest.mark.parametrize(
    ("attribute", "payload", "words"),
    [
        ("echo", {1, 2}, "payload of function 'f' cannot be JSON"),
        ("echo", float("nan"), "payload of function 'f' cannot be JSON"),
        ("odd", None, "result of function 'f' cannot be JSON"),
        ("narrow", None, "does not take"),
        ("ecko", None, "did you mean 'echo'"),
        ("not_callable", None, "has no function 'not_callable'"),
    ],
)
def test_what_a_cloud_would_refuse_is_refused(
    functions: LocalProvider, attribute: str, payload: object, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        functions.serverless("f", f"{functions.module}.{attribute}").invoke(payload)


def test_a_missing_module_is_named_with_its_place(functions: LocalProvider) -> None:
    fn = functions.serverless("f", "no_such_module.handler")
    assert not fn.exists()
    with pytest.raises(ConfigError, match="there is no module 'no_such_module'") as caught:
        fn.invoke()
    assert "no_such_module.py" in caught.value.hint


def test_a_missing_import_inside_a_handlers_module_is_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "needs_more.py").write_text("import not_installed_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="not_installed_at_all"):
        provider(tmp_path).serverless("f", "needs_more.handler").invoke()


@pytest.mark.parametrize(("name", "handler"), [("a b", "m.f"), ("", "m.f"), ("f", "m."), ("f", "../m.f"), ("f", "")])
def test_names_of_functions_are_checked(tmp_path: Path, name: str, handler: str) -> None:
    with pytest.raises(ConfigError):
        provider(tmp_path).serverless(name, handler)


def test_calls_of_functions_are_recorded(functions: LocalProvider) -> None:
    recorder = Mock()
    with context.using(context.recorder, recorder):
        fn = functions.serverless("f", f"{functions.module}.echo")
        fn.invoke({"n": 1})
    recorder.resource.assert_called_once_with(fn)
    recorder.verb.assert_called_once_with(fn, "invoke", ({"n": 1},), {})
    assert fn.logs() == []


def test_functions_run_side_by_side(functions: LocalProvider, tmp_path: Path) -> None:
    source = (
        "import threading\nmeet = threading.Barrier(2)\ndef wait(payload, context):\n    return meet.wait(10) >= 0\n"
    )
    (tmp_path / f"{functions.module}_b.py").write_text(source)
    fn = functions.serverless("f", f"{functions.module}_b.wait")
    assert [future.result(timeout=20) for future in [fn.invoke_async(), fn.invoke_async()]] == [True, True]


def test_json_lines_show_a_buckets_state(tmp_path: Path) -> None:
    bucket = provider(tmp_path).bucket("b", "rows.jsonl")
    bucket.write(pl.DataFrame({"n": [1, 2]}))
    lines = Path(bucket.get_uri()).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"n": 1}, {"n": 2}]


def test_errors_name_provider_and_next_step(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"x\.parquet on local: there is no such object") as caught:
        provider(tmp_path).bucket("b", "x.parquet").read()
    assert isinstance(caught.value, FileNotFoundError)
    assert "bucket.list()" in caught.value.hint


def test_a_write_finds_the_file_in_its_way(tmp_path: Path) -> None:
    local = provider(tmp_path)
    local.bucket("b", "x").write(ONE)
    with pytest.raises(ConfigError, match="a file is in its way"):
        local.bucket("b", "x/y.parquet").write(ONE)


def test_many_threads_make_one_folder(tmp_path: Path) -> None:
    local = provider(tmp_path)
    errors: list[BaseException] = []

    def write(number: int) -> None:
        try:
            local.bucket("b", f"deep/er/{number}.parquet").write(ONE)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert local.bucket("b", "deep").read().height == 8
