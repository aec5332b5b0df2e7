"""A proxy in front of a store that counts what passes and, when told to, breaks it."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from .relay import BLOCK, LoopbackServer, Relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse

    from .process import Server

FaultKind = Literal["drop", "truncate", "slow", "busy"]

KEPT = 1 << 16
"""Bytes of a request's body that are kept of it."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with every `every`-th response whose "METHOD /path" matches, at most `times` times.

    `drop`      the store does the work, the connection closes without a response
    `truncate`  the head and half of the body, then the connection closes; a response without body is dropped
    `slow`      the response comes `seconds` late
    `busy`      503 with the store's own error body, the store is not asked
    """

    kind: FaultKind
    every: int = 1
    times: int | None = None
    match: str = ""
    seconds: float = 0.2

    def strikes(self, count: int) -> bool:
        """Whether the `count`-th matching response, from 1, goes wrong."""
        rounds, rest = divmod(count, self.every)
        return rest == 0 and (self.times is None or rounds <= self.times)


@dataclass
class Exchange:
    """One request and what came back; `bytes` counts the response's body as far as it was passed on.

    `target` is what AWS' JSON protocol calls the operation; `sent` is the beginning of the request's body.
    """

    method: str
    path: str
    range: str | None
    authorization: str
    target: str = ""
    sent: bytes = b""
    status: int = 0
    bytes: int = 0
    fault: FaultKind | None = None


class Proxy(LoopbackServer):
    """A proxy in front of one server, at `endpoint`; `log` holds every exchange since the last `reset()`.

    Google's SDK, unlike obstore and Polars, leaves the proxy for resumable uploads and for downloads, because the
    server's answers name the server's own address for them.
    """

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.endpoint)
        super().__init__(ProxyHandler, address.port or 80)
        self.behind = server
        self.endpoint = address._replace(netloc=self.host).geturl()
        self.log: list[Exchange] = []
        self._fault: Fault | None = None
        self._count = 0
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        """How many requests came in."""
        return len(self.log)

    @property
    def bytes(self) -> int:
        """How many bytes of response bodies went out."""
        return sum(exchange.bytes for exchange in self.log)

    @property
    def faults(self) -> int:
        """How many responses went wrong."""
        return sum(exchange.fault is not None for exchange in self.log)

    def reset(self) -> None:
        """Count from zero."""
        self.log = []

    def inject(self, kind: FaultKind, **settings: Any) -> None:
        """Break responses from now on, in place of any earlier fault; the settings are `Fault`'s."""
        with self._lock:
            self._fault, self._count = Fault(kind, **settings), 0

    def heal(self) -> None:
        """Break nothing from now on."""
        with self._lock:
            self._fault = None

    def note(self, exchange: Exchange) -> Fault | None:
        """Log an exchange that begins and return what shall go wrong with it."""
        with self._lock:
            self.log.append(exchange)
            if self._fault is None or not re.search(self._fault.match, f"{exchange.method} {exchange.path}"):
                return None
            self._count += 1
            return self._fault if self._fault.strikes(self._count) else None


class ProxyHandler(Relay):
    """One connection to the proxy."""

    server: Proxy
    exchange: Exchange
    fault: Fault | None

    def relay(self) -> None:
        """Pass one request on and its response back, unless a fault strikes."""
        asked = self.headers.get("x-ms-range") or self.headers.get("Range")
        signed, target = (self.headers.get(name, "") for name in ("Authorization", "X-Amz-Target"))
        self.exchange = Exchange(self.command, self.path, asked, signed, target)
        self.fault = self.server.note(self.exchange)
        self.exchange.fault = self.fault.kind if self.fault else None
        if self.exchange.fault == "busy":
            self._refuse()
            return
        with self.passed_on() as response:
            self.exchange.status = response.status
            self._answer(response)

    def body(self) -> Iterator[bytes]:
        """Yield the request's body in blocks and keep its beginning."""
        for block in super().body():
            self.exchange.sent += block[: KEPT - len(self.exchange.sent)]
            yield block

    def _refuse(self) -> None:
        for _ in self.body():
            pass
        store = self.server.behind
        self.exchange.status = 503
        self.exchange.bytes = 0 if self.command == "HEAD" else len(store.busy_body)
        self.reply(503, store.busy_body, {"Content-Type": "application/xml", **store.busy_headers})

    def _answer(self, response: HTTPResponse) -> None:
        if self.fault and self.fault.kind == "slow":
            self.server.stopping.wait(self.fault.seconds)
        if self.exchange.fault == "drop" or (self.exchange.fault == "truncate" and response.length == 0):
            self.close_connection = True
        else:
            self.pass_back(response)

    def blocks(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield the body and count it, before it goes out: a client that has it all finds it counted."""
        for block in self._half(response) if self.exchange.fault == "truncate" else super().blocks(response):
            self.exchange.bytes += len(block)
            yield block

    def _half(self, response: HTTPResponse) -> Iterator[bytes]:
        left = (response.length or 2) // 2
        while left and (block := response.read(min(left, BLOCK))):
            left -= len(block)
            yield block
        # Also where no length was promised: the end of the chunks must not look like the end of the body.
        raise ConnectionAbortedError("truncated by the proxy")
