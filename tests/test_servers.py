"""The servers that the tests of the clouds stand on: real stores, and a proxy that counts and breaks."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import polars as pl
import pytest
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PermissionDeniedError, PreconditionError
from servers import azurite, gcs, process, seaweedfs
from servers.azurite import Azurite
from servers.gcs import FakeGCS
from servers.process import Process, fetch, free_ports
from servers.proxy import Fault, Proxy
from servers.seaweedfs import SeaweedFS

from glacier.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.process import Server

BUCKET = "tables"
KINDS: dict[str, type[Server]] = {"aws": SeaweedFS, "gcp": FakeGCS, "azure": Azurite}
pytestmark = pytest.mark.slow

ONCE = {"max_retries": 0}
MIB = 1 << 20


@pytest.fixture(scope="session", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in KINDS])
def server(request: pytest.FixtureRequest, servers: dict[str, Server]) -> Server:
    server = servers[request.param]
    server.make_bucket(BUCKET)
    return server


@pytest.fixture
def store(server: Server, request: pytest.FixtureRequest) -> Any:
    """A store of the test's own: a prefix, because a bucket costs S3 a quarter of a second."""
    return server.store(BUCKET, prefix=request.node.originalname)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server) as proxy:
        yield proxy


@pytest.fixture
def proxied(server: Server, proxy: Proxy) -> Any:
    return server.store(BUCKET, endpoint=proxy.endpoint, retry_config=ONCE)


def frame(rows: int) -> pl.DataFrame:
    """Rows of 16 bytes that hardly compress."""
    numbers = pl.int_range(rows, eager=True)
    return pl.DataFrame({"id": numbers, "noise": numbers.hash(seed=1)})


# --- objects ----------------------------------------------------------------------------------------------------------


def test_put_get_range_head_list_delete(store: Any) -> None:
    before = obstore.put(store, "dir/one.bin", bytes(range(256)))
    obstore.put(store, "dir/two.bin", b"2")
    obstore.put(store, "three.bin", b"")
    assert obstore.get(store, "dir/one.bin").bytes() == bytes(range(256))
    assert obstore.get_range(store, "dir/one.bin", start=10, end=20) == bytes(range(10, 20))
    assert obstore.get_ranges(store, "dir/one.bin", starts=[0, 250], ends=[2, 256])[1] == bytes(range(250, 256))
    head = obstore.head(store, "dir/one.bin")
    assert (head["size"], head["e_tag"]) == (256, before["e_tag"])
    assert sorted((one["path"], one["size"]) for one in obstore.list(store, "dir").collect()) == [
        ("dir/one.bin", 256),
        ("dir/two.bin", 1),
    ]
    here = obstore.list_with_delimiter(store)
    assert ([one["path"] for one in here["objects"]], list(here["common_prefixes"])) == (["three.bin"], ["dir"])
    obstore.delete(store, ["dir/one.bin", "dir/two.bin"])
    assert [one["path"] for one in obstore.list(store).collect()] == ["three.bin"]
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "dir/one.bin")


@pytest.mark.parametrize("key", ["a b+c.bin", "übung/50%.bin", "x=1/[y]*.bin"])
def test_keys_of_all_kinds(store: Any, key: str) -> None:
    obstore.put(store, key, io.BytesIO(key.encode()))
    obstore.copy(store, key, f"{key}.copy")
    assert obstore.get(store, f"{key}.copy").bytes() == key.encode()
    assert {key, f"{key}.copy"} <= {one["path"] for one in obstore.list(store).collect()}


def test_the_content_type_survives_put_multipart_and_copy(store: Any) -> None:
    kind = {"Content-Type": "application/vnd.apache.parquet"}
    obstore.put(store, "whole", b"1", attributes=kind)
    with obstore.open_writer(store, "parts", attributes=kind, buffer_size=5 * MIB) as writer:
        writer.write(bytes(6 * MIB))
    obstore.copy(store, "parts", "copied")
    types = [obstore.get(store, key).attributes["Content-Type"] for key in ("whole", "parts", "copied")]
    assert types == [kind["Content-Type"]] * 3


