"""What fake-gcs-server lacks of Google's XML API, in front of it.

Object puts, multipart uploads and copies become uploads of the JSON API with the same precondition. The list of a
bucket that nobody made is a 404, where fake-gcs-server fails with 500, and a range of an empty object is a 416, where
it answers with bytes 0 to -1. Everything else passes through. Rules:
https://cloud.google.com/storage/docs/xml-api/overview, https://cloud.google.com/storage/docs/xml-api/reference-status
and, for the limits of parts, https://cloud.google.com/storage/docs/multipart-uploads.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from .relay import LoopbackServer, Relay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON_API = ("/storage/v1/", "/upload/", "/download/", "/batch/", "/_internal/")
SMALLEST_PART = 5 << 20
META = "x-goog-meta-"


@dataclass(frozen=True)
class Target:
    """The bucket, the object's key and the query that an XML request names."""

    bucket: str
    key: str
    query: Mapping[str, list[str]]

    @classmethod
    def parse(cls, path: str) -> Target:
        """Read the target of a request line."""
        url = urlsplit(path)
        bucket, _, key = url.path.lstrip("/").partition("/")
        return cls(unquote(bucket), unquote(key), parse_qs(url.query, keep_blank_values=True))


@dataclass
class Upload:
    """A multipart upload under way: the object's key and properties, and its parts by number."""

    key: str
    properties: dict[str, Any]
    parts: dict[int, bytes] = field(default_factory=dict[int, bytes])


