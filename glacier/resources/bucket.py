"""Bucket: an object, a folder of objects or a pattern in a provider's storage, read and written with Polars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from glacier import context, tables
from glacier.errors import ConfigError, GlacierError, ObjectExistsError, ObjectNotFoundError
from glacier.resources import formats, polars_functions, reading, writing
from glacier.resources.border import crossing
from glacier.resources.listing import ObjectInfo, entries
from glacier.resources.preview import Preview, preview, schema
from glacier.resources.verbs import verb

if TYPE_CHECKING:
    import builtins
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import polars as pl

    from glacier.resources.protocols import Storage

__all__ = ["Bucket"]


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Bucket:
    """A place in a bucket: one object, a folder of objects (`raw/2024`) or a pattern (`raw/2024/*.parquet`).

    Making one touches nothing. Two are equal when provider, bucket name, path and format are. All methods but
    `get_uri` and `storage_options` work on data: in a pipeline's body they become steps of the pipeline. Errors name
    the object, its provider and the next step.

    Attributes:
        provider: the provider whose storage this is.
        bucket_name: the bucket (on Azure: the container).
        path: the path in the bucket. In it `*` and `?` stand for characters within a folder, `**` for any folders.
        format: parquet, csv, json, ndjson or ipc: as given, else by the path's suffix, else parquet.
        config: the provider's bucket config, None for defaults.

    Raises:
        ConfigError: there is no such format.
    """

    provider: Any
    bucket_name: str
    path: str
    format: str
    config: Any

    def __init__(
        self, provider: Any, bucket_name: str, path: str, format: str | None = None, config: Any = None
    ) -> None:
        values = (provider, bucket_name, path, formats.format_of(path, format).name, config)
        for name, value in zip(("provider", "bucket_name", "path", "format", "config"), values, strict=True):
            object.__setattr__(self, name, value)

    # --- reading ------------------------------------------------------------------------------------------------

    @verb("read")
    def scan(self, **options: Any) -> pl.LazyFrame:
        """Return a LazyFrame of the data; nothing is read before it is collected (json excepted).

        `options` are those of Polars' own scan function for the format, such as `infer_schema_length=None`.

        Raises:
            ConfigError: the name or the path is not allowed.
        """
        with self._crossing("read"):
            return reading.frame(self, **options)

    @verb("read")
    def read(self, **options: Any) -> pl.DataFrame:
        """Return the data as a DataFrame; `options` as in `scan`.

        Raises:
            ObjectNotFoundError: there is nothing.
            FormatError: the bytes are not of the bucket's format.
            AccessError: the credentials do not suffice.
        """
        with self._crossing("read"):
            return reading.sane(self, reading.frame(self, **options).collect())

    @verb("read")
    def schema(self) -> pl.Schema:
        """Return names and types of the columns, reading as little as the format allows.

        Raises:
            ObjectNotFoundError, FormatError, AccessError: as `read` does.
        """
        with self._crossing("read"):
            return schema(self)

    @verb("read")
    def preview(self, n: int = 20, columns: Sequence[str] | None = None, where: pl.Expr | str | None = None) -> Preview:
        """Return the first `n` rows, with schema, size in bytes and, where it is cheap to know, the number of rows.

        Of a text object only the first bytes are fetched, of a parquet or ipc object its footer and the shown columns'
        first rows; `fetched` of the result says how many bytes. No more than 16 MiB are: where the rows are in larger
        pieces none is shown, and `note` says what to ask for. `where` (an expression, or SQL as text:
        `"amount > 100"`) may need to read everything; Polars does so by itself, and `fetched` is None.

        Raises:
            ConfigError: there is no such column, `where` does not fit the columns, or it is a larger json document.
            ObjectNotFoundError, FormatError, AccessError: as `read` does.
        """
        with self._crossing("preview"):
            return preview(self, n, columns, where)

    # --- writing ------------------------------------------------------------------------------------------------

    @verb("write")
    def write(self, df: pl.DataFrame | pl.LazyFrame, if_absent: bool = False) -> None:
        """Write a frame as the object; readers see the old object or the new one, never a part.

        With `if_absent=True` the object must be new: of several writers at once one succeeds.

        Raises:
            ObjectExistsError: `if_absent` and there is an object.
            ConfigError: the path is a pattern or a folder, or `df` is no frame.
            AccessError: the credentials do not suffice.
            Exception: the error of a LazyFrame's own query, as itself.
        """
        self._write(df, if_absent)

    @verb("write")
    def sink(self, lf: pl.LazyFrame | pl.DataFrame) -> None:
        """Run a query and write its result as the object, without holding all of it in memory (json excepted).

        When the query fails, even late, the old object stays.

        Raises:
            ConfigError, AccessError: as `write` does.
            Exception: the query's own error, as itself.
        """
        self._write(lf, if_absent=False)

    @verb("write")
    def delete(self) -> None:
        """Delete the object; one that is not there is no error, as on the clouds.

        Raises:
            ConfigError: the path is a pattern or a folder.
            AccessError: the credentials do not suffice.
        """
        import obstore

        with self._crossing("delete"):
            key = self._single_key("delete")
            try:
                obstore.delete(self.storage.store(self.bucket_name), key)
            except FileNotFoundError:
                return

    # --- asking -------------------------------------------------------------------------------------------------

    @verb("read")
    def exists(self) -> bool:
        """Whether there is an object: at the path, in the folder, or one that matches the pattern."""
        return self._exists()

    @verb("read")
    def stat(self) -> ObjectInfo:
        """Return size, time of change and version mark of the object.

        Raises:
            ObjectNotFoundError: there is no object, or the path is a folder or pattern.
        """
        with self._crossing("look at"):
            if self.is_many():
                message = f"{self.uri} on {self.on} is a folder or pattern, not an object"
                raise ObjectNotFoundError(message, hint="bucket.list() gives each of its objects")
            return next(entries(self))

    @verb("read")
    def list(self) -> builtins.list[ObjectInfo]:
        """Return the objects in the folder, or that match the pattern, or the one object, sorted by path.

        Each entry's `path` is relative to the bucket: `provider.bucket(name, entry.path)` is that object. Where there
        is nothing, the list is empty.
        """
        with self._crossing("list"):
            try:
                return sorted(entries(self), key=lambda entry: entry.path)
            except FileNotFoundError:
                return []

    @verb("read")
    def url(self, expires: timedelta | float = 3600) -> str:
        """Return a URL by which the object can be read: signed on a cloud, `file://` on this machine.

        `expires` is how long it is good for, as a timedelta or in seconds: 1 second to 7 days, which is the most that
        S3 and Google allow (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). A `file://`
        URL does not expire.

        Raises:
            ConfigError: the path is a pattern or a folder, or `expires` is out of its bounds.
        """
        with self._crossing("sign"):
            after = _lifetime(expires, self)
            self._single_key("sign")
            return self.storage.url(self.bucket_name, self.path, after)

    # --- names --------------------------------------------------------------------------------------------------

    def get_uri(self) -> str:
        """Return the address as text, for Polars' own functions: a path on this machine, or `s3://`, `gs://`, `az://`.

        On this machine the folder above it is made, where the provider makes folders, and Polars writes by itself: a
        failure leaves a part. On a cloud Polars' functions know the address and work with this provider's credentials
        and endpoint; their writes are those of `write` and `sink` (see `polars_functions`).

        Raises:
            ConfigError: the name or the path is not allowed.
        """
        context.check_home(self)
        meant = context.reading.get()
        if meant is not None and meant.address(self) is not self:
            return meant.address(self).get_uri()
        recording = context.recorder.get()
        untouched = (recording is not None and recording.tracing) or (meant is not None and meant.is_theirs(self))
        if not (untouched or formats.is_pattern(self.path)):
            self.storage.prepare(self.bucket_name, self.path)
        return polars_functions.address(self) if untouched or "://" in str(self.uri) else self.uri

    def storage_options(self) -> dict[str, Any]:
        """Return what Polars needs as `storage_options=` to read `get_uri()`; empty on this machine."""
        return dict(self.storage.scan_target(self.bucket_name, self.path)[1].get("storage_options", {}))

    @property
    def uri(self) -> str:
        """The address, as `get_uri` gives it, without making anything."""
        return self.storage.uri(self.bucket_name, self.path)

    @property
    def on(self) -> str:
        """The kind of provider, as errors name it."""
        return self.provider.get_provider_type()

    @property
    def storage(self) -> Storage:
        """The provider's storage."""
        return self.provider.storage

    def is_many(self) -> bool:
        """Whether the path is a pattern or, looking at the storage, a folder."""
        return formats.is_pattern(self.path) or self.storage.is_folder(self.bucket_name, self.path)

    def _identity(self) -> tuple[Any, ...]:
        return id(self.provider), self.bucket_name, self.path, self.format

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Bucket) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        try:
            where = self.uri
        except GlacierError:
            where = f"{self.bucket_name}/{self.path}"
        return f"Bucket({where!r}, format={self.format!r})"

    def _repr_html_(self) -> str:
        return tables.line(repr(self), "code")

    # --- how ----------------------------------------------------------------------------------------------------

    def _crossing(self, doing: str) -> AbstractContextManager[None]:
        return crossing(self, doing, lambda: reading.head(self))

    def _exists(self) -> bool:
        with self._crossing("look for"):
            try:
                return next(entries(self), None) is not None
            except FileNotFoundError:
                return False

    def _single_key(self, doing: str) -> str:
        if self.is_many():
            message = f"cannot {doing} {self.uri} on {self.on}: it is a folder or pattern, not an object"
            raise ConfigError(message, hint="name one object; bucket.list() gives those that are there")
        return self.storage.key(self.bucket_name, self.path)

    def _write(self, given: Any, if_absent: bool, form: formats.Format | None = None) -> None:
        frame = _lazy(given, self)
        context.check_write(self)
        meant = context.reading.get()
        if meant is not None:
            meant.of(self, "write")
        with self._crossing("write"):
            key = self._single_key("write")
            self.storage.claim(self.bucket_name, self.path)
            store = self.storage.store(self.bucket_name)
        if if_absent and self._exists():
            raise ObjectExistsError(
                f"{self.uri} exists already on {self.on}", hint="leave out if_absent=True to replace it"
            )
        write = writing.create if if_absent else writing.replace
        write(store, key, form or formats.FORMATS[self.format], frame, lambda: self._crossing("write"))


def _lifetime(expires: Any, bucket: Bucket) -> timedelta:
    seconds = expires.total_seconds() if isinstance(expires, timedelta) else expires
    if isinstance(seconds, int | float) and 1 <= seconds <= 7 * 24 * 3600:
        return timedelta(seconds=int(seconds))
    message = f"cannot sign {bucket.uri} on {bucket.on}: expires must be 1 second to 7 days, not {expires!r}"
    raise ConfigError(message, hint="give seconds, or a timedelta")


def _lazy(given: Any, bucket: Bucket) -> pl.LazyFrame:
    import polars as pl

    if isinstance(given, pl.DataFrame | pl.LazyFrame):
        return given.lazy()
    kind = type(given).__name__
    raise ConfigError(
        f"{bucket!r} takes a Polars DataFrame or LazyFrame, not {kind}", hint="make one: pl.DataFrame(...)"
    )
