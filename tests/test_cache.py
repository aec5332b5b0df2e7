"""The store of results: what comes out is what went in, or nothing."""

import datetime
import decimal
import enum
import json
import math
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

from glacier import GlacierEnv
from glacier.cache import locks, secret, values
from glacier.cache.fingerprint import fingerprint
from glacier.cache.store import Store, Stored
from glacier.config import LocalConfig
from glacier.errors import DamagedEntryError, ForeignEntryError, GlacierWarning
from glacier.providers import LocalProvider

ROOT = Path(__file__).parents[1]
PARTS = {"code": "1"}


@pytest.fixture(autouse=True)
def key_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("user")
    with secret.using(folder):
        yield folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


class Colour(enum.Enum):
    RED = 1


@dataclass
class Model:
    name: str
    frame: pl.DataFrame
    lazy: pl.LazyFrame | None = None
    more: dict[str, Any] = field(default_factory=dict)


frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"], "c": [0.5, None, math.nan]})


def kept(store: Store, value: Any, key: str = "a" * 32) -> Stored:
    stored = store.put(key, value, PARTS, "task")
    assert stored is not None
    found = Store(store.root).get(key)
    assert found is not None
    assert found == stored
    return found


# --- values ----------------------------------------------------------------------------------------------------------

FRAMES = {
    "plain": frame,
    "no rows": frame.clear(),
    "no columns": pl.DataFrame(),
    "many chunks": pl.concat([frame[i : i + 1] for i in range(3)], rechunk=False),
    "nested": pl.DataFrame({"l": [[1, 2], None, []], "s": [{"x": 1, "y": ["a"]}, None, {"x": None, "y": []}]}),
    "dates": pl.DataFrame(
        {
            "d": [datetime.date(2026, 1, 1), None],
            "t": [datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC), None],
            "u": [datetime.timedelta(days=1), None],
            "v": [datetime.time(1, 2, 3), None],
        }
    ),
    "decimals": pl.DataFrame({"m": [decimal.Decimal("1.25"), None]}),
    "categories": pl.DataFrame(
        {"c": ["x", "y", None], "e": ["y", "x", None]}, schema={"c": pl.Categorical, "e": pl.Enum(["x", "y"])}
    ),
    "bytes": pl.DataFrame({"b": [b"\x00\xff", None]}),
    "only nulls": pl.DataFrame({"n": [None, None]}),
    "arrays": pl.DataFrame({"a": [[1, 2], [3, 4]]}, schema={"a": pl.Array(pl.Int16, 2)}),
    "odd names": pl.DataFrame({"": [1], "a/b": [2], "é\n": [3]}),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_frames_come_back(store: Store, name: str) -> None:
    one = kept(store, FRAMES[name])
    assert one.kind == "frame"
    assert one.rows == FRAMES[name].height
    assert_frame_equal(one.load(), FRAMES[name], categorical_as_str=True)


@pytest.mark.parametrize("name", FRAMES)
def test_lazy_frames_come_back_as_scans(store: Store, name: str) -> None:
    one = kept(store, FRAMES[name].lazy())
    assert one.kind == "lazy"
    assert one.rows == FRAMES[name].height
    loaded = one.load()
    assert type(loaded) is pl.LazyFrame
    assert "SCAN" in loaded.explain() or not FRAMES[name].width
    assert_frame_equal(loaded.collect(), FRAMES[name], categorical_as_str=True)


def test_a_series_comes_back(store: Store) -> None:
    one = kept(store, frame["b"])
    assert (one.kind, one.rows) == ("series", 3)
    assert_series_equal(one.load(), frame["b"])


DATA: list[Any] = [
    None,
    True,
    0,
    -(10**30),
    0.1,
    -0.0,
    math.inf,
    "text with \ud800 and \x00",
    b"\x00\xff",
    [],
    {},
    (),
    set(),
    [1, [2, (3,)], {"a": {1, 2}}],
    {1: "a", (2, 3): "b", None: "c", "dict": {"part": 1}},
    frozenset({"a"}),
    datetime.datetime(2026, 1, 1, 1, 2, 3, 4),
    datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(2026, 1, 1, fold=1),
    datetime.date(2026, 1, 1),
    datetime.time(1, 2),
    datetime.timedelta(days=-1, microseconds=1),
    decimal.Decimal("1.00"),
    complex(1, -2),
    Path("a/b"),
]


