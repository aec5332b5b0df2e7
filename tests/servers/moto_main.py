"""Moto's server, in a process of its own: `python moto_main.py PORT`. Some things that it does not know are added.

- Of conditions in the policy of a bucket it knows nothing: a refusal of plain HTTP would refuse everything, so that
  statements with conditions are kept and given back, and not applied.
- A function's dead letter queue it forgets: here it does not.
- A function that is not there it calls all the same: here it says so.
"""

import json
import os
import sys
from typing import Any

# Moto reads it when it is imported.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.awslambda.models import LambdaFunction
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket
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


def calling(functions: LambdaSimpleBackend, name: str, *more: Any) -> Any:
    functions.get_function(name)
    return called(functions, name, *more)


made, told = LambdaFunction.__init__, LambdaFunction.get_configuration
called = LambdaSimpleBackend.invoke
FakeBucket.get_permission = permission
LambdaFunction.__init__ = keeping
LambdaFunction.get_configuration = telling
LambdaSimpleBackend.invoke = calling

if __name__ == "__main__":
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
