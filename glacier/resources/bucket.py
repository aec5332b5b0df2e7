"""Bucket: an object, a folder of objects or a pattern in a provider's storage, read with Polars."""

from __future__ import annotations

import html
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from glacier import context
from glacier.errors import ConfigError, GlacierError, ObjectExistsError, ObjectNotFoundError, did_you_mean
from glacier.resources import formats, writing
from glacier.resources.border import crossing
from glacier.resources.preview import Preview, text_head
from glacier.resources.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    import polars as pl
    from obstore import ObjectMeta

    from glacier.resources.protocols import Storage

__all__ = ["Bucket", "ObjectInfo"]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object: path in the bucket, bytes, time of the last change (aware), version mark."""

    path: str
    size: int
    modified: datetime
    etag: str | None


@dataclass(frozen=True, eq=False, repr=False)
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
    """

    provider: Any
    bucket_name: str
    path: str
    format: str = None  # type: ignore[assignment]  # None is replaced below, so that readers always see a str
    config: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "format", formats.format_of(str(self.path), self.format).name)

    # --- reading ------------------------------------------------------------------------------------------------

    @verb("read")
    def scan(self, **options: Any) -> pl.LazyFrame:
        """Return a LazyFrame of the data; nothing is read before it is collected (json excepted).

        `options` are those of Polars' own scan function of the format, such as `infer_schema_length=None`.

        Raises:
            ConfigError: the name or the path is not allowed.
        """
        with self._crossing("read"):
            return self._frame(**options)

    @verb("read")
    def read(self, **options: Any) -> pl.DataFrame:
        """Return the data as a DataFrame; `options` as in `scan`.

        Raises:
            ObjectNotFoundError: there is nothing.
            FormatError: the bytes are not of the bucket's format.
            AccessError: the credentials do not suffice.
        """
        with self._crossing("read"):
            return self._sane(self._frame(**options).collect())

    @verb("read")
    def schema(self) -> pl.Schema:
        """Return names and types of the columns, reading as little as the format allows.

        Raises:
            ObjectNotFoundError, FormatError, AccessError: as `read` does.
        """
        with self._crossing("read"):
            return self._sane(self._frame()).collect_schema()

    @verb("read")
    def preview(
        self, n: int = 20, columns: Sequence[str] | None = None, where: pl.Expr | str | None = None
    ) -> Preview:
        """Return the first `n` rows, with schema and size.

        Of a text object only the first bytes are read, of a parquet or ipc object its footer and first rows. `where`
        (an expression, or SQL as text: `"amount > 100"`) may need to read everything.

        Raises:
            ConfigError: there is no such column, or `where` cannot be understood.
            ObjectNotFoundError, FormatError, AccessError: as `read` does.
        """
        if n < 0:
            raise ConfigError(f"preview of {self.uri}: n must be 0 or more, not {n}")
        with self._crossing("preview"):
            size = sum(entry.size for entry in self._entries())
            head = None if where is not None else self._text_head(n)
            frame = self._frame() if head is None else head.lazy()
            schema = self._sane(frame).collect_schema()
            total = self._total(frame if head is None else None)
        rows = self._chosen(frame, schema, columns, where).head(n)
        with self._crossing("preview"):
            return Preview(self.uri, self.format, schema, rows.collect(), total, size)

    # --- writing ------------------------------------------------------------------------------------------------

    @verb("write")
    def write(self, df: pl.DataFrame | pl.LazyFrame, if_absent: bool = False) -> None:
        """Write a frame as the object; readers see the old object or the new one, never a part.

        With `if_absent=True` the object must be new: of several writers at once one succeeds.

        Raises:
            ObjectExistsError: `if_absent` and there is an object.
            ConfigError: the path is a pattern or a folder.
            AccessError: the credentials do not suffice.
            Exception: the error of a LazyFrame's own query, as itself.
        """
        self._write(df.lazy(), if_absent)

    @verb("write")
    def sink(self, lf: pl.LazyFrame) -> None:
        """Run a query and write its result as the object, without holding all of it in memory (json excepted).

        When the query fails, even late, the old object stays.

        Raises:
            ConfigError, AccessError: as `write` does.
            Exception: the query's own error, as itself.
        """
        self._write(lf.lazy(), if_absent=False)

    @verb("write")
    def delete(self) -> None:
        """Delete the object; one that is not there is no error, as on the clouds.

        Raises:
            ConfigError: the path is a pattern or a folder.
        """
        import obstore

        with self._crossing("delete"):
            key = self._single_key("delete")
            try:
                obstore.delete(self._storage.store(self.bucket_name), key)
            except FileNotFoundError:
                return

    # --- asking -------------------------------------------------------------------------------------------------

    @verb("read")
    def exists(self) -> bool:
        """Whether there is an object: at the path, in the folder, or one that matches the pattern."""
        with self._crossing("look for"):
            try:
                return next(self._entries(), None) is not None
            except ObjectNotFoundError:
                return False

    @verb("read")
    def stat(self) -> ObjectInfo:
        """Return size, time of change and version mark of the object.

        Raises:
            ObjectNotFoundError: there is no object, or the path is a folder or pattern.
        """
        with self._crossing("look at"):
            if self._is_many():
                raise ObjectNotFoundError(
                    f"{self.uri} on {self.on} is a folder or pattern, not an object", hint="list() gives each object"
                )
            return next(self._entries())

    @verb("read")
    def list(self) -> list[ObjectInfo]:
        """Return the objects in the folder, or that match the pattern, or the one object, sorted by path.

        Each entry's `path` is relative to the bucket: `provider.bucket(name, entry.path)` is that object.
        """
        with self._crossing("list"):
            try:
                return sorted(self._entries(), key=lambda entry: entry.path)
            except ObjectNotFoundError:
                return []

    @verb("read")
    def url(self, expires: timedelta | float = 3600) -> str:
        """Return a URL by which the object can be read: signed on a cloud, `file://` on this machine.

        `expires` is how long it is good for, as a timedelta or in seconds; a `file://` URL does not expire.
        """
        after = expires if isinstance(expires, timedelta) else timedelta(seconds=expires)
        with self._crossing("sign"):
            return self._storage.url(self.bucket_name, self.path, after)

    def get_uri(self) -> str:
        """Return the address as plain text, for Polars' own functions: a path on this machine, `s3://`, `gs://`, `az://`.

        On this machine the folder above it is made, where the provider makes folders. `write` and `sink` are safer:
        they are atomic.

        Raises:
            ConfigError: the name or the path is not allowed.
        """
        if not self._is_pattern():
            self._storage.prepare(self.bucket_name, self.path)
        return self.uri

    def storage_options(self) -> dict[str, Any]:
        """Return what Polars needs as `storage_options=` to read `get_uri()`; empty on this machine."""
        return dict(self._storage.scan_target(self.bucket_name, self.path)[1].get("storage_options", {}))

    @property
    def uri(self) -> str:
        """The address, as `get_uri` gives it, without making anything."""
        return self._storage.uri(self.bucket_name, self.path)

    @property
    def on(self) -> str:
        """The kind of provider, as errors name it."""
        return self.provider.get_provider_type()

    # --- how ----------------------------------------------------------------------------------------------------

    @property
    def _storage(self) -> Storage:
        return self.provider.storage

    @property
    def _format(self) -> formats.Format:
        return formats.FORMATS[self.format]

    def _crossing(self, doing: str) -> AbstractContextManager[None]:
        return crossing(self, doing, self._head)

    def _is_pattern(self) -> bool:
        return formats.is_pattern(self.path)

    def _is_many(self) -> bool:
        return self._is_pattern() or self._storage.is_folder(self.bucket_name, self.path)

    def _key(self) -> str:
        return self._storage.key(self.bucket_name, self.path)

    def _head(self) -> bytes:
        """Return the first bytes of the first object."""
        import obstore

        store = self._storage.store(self.bucket_name)
        root = self._key().removesuffix(self.path)
        first = next(self._entries())
        return bytes(obstore.get_range(store, root + first.path, start=0, end=min(512, first.size))) if first.size else b""

    def _frame(self, **options: Any) -> pl.LazyFrame:
        if self._format.whole:
            return self._format.scan(self._contents(), **options)
        source, how = self._storage.scan_target(self.bucket_name, self.path)
        return self._format.scan(*formats.sources(self._format, source, many=self._is_many()), **how, **options)

    def _contents(self) -> Iterator[io.BytesIO]:
        """Yield each object as an open file, in the order of their paths."""
        import obstore

        store, root = self._storage.store(self.bucket_name), self._key().removesuffix(self.path)
        for entry in sorted(self._entries(), key=lambda entry: entry.path):
            yield io.BytesIO(bytes(obstore.get(store, root + entry.path).bytes()))
