"""Moto's server, in a process of its own: `python moto_main.py PORT`. Some things that it does not know are added.

- Of conditions in the policy of a bucket it knows nothing: a refusal of plain HTTP would refuse everything, so that
  statements with conditions are kept and given back, and not applied.
- A function's dead letter queue it forgets, and that a bucket sends its events to EventBridge it does not give back:
  here it does.
- A function that is not there it calls all the same: here it says so.
- Where it holds requests to IAM's policies, it knows the call of a function by another name and on everything, and
  takes the deletion of several objects as one of the bucket: here they are what they are. Of conditions it knows none
  that we use, and KMS is not asked.
"""

import json
import os
import re
import sys
from html import unescape
from typing import Any

# Moto reads it when it is imported.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.awslambda.models import LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.iam.access_control import IAMPolicy, IAMRequest, PermissionResult
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response
from moto.server import main


def permission(bucket: FakeBucket, action: str, resource: str) -> Any:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    applied = [each for each in policy["Statement"] if "Condition" not in each]
    return IAMPolicy(json.dumps({**policy, "Statement": applied})).is_action_permitted(action, resource)


def keeping(function: LambdaFunction, account_id: str, spec: dict[str, Any], *more: Any, **named: Any) -> None:
    function.dead_letters = spec.get("DeadLetterConfig")
    made(function, account_id, spec, *more, **named)


def telling(function: LambdaFunction, *more: Any, **named: Any) -> dict[str, Any]:
    found = told(function, *more, **named)
    return {**found, "DeadLetterConfig": function.dead_letters} if function.dead_letters else found


def answering(response: S3Response) -> Any:
    status, headers, body = answered(response)
    kept = response.backend.get_bucket_notification_configuration(response.bucket_name)
    if kept is None or kept.event_bridge is None:
        return status, headers, body
    end = "</NotificationConfiguration>"
    whole = re.sub(r"(<NotificationConfiguration [^>]*)/>", rf"\1>{end}", body)
    return status, headers, whole.replace(end, f"<EventBridgeConfiguration/>{end}")


def calling(functions: LambdaSimpleBackend, name: str, *more: Any) -> Any:
    functions.get_function(name)
    return called(functions, name, *more)


def function(response: LambdaResponse) -> str:
    found = re.search(r"/functions/([\w-]+)", response.path)
    return f"arn:aws:lambda:{response.region}:{response.current_account}:function:{found[1]}" if found else "*"


def permitted(request: IAMRequest, resource: str) -> None:
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    request._action = {"lambda:Invoke": "lambda:InvokeFunction"}.get(request._action, request._action)
    checked(request, resource)


def authorize(response: S3Response, bucket_name: str | None = None, key_name: str | None = None) -> None:
    several = key_name is None and response.data.get("Action") == "DeleteObject"
    keys = re.findall(r"<Key>(.*?)</Key>", response.body.decode()) if several else []
    for key in map(unescape, keys):
        authorized(response, bucket_name, key)
    if not several:
        authorized(response, bucket_name, key_name)


checked = IAMRequest.check_action_permitted
authorized = S3Response._authenticate_and_authorize_s3_action
made, told = LambdaFunction.__init__, LambdaFunction.get_configuration
called = LambdaSimpleBackend.invoke
FakeBucket.get_permission = permission
LambdaFunction.__init__ = keeping
LambdaFunction.get_configuration = telling
LambdaSimpleBackend.invoke = calling
LambdaResponse._determine_resource = function
IAMRequest.check_action_permitted = permitted
S3Response._authenticate_and_authorize_s3_action = authorize
answered, S3Response.get_bucket_notification = S3Response.get_bucket_notification, answering

if __name__ == "__main__":
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
