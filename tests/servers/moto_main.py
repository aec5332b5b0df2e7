"""Moto's server, in a process of its own: `python moto_main.py PORT`.

Moto knows no conditions in the policy of a bucket: a refusal of plain HTTP would refuse everything, so such statements
are kept and given back, and not applied.
"""

import json
import os
import sys
from typing import Any

# Moto reads it when it is imported.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket
from moto.server import main


def permission(bucket: FakeBucket, action: str, resource: str) -> Any:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(bucket.policy)
    applied = [each for each in policy["Statement"] if "Condition" not in each]
    return IAMPolicy(json.dumps({**policy, "Statement": applied})).is_action_permitted(action, resource)


FakeBucket.get_permission = permission  # type: ignore[method-assign]

if __name__ == "__main__":
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
