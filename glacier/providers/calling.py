"""What calls of functions share on every provider: values as JSON, and a thread for who does not wait."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["as_json", "in_background", "through_json"]


def as_json(value: Any, what: str) -> bytes:
    """Return a value as JSON in UTF-8; `what` names it in the error.

    Raises:
        ConfigError: it cannot be JSON.
    """
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        hint = "use dicts with str keys, lists, str, numbers, bool and None"
        raise ConfigError(f"{what} cannot be JSON: {error}", hint=hint) from error


def through_json(value: Any, what: str) -> Any:
    """Return a value as it comes out of JSON.

    Raises:
        ConfigError: it cannot be JSON.
    """
    return json.loads(as_json(value, what))


def in_background(name: str, call: Callable[[], Any]) -> Future[Any]:
    """Make the call of function `name` on a thread of its own and return a Future of its result or error."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    threading.Thread(target=run, name=f"glacier function {name}", daemon=True).start()
    return future