def test_create_only_has_one_winner(store: Any) -> None:
    def create(number: int) -> bool:
        with suppress(AlreadyExistsError):
            obstore.put(store, "lock", b"%d" % number, mode="create")
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(create, range(8)))
    assert won.count(True) == 1
    assert obstore.get(store, "lock").bytes() == b"%d" % won.index(True)


def test_compare_and_swap(store: Any) -> None:
    first = obstore.put(store, "state", b"1")
    swap: Any = {name: value for name, value in first.items() if value is not None}
    obstore.put(store, "state", b"2", mode=swap)
    with pytest.raises(PreconditionError):
        obstore.put(store, "state", b"3", mode=swap)
    assert obstore.get(store, "state").bytes() == b"2"


def test_multipart(store: Any) -> None:
    data = os.urandom(MIB) * 20
    obstore.put(store, "big", data, chunk_size=5 * MIB, use_multipart=True)
    assert obstore.head(store, "big")["size"] == 20 * MIB
    assert obstore.get(store, "big").bytes() == data


def test_a_writer_shows_nothing_before_it_is_closed(store: Any) -> None:
    obstore.put(store, "published", b"old")
    writer = obstore.open_writer(store, "published", buffer_size=5 * MIB)
    writer.write(bytes(11 * MIB))
    assert obstore.get(store, "published").bytes() == b"old"
    writer.close()
    assert obstore.head(store, "published")["size"] == 11 * MIB


def test_a_copy_finds_its_place_taken(server: Server, store: Any) -> None:
    if isinstance(server, SeaweedFS):
        store = server.store(BUCKET, copy_if_not_exists="multipart")
    for key in ("source", "taken"):
        obstore.put(store, key, io.BytesIO(key.encode()))
    with pytest.raises(AlreadyExistsError):
        obstore.copy(store, "source", "taken", overwrite=False)
    obstore.copy(store, "source", "free", overwrite=False)
    assert [obstore.get(store, key).bytes() for key in ("taken", "free")] == [b"taken", b"source"]


def test_an_upload_that_fails_leaves_nothing(server: Server, proxy: Proxy, proxied: Any) -> None:
    def blocks() -> Iterator[bytes]:
        yield bytes(11 * MIB)
        raise ValueError("no more rows")

    with pytest.raises(Exception, match="no more rows"):
        obstore.put(proxied, "failed", blocks(), chunk_size=5 * MIB, use_multipart=True)
    with pytest.raises(FileNotFoundError):
        obstore.head(proxied, "failed")
    aborts = [one.status for one in proxy.log if one.method == "DELETE" and "uploadId=" in one.path]
    assert aborts == ([] if isinstance(server, Azurite) else [204])


def test_a_bucket_nobody_made_takes_nothing(server: Server) -> None:
    missing = server.store("nobody-made-this", retry_config=ONCE)
    with pytest.raises((FileNotFoundError, BaseError), match=r"404 Not Found"):
        obstore.put(missing, "key", b"1", use_multipart=False)
    with pytest.raises((FileNotFoundError, BaseError), match=r"404 Not Found"):
        obstore.put(missing, "key", bytes(11 * MIB), use_multipart=True)


# --- Polars -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["parquet", "csv", "ndjson", "ipc"])
def test_polars_writes_and_scans(server: Server, suffix: str) -> None:
    uri, options, table = server.uri(BUCKET, f"polars/few.{suffix}"), server.storage_options(), frame(1000)
    getattr(table.lazy(), f"sink_{suffix}")(uri, storage_options=options)
    back = getattr(pl, f"scan_{suffix}")(uri, storage_options=options).filter(pl.col("id") >= 990).collect()
    assert back.sort("id")["id"].to_list() == list(range(990, 1000))


