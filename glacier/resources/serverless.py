"""Serverless: a function of a cloud, or of this machine, as a resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glacier import tables
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

        On AWS payload and result have at most 6 MB each, and a call is sent once, because it may have run whatever
        comes back; a task's `retries` make further calls. Functions of Google Cloud and Azure are not called yet.

        Raises:
            ConfigError: the payload (here also the result) cannot be JSON or is too large, or the handler is not there.
            FunctionError: a function of a cloud failed by itself; a local one's error is raised as itself.
            ResourceNotFoundError, AccessError, FormatError, InfrastructureError: a cloud has no such function, refuses
                the call, returns no JSON, is too busy or cannot be reached; or this version does not call it there.
        """
        return self.provider.functions.invoke(self.function_name, self.handler, payload, self.config)

    @verb("write")
    def invoke_async(self, payload: Any = None) -> Future[Any]:
        """Call the function and return at once; the Future has its result, or its error, as `invoke` would."""
        return self.provider.functions.invoke_async(self.function_name, self.handler, payload, self.config)

    @verb("read")
    def logs(self) -> list[str]:
        """Return the latest log lines, oldest first, each with its time.

        On this machine a line is a call: duration in ms, `ok` or the error. On AWS they are those of CloudWatch Logs,
        at most 1000.

        Raises:
            ResourceNotFoundError, AccessError, InfrastructureError: as for `invoke`; of a function that never ran too.
        """
        return self.provider.functions.logs(self.function_name)

    @verb("read")
    def exists(self) -> bool:
        """Whether the function is there to be called.

        Raises:
            AccessError, InfrastructureError: as for `invoke`.
        """
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
        return tables.line(repr(self), "code")
