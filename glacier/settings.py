"""What every configuration class shares: strict settings, the cascade of levels, and meanings free of any cloud.

The cascade, outermost level first; the nearer level wins:

    default < provider < template < environment < resource < task

"Not given" is no value at all: a setting that was given as None beats an outer value, one that was not given does not.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from glacier import tables
from glacier.errors import ConfigError, did_you_mean
from glacier.redaction import learn, learn_variable, names_secret, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import LiteralString

    from pydantic import ValidationInfo
    from pydantic_core import ErrorDetails

__all__ = [
    "MASK",
    "Effective",
    "FunctionMeaning",
    "Level",
    "LifecycleMeaning",
    "LifecycleRule",
    "Many",
    "ProviderSettings",
    "Row",
    "Settings",
    "StorageClass",
    "StorageMeaning",
    "TaskConfig",
    "cascade",
    "check_order",
    "defaults",
    "endpoint_problem",
    "fitted",
    "left_out",
    "matches",
    "must",
    "salvage",
]

T = TypeVar("T")
S = TypeVar("S", bound="Settings")
C = TypeVar("C", bound=str)
Many = Annotated[tuple[T, ...], Field(strict=False), BeforeValidator(lambda value: () if value is None else value)]
"""A tuple field that also takes a list, and None for "none of them"."""

MASK = "**********"
"""What is shown in the place of a secret."""

_MERGED = ("tags", "labels", "environment_vars")


# Settings ------------------------------------------------------------------------------------------------------------


class Settings(BaseModel):
    """Frozen, strict settings that report all their errors at once and never show a value in a message.

    A bool is no number, `"30"` and `30.5` are no integers; lists are taken for tuples and dicts for nested settings. An
    `...`, a `[...]` or a `"..."` where a class allows it is a placeholder: see `placeholders`.

    Raises:
        pydantic.ValidationError: a ValueError with one line for each field that breaks its rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    _elided: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        elided = _elided(data)
        try:
            made = handler({key: value for key, value in data.items() if key not in elided} if elided else data)
        except ValidationError as error:
            lines = [_explained(cls, line) for line in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(error.title, lines, hide_input=True) from None
        if elided:
            made._elided = elided
        _learn(made)
        return made

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in self.set_fields().items():
            yield name, dict.fromkeys(value, MASK) if name == "environment_vars" else value

    def set_fields(self) -> dict[str, Any]:
        """Return only the fields that were given, in the order of the class: "not given" differs from None."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, checked anew.

        Raises:
            pydantic.ValidationError: a change breaks a rule, or the result as a whole does.
        """
        return type(self)(**{**dict.fromkeys(self._elided, ...), **self.set_fields(), **changes})

    def placeholders(self) -> tuple[str, ...]:
        """Name the fields that still hold a placeholder, so that whoever needs a real value can refuse."""
        dots = tuple(name for name, value in self.set_fields().items() if value == "...")
        return (*self._elided, *dots)


def _learn(made: Settings) -> None:
    """Let nothing tell the secrets in settings from now on."""
    given: Mapping[str, Any] = vars(made)
    learn(given.values())
    variables: Mapping[str, str] = given.get("environment_vars") or {}
    for name, value in variables.items():
        learn_variable(name, value)


def must(problem: Callable[[Any], str | None]) -> AfterValidator:
    """Make a field check of a function that says what is wrong with a value, or None."""
    return AfterValidator(partial(_refuse, problem))


def matches(pattern: str, says: str) -> AfterValidator:
    """Make a field check of a regular expression for the whole value; `says` completes "must be"."""
    return must(lambda value: None if re.fullmatch(pattern, value) else f"must be {says}")


def _refuse(problem: Callable[[Any], str | None], value: Any) -> Any:
    if said := problem(value):
        raise PydanticCustomError("rule", "{said}", {"said": said})
    return value


def _elided(data: Any) -> tuple[str, ...]:
    if not isinstance(data, Mapping):
        return ()
    given = cast("Mapping[str, Any]", data)
    return tuple(name for name, value in given.items() if value is ... or (isinstance(value, list) and value == [...]))


def _explained(cls: type[Settings], line: ErrorDetails) -> InitErrorDetails:
    """Add a suggestion to one line of a validation error, and leave the input out of it."""
    where = tuple(repr(part)[1:-1] if isinstance(part, str) else part for part in line["loc"])
    kind, said = line["type"], f"{line['msg'].removeprefix('Value error, ')}{_nearest(line)}"
    if kind == "extra_forbidden":
        kind, said = (
            "unknown_field",
            f"{cls.__name__} has no such field, {did_you_mean(str(line['loc'][-1]), cls.model_fields)}",
        )
    return InitErrorDetails(
        type=PydanticCustomError(cast("LiteralString", kind), "{said}", {"said": said}), loc=where, input=None
    )


def _nearest(line: ErrorDetails) -> str:
    if line["type"] != "literal_error" or not isinstance(line["input"], str):
        return ""
    options = {option.lower(): option for option in re.findall(r"'([^']*)'", line["msg"])}
    near = difflib.get_close_matches(line["input"].lower(), options, n=1)
    return f", did you mean {options[near[0]]!r}?" if near else ""


def _exception_names(given: Any) -> Any:
    """Write exception classes as their names, and one alone as a tuple of one."""
    if isinstance(given, (str, type)):
        given = (given,)
    if not isinstance(given, (list, tuple)):
        return given
    kinds = cast("Sequence[Any]", given)
    return tuple(f"{kind.__module__}.{kind.__qualname__}" if _is_exception(kind) else kind for kind in kinds)


def _is_exception(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)


ExceptionName = Annotated[str, matches(r"[^\W\d][\w.<>]*", "an exception class or the name of one")]


class TaskConfig(Settings):
    """How a task is executed.

    Attributes:
        executor: name of a registered executor; which ones exist is checked where the task is made.
        timeout: seconds until an attempt counts as failed, above 0; None is no limit.
        retries: how often a failed attempt is repeated, 0 or more.
        retry_delay: seconds, 0 or more: the longest wait before the first retry, doubled for each one after it.
        retry_on: the exceptions after which an attempt is repeated, as classes or their names (a child class counts
            too); `"transient"` stands for those that tend to pass by themselves, such as a lost connection. None is
            every exception but those that another attempt cannot mend: wrong credentials, missing objects, a full
            disk, no memory, errors in the program.
        memory: MiB that an attempt may take beyond what its idle process has, None is no limit; only an executor that
            runs the task in a process of its own has one.
        cache: whether the result is kept and used again.
        tags: the task's own tags.
    """

    executor: Annotated[str, Field(min_length=1)] = "local"
    timeout: Annotated[float, Field(gt=0, le=threading.TIMEOUT_MAX, allow_inf_nan=False)] | None = None
    retries: Annotated[int, Field(ge=0)] = 0
    retry_delay: Annotated[float, Field(ge=0, le=threading.TIMEOUT_MAX, allow_inf_nan=False)] = 0
    retry_on: Annotated[tuple[ExceptionName, ...] | None, Field(strict=False), BeforeValidator(_exception_names)] = None
    memory: Annotated[int, Field(ge=1, le=1 << 30)] | None = None
    cache: bool = False
    tags: dict[str, str] = Field(default_factory=dict)


# Lifecycle rules -----------------------------------------------------------------------------------------------------


class LifecycleRule(Settings, Generic[C]):
    """What happens to objects of a certain age: they move to another class, or they are deleted.

    Attributes:
        days: age in days, 0 or more.
        transition: the class to move to.
        expiration: True deletes.
        prefix: only objects whose key begins so.
    """

    days: Annotated[int, Field(ge=0, le=2147483647)]
    transition: C | None = None
    expiration: bool = Field(default=False, validate_default=True)
    prefix: Annotated[str, Field(max_length=1024)] = ""

    @field_validator("expiration")
    @classmethod
    def _one_effect(cls, value: bool, info: ValidationInfo) -> bool:
        if "transition" in info.data and (info.data["transition"] is None) == (not value):
            raise ValueError("a rule must have either a transition or expiration=True")
        return value


def check_order(rules: Sequence[LifecycleRule[Any]], classes: Sequence[str], start: str | None) -> None:
    """Check that the rules of each prefix only move objects downwards in `classes`, from `start` (else the first).

    Raises:
        ValueError: a rule moves objects upwards, or objects that have expired.
    """
    for prefix in {rule.prefix for rule in rules}:
        here, gone = classes.index(start) if start in classes else 0, False
        same = (rule for rule in rules if rule.prefix == prefix)
        for rule in sorted(same, key=lambda rule: (rule.days, not rule.expiration)):
            if rule.transition and gone:
                raise ValueError("must not move objects that have expired already")
            there = classes.index(rule.transition) if rule.transition else here
            if there < here:
                raise ValueError(
                    f"must only move objects to colder classes, not from {classes[here]} to {classes[there]}"
                )
            here, gone = there, gone or rule.expiration


# Endpoints -----------------------------------------------------------------------------------------------------------

# Where instances hand out credentials: AWS over IPv6, Azure's wire server, Google over IPv6, Alibaba. The rest is
# link-local (169.254.0.0/16, fe80::/10).
_METADATA = frozenset(
    ipaddress.ip_address(address) for address in ("fd00:ec2::254", "168.63.129.16", "fd20:ce::254", "100.100.100.200")
)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})


