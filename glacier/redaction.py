"""What must not be told, and texts without it.

| secret                                            | known from when                                        |
|---------------------------------------------------|--------------------------------------------------------|
| a `SecretStr`                                     | a config, a parameter, an argument or a default is one |
| keys and tokens of a cloud                        | they are fetched                                       |
| an environment variable with the name of a secret | `${NAME}` or a function's `environment_vars` has it    |
| the password in an address or a connection string | one of these has it                                    |

A known secret is found as it is, as Python, JSON, an address or a page spells it, and within base64. One of fewer than
8 characters is not kept in mind: it is too much like other words. Besides, in any text that Glacier itself shows, logs
or keeps, what looks like a secret is one: what follows `password=`, `sig=` or `token=`, or stands before the `@` of an
address.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

__all__ = [
    "hushed",
    "is_secret",
    "learn",
    "learn_variable",
    "names_secret",
    "quiet",
    "redacted",
    "remember",
    "told",
    "unknowing",
]

_MASK = "***"
_SHORTEST = 8
_MOST = 1000
"""Secrets that are kept in mind, the latest ones."""
_AHEAD = 10_000
"""Characters beyond a limit that are looked through, so that no secret is cut in two and shown in part."""
_TYPES = ("SecretStr", "SecretBytes", "Secret")
_NAME = re.compile(
    r"passw|pwd|secret|token(?!i)|credential|connection.?string|(access|account|api|private|shared).?key", re.IGNORECASE
)
_PASSWORD = re.compile(r"://[^/@\s:]*:([^/@\s]+)@")
_LOOKS = re.compile(
    r"(?i)((?:sig|signature|token|x-amz-[a-z-]+|accountkey|secret[a-z_]*|password)=|bearer (?=\S{16}))[^&\s\"']+"
    r"|(?<=//)[^/@\s]+(?=@)|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
)
_SIGNS = ("=", "@", "AKIA", "ASIA", "earer ")
"""One of these is in a text that has what looks like a secret: most have none, and are not searched."""
_SAID = ("filename", "filename2", "strerror", "message", "hint", "msg", "reason")
"""What errors of the standard library, of Glacier and of many others make their text of, beside `args`."""

_lock = threading.Lock()
_secrets: dict[str, None] = {}
_forms: tuple[str, ...] = ()
"""Every spelling of every secret, the longest first."""


# --- what is secret ------------------------------------------------------------------------------------------------


def names_secret(name: str) -> bool:
    """Whether a name is that of a secret: `DB_PASSWORD`, `apiToken`, `account_key`; `KEY` alone may be a column's."""
    return _NAME.search(name) is not None


def is_secret(value: object) -> bool:
    """Whether a value is a `SecretStr` or another secret of pydantic's."""
    return any(base.__name__ in _TYPES and base.__module__.startswith("pydantic") for base in type(value).__mro__)


def learn(values: Iterable[Any]) -> None:
    """Remember those of the values that are secrets by their type."""
    for value in values:
        if is_secret(value):
            text = value.get_secret_value()
            remember(text.decode(errors="replace") if isinstance(text, bytes) else str(text))


def learn_variable(name: str, value: str) -> None:
    """Remember the value of an environment variable if its name says that it is secret, or it has a password."""
    if names_secret(name) or _PASSWORD.search(value):
        remember(value)


def remember(text: str) -> None:
    """Keep a secret in mind; of an address only its password, of a key in lines each line."""
    global _secrets, _forms  # noqa: PLW0603 - what is secret is so for the whole process
    new = [part for part in _parts(text) if len(part) >= _SHORTEST and part not in _secrets]
    if new:
        with _lock:
            _secrets = dict.fromkeys([*_secrets, *new][-_MOST:])
            _forms = _spelled(_secrets)


def _parts(text: str) -> Iterator[str]:
    passwords = _PASSWORD.findall(text)
    yield from (part for each in passwords for part in (each, unquote(each)))
    if not passwords:
        yield from (line.strip() for line in text.splitlines() if not line.startswith("---"))
        pairs = (part.partition("=") for part in text.split(";"))
        yield from (value for name, _, value in pairs if names_secret(name))


def _spelled(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({form for secret in secrets for form in _spellings(secret)}, key=len, reverse=True))


def _spellings(secret: str) -> Iterator[str]:
    yield from (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], html.escape(secret))
    yield from (quote(secret), quote(secret, safe=""))
    data = secret.encode(errors="replace")
    for before in range(3):
        # Only the characters that no neighbour has a part in: https://datatracker.ietf.org/doc/html/rfc4648#section-4
        coded = base64.b64encode(bytes(before) + data).decode()
        yield coded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]


@contextmanager
def unknowing() -> Generator[None]:
    """Know no secret within a block, and none of the block's afterwards."""
    global _secrets, _forms
    before = _secrets, _forms
    _secrets, _forms = {}, ()
    try:
        yield
    finally:
        _secrets, _forms = before


# --- texts without it ----------------------------------------------------------------------------------------------


def hushed(text: str) -> str:
    """Return a text without the secrets that are known."""
    for form in _forms:
        if form in text:
            text = text.replace(form, _MASK)
    return text


def redacted(text: str, limit: int | None = None) -> str:
    """Return the first `limit` characters of a text without secrets, known ones and what looks like one."""
    text = hushed(text if limit is None else text[: limit + _AHEAD])
    if not any(sign in text for sign in _SIGNS):
        return text[:limit]
    return _LOOKS.sub(lambda found: f"{found[1] or ''}{_MASK}", text)[:limit]


def told(error: BaseException, limit: int = 500) -> str:
    """Return what an error says, with its type, without secrets; also of one that raises when it is asked for that."""
    try:
        text = str(error)
    except Exception as why:
        text = f"(its text cannot be told: {type(why).__name__})"
    return redacted(f"{type(error).__name__}: {text}", limit)


def quiet(error: BaseException) -> None:
    """Take secrets out of what an error, its notes and the errors behind it say.

    One whose class makes up its text of something else than `args` and the usual attributes keeps it.
    """
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        here = todo.pop()
        if here is not None and id(here) not in seen:
            seen.add(id(here))
            todo += [here.__cause__, here.__context__, *_quieted(here)]


def _quieted(error: BaseException) -> Iterable[Any]:
    """Quieten one error, and return those that are a part of it."""
    args = tuple(map(_without, error.args))
    if args != error.args:
        error.args = args
    if hasattr(error, "__notes__"):
        error.__notes__ = list(map(redacted, error.__notes__))
    for name in _SAID:
        with suppress(Exception):  # an attribute of somebody else's may be anything, and refuse to be set
            said = getattr(error, name)
            if _without(said) is not said:
                setattr(error, name, _without(said))
    group: Any = error
    inside = group.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [*inside, *(each for each in error.args if isinstance(each, BaseException))]


def _without(value: Any) -> Any:
    """Return an argument of an error without secrets; a collection with one as its text."""
    if not isinstance(value, str | bytes | list | tuple | dict):
        return value
    text = value if isinstance(value, str) else repr(value)  # pyright: ignore[reportUnknownArgumentType]
    return value if redacted(text) == text else redacted(text)  # pyright: ignore[reportUnknownVariableType]