def test_polars_writes_in_parts_and_scans_a_glob(server: Server) -> None:
    options, table = server.storage_options(), frame(2 * MIB)
    for name in "ab":
        table.lazy().sink_parquet(
            server.uri(BUCKET, f"many/{name}.parquet"), storage_options=options, compression="uncompressed"
        )
    many = pl.scan_parquet(server.uri(BUCKET, "many/*.parquet"), storage_options=options)
    assert many.select(pl.len(), pl.col("id").sum()).collect().row(0) == (4 * MIB, 2 * table["id"].sum())


# --- credentials ------------------------------------------------------------------------------------------------------


def refused(store: Any) -> bool:
    """Whether the store lets nobody with these credentials read or write."""
    for act in (lambda: obstore.put(store, "key", b"1"), lambda: obstore.list(store).collect()):
        with pytest.raises(BaseError, match=r"\b403 Forbidden\b"):
            act()
    return True


def test_s3_checks_signatures_and_permissions() -> None:
    with SeaweedFS() as s3:
        for bucket in ("mine", "other-data"):
            obstore.put(s3.store(s3.make_bucket(bucket)), "key", b"1")
        assert refused(s3.store("mine", user=seaweedfs.Identity("testing", "wrong", ())))
        assert refused(s3.store("mine", user=seaweedfs.Identity("nobody", "testingsecret", ())))
        assert refused(s3.store("mine", user=s3.other))
        obstore.put(s3.store("other-data", user=s3.other), "key", b"2")
        reader = s3.store("mine", user=s3.reader)
        assert obstore.get(reader, "key").bytes() == b"1"
        with pytest.raises(PermissionDeniedError):
            obstore.put(reader, "key", b"3")
        with pytest.raises(PermissionError):
            pl.scan_parquet("s3://mine/key", storage_options=s3.storage_options(user=s3.other)).collect()
        url = obstore.sign(s3.store("mine"), "GET", "key", timedelta(minutes=1))
        assert fetch(url) == (200, b"1")
        assert fetch(url[:-1] + ("0" if url[-1] != "0" else "1"))[0] == 403


def test_azure_checks_keys() -> None:
    with Azurite() as azure:
        azure.make_bucket("mine")
        wrong = azure.account_key.replace("Eby8", "Eby9")
        assert refused(azure.store("mine", account_key=wrong))
        options = azure.storage_options(account_key=wrong)
        with pytest.raises(PermissionError):
            pl.DataFrame({"a": [1]}).lazy().sink_parquet(azure.uri("mine", "key"), storage_options=options)
        assert azure.make_bucket("yours") == "yours"


# --- the proxy --------------------------------------------------------------------------------------------------------


def test_the_proxy_counts_what_passes(proxy: Proxy, proxied: Any) -> None:
    obstore.put(proxied, "counted", os.urandom(3 * MIB), use_multipart=False)
    proxy.reset()
    assert len(obstore.get(proxied, "counted").bytes()) == 3 * MIB
    assert (proxy.requests, proxy.bytes, proxy.log[0].status) == (1, 3 * MIB, 200)
    proxy.reset()
    obstore.get_range(proxied, "counted", start=100, end=1100)
    assert [(one.method, one.range, one.status, one.bytes) for one in proxy.log] == [
        ("GET", "bytes=100-1099", 206, 1000)
    ]
    proxy.reset()
    assert obstore.head(proxied, "counted")["size"] == 3 * MIB
    assert (proxy.requests, proxy.bytes) == (1, 0)