class ProviderSettings(Settings):
    """The settings that every cloud's provider config has.

    Attributes:
        allow_http: allow an endpoint on another machine to be reached without TLS.
        endpoint_url: another endpoint than the cloud's own: https, or http to this machine.
    """

    allow_http: bool = False
    endpoint_url: str | None = None

    @field_validator("endpoint_url")
    @classmethod
    def _endpoint(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        return _refuse(partial(endpoint_problem, allow_http=info.data.get("allow_http", False)), value)


def endpoint_problem(url: str, *, allow_http: bool = False) -> str | None:
    """Say why an endpoint URL must not be used, or None.

    Names are not resolved: an address that a name hides is the business of the network's own rules.
    """
    if not url or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return (
            "an endpoint must be a URL of printable ASCII characters without spaces; leave it out for the cloud's own"
        )
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        _ = parts.port
    except ValueError:
        return "an endpoint must be a URL such as 'https://host:port'"
    if parts.scheme not in {"http", "https"} or not host:
        return "an endpoint must begin with 'https://' (or 'http://' on this machine) and name a host"
    if "@" in parts.netloc or "?" in url or "#" in url:
        return "an endpoint must have no user, password, query or fragment"
    return _host_problem(parts.scheme, host, allow_http)


def _host_problem(scheme: str, host: str, allow_http: bool) -> str | None:
    address = _address(host)
    if host in _METADATA_NAMES or (address and _forbidden(address)):
        return "an endpoint must not be a link-local or instance metadata address"
    at_home = host == "localhost" or host.endswith(".localhost") or bool(address and address.is_loopback)
    if scheme == "http" and not at_home and not allow_http:
        return "plain http would send credentials in the clear: use https, or say allow_http=True"
    return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an IP address in every form that sockets take: also decimal, hexadecimal, octal and short ones."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        pass
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return _embedded(found) if isinstance(found, ipaddress.IPv6Address) else found


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for (RFC 4291, 6052 and 3056), else the address itself."""
    prefix, low = int(address) >> 32, int(address) & 0xFFFFFFFF
    if prefix in {0, 0xFFFF, 0x64FF9B << 64} and low > 0xFFFF:
        return ipaddress.IPv4Address(low)
    return address.sixtofour or address


def _forbidden(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA


_HEAD = ("setting", "value", "from")

# The cascade ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Level:
    """One level of the cascade: its name and the values that were given there.

    `Level("task", config.set_fields())` makes one of settings; `defaults` makes the outermost.
    """

    name: str
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Row:
    """One effective setting: its path (`timeout`, `tags.team`), its value and the level it came from."""

    setting: str
    value: Any = field(repr=False)
    level: str

    @property
    def shown(self) -> str:
        """The value as text, with secrets masked and control characters escaped."""
        text = str(self.value)
        if redacted(text) != text or (self.setting.startswith("environment_vars.") and _is_hidden(self.setting)):
            return MASK
        return text if text.isprintable() else repr(text)


def _is_hidden(variable: str) -> bool:
    return names_secret(variable) or "KEY" in variable.upper()


@dataclass(frozen=True, repr=False)
class Effective:
    """What several levels amount to, and which level each value came from."""

    levels: tuple[Level, ...]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The settings in the order in which they first appear, one row for each tag."""
        found: dict[str, Row] = {}
        for level in self.levels:
            for name, value in level.values.items():
                _lay(found, name, _plain(value), level.name)
        return tuple(found.values())

    @cached_property
    def values(self) -> dict[str, Any]:
        """The settings as plain dicts and lists; secrets stay `SecretStr`."""
        made: dict[str, Any] = {}
        for row in self.rows:
            name, dot, key = row.setting.partition(".")
            if dot:
                made.setdefault(name, {})[key] = row.value
            else:
                made[name] = row.value
        return made

    def origin(self, path: str) -> str:
        """Name the level that a setting came from: `origin("timeout")`, `origin("tags.team")`.

        Raises:
            ConfigError: no level gives such a setting.
        """
        levels = {row.setting: row.level for row in self.rows}
        if path not in levels:
            raise ConfigError(f"no level gives a setting {path!r}", hint=did_you_mean(path, levels))
        return levels[path]

    def refine(self, nearer: Effective) -> Effective:
        """Lay another result over this one: the same as one cascade over the levels of both."""
        return Effective((*self.levels, *nearer.levels))

    def __repr__(self) -> str:
        return f"Effective({', '.join(f'{row.setting}={row.shown} ({row.level})' for row in self.rows)})"

    def __str__(self) -> str:
        return tables.text(_HEAD, self._cells())

    def plain(self) -> list[dict[str, str]]:
        """Return the rows in JSON's own types, secrets masked."""
        return [dict(zip(_HEAD, cells, strict=True)) for cells in self._cells()]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return tables.html(_HEAD, self._cells())

    def _cells(self) -> list[tuple[str, str, str]]:
        return [(row.setting, row.shown, row.level) for row in self.rows]


def cascade(*levels: Level) -> Effective:
    """Merge levels, outermost first.

    | setting                            | given in two levels                       |
    |------------------------------------|-------------------------------------------|
    | `tags`, `labels`, `environment_vars` | merged key by key, the nearer value wins  |
    | any other                          | the nearer value replaces the outer one   |
    | None, given                        | replaces the outer value like any other   |
    """
    return Effective(levels)


def defaults(kind: type[Settings]) -> Level:
    """Make the outermost level, called "default", of the defaults of a class."""
    fields = {name: about for name, about in kind.model_fields.items() if not about.is_required()}
    return Level("default", {name: about.get_default(call_default_factory=True) for name, about in fields.items()})


def _lay(found: dict[str, Row], name: str, value: Any, level: str) -> None:
    """Lay one value over what the outer levels gave."""
    inside = [path for path in found if path.startswith(f"{name}.")]
    if name not in _MERGED or not isinstance(value, dict):
        for path in inside:
            del found[path]
        found[name] = Row(name, value, level)
        return
    entries = cast("dict[str, Any]", value)
    if entries or inside:
        found.pop(name, None)
        found.update({f"{name}.{key}": Row(f"{name}.{key}", entry, level) for key, entry in entries.items()})
    else:
        found[name] = Row(name, {}, level)


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return {name: _plain(entry) for name, entry in value.set_fields().items()}
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(entry) for entry in cast("Sequence[Any]", value)]
    return value