@pytest.mark.parametrize("value", DATA, ids=repr)
def test_data_comes_back_exactly_and_without_a_pickle(store: Store, value: Any) -> None:
    one = kept(store, value)
    assert one.kind == "data"
    loaded = one.load()
    assert loaded == value
    assert repr(loaded) == repr(value)
    assert type(loaded) is type(value)


def test_a_number_that_text_cannot_hold_comes_back(store: Store) -> None:
    assert kept(store, 10**5000).load() == 10**5000


def test_nan_comes_back(store: Store) -> None:
    assert math.isnan(kept(store, math.nan).load())


PICKLED: list[Any] = [
    Colour.RED,
    range(3),
    datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
    ValueError("wrong"),
    type("Text", (str,), {}) and [Colour.RED, {"a": Colour.RED}],
]


@pytest.mark.parametrize("value", PICKLED, ids=lambda value: type(value).__name__)
def test_other_values_come_back_by_pickle(store: Store, value: Any) -> None:
    one = kept(store, value)
    assert one.kind == "pickle"
    assert repr(one.load()) == repr(value)


def test_frames_in_containers_come_back_as_what_they_were(store: Store) -> None:
    one = kept(store, {"train": frame, "test": (frame.lazy(), frame["a"]), "n": 3})
    assert (one.kind, one.rows) == ("data", 9)
    loaded = one.load()
    assert_frame_equal(loaded["train"], frame)
    assert_frame_equal(loaded["test"][0].collect(), frame)
    assert_series_equal(loaded["test"][1], frame["a"])


def test_frames_in_objects_are_files_of_their_own(store: Store) -> None:
    one = kept(store, Model("m", frame, frame.reverse().lazy(), {"again": frame}))
    assert one.kind == "pickle"
    assert len(list(values.files_of(one.meta))) == 3
    loaded = one.load()
    assert_frame_equal(loaded.frame, frame)
    assert_frame_equal(loaded.lazy.collect(), frame.reverse())
    assert_frame_equal(loaded.more["again"], frame)


def test_a_plan_with_credentials_is_never_written(store: Store) -> None:
    lazy = frame.lazy().with_columns(secret=pl.lit("x"))
    kept(store, Model("m", frame, lazy))
    assert not any(b"DSL_VERSION" in path.read_bytes() for path in store.objects.iterdir())


@pytest.mark.parametrize(
    "value",
    [lambda: 1, (each for each in ()), threading.Lock(), pl.DataFrame({"a": [object()]}, schema={"a": pl.Object})],
    ids=["lambda", "generator", "lock", "objects"],
)
def test_what_cannot_be_kept_is_said_once_and_leaves_nothing(store: Store, value: Any) -> None:
    with pytest.warns(GlacierWarning, match="the result of task 'task' is not kept"):
        assert store.put("k" * 32, value, PARTS, "task") is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.get("k" * 32) is None
    assert not list(store.objects.iterdir())


def test_a_failing_query_raises_its_own_error_and_keeps_nothing(store: Store) -> None:
    bad = frame.lazy().select(pl.col("b").str.to_integer(strict=True))
    with pytest.raises(pl.exceptions.ComputeError, match="strict integer parsing"):
        store.put("k" * 32, bad, PARTS, "task")
    assert store.get("k" * 32) is None
    assert store.entries() == []


def test_equal_results_have_equal_digests_and_share_a_file(store: Store) -> None:
    chunks = pl.concat([some(0).slice(start, 100) for start in range(0, 10_000, 100)], rechunk=False)
    one, other = kept(store, some(0), "a" * 32), kept(store, chunks, "b" * 32)
    assert one.digest == other.digest
    assert len(list(store.objects.iterdir())) == 1
    assert kept(store, some(0).reverse(), "c" * 32).digest != one.digest


