"""What the clouds' storages share: addresses, stores by bucket, and credentials fetched when they are needed."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn
from uuid import uuid4

from glacier import context
from glacier.errors import AccessError, MissingExtraError
from glacier.redaction import remember
from glacier.resources import polars_functions
from glacier.resources.formats import escaped, is_pattern
from glacier.resources.listing import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import ObjectStore

    from glacier.names import NameRule

__all__ = ["POLARS_PATIENCE", "CloudStorage", "Credentials", "package", "patience"]

_SETTLED = 100
RETRIES = 3
"""Times a request is sent again after a failure that may pass. Polars rebuilds its store once and so doubles it."""
SILENCE = timedelta(seconds=28)
"""How long obstore waits for a store that says nothing: a write and its undoing end within a minute.

It covers the sending of a request's body too, so it is not less.
"""
POLARS_PATIENCE = {"max_retries": RETRIES, "read_timeout": "14s", "retry_timeout_ms": 14_000}
"""The same for Polars, which only reads: it asks a silent store twice, a silent Azure four times."""


class CloudStorage(ABC):
    """The storage of one cloud: an address is `SCHEME://BUCKET/KEY`, a folder is a common prefix of keys."""

    kind: ClassVar[str]
    scheme: ClassVar[str]
    bucket_rule: ClassVar[NameRule]
    key_rule: ClassVar[NameRule]

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        credentials.storage = self
        self._stores: dict[str, ObjectStore] = {}
        polars_functions.prepare()

    @abstractmethod
    def open(self, bucket_name: str) -> ObjectStore:
        """Return a new obstore store of a bucket."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return region, endpoint and retries as Polars' `storage_options`, without any secret."""

    def store(self, bucket_name: str) -> ObjectStore:
        """Return the store of a bucket; the first call fetches the credentials.

        Raises:
            AccessError: there are no credentials.
            MissingExtraError: the cloud's package is not installed.
        """
        if bucket_name not in self._stores:
            self.credentials.fetch()
            self._stores[bucket_name] = self.open(bucket_name)
        return self._stores[bucket_name]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_stores": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        polars_functions.prepare()

    def key(self, bucket_name: str, path: str) -> str:
        """Return the path, which is the key, after checking bucket name and path."""
        self.bucket_rule.check(bucket_name, where=f"{self.kind} bucket")
        return self.key_rule.check(path, where=f"{self.kind} bucket {bucket_name!r}")

    def uri(self, bucket_name: str, path: str) -> str:
        """Return `SCHEME://BUCKET/KEY`."""
        return f"{self.scheme}://{bucket_name}/{self.key(bucket_name, path)}"

    def prefix(self, bucket_name: str, path: str) -> str:
        """Return the folder of a pattern, or the folder that `path` is."""
        key = self.key(bucket_name, path)
        return literal(key) if is_pattern(path) else key

    def scan_target(self, bucket_name: str, path: str) -> tuple[str, dict[str, Any]]:
        """Return the address, of a folder with `/` at its end, and the arguments for Polars."""
        self.credentials.fetch()
        uri = self.uri(bucket_name, path)
        how = {"storage_options": self.options(), "credential_provider": self.credentials}
        if is_pattern(path):
            return escaped("", uri), how
        return f"{uri}/" if self.is_folder(bucket_name, path) else uri, how

    def is_folder(self, bucket_name: str, path: str) -> bool:
        """Whether there is no object at `path`, but some below it."""
        import obstore

        store, key = self.store(bucket_name), self.key(bucket_name, path)
        try:
            obstore.head(store, key)
        except FileNotFoundError:
            return any(len(chunk) > 0 for chunk in obstore.list(store, prefix=key, chunk_size=1))
        return False

    def is_there(self, bucket_name: str) -> bool:
        """Whether there is such a bucket, and one may list it."""
        import obstore

        try:
            next(iter(obstore.list(self.store(bucket_name), chunk_size=1)), None)
        except Exception:
            return False
        return True

    def prepare(self, bucket_name: str, path: str) -> None:
        """Check the path: there are no folders to make."""
        self.key(bucket_name, path)

    def claim(self, bucket_name: str, path: str) -> None:
        """Check the path: an unfinished write leaves nothing behind that a later one would meet."""
        self.key(bucket_name, path)

    def url(self, bucket_name: str, path: str, expires: timedelta) -> str:
        """Return a signed URL by which anyone reads the object until it expires."""
        import obstore

        store: Any = self.store(bucket_name)
        return obstore.sign(store, "GET", self.key(bucket_name, path), expires)