# Meanings ------------------------------------------------------------------------------------------------------------

StorageClass = Literal["standard", "infrequent", "archive-instant", "archive", "deep-archive", "automatic"]
"""What a storage class promises: standard; rarely read; archived yet read at once; archived; archived for years; chosen
by the cloud."""


class LifecycleMeaning(Settings):
    """A lifecycle rule of any cloud: after `days`, objects below `prefix` move to `transition`; None deletes them."""

    days: int
    transition: StorageClass | None = None
    prefix: str = ""


class StorageMeaning(Settings):
    """What a bucket config means on any cloud; None where it says nothing.

    Attributes:
        versioning: whether old versions are kept.
        customer_key: whether data are encrypted with a key of the customer; at rest they always are, on every cloud.
        storage_class: the class of new objects.
        lifecycle_rules: what happens to objects as they age.
        private: whether public access is blocked.
        tags: tags or labels.
        existing: whether the bucket is there already and is not to be created.
        left_out: the settings that have no meaning outside their own cloud.
    """

    versioning: bool | None = None
    customer_key: bool | None = None
    storage_class: StorageClass | None = None
    lifecycle_rules: Many[LifecycleMeaning] = ()
    private: bool | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    existing: bool | None = None
    left_out: Many[str] = ()


class FunctionMeaning(Settings):
    """What a function config means on any cloud; None where it says nothing.

    Attributes:
        memory: MB.
        timeout: seconds.
        python: Python version, such as `"3.12"`.
        environment_vars: the function's environment.
        tags: tags or labels.
        left_out: the settings that have no meaning outside their own cloud.
    """

    memory: int | None = None
    timeout: int | None = None
    python: str | None = None
    environment_vars: dict[str, str] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    left_out: Many[str] = ()


