"""A server that answers as a test tells it to, for what no real server can be brought to say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .relay import LoopbackServer, Relay

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    """One answer; `value` becomes its JSON body unless it is bytes already, and it comes `seconds` late."""

    status: int = 200
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0

    @property
    def body(self) -> bytes:
        """The bytes of the body."""
        return self.value if isinstance(self.value, bytes) else json.dumps(self.value).encode()


class Scripted(LoopbackServer):
    """A server that gives `answer` to every request; `asked` has the method and path of each so far."""

    def __init__(self) -> None:
        super().__init__(_Handler, 0)
        self.endpoint = f"http://{self.host}"
        self.answer = Answer()
        self.asked: list[str] = []


class _Handler(Relay):
    server: Scripted

    def relay(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        for _ in self.body():
            pass
        answer = self.server.answer
        self.server.stopping.wait(answer.seconds)
        self.reply(answer.status, answer.body, {"Content-Type": "application/json", **answer.headers})
