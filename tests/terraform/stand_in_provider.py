#!/usr/bin/env python3
"""A stand-in for a Terraform provider: it serves a schema and keeps resources in Terraform's state only.

With it the real Terraform core validates, plans, applies and destroys configurations of providers whose plugin is not
on the machine. Core itself finds unknown, missing and wrongly typed arguments; null for a required argument and a value
for a read-only one are found here. It is a double and lenient: allowed values, arguments that exclude each other and
changes that replace a resource are known to the real plugin only.

Terraform starts this file, with TF_DISABLE_PLUGIN_TLS=1; `schema.json` lies beside it. The messages are those of
tfplugin5.proto, https://github.com/hashicorp/terraform/tree/main/docs/plugin-protocol, written by hand: of the wire
format only numbers and length-delimited fields occur.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import msgpack

Block = dict[str, Any]
Make = Callable[[str, Any], Any]

UNKNOWN = msgpack.ExtType(0, b"\x00")
MODES = ("", "single", "list", "set", "map", "group")
ERROR = 1

# The wire format ------------------------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 127
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def encode(*fields: tuple[int, Any]) -> bytes:
    """Encode (number, value) pairs as a message; what is empty, None or False is left out, as protobuf does."""
    return b"".join(encode_field(number, value) for number, value in fields if value not in (None, "", False, 0))


def encode_field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(int(value))
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def decode(raw: bytes) -> dict[int, Any]:
    """Decode a message to its last value of each field."""
    out: dict[int, Any] = {}
    place = 0
    while place < len(raw):
        key, place = read_varint(raw, place)
        value, place = read_varint(raw, place)
        if key & 7 == 2:
            place, value = place + value, bytes(raw[place : place + value])
        out[key >> 3] = value
    return out


def read_varint(raw: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = raw[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def unpack(message: bytes | None) -> Any:
    """Read a DynamicValue: msgpack or JSON."""
    fields = decode(message or b"")
    if fields.get(1):
        return msgpack.unpackb(fields[1], raw=False, strict_map_key=False)
    return json.loads(fields[2]) if fields.get(2) else None


def pack(value: Any) -> bytes:
    return encode((1, msgpack.packb(value)))


# Schemas --------------------------------------------------------------------------------------------------------------


def schema_message(block: Block) -> bytes:
    return encode((2, block_message(block)))


def block_message(block: Block) -> bytes:
    attributes = [(2, attribute_message(name, about)) for name, about in block.get("attributes", {}).items()]
    nested = [(3, nested_message(name, about)) for name, about in block.get("block_types", {}).items()]
    return encode(*attributes, *nested)


def attribute_message(name: str, about: dict[str, Any]) -> bytes:
    flags = [(4, "required"), (5, "optional"), (6, "computed"), (7, "sensitive")]
    return encode((1, name), (2, json.dumps(about["type"])), *((number, about.get(flag)) for number, flag in flags))


def nested_message(name: str, about: dict[str, Any]) -> bytes:
    counts = ((4, about.get("min_items")), (5, about.get("max_items")))
    return encode((1, name), (2, block_message(about["block"])), (3, MODES.index(about["nesting_mode"])), *counts)


# Values ---------------------------------------------------------------------------------------------------------------


def complete(block: Block, value: Any, make: Make) -> Any:
    """Give each computed attribute that has no value yet the one that `make` makes of its name and type."""
    if not isinstance(value, dict):
        return value
    value = dict(value)
    for name, about in block.get("attributes", {}).items():
        unknown = isinstance(value.get(name), msgpack.ExtType)
        if unknown or (about.get("computed") and value.get(name) is None):
            value[name] = make(name, about["type"])
    for name, about in block.get("block_types", {}).items():
        value[name] = each_nested(about, value.get(name), lambda inner, of=about: complete(of["block"], inner, make))
    return value


def each_nested(about: dict[str, Any], value: Any, do: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [do(inner) for inner in value]
    if isinstance(value, dict) and about["nesting_mode"] == "map":
        return {key: do(inner) for key, inner in value.items()}
    return do(value)


def faults(block: Block, value: Any, path: str) -> Iterator[bytes]:
    """Yield what plugins check beyond Terraform core: null for a required argument, a value for a read-only one."""
    if not isinstance(value, dict):
        return
    for name, about in block.get("attributes", {}).items():
        settable = about.get("required") or about.get("optional")
        if about.get("required") and value.get(name) is None:
            yield diagnostic("Missing required argument", f'The argument "{path}.{name}" is required, but is null.')
        if not settable and value.get(name) is not None:
            yield diagnostic("Value for unconfigurable attribute", f'Cannot set "{path}.{name}".')
    for name, about in block.get("block_types", {}).items():
        inner = value.get(name)
        if isinstance(inner, dict):
            inner = list(inner.values()) if about["nesting_mode"] == "map" else [inner]
        for entry in inner or ():
            yield from faults(about["block"], entry, f"{path}.{name}")


def diagnostic(summary: str, detail: str) -> bytes:
    return encode((1, ERROR), (2, summary), (3, detail))


def unknown(_name: str, _kind: Any) -> Any:
    return UNKNOWN


def invented(seed: str) -> Make:
    """Return a function that makes up values: equal for equal seeds."""
    mark = hashlib.sha256(seed.encode()).hexdigest()[:8]

    def make(name: str, kind: Any) -> Any:
        match kind:
            case "string":
                return f"{name}-{mark}"
            case "number":
                return 1
            case "bool":
                return False
            case "dynamic":
                return [b'"string"', f"{name}-{mark}"]
            case ["object", fields]:
                return {key: make(key, inner) for key, inner in fields.items()}
            case ["map", _]:
                return {}
        return []

    return make


def seed(kind: str, value: Any) -> str:
    return kind + json.dumps(value, default=str, sort_keys=True)


# The provider ---------------------------------------------------------------------------------------------------------


class Provider:
    """The calls of tfplugin5.Provider; each takes the decoded request and returns the encoded response."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.configuration = schema.get("provider_schema", {}).get("block", {})
        self.resources = {kind: about["block"] for kind, about in schema["resource_schemas"].items()}
        self.data = {kind: about["block"] for kind, about in schema["data_source_schemas"].items()}

    def GetSchema(self, _request: dict[int, Any]) -> bytes:
        resources = [(2, encode((1, kind), (2, schema_message(block)))) for kind, block in self.resources.items()]
        data = [(3, encode((1, kind), (2, schema_message(block)))) for kind, block in self.data.items()]
        return encode((1, schema_message(self.configuration)), *resources, *data)

    def PrepareProviderConfig(self, request: dict[int, Any]) -> bytes:
        return encode((1, request.get(1)))

    def ValidateResourceTypeConfig(self, request: dict[int, Any]) -> bytes:
        return self._validated(self.resources, request)

    def ValidateDataSourceConfig(self, request: dict[int, Any]) -> bytes:
        return self._validated(self.data, request)

    def _validated(self, blocks: dict[str, Block], request: dict[int, Any]) -> bytes:
        kind = request[1].decode()
        return encode(*((1, fault) for fault in faults(blocks[kind], unpack(request.get(2)), kind)))

    def Configure(self, _request: dict[int, Any]) -> bytes:
        return b""

    def UpgradeResourceState(self, request: dict[int, Any]) -> bytes:
        return encode((1, pack(json.loads(decode(request[3])[1]))))

    def ReadResource(self, request: dict[int, Any]) -> bytes:
        return encode((1, request.get(2)), (3, request.get(3)))

    def PlanResourceChange(self, request: dict[int, Any]) -> bytes:
        planned = complete(self.resources[request[1].decode()], unpack(request.get(3)), unknown)
        return encode((1, pack(planned)), (5, True))

    def ApplyResourceChange(self, request: dict[int, Any]) -> bytes:
        kind, planned = request[1].decode(), unpack(request.get(3))
        made = complete(self.resources[kind], planned, invented(seed(kind, unpack(request.get(4)))))
        return encode((1, pack(made)), (4, True))

    def ReadDataSource(self, request: dict[int, Any]) -> bytes:
        kind, wanted = request[1].decode(), unpack(request.get(2))
        return encode((1, pack(complete(self.data[kind], wanted, invented(seed(kind, wanted))))))

    def Stop(self, _request: dict[int, Any]) -> bytes:
        return b""