def salvage(kind: type[S], wanted: Mapping[str, Any], dropped: Iterable[str] = ()) -> tuple[S, tuple[str, ...]]:
    """Make settings of whatever a class accepts of `wanted`, and name the rest.

    Lists and mappings are tried entry by entry, so that one tag or rule which a cloud refuses costs no other. None
    means "says nothing" and is passed over. The names begin with what `dropped` says already.
    """
    given: dict[str, Any] = {}
    lost = list(dropped)
    for name, value in wanted.items():
        for label, piece in _pieces(name, value):
            attempt = {**given, name: _joined(given.get(name), piece)}
            try:
                kind(**attempt)
            except ValidationError:
                lost.append(label)
            else:
                given = attempt
    return kind(**given), tuple(lost)


def _pieces(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f"{name}.{key}", {key: entry}) for key, entry in cast("dict[str, Any]", value).items())
    elif isinstance(value, list):
        yield from ((f"{name}[{place}]", [entry]) for place, entry in enumerate(cast("list[Any]", value)))
    elif value is not None:
        yield name, value


def _joined(before: Any, piece: Any) -> Any:
    if before is None:
        return piece
    return before | piece if isinstance(before, dict) else before + piece


def fitted(name: str, value: int | None, sizes: Sequence[int]) -> tuple[int | None, tuple[str, ...]]:
    """Return the smallest of `sizes` that holds `value`, else the largest; with a note when that is another number."""
    if value is None or value in sizes:
        return value, ()
    size = next((size for size in sizes if size >= value), sizes[-1])
    return size, (f"{name}: {value} becomes {size}",)


def left_out(settings: Settings, *names: str) -> tuple[str, ...]:
    """Name the given settings among `names` that say something, so that whoever cannot carry them can say so."""
    return tuple(name for name in names if settings.set_fields().get(name) not in (None, False, (), {}))
