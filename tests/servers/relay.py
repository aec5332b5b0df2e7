"""What the proxy and the Google front share: a threaded loopback HTTP server whose handler asks another server."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Self

from .process import HOST

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from http.client import HTTPResponse

# What is kept in memory of a body that passes.
BLOCK = 1 << 18

# Headers of one connection, not of the message (RFC 9110, 7.6.1); Expect is answered by the handler itself.
HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}


class LoopbackServer(ThreadingTCPServer):
    """A server thread on a free loopback port, and a thread for each of its connections.

    Not `ThreadingHTTPServer`, which looks its own address up in the DNS.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], upstream: int) -> None:
        super().__init__((HOST, 0), handler)
        self.upstream = upstream
        self.stopping = threading.Event()
        self._connections: set[Any] = set()

    @property
    def host(self) -> str:
        """Host and port, as a Host header spells them."""
        return f"{HOST}:{self.server_address[1]}"

    def start(self) -> Self:
        """Answer from now on."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Close the port and every connection, idle ones too: a stopped server answers nobody."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread and remember it."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection and forget it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about a side that hung up: clients do so whenever they have read enough."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Relay(BaseHTTPRequestHandler):
    """A handler that passes requests on to the upstream port, block by block in both directions."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LoopbackServer

    def relay(self) -> None:
        """Answer one request; each kind of relay says how."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer a request of any method."""
        self.relay()

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the tests ask the server objects."""

    @property
    def chunked(self) -> bool:
        """Whether the request's body comes in chunks, its length unknown."""
        return self.headers.get("Transfer-Encoding", "").lower() == "chunked"

    def body(self) -> Iterator[bytes]:
        """Yield the request's body in blocks."""
        if not self.chunked:
            yield from self._read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            try:
                block = self.rfile.read(min(size, BLOCK))
            except ConnectionResetError:
                block = b""
            if not block:
                # Of another kind than the store's hanging up: there is no answer to wait for.
                raise ConnectionAbortedError("the client hung up within its request")
            size -= len(block)
            yield block

    @contextmanager
    def asked(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        body: Iterable[bytes],
        *,
        chunked: bool = False,
    ) -> Generator[HTTPResponse]:
        """Ask upstream, on a connection of this request alone, and give the response while the block runs."""
        with closing(HTTPConnection(HOST, self.server.upstream, timeout=120)) as upstream:
            upstream.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                upstream.putheader(name, value)
            try:
                upstream.endheaders(body, encode_chunked=chunked)
            except (BrokenPipeError, ConnectionResetError):
                # A store may refuse before it has read the body: its answer counts, the rest of the body is lost.
                self.close_connection = True
            with closing(upstream.getresponse()) as response:
                yield response

    @contextmanager
    def passed_on(self, *, host: str | None = None) -> Generator[HTTPResponse]:
        """Ask upstream the very same; the Host header, which signatures cover, stays unless `host` is given."""
        headers = [(name, value) for name, value in self.headers.items() if name.lower() not in {*HOP, "host"}]
        headers.append(("Host", host or self.headers["Host"]))
        if self.chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        with self.asked(self.command, self.path, headers, self.body(), chunked=self.chunked) as response:
            yield response

    def pass_back(self, response: HTTPResponse) -> None:
        """Answer with the response as it is."""
        length = response.length
        self.send_response_only(response.status, response.reason)
        for name, value in response.headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = 0
        for block in self.blocks(response):
            sent += len(block)
            self.wfile.write(block if length is not None else b"%x\r\n%b\r\n" % (len(block), block))
        if length is None:
            self.wfile.write(b"0\r\n\r\n")
        elif sent < length:
            self.close_connection = True

    def blocks(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield the response's body in blocks."""
        while block := response.read(BLOCK):
            yield block

    def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer with a body of our own."""
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)
