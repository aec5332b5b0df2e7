"""Writes that fail, early, late or by a killed process, leave the old object byte for byte, and nothing else."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from servers.proxy import Exchange
from stores import BUCKET, CLOUDS, KEYS, provider, proxies, stores

from glacier.config import LocalConfig
from glacier.errors import GlacierError
from glacier.providers import LocalProvider
from glacier.resources import writing

FORMATS = ("parquet", "csv", "json", "ndjson", "ipc")
STORES = ("local", *CLOUDS)
OLD = pl.DataFrame({"id": [7]})
pytestmark = pytest.mark.slow

PART = "^PUT .*(partNumber=|comp=block&)"
ROWS, LATE = 1_600_000, 1_500_000


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    # What S3 takes at least (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
    monkeypatch.setattr(writing, "_PART", 5 << 20)
    yield
    for proxy in proxies().values():
        proxy.heal()


def place(kind: str, folder: Path) -> Any:
    """Return the provider of a store; of a cloud's, seen through the proxy."""
    if kind == "local":
        return LocalProvider(config=LocalConfig(base_path=folder))
    return provider(kind, proxies()[kind].endpoint)


def raw(kind: str, folder: Path, path: str) -> bytes:
    """Return an object's bytes, not asking Glacier."""
    if kind == "local":
        return (folder / BUCKET / path).read_bytes()
    return bytes(obstore.get(stores()[kind].store(BUCKET), path).bytes())


def names(kind: str, folder: Path, prefix: str) -> list[str]:
    """Return the paths of all objects below a prefix; on this machine, of all files."""
    if kind == "local":
        files = (folder / BUCKET / prefix).rglob("*")
        return sorted(str(file.relative_to(folder / BUCKET)) for file in files if file.is_file())
    return sorted(meta["path"] for meta in obstore.list(stores()[kind].store(BUCKET), prefix).collect())


def pending(kind: str) -> int:
    """Count the uploads that were begun and neither completed nor given up, where a store can tell."""
    if kind == "aws":
        return len(stores()[kind].client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))
    # Azure gives no upload up: blocks that nobody commits are no object, and forgotten after a week
    # (https://learn.microsoft.com/rest/api/storageservices/put-block).
    return len(stores()[kind]._front.uploads) if kind == "gcp" else 0


def parts(kind: str) -> list[Exchange]:
    """Return the requests that sent a part to a cloud."""
    return [one for one in proxies()[kind].log if re.search(PART, f"{one.method} {one.path}")]


def early() -> pl.LazyFrame:
    return pl.LazyFrame({"id": [1]}).select("nothing")


def rows() -> pl.LazyFrame:
    numbers = pl.int_range(ROWS, eager=True)
    return pl.LazyFrame({"id": numbers, "noise": numbers.hash(seed=1)})


def late_cast() -> pl.LazyFrame:
    text = pl.when(pl.col("id") == LATE).then(pl.lit("x")).otherwise(pl.col("id").cast(pl.String))
    return rows().with_columns(id=text.cast(pl.Int64))


def late_python() -> pl.LazyFrame:
    def checked(values: pl.Series) -> pl.Series:
        if values.max() >= LATE:
            raise ArithmeticError("a row of the user's was bad")
        return values

    return rows().with_columns(pl.col("id").map_batches(checked, return_dtype=pl.Int64, is_elementwise=True))


FAILING: dict[str, tuple[Any, Any, str]] = {
    "early": (early, pl.exceptions.ColumnNotFoundError, "nothing"),
    "late-cast": (late_cast, pl.exceptions.InvalidOperationError, "conversion"),
    "late-python": (late_python, (ArithmeticError, pl.exceptions.ComputeError), "a row of the user's was bad"),
}