def test_values_can_be_written_for_others_than_the_store(tmp_path: Path) -> None:
    meta = json.loads(json.dumps(values.dump(Model("m", frame), tmp_path / "parts", context="run 1")))
    assert_frame_equal(values.load(meta, tmp_path / "parts", context="run 1").frame, frame)
    with pytest.raises(ForeignEntryError):
        values.load(meta, tmp_path / "parts", context="run 2")


# --- damage ----------------------------------------------------------------------------------------------------------

KINDS: dict[str, Callable[[], Any]] = {
    "frame": lambda: frame,
    "series": lambda: frame["b"],
    "lazy": lambda: frame.lazy(),
    "data": lambda: {"a": [1.5, "two", None], "b": (1, 2)},
    "pickle": lambda: Colour.RED,
    "frames in data": lambda: {"a": frame},
    "frames in a pickle": lambda: Model("m", frame),
}


def flipped(content: bytes, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def is_found(store: Store, key: str) -> bool:
    """Whether an entry is refused, with a warning; what is loaded is used in full."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            stored = store.get(key)
            if stored is not None:
                loaded = stored.load()
                _ = loaded.collect() if isinstance(loaded, pl.LazyFrame) else repr(loaded)
                return False
        except DamagedEntryError:
            pass
    return any("is damaged and is computed again" in str(each.message) for each in said)


@pytest.mark.parametrize("of", ["its file", "its entry"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit_is_found(store: Store, kind: str, of: str) -> None:
    one = kept(store, KINDS[kind]())
    entry = store.root / "entries" / one.key[:2] / f"{one.key}.json"
    files = [store.objects / name for name, _ in values.files_of(one.meta)]
    contents = {path: path.read_bytes() for path in (entry, *files)}
    chance, found = random.Random(kind + of), 0
    for _ in range(300):
        victim = entry if of == "its entry" else chance.choice(files)
        before = victim.stat()
        victim.write_bytes(flipped(contents[victim], chance.randrange(8 * len(contents[victim]))))
        os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
        found += is_found(Store(store.root), one.key)
        for path, content in contents.items():
            path.write_bytes(content)
    assert found == 300
    assert store.get(one.key) is not None


def old_enough(path: Path) -> None:
    """Wait until a file's last change is so long ago that a check of it is remembered."""
    while time.time() - path.stat().st_ctime < 0.1:
        time.sleep(0.02)


def test_a_file_that_was_checked_before_is_checked_again_when_it_was_touched(store: Store) -> None:
    one = kept(store, frame)
    path = store.objects / one.meta["file"]
    old_enough(path)
    one.load()
    assert (store.root / "checked" / one.digest).exists()
    content, before = path.read_bytes(), path.stat()
    for bit in (100, 2000):
        with path.open("r+b") as file:
            file.write(flipped(content, bit))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert is_found(store, one.key)
        store.put(one.key, frame, PARTS, "task")
        assert_frame_equal(Store(store.root).get(one.key).load(), frame)


def test_a_file_that_nobody_touched_is_read_in_full_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept(store, frame)
    old_enough(store.objects / one.meta["file"])
    reads: list[Path] = []
    digest = values.file_digest
    monkeypatch.setattr(values, "file_digest", lambda path: reads.append(path) or digest(path))
    for _ in range(3):
        Store(store.root).get(one.key).load()
    assert len(reads) == 1


def test_a_check_is_forgotten_after_a_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    one = kept(store, frame)
    old_enough(store.objects / one.meta["file"])
    one.load()
    reads: list[Path] = []
    digest = values.file_digest
    monkeypatch.setattr(values, "file_digest", lambda path: reads.append(path) or digest(path))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 25 * 3600)
    one.load()
    assert len(reads) == 1


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "short": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "another's": lambda path: path.write_bytes(b'{"format": 1}'),
}


