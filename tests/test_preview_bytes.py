"""Previews on real servers: the bytes that pass are those that the preview says, and no more than they must be."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import obstore
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from servers.azurite import Azurite
from servers.gcs import FakeGCS
from servers.proxy import Proxy
from servers.seaweedfs import SeaweedFS

from glacier.config import AwsConfig, AzureConfig, GcpConfig
from glacier.errors import FormatError, InfrastructureError, ObjectNotFoundError
from glacier.providers import AWSProvider, AzureProvider, GCPProvider
from glacier.resources import parquet_footer, peeking
from glacier.resources.parts import STEP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.process import Server

    from glacier.resources import Bucket

BUCKET = "tables"
NOBODY = "00000000-0000-0000-0000-000000000000"
KINDS: dict[str, type[Server]] = {"s3": SeaweedFS, "gcs": FakeGCS, "azure": Azurite}
ROWS = 100_000
WIDE = pl.DataFrame({"id": range(ROWS)}).with_columns(
    **{f"f{n}": pl.col("id").hash(n) // 2 for n in range(4)}, city=pl.format("city {}", pl.col("id") % 97)
)


class Place:
    """A provider whose requests pass the proxy, and the server behind it."""

    def __init__(self, kind: str, server: Server, proxy: Proxy) -> None:
        self.kind, self.proxy = kind, proxy
        self.store = server.store(BUCKET)
        self.provider = provider(kind, proxy.endpoint)

    def put(self, path: str, frame: pl.DataFrame | bytes, **options: Any) -> bytes:
        file = io.BytesIO(frame if isinstance(frame, bytes) else b"")
        if isinstance(frame, pl.DataFrame):
            getattr(frame, f"write_{path.rpartition('.')[2]}")(file, **options)
        obstore.put(self.store, path, file.getvalue())
        return file.getvalue()

    def bucket(self, path: str) -> Bucket:
        self.proxy.reset()
        return self.provider.bucket(BUCKET, path)

    @property
    def requests(self) -> list[str]:
        return [exchange.method for exchange in self.proxy.log]


def provider(kind: str, endpoint: str) -> Any:
    if kind == "s3":
        return AWSProvider(config=AwsConfig(region=SeaweedFS.region, endpoint_url=endpoint))
    if kind == "gcs":
        return GCPProvider(config=GcpConfig(project_id="testing", endpoint_url=endpoint))
    where: Any = {"subscription_id": NOBODY, "resource_group": "testing", "location": "westeurope"}
    account: Any = {"storage_account": Azurite.account_name, "account_key": Azurite.account_key}
    return AzureProvider(config=AzureConfig(**where, **account, endpoint_url=endpoint))


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, Server]]:
    with KINDS[request.param]() as server:
        server.make_bucket(BUCKET)
        yield request.param, server


@pytest.fixture
def place(server: tuple[str, Server], monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SeaweedFS.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SeaweedFS.secret_key)
    with Proxy(server[1]) as proxy:
        yield Place(*server, proxy)


def footer_and_first_group(data: bytes, columns: list[str]) -> int:
    """Return the bytes that no reader can do without; a footer shorter than the first request counts as that."""
    size = parquet_footer.footer_length(data[-8:])
    group = parquet_footer.read_footer(data[-8 - size : -8], 1).groups[0]
    return max(size + 8, STEP) + sum(chunk.size for chunk in group.chunks if chunk.column in columns)


@pytest.mark.parametrize("columns", [None, ["id"], ["f0", "city"]], ids=str)
def test_parquet_is_footer_and_column_chunks(place: Place, columns: list[str] | None) -> None:
    data = place.put("big.parquet", WIDE, row_group_size=20_000)
    shown = place.bucket("big.parquet").preview(columns=columns)
    assert_frame_equal(shown.rows, WIDE.select(columns or WIDE.columns).head(20))
    assert (shown.total, shown.size) == (ROWS, len(data))
    least = footer_and_first_group(data, columns or WIDE.columns)
    assert shown.fetched == place.proxy.bytes
    # Polars leaves some bytes between chunks, which cost less than a request.
    assert least <= place.proxy.bytes < least * 1.001
    ranges = 1 if columns != ["f0", "city"] else 2
    assert place.requests == ["HEAD"] * (place.kind == "azure") + ["GET"] * (1 + ranges)


def test_ipc_is_footer_and_first_batch(place: Place) -> None:
    data = place.put("big.ipc", WIDE, record_batch_size=10_000)
    shown = place.bucket("big.ipc").preview()
    assert_frame_equal(shown.rows, WIDE.head(20))
    assert shown.fetched == place.proxy.bytes < STEP + len(data) / 9
    assert place.requests == ["HEAD"] * (place.kind == "azure") + ["GET"] * 2


@pytest.mark.parametrize("format", ["csv", "ndjson"])
def test_text_is_64_kib_in_one_request(place: Place, format: str) -> None:
    place.put(f"big.{format}", WIDE)
    source = place.bucket(f"big.{format}")
    shown = source.preview()
    assert_frame_equal(shown.rows, WIDE.head(20), check_dtypes=False)
    assert (shown.fetched, place.proxy.bytes, place.requests) == (65_536, 65_536, ["GET"])
    place.proxy.reset()
    assert source.schema() == shown.schema
    assert (place.proxy.bytes, place.requests) == (65_536, ["GET"])


def test_a_schema_is_the_footer(place: Place) -> None:
    place.put("big.parquet", WIDE, row_group_size=20_000)
    assert place.bucket("big.parquet").schema() == WIDE.schema
    assert place.proxy.bytes == STEP


@pytest.mark.parametrize("format", ["parquet", "ipc", "csv", "ndjson", "json"])
def test_a_small_object_is_one_request(place: Place, format: str) -> None:
    data = place.put(f"small.{format}", WIDE.head(30))
    shown = place.bucket(f"small.{format}").preview()
    assert_frame_equal(shown.rows, WIDE.head(20), check_dtypes=False)
    assert shown.fetched == place.proxy.bytes == len(data)
    assert place.requests.count("GET") == 1


def test_a_row_group_beyond_the_limit_stays_where_it_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peeking, "LIMIT", 1_000_000)
    place.put("wide.parquet", WIDE)
    shown = place.bucket("wide.parquet").preview()
    assert (shown.rows.height, shown.fetched, place.proxy.bytes) == (0, STEP, STEP)
    assert "columns=['id'" in str(shown.note)


def test_a_folder_is_as_many_objects_as_it_takes(place: Place) -> None:
    sizes = [len(place.put(f"raw/year={year}/part.parquet", WIDE.head(15))) for year in (2023, 2024, 2025)]
    for path in ("raw", "raw/*/*.parquet"):
        shown = place.bucket(path).preview()
        assert shown.rows["year"].to_list() == [2023] * 15 + [2024] * 5
        assert (shown.size, shown.fetched, shown.total) == (sum(sizes), sum(sizes[:2]), None)


def test_what_is_not_there_or_empty_or_of_another_format(place: Place) -> None:
    for format in ("parquet", "csv"):
        with pytest.raises(ObjectNotFoundError):
            place.bucket(f"none.{format}").preview()
    for format in ("csv", "ndjson"):
        place.put(f"empty.{format}", b"")
        with pytest.raises(FormatError, match="empty file"):
            place.bucket(f"empty.{format}").preview()
    place.put("text.parquet", b"a,b\n1,2\n")
    with pytest.raises(FormatError, match="looks like csv"):
        place.bucket("text.parquet").preview()


def test_a_busy_store_is_asked_again_and_then_named(place: Place) -> None:
    place.put("big.csv", WIDE)
    source = place.bucket("big.csv")
    place.proxy.inject("busy", times=1)
    assert source.preview().fetched == 65_536
    place.proxy.inject("truncate", times=1)
    assert source.preview().rows.height == 20
    place.proxy.inject("busy")
    with pytest.raises(InfrastructureError):
        source.preview()
