"""What the tests of the contract write and check: small tables, and what every error has to say."""

import io

import polars as pl

from glacier.errors import GlacierError
from glacier.resources import Bucket

SMALL = pl.DataFrame({"id": [1, 2, 3], "city": ["Oslo", "Lima", "Graz"], "amount": [1.5, -2.0, 0.25]})
OLD = pl.DataFrame({"id": [7]})
FORMATS = ("parquet", "csv", "json", "ndjson", "ipc")


def raw(frame: pl.DataFrame, format: str) -> bytes:
    """Return a table as a file of another tool."""
    file = io.BytesIO()
    getattr(frame, f"write_{format}")(file)
    return file.getvalue()


def tells(error: GlacierError, bucket: Bucket) -> bool:
    """Whether an error names the bucket, the path and the kind of provider, and the next step."""
    assert bucket.bucket_name in error.message
    assert bucket.path in error.message
    assert f" on {bucket.on}" in error.message
    assert error.hint
    return True
