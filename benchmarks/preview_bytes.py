"""What a preview of 20 rows fetches, on real servers, beside plain Polars and beside the least that would do.

The files: parquet of about 150 MB in row groups of 20,000 rows, Arrow IPC, CSV and NDJSON of about 40 MB. A proxy in
front of each server counts. The least is, for parquet, the footer and the column chunks of the first row group, for
IPC the footer and the first record batch, for text 64 KiB. Fails when a preview of parquet fetches more than 1.3 times
the least, or one of text more than 64 KiB or in more than one request.

    python benchmarks/preview_bytes.py [s3 gcs azure]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import obstore
import polars as pl
from servers.azurite import Azurite
from servers.gcs import FakeGCS
from servers.proxy import Proxy
from servers.seaweedfs import SeaweedFS

from glacier.config import AwsConfig, AzureConfig, GcpConfig
from glacier.providers import AWSProvider, AzureProvider, GCPProvider
from glacier.resources import ipc_footer, parquet_footer

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.process import Server

BUCKET = "tables"
NOBODY = "00000000-0000-0000-0000-000000000000"
MOST = 1.3
SERVERS: dict[str, type[Server]] = {"s3": SeaweedFS, "gcs": FakeGCS, "azure": Azurite}


class Cost(NamedTuple):
    """What some work cost: bytes of bodies, requests, milliseconds."""

    bytes: int
    requests: int
    ms: float

    def __str__(self) -> str:
        return f"{self.bytes:>11,} {self.requests:>3} {self.ms:>6.0f}"


def provider(kind: str, endpoint: str) -> Any:
    """Return Glacier's provider for a server at an endpoint."""
    if kind == "s3":
        os.environ |= {"AWS_ACCESS_KEY_ID": SeaweedFS.access_key, "AWS_SECRET_ACCESS_KEY": SeaweedFS.secret_key}
        return AWSProvider(config=AwsConfig(region=SeaweedFS.region, endpoint_url=endpoint))
    if kind == "gcs":
        return GCPProvider(config=GcpConfig(project_id="benchmark", region="europe-west1", endpoint_url=endpoint))
    place = {"subscription_id": NOBODY, "resource_group": "benchmark", "location": "westeurope"}
    account = {"storage_account": Azurite.account_name, "account_key": Azurite.account_key}
    return AzureProvider(config=AzureConfig(**place, **account, endpoint_url=endpoint))


def make(folder: Path) -> dict[str, Path]:
    """Write the files."""
    row = pl.int_range(1_850_000, eager=True)
    wide = pl.DataFrame({"id": row, **{f"f{n}": row.hash(n) for n in range(10)}, "city": (row % 97).cast(pl.String)})
    text = wide.select("id", "f1", "f2", "city").head(790_000)
    files = {format: folder / f"big.{format}" for format in ("parquet", "ipc", "csv", "ndjson")}
    wide.write_parquet(files["parquet"], row_group_size=20_000)
    wide.head(500_000).write_ipc(files["ipc"], compression="zstd", record_batch_size=20_000)
    text.write_csv(files["csv"])
    text.write_ndjson(files["ndjson"])
    return files


def least(format: str, data: bytes) -> int:
    """Return the fewest bytes that hold 20 rows of all columns."""
    if format == "parquet":
        size = parquet_footer.footer_length(data[-8:])
        group = parquet_footer.read_footer(data[-8 - size : -8], 20).groups[0]
        return size + 8 + sum(chunk.size for chunk in group.chunks)
    if format == "ipc":
        size = ipc_footer.footer_length(data[-10:])
        first = ipc_footer.read_footer(data[-10 - size : -10]).batches[0]
        return size + 10 + first.metadata + first.body
    return 65_536


def cost(proxy: Proxy, work: Callable[[], Any]) -> Cost:
    """Do some work, and wait until what it left running in the background has ended."""
    proxy.reset()
    start = time.perf_counter()
    work()
    took = time.perf_counter() - start
    before = -1
    while before != proxy.bytes:
        before = proxy.bytes
        time.sleep(0.5)
    return Cost(proxy.bytes, proxy.requests, took * 1000)


def polars(server: Server, proxy: Proxy, name: str, format: str) -> None:
    scan: Any = getattr(pl, f"scan_{format}")
    scan(server.uri(BUCKET, name), storage_options=server.storage_options(endpoint=proxy.endpoint)).head(20).collect()


def compare(kind: str, files: dict[str, Path]) -> bool:
    """Print a line for each file, and say whether all of them keep to the rule."""
    kept = True
    with SERVERS[kind]() as server, Proxy(server) as proxy:
        server.make_bucket(BUCKET)
        cloud = provider(kind, proxy.endpoint)
        for format, path in files.items():
            obstore.put(server.store(BUCKET), path.name, path)
            bucket = cloud.bucket(BUCKET, path.name)
            preview, schema = cost(proxy, bucket.preview), cost(proxy, bucket.schema)
            plain = cost(proxy, lambda name=path.name, format=format: polars(server, proxy, name, format))
            needed = least(format, path.read_bytes())
            ratio = preview.bytes / needed
            kept &= ratio <= MOST and (format in ("parquet", "ipc") or preview[:2] == (65_536, 1))
            size = f"{path.stat().st_size:>11,}"
            print(f"{kind:5} {format:8} {size} {needed:>10,} {ratio:5.2f} |{preview} |{schema} |{plain}", flush=True)
    return kept


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = make(Path(folder))
        columns = f"{'bytes':>11} req {'ms':>6}"
        print(f"{'':38}      |{'preview(20)':^22} |{'schema()':^22} |{'Polars scan().head(20)':^22}")
        print(f"{'cloud':5} {'format':8} {'size':>11} {'least':>10} ratio |{columns} |{columns} |{columns}")
        kept = [compare(kind, files) for kind in sys.argv[1:] or SERVERS]
    if not all(kept):
        sys.exit("a preview fetched too much")


if __name__ == "__main__":
    main()
