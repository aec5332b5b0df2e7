"""What IAM would say: the policies in generated Terraform, and whether they allow a call.

The rules are those of the IAM user guide's "Policy evaluation logic" for one account and identity policies only: what
no statement allows is denied. Of conditions StringLike is known, of wildcards `*`, `?` and the escapes `${*}`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from terraform.configuration import DOLLAR, PERCENT, Block, Expression, Template, read

__all__ = ["Call", "Statement", "allowed", "calls_of", "statements_of"]


@dataclass(frozen=True)
class Call:
    """One call of an API: what IAM is asked for it."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Statement:
    """One statement that allows."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = field(default=())

    def allows(self, call: Call) -> bool:
        """Whether this statement alone allows a call."""
        context = dict(call.context)
        return (
            call.action in self.actions
            and any(_like(pattern, call.resource) for pattern in self.resources)
            and all(_holds(*condition, context) for condition in self.conditions)
        )


def allowed(call: Call, statements: Iterable[Statement]) -> bool:
    """Whether any statement allows a call."""
    return any(statement.allows(call) for statement in statements)


def statements_of(folder: Path, principal: str) -> list[Statement]:
    """Return the statements of a principal's policy, with the module's references resolved to ARNs."""
    blocks = [block for path in sorted(folder.glob("*.tf")) for block in read(path, _fail)]
    arns = dict(_arns(blocks))
    (document,) = (block for block in blocks if block.labels == ("aws_iam_policy_document", principal))
    return [_statement(block.body.attributes, block.body.blocks, arns) for block in document.body.blocks]


def calls_of(method: str, path: str, status: int = 200, deleted: str = "") -> Iterator[Call]:
    """Yield what S3 asks IAM for a request; `deleted` is the key in the body of a request that deletes several.

    A HEAD for what is not there is answered by 404 only to those who may list, without a prefix; else by 403.
    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
    """
    where = urlsplit(path)
    bucket, _, key = unquote(where.path).lstrip("/").partition("/")
    query = parse_qs(where.query, keep_blank_values=True)
    arn = f"arn:aws:s3:::{bucket}"
    if method == "GET" and not key:
        yield Call("s3:ListBucket", arn, (("s3:prefix", query.get("prefix", [""])[0]),))
    elif method == "POST" and "delete" in query:
        yield Call("s3:DeleteObject", f"{arn}/{deleted}")
    elif method == "DELETE":
        yield Call("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", f"{arn}/{key}")
    else:
        yield Call("s3:GetObject" if method in {"GET", "HEAD"} else "s3:PutObject", f"{arn}/{key}")
    if status == 404:
        yield Call("s3:ListBucket", arn)


def _arns(blocks: Iterable[Block]) -> Iterator[tuple[str, str]]:
    services = {"aws_s3_bucket": ("bucket", "s3"), "aws_lambda_function": ("function_name", "lambda")}
    for block in blocks:
        if len(block.labels) == 2 and block.labels[0] in services:
            name, service = services[block.labels[0]]
            dot = "data." if block.kind == "data" else ""
            yield f"{dot}{'.'.join(block.labels)}.arn", f"arn:aws:{service}:::{block.body.attributes[name]}"


def _statement(attributes: Mapping[str, Any], blocks: Iterable[Block], arns: Mapping[str, str]) -> Statement:
    found = [each.body.attributes for each in blocks if each.kind == "condition"]
    conditions = tuple((each["test"], each["variable"], tuple(map(_text, each["values"]))) for each in found)
    resources = tuple(_resolved(each, arns) for each in attributes["resources"])
    return Statement(attributes["sid"], tuple(attributes["actions"]), resources, conditions)


def _resolved(value: Any, arns: Mapping[str, str]) -> str:
    text = value.text if isinstance(value, Expression | Template) else str(value)
    return _text(re.sub(r"(?<!\$)\$\{([\w.]+)\}", lambda found: arns.get(found[1], found[0]), text))


def _text(value: Any) -> str:
    """Return a template's text, its own escapes undone, as IAM gets it."""
    text = value.text if isinstance(value, Expression | Template) else str(value)
    return text.replace("$${", "${").replace("%%{", "%{").replace(DOLLAR, "$").replace(PERCENT, "%")


def _holds(test: str, name: str, values: tuple[str, ...], context: Mapping[str, str]) -> bool:
    assert test == "StringLikeIfExists", test
    return name not in context or any(_like(value, context[name]) for value in values)


def _like(pattern: str, text: str) -> bool:
    parts = re.split(r"(\$\{[*?$]\}|\*|\?)", pattern)
    meaning = {"*": ".*", "?": "."}
    made = "".join(meaning.get(part) or re.escape(part[2:-1] if part.startswith("${") else part) for part in parts)
    return re.fullmatch(made, text, re.DOTALL) is not None


def _fail(message: Any) -> None:
    raise AssertionError(message)
