"""Stores that fail now and then, for ever, or say nothing: right data or an error of ours, and never a torn object."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import obstore
import polars as pl
import pytest
from servers.process import free_ports
from servers.proxy import Proxy
from stores import BUCKET, CLOUDS, KEYS, provider, proxies, stores

from glacier.errors import GlacierError, InfrastructureError, ObjectExistsError
from glacier.providers import remote
from glacier.providers.remote import RETRIES
from glacier.resources import Bucket, writing

FAULTS = ("drop", "truncate", "slow", "busy")
EVERY = (2, 3, 5)
MINUTE = 60.0
BUDGET = 2 * (RETRIES + 1)
"""Requests for one of a healthy store's: Polars tries everything again with a new store."""


def table(rows: int) -> pl.DataFrame:
    """Rows of 16 bytes that hardly compress."""
    numbers = pl.int_range(rows, eager=True)
    return pl.DataFrame({"id": numbers, "noise": numbers.hash(seed=1)})


TABLE = table(50_000)
pytestmark = pytest.mark.slow

OLD = pl.DataFrame({"id": [7]})
SMALL = pl.DataFrame({"id": [1, 2, 3]})


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    # Polars waits a second before it tries again.
    monkeypatch.setitem(remote.POLARS_PATIENCE, "retry_init_backoff_ms", 20)
    yield
    for proxy in proxies().values():
        proxy.heal()


@cache
def filled(kind: str) -> Any:
    """Place the tables that are read, and return the provider that goes through the proxy."""
    for format in ("parquet", "csv"):
        provider(kind).bucket(BUCKET, f"read/t.{format}").write(TABLE)
    return provider(kind, proxies()[kind].endpoint)


@contextmanager
def broken(proxy: Proxy, kind: str, **settings: Any) -> Iterator[None]:
    """Break responses for the length of a block that must not last a minute; then `proxy` has counted its requests."""
    proxy.reset()
    proxy.inject(kind, **{"seconds": 0.05, **settings})
    start = time.monotonic()
    try:
        yield
    finally:
        proxy.heal()
    assert time.monotonic() - start < MINUTE


def named(error: GlacierError, bucket: Bucket) -> bool:
    """Whether an error says which object of which provider it is about, and what to do."""
    return bucket.uri in str(error) and f"on {bucket.on}" in str(error) and bool(error.hint)


def right(frame: pl.DataFrame) -> bool:
    return frame.sort("id").equals(TABLE)