class Refusal(Exception):
    """An answer of the XML API that is an error: a status and a code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code


class Front(LoopbackServer):
    """The XML front; it sends its own address as Host, so that a proxy before it does not matter."""

    def __init__(self, upstream: int) -> None:
        super().__init__(FrontHandler, upstream)
        self.uploads: dict[str, Upload] = {}
        self.endpoint = f"http://{self.host}"


class FrontHandler(Relay):
    """One connection to the front."""

    server: Front

    def relay(self) -> None:
        """Answer a write of the XML API here and pass everything else on."""
        target = Target.parse(self.path)
        verb = None if self.path.startswith(JSON_API) else self._verb(target)
        try:
            if verb is None:
                self.pass_through()
            else:
                verb(target, b"".join(self.body()))
        except Refusal as error:
            self._reply_xml(error.status, f"<Error><Code>{error.code}</Code><Message>{error.code}</Message></Error>")

    def pass_through(self) -> None:
        """Answer what fake-gcs-server answers."""
        with self.passed_on(host=self.server.host) as response:
            if response.headers.get("Content-Range", "").endswith("/0"):
                raise Refusal(416, "InvalidRange")
            self.pass_back(response)

    def _verb(self, target: Target) -> Any:
        if not target.key:
            return self.list if self.command == "GET" and target.bucket else None
        match self.command:
            case "PUT" if "partNumber" in target.query:
                return self.put_part
            case "PUT" if "x-goog-copy-source" in self.headers:
                return self.copy
            case "PUT":
                return self.put
            case "POST" if "uploads" in target.query:
                return self.begin
            case "POST" if "uploadId" in target.query:
                return self.complete
            case "DELETE" if "uploadId" in target.query:
                return self.abort
            case _:
                return None

    def list(self, target: Target, _: bytes) -> None:
        """List a bucket, if there is one."""
        self._check(target.bucket)
        self.pass_through()

    def put(self, target: Target, body: bytes) -> None:
        """Put an object."""
        self.reply(200, headers=self._insert(target, self._properties(), [body]))

    def copy(self, target: Target, _: bytes) -> None:
        """Copy an object, as the put of what it holds now."""
        source = self.headers["x-goog-copy-source"]
        with self._ask("GET", f"/{source.lstrip('/')}") as response:
            body = response.read()
            if response.status != 200:
                raise Refusal(404, "NoSuchKey")
        properties = {"contentType": response.headers.get("Content-Type")}
        properties["metadata"] = _metadata(response.headers)
        headers = self._insert(target, properties, [body])
        self._reply_xml(200, f"<CopyObjectResult><ETag>{escape(headers['ETag'])}</ETag></CopyObjectResult>", headers)

    def begin(self, target: Target, _: bytes) -> None:
        """Begin a multipart upload."""
        self._check(target.bucket)
        number = uuid.uuid4().hex
        self.server.uploads[number] = Upload(target.key, self._properties())
        names = f"<Bucket>{target.bucket}</Bucket><Key>{escape(target.key)}</Key><UploadId>{number}</UploadId>"
        self._reply_xml(200, f"<InitiateMultipartUploadResult>{names}</InitiateMultipartUploadResult>")

    def put_part(self, target: Target, body: bytes) -> None:
        """Put one part."""
        self._upload(target).parts[int(target.query["partNumber"][0])] = body
        self.reply(200, headers={"ETag": f'"{md5(body).hexdigest()}"'})

    def complete(self, target: Target, body: bytes) -> None:
        """Make one object of the parts that the client lists."""
        upload = self._upload(target)
        numbers = [int(one.text or 0) for one in ElementTree.fromstring(body).iter() if one.tag.endswith("PartNumber")]
        if not numbers or not upload.parts.keys() >= set(numbers):
            raise Refusal(400, "InvalidPart")
        if any(len(upload.parts[number]) < SMALLEST_PART for number in numbers[:-1]):
            raise Refusal(400, "EntityTooSmall")
        headers = self._insert(target, upload.properties, [upload.parts[number] for number in numbers])
        self.server.uploads.pop(target.query["uploadId"][0], None)
        names = f"<Key>{escape(target.key)}</Key><ETag>{escape(headers['ETag'])}</ETag>"
        self._reply_xml(200, f"<CompleteMultipartUploadResult>{names}</CompleteMultipartUploadResult>", headers)

    def abort(self, target: Target, _: bytes) -> None:
        """Forget a multipart upload."""
        self._upload(target)
        self.server.uploads.pop(target.query["uploadId"][0], None)
        self.reply(204)

    def _check(self, bucket: str) -> None:
        with self._ask("GET", f"/storage/v1/b/{quote(bucket, safe='')}") as response:
            if response.status != 200:
                raise Refusal(404, "NoSuchBucket")

    def _upload(self, target: Target) -> Upload:
        upload = self.server.uploads.get(target.query["uploadId"][0])
        if upload is None:
            raise Refusal(404, "NoSuchUpload")
        return upload

    def _properties(self) -> dict[str, Any]:
        return {"contentType": self.headers.get("Content-Type"), "metadata": _metadata(self.headers)}

    def _insert(self, target: Target, properties: Mapping[str, Any], content: Sequence[bytes]) -> dict[str, str]:
        """Upload through the JSON API and return the XML API's headers of the new object.

        In `uploadType=multipart`, because fake-gcs-server 1.54 heeds the precondition there alone.
        """
        query = f"/upload/storage/v1/b/{quote(target.bucket, safe='')}/o?uploadType=multipart"
        generation = self.headers.get("x-goog-if-generation-match")
        if generation is not None:
            query += f"&ifGenerationMatch={generation}"
        edge = uuid.uuid4().hex
        described = json.dumps({"name": target.key, **{name: value for name, value in properties.items() if value}})
        start = f"--{edge}\r\nContent-Type: application/json\r\n\r\n{described}\r\n"
        start += f"--{edge}\r\nContent-Type: {properties.get('contentType') or 'application/octet-stream'}\r\n\r\n"
        related = [start.encode(), *content, f"\r\n--{edge}--\r\n".encode()]
        with self._ask("POST", query, related, f'multipart/related; boundary="{edge}"') as response:
            answer = response.read()
            if response.status != 200:
                raise Refusal(
                    response.status, {404: "NoSuchBucket", 412: "PreconditionFailed"}.get(response.status, "Error")
                )
        made = json.loads(answer)
        return {"ETag": '"{}"'.format(made["etag"].strip('"')), "x-goog-generation": made["generation"]}

    def _ask(self, method: str, target: str, body: Sequence[bytes] = (), content_type: str = "text/plain") -> Any:
        headers = {"Host": self.server.host, "Content-Type": content_type, "Content-Length": str(sum(map(len, body)))}
        return self.asked(method, target, headers.items(), body)

    def _reply_xml(self, status: int, element: str, headers: Mapping[str, str] | None = None) -> None:
        xml = f'<?xml version="1.0" encoding="UTF-8"?>{element}'
        self.reply(status, xml.encode(), {"Content-Type": "application/xml", **(headers or {})})


def _metadata(headers: Any) -> dict[str, str]:
    return {name.lower().removeprefix(META): value for name, value in headers.items() if name.lower().startswith(META)}
