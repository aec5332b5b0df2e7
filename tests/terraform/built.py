"""A generated module of AWS as it is once it is built: its references resolved, and its buckets and functions on Moto.

Terraform itself builds the examples in `test_aws_apply.py`, which takes minutes; this takes what the module says and
makes the same calls for the few things that a run needs.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from servers.moto import ACCOUNT, Moto

from terraform.configuration import Block, Expression, Template, decoded, read
from terraform.policies import Call, Statement

__all__ = ["Built"]

REGION = "us-east-1"


class Built:
    """A module in a folder; `values` are those of its variables that have none, `keys` the ARNs of KMS keys by name."""

    def __init__(
        self, folder: Path, values: Mapping[str, str] | None = None, keys: Mapping[str, str] | None = None
    ) -> None:
        self.blocks = [block for path in sorted(folder.glob("*.tf")) for block in read(path, _fail)]
        (given,) = (_values(path) for path in (folder / "environments").glob("*.tfvars"))
        self.known = {f"var.{name}": value for name, value in {**given, **(values or {})}.items()}
        self.known |= {
            "data.aws_caller_identity.current.account_id": ACCOUNT,
            "data.aws_partition.current.partition": "aws",
            "local.prefix": f"glacier-{given.get('environment')}",
        }
        self.keys = keys or {}
        for block in self.blocks:
            self.known.update(self._arn(block))

    # --- what IAM holds -----------------------------------------------------------------------------------------

    def statements(self, principal: str) -> list[Statement]:
        """Return the statements of a principal's policy; none where it has no policy."""
        documents = self.of("aws_iam_policy_document", principal)
        return [self._statement(block) for document in documents for block in document.body.blocks]

    def policy(self, principal: str) -> dict[str, Any]:
        """Return a principal's policy as IAM takes it."""
        statements = [
            {
                "Sid": each.sid,
                "Effect": "Allow",
                "Action": list(each.actions),
                "Resource": list(each.resources),
                "Condition": {test: {name: list(values)} for test, name, values in each.conditions},
            }
            for each in self.statements(principal)
        ]
        return {"Version": "2012-10-17", "Statement": statements}

    def principals(self) -> list[str]:
        """Return the labels of all roles whose policies are ours."""
        return [block.labels[1] for block in self.blocks if block.labels[:1] == ("aws_iam_role_policy",)]

    # --- what the services do by themselves ---------------------------------------------------------------------

    def service_calls(self, principal: str) -> list[Call]:
        """Return what services ask for in the name of a role, by AWS' documentation: nothing of it is recorded.

        - Lambda writes a function's log: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
        - Lambda sends an event that failed to the queue for it, with the function's role:
          https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        - EventBridge calls a schedule's function and sends what failed to the queue, with the schedule's role:
          https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html and configuring-schedule-dlq.html
        - who sends to a queue with a customer's key makes a data key and decrypts it:
          https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        - a schedule with a customer's key is decrypted with the schedule's role:
          https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
        - S3 copies objects with the role of a replication:
          https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html and
          replication-config-for-kms-objects.html beside it
        """
        copied = self.of("aws_s3_bucket_replication_configuration", principal.removesuffix("_replication"))
        if copied and principal.endswith("_replication"):
            return list(self._of_replication(copied[0]))
        function = next(iter(self.of("aws_lambda_function", principal)), None)
        if function is not None:
            return list(self._of_lambda(function))
        schedule = next(iter(self.of("aws_scheduler_schedule", principal.removesuffix("_schedule"))), None)
        return [] if schedule is None else list(self._of_scheduler(schedule))

    def _of_lambda(self, function: Block) -> Iterator[Call]:
        group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{function.body.attributes['function_name']}"
        yield Call("logs:CreateLogStream", f"{group}:log-stream:2026/01/01/[$LATEST]0")
        yield Call("logs:PutLogEvents", f"{group}:log-stream:2026/01/01/[$LATEST]0")
        (letters,) = (block for block in function.body.blocks if block.kind == "dead_letter_config")
        yield from self._of_queue(self.text(letters.body.attributes["target_arn"]))

    def _of_scheduler(self, schedule: Block) -> Iterator[Call]:
        (target,) = (block for block in schedule.body.blocks if block.kind == "target")
        (letters,) = (block for block in target.body.blocks if block.kind == "dead_letter_config")
        yield Call("lambda:InvokeFunction", self.text(target.body.attributes["arn"]))
        if "kms_key_arn" in schedule.body.attributes:
            yield Call("kms:Decrypt", self.text(schedule.body.attributes["kms_key_arn"]))
        yield from self._of_queue(self.text(letters.body.attributes["arn"]))

    def _of_replication(self, block: Block) -> Iterator[Call]:
        label = block.labels[1]
        source, target = (self.known[f"aws_s3_bucket.{each}.arn"] for each in (label, f"{label}_replica"))
        yield from (Call(f"s3:{action}", source) for action in ("GetReplicationConfiguration", "ListBucket"))
        for action in ("ForReplication", "Acl", "Tagging"):
            yield Call(f"s3:GetObjectVersion{action}", f"{source}/any")
        yield from (Call(f"s3:Replicate{what}", f"{target}/any") for what in ("Object", "Tags"))
        (rule,) = block.body.blocks
        (destination,) = (each for each in rule.body.blocks if each.kind == "destination")
        for encrypted in destination.body.blocks:
            copies = self.text(encrypted.body.attributes["replica_kms_key_id"])
            mine = self._default_of(label).get("KMSMasterKeyID", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/aws-own")
            for action, key in (("Decrypt", mine), ("Encrypt", re.sub("alias/aws/s3$", "key/aws-own", copies))):
                yield Call(f"kms:{action}", key, (("kms:ViaService", f"s3.{key.split(':')[3]}.amazonaws.com"),))

    def _of_queue(self, arn: str) -> Iterator[Call]:
        yield Call("sqs:SendMessage", arn)
        (queue,) = (block for block in self.of("aws_sqs_queue") if self.known[f"{'.'.join(block.labels)}.arn"] == arn)
        if "kms_master_key_id" in queue.body.attributes:
            key = self.text(queue.body.attributes["kms_master_key_id"])
            yield Call("kms:GenerateDataKey", key)
            yield Call("kms:Decrypt", key)

    # --- what is there --------------------------------------------------------------------------------------------

    def stand_up(self, moto: Moto) -> None:
        """Make the buckets, with what they encrypt by, and the functions, with their logs, where they are not there."""
        s3, logs = moto.client("s3"), moto.client("logs")
        for block in self.of("aws_s3_bucket"):
            if isinstance(block.body.attributes["bucket"], str):
                s3.create_bucket(Bucket=block.body.attributes["bucket"])
                self._encrypt(s3, block)
        for block in self.of("aws_lambda_function"):
            moto.make_function(block.body.attributes["function_name"])
        for block in self.of("aws_cloudwatch_log_group"):
            with suppress(logs.exceptions.ResourceAlreadyExistsException):
                logs.create_log_group(logGroupName=block.body.attributes["name"])

    def _encrypt(self, s3: Any, bucket: Block) -> None:
        chosen = self._default_of(bucket.labels[1])
        if chosen:
            rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": chosen}]}
            s3.put_bucket_encryption(Bucket=bucket.body.attributes["bucket"], ServerSideEncryptionConfiguration=rules)

    def _default_of(self, label: str) -> dict[str, str]:
        """Return what the bucket of that label encrypts by, as S3 takes it; nothing for one that is there already."""
        for block in self.of("aws_s3_bucket_server_side_encryption_configuration", label):
            (rule,) = block.body.blocks
            (default,) = rule.body.blocks
            names = {"sse_algorithm": "SSEAlgorithm", "kms_master_key_id": "KMSMasterKeyID"}
            return {names[name]: self.text(value) for name, value in default.body.attributes.items()}
        return {}

    # --- how ------------------------------------------------------------------------------------------------------

    def of(self, kind: str, label: str | None = None) -> list[Block]:
        """Return the resources and data sources of a kind, or the one with that label."""
        return [each for each in self.blocks if each.labels[:1] == (kind,) and label in (None, each.labels[-1])]

    def text(self, value: Any) -> str:
        """Return a value as text, as AWS gets it: references resolved, and HCL's own escapes undone."""
        if not isinstance(value, Expression | Template):
            return str(value)
        return decoded(re.sub(r"\$\{([\w.]+)\}", lambda found: self.known[found[1]], value.text))

    def _arn(self, block: Block) -> Iterator[tuple[str, str]]:
        if len(block.labels) == 2 and block.labels[0] in _ARNS:
            attribute, arn = _ARNS[block.labels[0]]
            dot = "data." if block.kind == "data" else ""
            yield f"{dot}{'.'.join(block.labels)}.arn", f"arn:aws:{arn}{self.text(block.body.attributes[attribute])}"
        if block.labels[:1] == ("aws_kms_key",):
            yield f"data.{'.'.join(block.labels)}.arn", self.keys[self.text(block.body.attributes["key_id"])]

    def _statement(self, block: Block) -> Statement:
        attributes = block.body.attributes
        found = [each.body.attributes for each in block.body.blocks if each.kind == "condition"]
        conditions = tuple((each["test"], each["variable"], tuple(map(self.text, each["values"]))) for each in found)
        resources = tuple(map(self.text, attributes["resources"]))
        return Statement(attributes["sid"], tuple(attributes["actions"]), resources, conditions)


_ARNS = {
    "aws_s3_bucket": ("bucket", "s3:::"),
    "aws_lambda_function": ("function_name", f"lambda:{REGION}:{ACCOUNT}:function:"),
    "aws_sqs_queue": ("name", f"sqs:{REGION}:{ACCOUNT}:"),
    "aws_cloudwatch_log_group": ("name", f"logs:{REGION}:{ACCOUNT}:log-group:"),
}
"""The attribute with the name of a resource, and its ARN before that name."""


def _values(path: Path) -> dict[str, str]:
    """Return the values in a `.tfvars` file that are strings."""
    pairs = re.findall(r'^(\w+) += "(.*)"$', path.read_text("utf-8"), re.MULTILINE)
    return dict(pairs)


def _fail(message: Any) -> None:
    raise AssertionError(message)