READS: dict[str, tuple[str, Callable[[Bucket], bool]]] = {
    "read parquet": ("read/t.parquet", lambda bucket: right(bucket.read())),
    "read csv": ("read/t.csv", lambda bucket: right(bucket.read(schema_overrides={"noise": pl.UInt64}))),
    "scan parquet": ("read/t.parquet", lambda bucket: right(bucket.scan().collect())),
    "scan csv": ("read/t.csv", lambda bucket: right(bucket.scan(schema_overrides={"noise": pl.UInt64}).collect())),
    "list": ("read", lambda bucket: [one.path for one in bucket.list()] == ["read/t.csv", "read/t.parquet"]),
    "stat": ("read/t.csv", lambda bucket: bucket.stat().size > 0),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", CLOUDS)
def test_a_read_gives_the_right_data_or_an_error_of_ours(kind: str, fault: str) -> None:
    cloud, proxy = filled(kind), proxies()[kind]
    for name, (path, read) in READS.items():
        bucket = cloud.bucket(BUCKET, path)
        proxy.reset()
        assert read(bucket)
        healthy = proxy.requests
        for every in EVERY:
            with broken(proxy, fault, every=every):
                try:
                    assert read(bucket), (name, every)
                except GlacierError as error:
                    assert fault == "truncate" and name == "list", (name, every)
                    assert named(error, bucket)
            assert proxy.requests <= BUDGET * healthy, (name, every)
            assert proxy.faults > 0 or proxy.requests < every


@pytest.mark.parametrize("fault", ["drop", "truncate", "busy"])
@pytest.mark.parametrize("kind", CLOUDS)
def test_a_store_that_always_fails_is_asked_a_few_times(kind: str, fault: str) -> None:
    cloud, proxy = filled(kind), proxies()[kind]
    for name, (path, read) in READS.items():
        bucket = cloud.bucket(BUCKET, path)
        with broken(proxy, fault), pytest.raises(InfrastructureError) as caught:
            read(bucket)
        assert named(caught.value, bucket)
        assert proxy.requests == RETRIES + 1, name


@pytest.mark.parametrize("kind", CLOUDS)
def test_a_plan_whose_store_breaks_off_ends_in_an_error(kind: str) -> None:
    frame, proxy = filled(kind).bucket(BUCKET, "read/t.parquet").scan(), proxies()[kind]
    with broken(proxy, "busy"), pytest.raises(OSError, match="503"):
        frame.collect()
    assert proxy.requests <= 2 * BUDGET, "Azure is asked for the size and for the bytes"


@pytest.mark.parametrize("kind", CLOUDS)
def test_a_store_that_says_nothing_is_given_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert timedelta(seconds=MINUTE) > 2 * remote.SILENCE
    assert 4 * int(remote.POLARS_PATIENCE["read_timeout"].removesuffix("s")) < MINUTE
    monkeypatch.setattr(remote, "SILENCE", timedelta(seconds=0.5))
    monkeypatch.setitem(remote.POLARS_PATIENCE, "read_timeout", "500ms")
    monkeypatch.setitem(remote.POLARS_PATIENCE, "retry_timeout_ms", 400)
    filled(kind)
    proxy = proxies()[kind]
    bucket = provider(kind, proxy.endpoint).bucket(BUCKET, "read/t.parquet")
    plan = bucket.scan()
    start = time.monotonic()
    for verb in (bucket.read, bucket.list, bucket.stat, bucket.exists, bucket.preview, lambda: bucket.write(OLD)):
        with broken(proxy, "slow", seconds=MINUTE), pytest.raises(InfrastructureError, match="cannot be reached"):
            verb()
    with broken(proxy, "slow", seconds=MINUTE), pytest.raises(TimeoutError):
        plan.collect()
    assert time.monotonic() - start < 15
    assert right(provider(kind).bucket(BUCKET, "read/t.parquet").read())


@pytest.mark.parametrize("kind", CLOUDS)
def test_a_refused_port_is_told_soon(kind: str) -> None:
    (port,) = free_ports(1)
    account = f"/{stores()[kind].account_name}" if kind == "azure" else ""
    bucket = provider(kind, f"http://127.0.0.1:{port}{account}").bucket(BUCKET, "read/t.parquet")
    for verb in (bucket.read, bucket.scan, bucket.list, bucket.stat, bucket.exists, lambda: bucket.write(OLD)):
        start = time.monotonic()
        with pytest.raises(InfrastructureError, match="cannot be reached") as caught:
            verb()
        assert time.monotonic() - start < 15
        assert named(caught.value, bucket)
        assert "endpoint_url" in str(caught.value.hint)


# --- writes ------------------------------------------------------------------------------------------------------


def holds(kind: str, path: str, frame: pl.DataFrame) -> bool:
    """Whether the object, as the store itself has it, is that table."""
    data = obstore.get(stores()[kind].store(BUCKET), path).bytes()
    return pl.read_parquet(io.BytesIO(bytes(data))).sort("id").equals(frame)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", CLOUDS)
def test_a_write_leaves_the_old_object_or_the_new_one(kind: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_PART", 5 << 20)
    direct, faulty, proxy = provider(kind), provider(kind, proxies()[kind].endpoint), proxies()[kind]
    failed = 0
    for frame in (SMALL, table(800_000)):
        for every in EVERY:
            path = "written/t.parquet"
            direct.bucket(BUCKET, path).write(OLD)
            bucket = faulty.bucket(BUCKET, path)
            with broken(proxy, fault, every=every):
                try:
                    bucket.sink(frame.lazy())
                except InfrastructureError as error:
                    failed += 1
                    assert named(error, bucket)
                    assert holds(kind, path, OLD) or holds(kind, path, frame)
                else:
                    assert holds(kind, path, frame)
            assert proxy.requests <= BUDGET * 6, "a look, a start, parts, the end"
    assert not failed or fault in {"drop", "truncate"}, "what only delays or refuses is got over"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", CLOUDS)
def test_a_create_makes_the_whole_object_or_none(kind: str, fault: str) -> None:
    direct, faulty, proxy = provider(kind), provider(kind, proxies()[kind].endpoint), proxies()[kind]
    for every in EVERY:
        path = f"created/{fault}-{every}.parquet"
        bucket = faulty.bucket(BUCKET, path)
        with broken(proxy, fault, every=every):
            try:
                bucket.write(SMALL, if_absent=True)
            except (InfrastructureError, ObjectExistsError) as error:
                assert fault in {"drop", "truncate"}
                assert bucket.uri in str(error)
        assert not direct.bucket(BUCKET, path).exists() or holds(kind, path, SMALL)
    assert holds(kind, path, SMALL), "every fifth response is not in the way"


@pytest.mark.parametrize("kind", ["gcp", "azure"])
def test_an_upload_whose_last_reply_is_lost_says_that_the_object_may_be_new(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_PART", 5 << 20)
    frame, path, proxy = table(800_000), "lost/t.parquet", proxies()[kind]
    bucket = provider(kind, proxy.endpoint).bucket(BUCKET, path)
    with (
        broken(proxy, "drop", times=1, match="comp=blocklist|^POST .*uploadId"),
        pytest.raises(InfrastructureError) as caught,
    ):
        bucket.sink(frame.lazy())
    assert named(caught.value, bucket)
    assert "the old or the new one" in str(caught.value.hint)
    assert holds(kind, path, frame)
