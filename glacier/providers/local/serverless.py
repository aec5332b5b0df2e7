"""This machine: functions are Python functions, called as a cloud would call them."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier.errors import ConfigError, did_you_mean
from glacier.names import ENTRY_POINT, NameRule
from glacier.providers.calling import in_background, through_json
from glacier.redaction import told

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from concurrent.futures import Future

__all__ = ["LocalFunctions"]

FUNCTION = NameRule(
    what="local function name",
    says="letters, digits, '-' and '_', as every cloud allows them",
    pattern=r"[A-Za-z0-9_-]+",
    longest=64,
)
_KEPT = 1000
"""Log lines that are kept for each function."""
_importing = threading.RLock()
_setting = threading.Lock()
_running: list[Mapping[str, str]] = []
"""The variables of the calls that run now; `_before` has what they were outside of all calls."""
_before: dict[str, str | None] = {}


class LocalFunctions:
    """Calls `function(payload, None)` of the handler's module, with payload and result passed through JSON.

    The module is searched where Python does, in the working directory and in the base folder; a handler without a
    module is in `main`. The environment variables of a function's config are set in this process while it runs.
    Memory and timeout of the config are a cloud's business and not enforced.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self._logs: dict[str, deque[str]] = {}

    def check(self, name: str, handler: str) -> None:
        """Check name and handler.

        Raises:
            ConfigError: one of them is not allowed.
        """
        FUNCTION.check(name, where="local function")
        ENTRY_POINT.check(handler, where=f"local function {name!r}")

    def invoke(self, name: str, handler: str, payload: Any, config: Any) -> Any:
        """Call the function with a JSON value and return its JSON result.

        Raises:
            ConfigError: payload or result cannot be JSON, or the handler is not there.
            Exception: the function's own error, with a note that names the function.
        """
        given = through_json(payload, f"the payload of function {name!r}")
        with self._logged(name), _variables(getattr(config, "environment_vars", None) or {}):
            result = self._handler(name, handler)(given, None)
            return through_json(result, f"the result of function {name!r}")

    def invoke_async(self, name: str, handler: str, payload: Any, config: Any) -> Future[Any]:
        """Call the function on a thread of its own and return a Future of its result."""
        return in_background(name, lambda: self.invoke(name, handler, payload, config))

    def logs(self, name: str) -> list[str]:
        """Return one line for each of the latest calls, oldest first: time, duration in ms, `ok` or the error."""
        return list(self._logs.get(name, ()))

    def exists(self, name: str, handler: str) -> bool:
        """Whether the handler's module can be imported and has the function."""
        try:
            self._handler(name, handler)
        except ConfigError:
            return False
        return True

    def _handler(self, name: str, handler: str) -> Callable[[Any, Any], Any]:
        self.check(name, handler)
        module_name, _, function_name = handler.rpartition(".")
        module = self._module(name, module_name or "main")
        function = getattr(module, function_name, None)
        if not callable(function):
            known = [key for key in dir(module) if not key.startswith("_") and callable(getattr(module, key))]
            message = f"function {name!r}: module {module.__name__!r} has no function {function_name!r}"
            raise ConfigError(message, hint=did_you_mean(function_name, known))
        _check_signature(function, name, handler)
        return function

    def _module(self, name: str, module: str) -> Any:
        with _importable(str(self.base)), _importable(str(Path.cwd())):
            try:
                return importlib.import_module(module)
            except ModuleNotFoundError as error:
                if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                    raise
                message = f"function {name!r}: there is no module {module!r}"
                hint = f"put {module.replace('.', '/')}.py into the working directory or into {self.base}"
                raise ConfigError(message, hint=hint) from error

    @contextmanager
    def _logged(self, name: str) -> Generator[None]:
        began, start = datetime.now().astimezone(), time.perf_counter()
        said = "ok"
        try:
            yield
        except BaseException as error:
            said = f"error {told(error)}"
            error.add_note(f"function {name!r} on this machine")
            raise
        finally:
            spent = (time.perf_counter() - start) * 1000
            line = f"{began.isoformat(timespec='milliseconds')} {spent:.1f} ms {said}"
            self._logs.setdefault(name, deque(maxlen=_KEPT)).append(line)


def _check_signature(function: Callable[..., Any], name: str, handler: str) -> None:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        message = f"function {name!r}: {handler} does not take (payload, context): {error}"
        raise ConfigError(message, hint="define it as `def handler(payload, context):`") from error


@contextmanager
def _importable(folder: str) -> Generator[None]:
    """Let modules of a folder be found, after all others."""
    with _importing:
        if folder in sys.path:
            yield
            return
        sys.path.append(folder)
        try:
            yield
        finally:
            sys.path.remove(folder)


@contextmanager
def _variables(variables: Mapping[str, str]) -> Generator[None]:
    """Set environment variables for the length of a call; of calls side by side the latest one's values hold."""
    with _setting:
        for name in variables:
            if not any(name in running for running in _running):
                _before[name] = os.environ.get(name)
        _running.append(variables)
        os.environ.update(variables)
    try:
        yield
    finally:
        with _setting:
            _running.remove(variables)
            for name in variables:
                _reset(name)


def _reset(name: str) -> None:
    held = [running[name] for running in _running if name in running]
    value = held[-1] if held else _before.pop(name)
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