def test_polars_reads_the_footer_and_the_columns_it_needs(server: Server, proxy: Proxy) -> None:
    uri, options, table = server.uri(BUCKET, "counted/wide.parquet"), server.storage_options(), frame(MIB)
    table.lazy().sink_parquet(uri, storage_options=options, compression="uncompressed", row_group_size=MIB // 8)
    options = server.storage_options(endpoint=proxy.endpoint)
    assert pl.scan_parquet(uri, storage_options=options).select("noise").head(20).collect().height == 20
    assert 8 * MIB // 8 < proxy.bytes < 3 * MIB
    assert proxy.requests <= 5


def test_the_proxy_tells_who_asked() -> None:
    with SeaweedFS() as s3, Proxy(s3) as proxy:
        s3.make_bucket("other-data")
        for user in (s3.other, seaweedfs.OWNER):
            obstore.put(s3.store("other-data", endpoint=proxy.endpoint, user=user), "key", b"1")
        assert [one.authorization.partition("Credential=")[2].partition("/")[0] for one in proxy.log] == [
            "other",
            "testing",
        ]


def test_a_large_object_passes_without_being_held(proxy: Proxy, proxied: Any) -> None:
    obstore.put(proxied, "large", bytes(40 * MIB), chunk_size=10 * MIB)
    tracemalloc.start()
    try:
        size = sum(len(block) for block in obstore.get(proxied, "large").stream(min_chunk_size=MIB))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 40 * MIB
    assert peak < 6 * MIB


def test_a_dropped_response_is_lost_but_its_work_is_done(store: Any, proxy: Proxy, proxied: Any) -> None:
    proxy.inject("drop", times=1, match="^PUT")
    with pytest.raises(GenericError):
        obstore.put(proxied, "dropped", b"1")
    assert (proxy.faults, proxy.log[0].fault) == (1, "drop")
    obstore.put(proxied, "dropped", b"2", mode="overwrite")
    assert obstore.get(proxied, "dropped").bytes() == b"2"
    assert proxy.faults == 1


def test_a_truncated_response_ends_in_an_error(proxy: Proxy, proxied: Any) -> None:
    obstore.put(proxied, "truncated", bytes(MIB), use_multipart=False)
    proxy.reset()
    proxy.inject("truncate", match="^GET")
    with pytest.raises(GenericError):
        obstore.get(proxied, "truncated").bytes()
    assert {one.fault for one in proxy.log} == {"truncate"}
    assert proxy.log[0].bytes == MIB // 2
    proxy.heal()
    assert obstore.get(proxied, "truncated").bytes() == bytes(MIB)


def test_a_slow_response_comes_late(proxy: Proxy, proxied: Any) -> None:
    obstore.put(proxied, "slow", b"1")
    proxy.inject("slow", seconds=0.3)
    start = time.monotonic()
    assert obstore.get(proxied, "slow").bytes() == b"1"
    assert time.monotonic() - start > 0.3


def test_a_busy_store_is_not_asked_and_says_so_in_its_own_words(server: Server, proxy: Proxy, proxied: Any) -> None:
    proxy.inject("busy", times=1)
    with pytest.raises(GenericError, match=r"503.*(SlowDown|ServiceUnavailable|ServerBusy)"):
        obstore.put(proxied, "busy", b"1")
    with pytest.raises(FileNotFoundError):
        obstore.head(proxied, "busy")
    assert [one.status for one in proxy.log] == [503, 404]
    patient = server.store(BUCKET, endpoint=proxy.endpoint, retry_config={"max_retries": 2})
    proxy.inject("busy", times=2)
    obstore.put(patient, "busy", b"1")
    assert obstore.get(proxied, "busy").bytes() == b"1"


def test_every_third_response_breaks(proxy: Proxy, proxied: Any) -> None:
    obstore.put(proxied, "third", b"1")
    proxy.reset()
    proxy.inject("busy", every=3)
    for _ in range(7):
        with suppress(GenericError):
            obstore.get(proxied, "third")
    assert [one.fault for one in proxy.log] == [None, None, "busy", None, None, "busy", None]


def test_polars_gets_over_faults(server: Server, proxy: Proxy) -> None:
    uri = server.uri(BUCKET, "faulty/table.parquet")
    frame(MIB // 8).lazy().sink_parquet(uri, storage_options=server.storage_options())
    options = {**server.storage_options(endpoint=proxy.endpoint), "max_retries": 5}
    for kind in ("drop", "truncate", "busy"):
        proxy.inject(kind, every=2, times=2)
        table = pl.scan_parquet(uri, storage_options=options).select(pl.col("id").sum()).collect()
        assert table.item() == frame(MIB // 8)["id"].sum()
        assert proxy.faults > 0
        proxy.reset()


def test_a_stopped_proxy_answers_nobody(server: Server) -> None:
    with Proxy(server) as proxy:
        store = server.store(BUCKET, endpoint=proxy.endpoint, retry_config=ONCE)
        obstore.put(store, "stopped", b"1")
    with pytest.raises(GenericError):
        obstore.get(store, "stopped")


def test_which_responses_a_fault_strikes() -> None:
    assert [count for count in range(1, 11) if Fault("drop", every=3, times=2).strikes(count)] == [3, 6]
    assert [count for count in range(1, 4) if Fault("drop").strikes(count)] == [1, 2, 3]


# --- processes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "kind"), [(seaweedfs, SeaweedFS), (gcs, FakeGCS), (azurite, Azurite)])
def test_a_missing_binary_is_an_error(module: Any, kind: type[Server], monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "BINARY", Path("/nowhere/binary"))
    with pytest.raises(InfrastructureError, match=r"is not installed.*binary.*missing.*make servers"), kind():
        pass


def test_a_process_that_ends_shows_the_tail_of_its_log(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "print('port taken'); raise SystemExit(3)"], tmp_path / "demo.log")
    with pytest.raises(InfrastructureError, match=r"'demo' ended with code 3 .*port taken"):
        process.wait_until(lambda: False)


def test_a_process_that_never_answers_is_given_up(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "input('hello')"], tmp_path / "demo.log")
    sleeper = Process(["sleep", "60"], tmp_path / "sleep.log")
    with pytest.raises(InfrastructureError, match=r"did not answer within 0.1 s"):
        sleeper.wait_until(lambda: False, seconds=0.1)
    for one in (process, sleeper):
        one.stop()
        assert not is_alive(one.pid)


def is_alive(pid: int) -> bool:
    """Whether the process runs: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[Process] = []
    thread = threading.Thread(target=lambda: started.append(Process(["sleep", "60"], tmp_path / "sleep.log")))
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert is_alive(started[0].pid)
    started[0].stop()


def test_a_server_dies_with_the_tests(tmp_path: Path) -> None:
    code = """if True:
        import sys, time
        from pathlib import Path
        from servers.process import Process
        process = Process(["sleep", "60"], Path(sys.argv[1], "sleep.log"))
        process.wait_until(lambda: b"sleep" == Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\\0")[0])
        print(process.pid, flush=True)
        time.sleep(60)
    """
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    parent = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    end = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(pid)


def test_free_ports_are_free_and_so_are_their_twins() -> None:
    ports = free_ports(5, twin=10000)
    assert len({*ports, *(port + 10000 for port in ports)}) == 10


def test_a_free_port_is_given_away_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PORTS", range(20900, 20910))
    here = free_ports(3)
    code = "from servers import process; process.PORTS = range(20900, 20910); print(*process.free_ports(10))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    there = {int(port) for port in done.stdout.split()}
    assert there
    assert not there & set(here)
    assert not set(free_ports(10)) & set(here)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_is_ready_in_time_and_stops_for_sure(kind: str) -> None:
    start = time.monotonic()
    with KINDS[kind]() as server:
        ready = time.monotonic() - start
        obstore.put(server.store(server.make_bucket("first")), "key", b"1")
    assert ready < 10, "three seconds on an idle machine"
    assert fetch(server.endpoint)[0] == 0