@pytest.mark.slow
def test_a_failing_query_leaves_every_old_object_byte_for_byte_for_good(tmp_path: Path) -> None:
    before: dict[tuple[str, str], bytes] = {}
    begun = {kind: pending(kind) for kind in STORES}
    for proxy in proxies().values():
        proxy.reset()
    for kind in STORES:
        for format in FORMATS:
            for name, (query, error, words) in FAILING.items():
                path = f"failed/{name}.{format}"
                target = place(kind, tmp_path).bucket(BUCKET, path)
                target.write(OLD)
                before[kind, path] = raw(kind, tmp_path, path)
                with pytest.raises(error, match=words) as caught:
                    target.sink(query())
                assert not isinstance(caught.value, GlacierError)
                assert raw(kind, tmp_path, path) == before[kind, path], (kind, path)
    for kind in CLOUDS:
        assert parts(kind), "of the late failures, some had parts on their way"
    time.sleep(5)
    for (kind, path), data in before.items():
        assert raw(kind, tmp_path, path) == data, (kind, path)
    for kind in STORES:
        assert names(kind, tmp_path, "failed") == sorted(path for store, path in before if store == kind)
        assert pending(kind) == begun[kind]


@pytest.mark.parametrize("kind", STORES)
def test_what_a_failed_write_sent_does_not_reach_the_next_object(kind: str, tmp_path: Path) -> None:
    target = place(kind, tmp_path).bucket(BUCKET, "again/t.parquet")
    with pytest.raises(pl.exceptions.InvalidOperationError):
        target.sink(late_cast())
    assert not target.exists()
    target.sink(rows().filter(pl.col("id") < LATE))
    found = target.scan().select(pl.len(), pl.col("id").sum()).collect().row(0)
    assert found == (LATE, LATE * (LATE - 1) // 2)


@pytest.mark.parametrize("kind", CLOUDS)
def test_a_store_that_fails_within_an_upload_leaves_the_old_object(kind: str, tmp_path: Path) -> None:
    path = "refused/t.parquet"
    target = place(kind, tmp_path).bucket(BUCKET, path)
    target.write(OLD)
    before, begun = raw(kind, tmp_path, path), pending(kind)
    proxies()[kind].inject("busy", match=PART)
    with pytest.raises(GlacierError, match=rf"cannot write .*{path} on {kind}: the store is too busy"):
        target.sink(rows())
    assert raw(kind, tmp_path, path) == before
    assert names(kind, tmp_path, "refused") == [path]
    assert pending(kind) == begun


WRITER = """
import sys, time
import polars as pl
from glacier.resources import writing
from test_failed_writes import LATE, Path, place, proxies, rows
import stores
kind, folder, endpoint = sys.argv[1:]
writing._PART = 5 << 20
def waits(values):
    if values.max() >= LATE:
        time.sleep(60)
    return values
provider = place(kind, Path(folder)) if kind == "local" else stores.provider(kind, endpoint)
query = rows().with_columns(pl.col("id").map_batches(waits, return_dtype=pl.Int64, is_elementwise=True))
provider.bucket(stores.BUCKET, "killed/t.parquet").sink(query)
"""


def uploading(kind: str, folder: Path) -> bool:
    """Whether a part of the object is in the store."""
    if kind == "local":
        return any(file.stat().st_size for file in (folder / BUCKET / "killed").glob("t.parquet#*"))
    return any(
        one.status in (200, 201)
        for one in proxies()[kind].log
        if "partNumber=" in one.path or "comp=block&" in one.path
    )


@pytest.mark.parametrize("kind", STORES)
def test_a_killed_process_leaves_the_old_object(kind: str, tmp_path: Path) -> None:
    path = "killed/t.parquet"
    target = place(kind, tmp_path).bucket(BUCKET, path)
    target.write(OLD)
    before = raw(kind, tmp_path, path)
    endpoint = ""
    if kind in CLOUDS:
        proxies()[kind].reset()
        endpoint = proxies()[kind].endpoint
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent)])
    command = [sys.executable, "-c", WRITER, kind, tmp_path, endpoint]
    writer = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})
    try:
        end = time.monotonic() + 30
        while not uploading(kind, tmp_path) and writer.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        assert uploading(kind, tmp_path)
        assert writer.poll() is None
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert raw(kind, tmp_path, path) == before
    assert [entry.path for entry in place(kind, tmp_path).bucket(BUCKET, "killed").list()] == [path]
    target.write(pl.DataFrame({"id": [8]}))
    assert target.read()["id"].to_list() == [8]