class Credentials(ABC):
    """The credentials of one provider, fetched when they are first needed and again before they expire.

    Called without arguments it is a credential provider for Polars, `for_obstore` one for obstore. A pickle of it holds
    no secret: in the same process it stands for the same object, in another one it refuses to serve. A process that
    runs a task is told beside the pickle (`context.carried`) how to get the same credentials: config and secrets in it.
    """

    kind: ClassVar[str]

    def __init__(self) -> None:
        self._token = uuid4().hex
        self.storage: CloudStorage | None = None
        """Whose credentials these are: a query that carries them leads back to its storage."""
        _alive[self._token] = self

    @abstractmethod
    def fetch(self) -> tuple[dict[str, str], datetime | None]:
        """Return the credentials by the names that obstore uses, and when they expire (aware), None for never.

        Raises:
            AccessError: there are none.
            MissingExtraError: the cloud's package is not installed.
        """

    polars_names: ClassVar[Mapping[str, str]]
    """obstore's name of each credential, and the name that Polars has for it."""

    def __call__(self) -> tuple[dict[str, str | None], int | None]:
        """Return the credentials as Polars wants them, with the time of expiry in seconds since 1970."""
        found, expires = self._fetched()
        named: dict[str, str | None] = {self.polars_names[name]: value for name, value in found.items()}
        return named, None if expires is None else int(expires.timestamp())

    def for_obstore(self) -> Any:
        """Return the credentials as obstore wants them."""
        found, expires = self._fetched()
        return {**found, "expires_at": expires}

    def _fetched(self) -> tuple[dict[str, str], datetime | None]:
        """Fetch, and let nothing tell the secrets from then on."""
        found, expires = self.fetch()
        for name, value in found.items():
            if name != "access_key_id":
                remember(value)
        return found, expires

    def missing(self, why: str, hint: str) -> AccessError:
        """Make the error for credentials that are not to be had."""
        return AccessError(f"no credentials for {self.kind}: {why}", hint=hint)

    def __reduce__(self) -> tuple[Any, ...]:
        carried = context.carried.get()
        if carried is not None:
            cached = {name for name, value in vars(type(self)).items() if isinstance(value, cached_property)}
            known = {name: value for name, value in vars(self).items() if name not in cached}
            carried[self._token] = _settle, (type(self), known)
        return _recalled, (self._token, self.kind)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def patience(*, allow_http: bool) -> dict[str, Any]:
    """Return how long and how often a store of obstore tries; a transfer that goes on may take its time."""
    return {
        "client_options": {"allow_http": allow_http, "read_timeout": SILENCE, "timeout": timedelta(days=1)},
        "retry_config": {"max_retries": RETRIES, "retry_timeout": SILENCE},
    }


def soon() -> datetime:
    """Return the time until which credentials that their SDK refreshes by itself are good without asking it again."""
    return datetime.now(UTC) + timedelta(minutes=5)


def package(name: str, extra: str) -> Any:
    """Import a cloud's package.

    Raises:
        MissingExtraError: it is not installed; the hint says what to install.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        hint = f'pip install "glacier-workbench[{extra}]"'
        raise MissingExtraError(f"{name} is needed for {extra} and is not installed", hint=hint) from error


_alive: weakref.WeakValueDictionary[str, Credentials] = weakref.WeakValueDictionary()


_settled: OrderedDict[str, Credentials] = OrderedDict()
"""The latest credentials that came from another process: nothing else keeps them between two tasks."""


def _settle(kind: type[Credentials], known: dict[str, Any]) -> None:
    """Make the credentials of another process serve here."""
    token = known["_token"]
    if token not in _alive:
        made = kind.__new__(kind)
        vars(made).update(known)
        _alive[token] = _settled[token] = made
        if len(_settled) > _SETTLED:
            _settled.popitem(last=False)


def _recalled(token: str, kind: str) -> Credentials | _Elsewhere:
    return _alive.get(token) or _Elsewhere(kind)


class _Elsewhere:
    """Stands for credentials of another process: it refuses when it is asked, Polars hides what unpickling raises."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self) -> NoReturn:
        message = f"a pickled plan reads from {self.kind}, and pickles hold no credentials"
        raise AccessError(message, hint="scan the bucket again in this process")

    def fetch(self, *_: Any, **__: Any) -> NoReturn:
        message = f"a pickled provider of {self.kind} was made in another process, and pickles hold no credentials"
        raise AccessError(message, hint="make the provider in this process")

    client = fetch
