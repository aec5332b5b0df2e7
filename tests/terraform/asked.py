"""What IAM is asked for requests that were recorded.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html,
list_awslambda.html and list_amazoncloudwatchlogs.html beside it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from servers.moto import ACCOUNT, Moto
from servers.proxy import Exchange

from terraform.policies import Call

__all__ = ["calls_of", "keys_of"]


def calls_of(log: Iterable[Exchange], keys: Mapping[str, str]) -> list[Call]:
    """Return what IAM is asked for exchanges, without doubles; `keys` has the customer's key of each bucket with one.

    Raises:
        AssertionError: there is a request that is none of those that are known here.
    """
    return list(dict.fromkeys(call for each in log for call in _calls(each, keys)))


def keys_of(moto: Moto) -> dict[str, str]:
    """Return the ARN of the customer's key of each bucket that encrypts by one, as the server says.

    A bucket that names no key has the one of AWS, which everybody in the account may use through S3:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    s3, kms = moto.client("s3"), moto.client("kms")
    named = {each["Name"]: _default(s3, each["Name"]).get("KMSMasterKeyID") for each in s3.list_buckets()["Buckets"]}
    found = {name: _arn(kms, key) for name, key in named.items() if key}
    return {name: arn for name, arn in found.items() if arn}


def _arn(kms: Any, key: str) -> str | None:
    """Return the ARN of a customer's key, None for one of AWS; one that is not in this account goes by its ARN."""
    try:
        about = kms.describe_key(KeyId=key)["KeyMetadata"]
    except kms.exceptions.NotFoundException:
        assert ":key/" in key, key
        return key
    return about["Arn"] if about["KeyManager"] == "CUSTOMER" else None


def _default(s3: Any, bucket: str) -> Mapping[str, str]:
    try:
        (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    except s3.exceptions.ClientError:
        return {}
    return rule["ApplyServerSideEncryptionByDefault"]


def _calls(each: Exchange, keys: Mapping[str, str]) -> Iterator[Call]:
    found = re.search(r"/([a-z0-9-]+)/([a-z0-9]+)/aws4_request", each.authorization or unquote(each.path))
    assert found, each
    region, service = found.groups()
    yield from _SERVICES[service](each, f"arn:aws:{service}:{region}:{ACCOUNT}:", keys)


# S3 ------------------------------------------------------------------------------------------------------------------


def _of_s3(each: Exchange, _: str, keys: Mapping[str, str]) -> Iterator[Call]:
    where = urlsplit(each.path)
    bucket, _, key = unquote(where.path).lstrip("/").partition("/")
    query = {name: values[0] for name, values in parse_qs(where.query, keep_blank_values=True).items()}
    arn = f"arn:aws:s3:::{bucket}"
    yield from _of_object(each, arn, key, query) if key else _of_bucket(each, arn, query)
    if each.status < 400 and bucket in keys:
        yield from (Call(action, keys[bucket]) for action in _encryption(each.method, key, query))


def _of_object(each: Exchange, arn: str, key: str, query: Mapping[str, str]) -> Iterator[Call]:
    """Yield what a request for an object asks for.

    An object that is missing is answered by 404 only to those who may list, without a prefix; else by 403:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    verbs = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}
    given_up = each.method == "DELETE" and "uploadId" in query
    yield Call(f"s3:{'AbortMultipartUpload' if given_up else verbs[each.method]}", f"{arn}/{key}")
    if each.status == 404:
        yield Call("s3:ListBucket", arn)


def _of_bucket(each: Exchange, arn: str, query: Mapping[str, str]) -> Iterator[Call]:
    if each.method == "POST" and "delete" in query:
        for key in re.findall(r"<Key>(.*?)</Key>", each.sent.decode()):
            yield Call("s3:DeleteObject", f"{arn}/{unescape(key)}")
        return
    assert each.method == "GET", each
    assert query.keys() <= {"list-type", "prefix", "continuation-token", "start-after"}, each
    yield Call("s3:ListBucket", arn, (("s3:prefix", query["prefix"]),) if "prefix" in query else ())


def _encryption(method: str, key: str, query: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a request for an object asks of a customer's key.

    Reading decrypts, writing makes a data key; an upload in parts makes one when it begins, and decrypts it for each
    part. Looking at an object (HEAD), listing and deleting need no key.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html and mpuoverview.html beside it
    """
    if not key or method in {"HEAD", "DELETE"}:
        return ()
    if method == "GET" or "uploadId" in query:
        return ("kms:Decrypt",)
    return ("kms:GenerateDataKey",)


# Functions -----------------------------------------------------------------------------------------------------------


def _of_lambda(each: Exchange, arn: str, _: Mapping[str, str]) -> Iterator[Call]:
    found = re.fullmatch(r"/20[0-9-]+/functions/([\w-]+)/(invocations|concurrency)", each.path)
    assert found, each
    action = {"invocations": "InvokeFunction", "concurrency": "GetFunctionConcurrency"}[found[2]]
    yield Call(f"lambda:{action}", f"{arn}function:{found[1]}")


def _of_logs(each: Exchange, arn: str, _: Mapping[str, str]) -> Iterator[Call]:
    asked = json.loads(each.sent)
    action = each.target.removeprefix("Logs_20140328.")
    stream = {"DescribeLogStreams": "", "GetLogEvents": asked.get("logStreamName")}[action]
    yield Call(f"logs:{action}", f"{arn}log-group:{asked['logGroupName']}:log-stream:{stream}")


_SERVICES = {"s3": _of_s3, "lambda": _of_lambda, "logs": _of_logs}