@pytest.mark.parametrize("of", ["its file", "its entry"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_other_damage_is_a_miss_and_goes_into_quarantine(store: Store, kind: str, damage: str, of: str) -> None:
    one = kept(store, KINDS[kind]())
    entry = store.root / "entries" / one.key[:2] / f"{one.key}.json"
    DAMAGES[damage](entry if of == "its entry" else store.objects / one.meta["file"])
    assert is_found(Store(store.root), one.key)
    assert list((store.root / "quarantine").iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Store(store.root).get(one.key) is None


def test_a_missing_file_is_a_miss_without_a_word(store: Store) -> None:
    """Another process may have evicted it."""
    one = kept(store, frame)
    (store.objects / one.meta["file"]).unlink()
    assert Store(store.root).get(one.key) is None


def test_an_entry_of_another_version_is_a_miss(store: Store) -> None:
    one = kept(store, frame)
    entry = store.root / "entries" / one.key[:2] / f"{one.key}.json"
    other = store.root / "entries" / "bb" / f"{'b' * 32}.json"
    other.parent.mkdir()
    shutil.copy(entry, other)
    assert is_found(store, "b" * 32)


def test_a_repaired_entry_is_served_again(store: Store) -> None:
    one = kept(store, frame)
    path = store.objects / one.meta["file"]
    path.write_bytes(flipped(path.read_bytes(), 1000))
    assert is_found(store, one.key)
    assert_frame_equal(kept(store, frame).load(), frame)


# --- trust -----------------------------------------------------------------------------------------------------------


class Touch:
    """A pickle that leaves a trace when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_of_another_user_is_not_read(store: Store, tmp_path: Path) -> None:
    one = kept(store, Touch(tmp_path / "trace"))
    with secret.using(tmp_path / "somebody"):
        found = Store(store.root).get(one.key)
        assert found is not None
        with pytest.warns(GlacierWarning, match="not used"), pytest.raises(ForeignEntryError):
            found.load()
    assert not (tmp_path / "trace").exists()
    assert store.get(one.key) is not None


def test_a_forged_pickle_is_not_read(store: Store, tmp_path: Path) -> None:
    """The forger knows everything but the key: digests, names and the signature of another entry."""
    one, other = kept(store, Colour.RED, "a" * 32), kept(store, Touch(tmp_path / "trace"), "b" * 32)
    forged = {**one.meta, "digest": other.digest, "file": other.meta["file"], "size": other.meta["size"]}
    for meta in (forged, {**other.meta, "mac": one.meta["mac"]}, {**other.meta, "mac": ""}, other.meta):
        with pytest.raises(ForeignEntryError):
            values.load(meta, store.objects, context="a" * 32)
    assert not (tmp_path / "trace").exists()


def test_a_pickle_in_a_folder_that_others_may_write_is_not_read(store: Store, tmp_path: Path) -> None:
    one = kept(store, Touch(tmp_path / "trace"))
    store.objects.chmod(0o777)
    with pytest.warns(GlacierWarning, match="chmod 700"), pytest.raises(ForeignEntryError):
        one.load()
    assert not (tmp_path / "trace").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_pickle_in_a_folder_of_somebody_else_is_not_read(store: Store, tmp_path: Path) -> None:
    one = kept(store, Touch(tmp_path / "trace"))
    os.chown(store.objects, 12345, 12345)
    with pytest.warns(GlacierWarning, match="not yours alone"), pytest.raises(ForeignEntryError):
        one.load()
    assert not (tmp_path / "trace").exists()


def test_frames_of_another_user_are_read(store: Store, tmp_path: Path) -> None:
    one = kept(store, frame)
    with secret.using(tmp_path / "somebody"):
        assert_frame_equal(Store(store.root).get(one.key).load(), frame)


def test_a_key_that_others_may_read_is_refused(store: Store, key_of_the_user: Path) -> None:
    kept(store, Colour.RED)
    (key_of_the_user / "cache.key").chmod(0o644)
    with pytest.warns(GlacierWarning, match="may be read by others"):
        assert store.put("b" * 32, Colour.RED, PARTS, "task") is None


def test_nobody_else_may_look(store: Store, key_of_the_user: Path) -> None:
    kept(store, {"a": frame, "b": Colour.RED})
    with store.lock("c" * 32):
        for path in (store.root, *store.root.rglob("*"), key_of_the_user / "cache.key"):
            if path.name not in ("CACHEDIR.TAG", ".gitignore"):
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("name", ["../../evil.ipc", "/etc/passwd", "a" * 32 + "/../x.ipc", ""])
def test_an_entry_names_no_file_elsewhere(store: Store, name: str) -> None:
    one = kept(store, frame)
    with pytest.raises(DamagedEntryError):
        values.load({**one.meta, "file": name}, store.objects)


# --- several at once -------------------------------------------------------------------------------------------------

COMPUTE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import polars as pl
from glacier.cache.store import Store

folder, key = Path(sys.argv[2]), "a" * 32
store = Store(folder / "cache")
(folder / f"ready-{sys.argv[3]}").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
stored = store.get(key)
if stored is None:
    with store.lock(key):
        stored = store.get(key)
        if stored is None:
            with open(folder / "ran", "a") as file:
                file.write("x")
            time.sleep(0.3)
            stored = store.put(key, pl.DataFrame({"a": range(1000)}), {}, "task")
assert stored.load()["a"].sum() == 499500
"""


def started(script: str, *arguments: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(ROOT), *map(str, arguments)])


def appears(path: Path, within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


@pytest.mark.slow
def test_of_eight_processes_one_computes(tmp_path: Path) -> None:
    processes = [started(COMPUTE, tmp_path, number) for number in range(8)]
    for number in range(8):
        appears(tmp_path / f"ready-{number}")
    (tmp_path / "go").touch()
    assert [process.wait(120) for process in processes] == [0] * 8
    assert (tmp_path / "ran").read_text() == "x"
    assert not list((tmp_path / "cache" / "locks").iterdir())


def test_of_eight_threads_one_computes(store: Store) -> None:
    ran: list[int] = []

    def compute() -> None:
        with store.lock("a" * 32):
            if store.get("a" * 32) is None:
                ran.append(1)
                store.put("a" * 32, 1, PARTS, "task")

    threads = [threading.Thread(target=compute) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ran == [1]


HOLD = """
import subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from glacier.cache.store import Store

folder = Path(sys.argv[2])
with Store(folder / "cache").lock("a" * 32):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
    (folder / "child").write_text(str(child.pid))
    (folder / "held").touch()
    time.sleep(600)
"""


def test_a_killed_holder_frees_its_lock_even_if_its_child_lives(tmp_path: Path) -> None:
    process = started(HOLD, tmp_path)
    appears(tmp_path / "held")
    child = int((tmp_path / "child").read_text())
    try:
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        with Store(tmp_path / "cache").lock("a" * 32):
            os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def test_who_waits_is_told_who_holds_the_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_QUIET", 0)
    told: list[str] = []
    free = threading.Event()

    def hold() -> None:
        with store.lock("a" * 32):
            held.set()
            free.wait()

    held = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()

    def waiting(who: str) -> None:
        told.append(who)
        free.set()

    with store.lock("a" * 32, waiting):
        pass
    thread.join()
    assert told == [f"process {os.getpid()} on {os.uname().nodename}"]


def test_a_wait_can_be_interrupted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_QUIET", 0)

    def interrupt(who: str) -> None:
        raise KeyboardInterrupt

    with store.lock("a" * 32), pytest.raises(KeyboardInterrupt), store.lock("a" * 32, interrupt):
        pytest.fail("it was held twice")
    with store.lock("a" * 32):
        pass


WRITE = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import polars as pl
from glacier.cache.store import Store

store = Store(Path(sys.argv[2]) / "cache")
frames = [pl.DataFrame({"a": range(n, n + 20_000)}) for n in range(4)]
(Path(sys.argv[2]) / "ready").touch()
for number in range(100_000):
    store.put(f"{number % 7:032x}", frames[number % 4], {}, "task")
"""


@pytest.mark.slow
def test_killed_writers_leave_whole_entries_only(tmp_path: Path) -> None:
    good = {pl.DataFrame({"a": range(n, n + 20_000)})["a"].sum() for n in range(4)}
    chance = random.Random(1)
    for _ in range(10):
        (tmp_path / "ready").unlink(missing_ok=True)
        process = started(WRITE, tmp_path)
        appears(tmp_path / "ready")
        time.sleep(chance.random() * 0.2)
        process.kill()
        process.wait(60)
        store = Store(tmp_path / "cache")
        for number in range(7):
            stored = store.get(f"{number:032x}")
            assert stored is None or stored.load()["a"].sum() in good


# --- no space --------------------------------------------------------------------------------------------------------

FULL = """
import resource, sys, warnings
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import polars as pl
from glacier.cache.store import Store
from glacier.errors import GlacierWarning

store = Store(Path(sys.argv[2]) / "cache")
store.put("a" * 32, pl.DataFrame({"a": [1]}), {}, "small")
big = pl.DataFrame({"a": range(1_000_000)})
if sys.argv[3] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
for value in (big, big.lazy(), big["a"], {"a": big}, b"x" * (4 << 20), [object, b"x" * (4 << 20)]):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert store.put("b" * 32, value, {}, type(value).__name__) is None, type(value)
    said = [str(each.message) for each in said]
    assert len(said) == 1 and "the disk of the cache is full" in said[0], said
    assert store.get("b" * 32) is None
assert store.get("a" * 32).load().item() == 1
assert len(list(store.objects.iterdir())) == 1, list(store.objects.iterdir())
"""


def test_a_limit_on_files_is_a_warning_and_nothing_is_half_written(tmp_path: Path) -> None:
    assert started(FULL, tmp_path, "limit").wait(120) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_a_warning_and_nothing_is_half_written(small_disk: Path) -> None:
    assert started(FULL, small_disk, "disk").wait(120) == 0


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "cache")
    assert store.get("a" * 32) is None
    with store.lock("a" * 32), pytest.warns(GlacierWarning, match="cannot be made"):
        assert store.put("a" * 32, 1, PARTS, "task") is None


# --- size ------------------------------------------------------------------------------------------------------------


def some(number: int) -> pl.DataFrame:
    return pl.DataFrame({"a": range(number, number + 10_000)})


def used_at(store: Store, key: str, when: float) -> None:
    os.utime(store.root / "entries" / key[:2] / f"{key}.json", (when, when))


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    store = Store(tmp_path, limit=500_000)
    for number in range(5):
        store.put(f"{number:032x}", some(number), PARTS, "task")
        used_at(store, f"{number:032x}", 1000 + number)
    assert store.get(f"{0:032x}") is not None
    for path in store.objects.iterdir():
        os.utime(path, (1, 1))
    store.put(f"{5:032x}", some(5), PARTS, "task")
    store.put(f"{6:032x}", some(6), PARTS, "task")
    assert store.size <= 500_000
    left = {entry.key for entry in store.entries()}
    assert {f"{number:032x}" for number in (0, 5, 6)} <= left
    assert f"{1:032x}" not in left
    assert_frame_equal(store.get(f"{0:032x}").load(), some(0))


def test_what_a_lazy_frame_reads_stays(tmp_path: Path) -> None:
    store = Store(tmp_path, limit=200_000)
    store.put("a" * 32, some(0).lazy(), PARTS, "task")
    lazy = store.get("a" * 32).load()
    used_at(store, "a" * 32, 1)
    for path in store.objects.iterdir():
        os.utime(path, (1, 1))
    other = Store(tmp_path, limit=200_000)
    for number in range(1, 6):
        other.put(f"{number:032x}", some(number), PARTS, "task")
    assert_frame_equal(lazy.collect(), some(0))
    assert other.get("a" * 32) is not None


def test_a_shared_file_stays_until_its_last_entry_goes(store: Store) -> None:
    store.put("a" * 32, frame, PARTS, "one")
    store.put("b" * 32, frame, PARTS, "two")
    for path in store.objects.iterdir():
        os.utime(path, (1, 1))
    assert store.clear("one") == 1
    assert_frame_equal(store.get("b" * 32).load(), frame)
    assert store.clear("two") == 1
    assert store.size == 0


def test_drafts_of_dead_processes_are_swept_away(store: Store) -> None:
    store.put("a" * 32, frame, PARTS, "task")
    drafts = [store.objects / f".{pid}-abc.tmp" for pid in (2**22 + 1, os.getpid())]
    for draft in drafts:
        draft.touch()
        os.utime(draft, (1, 1))
    store.clear("nothing")
    assert [draft.exists() for draft in drafts] == [False, True]


def test_clear_removes_everything(store: Store) -> None:
    kept(store, frame)
    kept(store, Model("m", frame), "b" * 32)
    assert store.clear() == 2
    assert store.entries() == []
    assert store.size == 0


# --- looking ---------------------------------------------------------------------------------------------------------


def test_entries_tell_what_is_kept(store: Store) -> None:
    store.put("a" * 32, frame, PARTS, "one")
    store.put("b" * 32, {"a": 1}, PARTS, "two")
    used_at(store, "a" * 32, 1)
    assert [(entry.task, entry.kind, entry.rows) for entry in store.entries()] == [
        ("two", "data", None),
        ("one", "frame", 3),
    ]
    assert [entry.key for entry in store.entries("one")] == ["a" * 32]


def test_why_names_what_changed_since_the_last_entry(store: Store) -> None:
    rate = 2

    def task(df: Any, limit: int = 3) -> Any:
        return df, limit, rate

    first = fingerprint(task, {"df": frame, "old": 1}, {}, polars="1.0.0")
    assert str(store.why("task", first)) == "task: nothing is cached yet"
    store.put(first.key, 1, first.parts, "task")
    assert str(store.why("task", first)) == "task: cached"
    rate = 3
    second = fingerprint(task, {"df": frame.reverse(), "new": 1}, {}, polars="2.0.0")
    why = store.why("task", second)
    assert not why.hit
    assert set(why.changes) == {
        "argument df changed",
        "argument new is new",
        "argument old is gone",
        "closure rate changed",
        "polars changed from 1.0.0 to 2.0.0",
    }


# --- a bucket --------------------------------------------------------------------------------------------------------


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=str(tmp_path / "data"))))


def in_bucket(env: GlacierEnv, near: Path) -> Store:
    return Store.on(env.provider.bucket("team", path="cache"), near)


@pytest.mark.parametrize("kind", KINDS)
def test_another_machine_finds_it_in_the_bucket(env: GlacierEnv, tmp_path: Path, kind: str) -> None:
    here, there = in_bucket(env, tmp_path / "here"), in_bucket(env, tmp_path / "there")
    stored = here.put("a" * 32, KINDS[kind](), PARTS, "task")
    found = there.get("a" * 32)
    assert found == stored
    one, other = stored.load(), found.load()
    assert type(one) is type(other)
    if kind == "lazy":
        assert_frame_equal(other.collect(), frame)
    assert [entry.task for entry in there.entries()] == ["task"]
    assert there.clear() == 1
    assert in_bucket(env, tmp_path / "third").get("a" * 32) is None


def test_a_damaged_object_of_the_bucket_is_a_miss(env: GlacierEnv, tmp_path: Path) -> None:
    in_bucket(env, tmp_path / "here").put("a" * 32, frame, PARTS, "task")
    (path,) = (tmp_path / "data/team/cache/objects").iterdir()
    path.write_bytes(flipped(path.read_bytes(), 1000))
    there = in_bucket(env, tmp_path / "there")
    with pytest.warns(GlacierWarning, match="is lost"), pytest.raises(DamagedEntryError):
        there.get("a" * 32).load()
    assert in_bucket(env, tmp_path / "third").get("a" * 32) is None


def test_a_bucket_that_cannot_be_written_is_a_warning(env: GlacierEnv, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data/team").touch()
    store = in_bucket(env, tmp_path / "near")
    with pytest.warns(GlacierWarning):
        stored = store.put("a" * 32, frame, PARTS, "task")
    assert_frame_equal(stored.load(), frame)
