"""Serverless: a function of a cloud, or of this machine, as a resource."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier.resources.verbs import verb

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["Serverless"]


@dataclass(frozen=True, eq=False, repr=False)
class Serverless:
    """A function that a provider runs.

    Making one touches nothing; two are equal when provider, name, handler and runtime are.

    Attributes:
        provider: the provider that runs it.
        function_name: its name there.
        handler: the code it runs, as `module.function`.
        runtime: the language runtime, None for the config's or the provider's own.
        config: the provider's function config, None for defaults.
    """

    provider: Any
    function_name: str
    handler: str
    runtime: str | None = None
    config: Any = None

    @verb("write")
    def invoke(self, payload: Any = None) -> Any:
        """Call the function with a JSON value, wait, and return its JSON result.

        Raises:
            ConfigError: payload or result cannot be JSON, or the handler is not there.
            Exception: a local function's own error, as itself.
        """
        return self.provider.functions.invoke(self.function_name, self.handler, payload, self.config)

    @verb("write")
    def invoke_async(self, payload: Any = None) -> Future[Any]:
        """Call the function and return at once; the Future has its result, or its error, as `invoke` would."""
        return self.provider.functions.invoke_async(self.function_name, self.handler, payload, self.config)

    @verb("read")
    def logs(self) -> list[str]:
        """Return the latest log lines, oldest first: time, duration in ms, `ok` or the error."""
        return self.provider.functions.logs(self.function_name)

    @verb("read")
    def exists(self) -> bool:
        """Whether the function is there to be called."""
        return self.provider.functions.exists(self.function_name, self.handler)

    def _identity(self) -> tuple[Any, ...]:
        return id(self.provider), self.function_name, self.handler, self.runtime

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Serverless) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"Serverless({self.function_name!r}, handler={self.handler!r})"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"