class Handler(grpc.GenericRpcHandler):
    """Routes the calls of Terraform; anything but a known call is unimplemented."""

    def __init__(self, provider: Provider, done: threading.Event) -> None:
        self.provider = provider
        self.done = done

    def service(self, details: Any) -> Any:
        service, name = details.method.strip("/").split("/")
        if (service, name) == ("plugin.GRPCController", "Shutdown"):
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self.done.set() or b"")
        call = getattr(self.provider, name, None) if service == "tfplugin5.Provider" else None
        return call and grpc.unary_unary_rpc_method_handler(
            lambda request, context: answer(name, call, request, context)
        )


def answer(name: str, call: Callable[[dict[int, Any]], bytes], request: bytes, context: Any) -> Any:
    try:
        return call(decode(request))
    except Exception as error:
        context.abort(grpc.StatusCode.INTERNAL, f"stand-in provider, {name}: {type(error).__name__}: {error}")


def main() -> None:
    if not os.environ.get("TF_PLUGIN_MAGIC_COOKIE"):
        sys.exit("This program is a Terraform plugin: Terraform starts it.")
    provider = Provider(json.loads((Path(__file__).parent / "schema.json").read_text("utf-8")))
    done = threading.Event()
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Handler(provider, done)], options=options)
    folder = Path(tempfile.mkdtemp(prefix="stand-in-"))
    server.add_insecure_port(f"unix:{folder / 'socket'}")
    server.start()
    print(f"1|5|unix|{folder / 'socket'}|grpc|", flush=True)
    done.wait()
    server.stop(0)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
