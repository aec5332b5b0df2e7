"""AWS: provider, S3 bucket and Lambda function, with the bounds that AWS documents.

Sources: the service models and `endpoints.json` of botocore 1.44, and the pages named at each class.
"""

import difflib
import re
import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator

from glacier.names import NameRule
from glacier.settings import (
    FunctionMeaning,
    LifecycleMeaning,
    LifecycleRule,
    Many,
    ProviderSettings,
    Settings,
    StorageClass,
    StorageMeaning,
    check_order,
    fitted,
    left_out,
    matches,
    must,
    salvage,
)

__all__ = [
    "BUCKET",
    "FUNCTION",
    "AwsConfig",
    "LambdaConfig",
    "LambdaVpcConfig",
    "S3Config",
    "S3LifecycleRule",
    "S3ReplicationConfig",
    "partition_of",
]

# Name rules ----------------------------------------------------------------------------------------------------------


def _bucket_problem(name: str) -> str | None:
    if ".." in name:
        return "must not have two periods in a row"
    return "must not look like an IP address" if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", name) else None


BUCKET = NameRule(
    what="S3 bucket name",
    says="lower-case letters, digits, '.' and '-', with a letter or digit at both ends",
    pattern=r"[a-z0-9][a-z0-9.-]*[a-z0-9]",
    shortest=3,
    longest=63,
    begins=("xn--", "sthree-", "amzn-s3-demo-"),
    ends=("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"),
    also=_bucket_problem,
    source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
)
FUNCTION = NameRule(
    what="Lambda function name",
    says="letters, digits, '-' and '_'",
    pattern=r"[A-Za-z0-9_-]+",
    longest=64,
    source="https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html",
)

# The commercial, Chinese and government regions of botocore's endpoints.json.
REGIONS = frozenset(
    {
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "cn-north-1",
        "cn-northwest-1",
        "us-gov-east-1",
        "us-gov-west-1",
    }
)
# The regionRegex of each partition in the same file, so that a new region works before Glacier knows it.
_PARTITIONS = {
    "aws": r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]+",
    "aws-cn": r"cn-[a-z]+-[0-9]+",
    "aws-us-gov": r"us-gov-[a-z]+-[0-9]+",
    "aws-iso": r"us-iso-[a-z]+-[0-9]+",
    "aws-iso-b": r"us-isob-[a-z]+-[0-9]+",
    "aws-iso-e": r"eu-isoe-[a-z]+-[0-9]+",
    "aws-iso-f": r"us-isof-[a-z]+-[0-9]+",
    "aws-eusc": r"eusc-de-[a-z]+-[0-9]+",
}


def partition_of(region: str) -> str | None:
    """Return the partition of a region, None where it is of none."""
    return next((name for name, shape in _PARTITIONS.items() if re.fullmatch(shape, region)), None)


def _region_problem(region: str) -> str | None:
    if partition_of(region):
        return None
    near = difflib.get_close_matches(region, sorted(REGIONS), n=1)
    return f"must be an AWS region such as {near[0] if near else 'us-east-1'!r}"


def _tags_problem(tags: dict[str, str]) -> str | None:
    """Check tags: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html."""
    if len(tags) > 50:
        return f"must have at most 50 tags, not {len(tags)}"
    return next((said for key, value in tags.items() if (said := _tag_problem(key, value))), None)


def _tag_problem(key: str, value: str) -> str | None:
    if not 1 <= len(key) <= 128 or len(value) > 256:
        return "must have tag keys of 1 to 128 characters and values of at most 256"
    if key.lower().startswith("aws:"):
        return "must not have tag keys that begin with 'aws:', which is reserved"
    if not all(character in "_.:/=+-@" or unicodedata.category(character)[0] in "LNZ" for character in key + value):
        return "must have tags of letters, digits, spaces and _ . : / = + - @"
    return None


Region = Annotated[str, must(_region_problem)]
Tags = Annotated[dict[str, str], must(_tags_problem)]
RoleArn = Annotated[
    str,
    Field(min_length=20, max_length=2048),
    matches(
        r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+", "a role's ARN: 'arn:aws:iam::ACCOUNT:role/NAME'"
    ),
]
KmsKey = Annotated[str, matches(r"[A-Za-z0-9:/_-]{1,2048}", "the id, alias or ARN of a KMS key")]

# Provider config -----------------------------------------------------------------------------------------------------


class AwsConfig(ProviderSettings):
    """How to reach an AWS account. Credentials come from the profile, the role or the SDK's own chain, never from here.

    Attributes:
        region: a region botocore knows, or a name of its partition's shape.
        profile: name of a profile in the AWS configuration files.
        account_id: 12 digits, as a string.
        tags: for all resources; at most 50, keys 1-128 characters, values 0-256.
        assume_role_arn: a role to assume, 20-2048 characters.
        session_duration: seconds a role's session lasts, 900-43200 (STS AssumeRole).
        allow_http: allow an endpoint on another machine without TLS.
        endpoint_url: another endpoint than AWS' own.
    """

    region: Region
    profile: Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    account_id: Annotated[str, matches("[0-9]{12}", "12 digits")] | None = None
    tags: Tags = Field(default_factory=dict)
    assume_role_arn: RoleArn | None = None
    session_duration: Annotated[int, Field(ge=900, le=43200)] = 3600

    @property
    def partition(self) -> str:
        """The partition of the region, as its ARNs name it: `aws`, `aws-cn`, `aws-us-gov` ..."""
        return partition_of(self.region) or "aws"


# Bucket config -------------------------------------------------------------------------------------------------------

S3StorageClass = Literal[
    "STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"
]
S3Transition = Literal["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]

# Objects only ever move down: https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
_DOWN = ("STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")


class S3LifecycleRule(LifecycleRule[S3Transition]):
    """What happens to objects of a certain age: they move to another class, or they are deleted.

    Attributes:
        days: age in days since creation; 0 or more, to STANDARD_IA and ONEZONE_IA 30 or more, to expire 1 or more.
        transition: the class to move to.
        expiration: True deletes.
        prefix: only objects whose key begins so.
    """

    @field_validator("transition", "expiration")
    @classmethod
    def _old_enough(cls, value: Any, info: ValidationInfo) -> Any:
        least = 30 if value in ("STANDARD_IA", "ONEZONE_IA") else int(value is True)
        if info.data.get("days", least) < least:
            raise ValueError(f"needs days of {least} or more")
        return value


class S3ReplicationConfig(Settings):
    """A copy of each new object in another bucket; it implies versioning on both.

    Attributes:
        destination_bucket: name of the other bucket.
        destination_region: its region.
        role: ARN of the role that copies; None lets Glacier make one.
        kms_key: key that encrypts the copies.
        access_log_bucket: name of a bucket of that region that gets the log of all requests to the copies.
    """

    destination_bucket: Annotated[str, must(BUCKET.problem)]
    destination_region: Region
    role: RoleArn | None = None
    kms_key: KmsKey | None = None
    access_log_bucket: Annotated[str, must(BUCKET.problem)] | None = None


class S3Config(Settings):
    """What an S3 bucket is like.

    Attributes:
        versioning: keep old versions; None leaves it to Glacier and to `replication_config`, which needs it.
        encryption: AES256, aws:kms or aws:kms:dsse; None leaves it to Glacier, which takes aws:kms with AWS' own key.
        kms_key: a key of your own, with one of the aws:kms encryptions.
        storage_class: class of new objects; it takes effect as a transition after `storage_class_days` days.
        lifecycle_rules: at most 1000; within one prefix objects only move to colder classes.
        public_access_block: block all public access.
        replication_config: copy new objects to another bucket.
        access_log_bucket: name of a bucket that gets the log of all requests.
        event_notifications: send an event to EventBridge for each change of an object; None does so with `platform`.
        platform: take what is not given here, log bucket and key, from variables of the generated module.
        tags: added to those of the provider.
        existing: the bucket is there already: use it, never create it.

    Sources: PutBucketEncryption, PutBucketLifecycleConfiguration and PutBucketReplication in the S3 API reference.
    """

    versioning: bool | None = None
    encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = None
    kms_key: KmsKey | None = None
    storage_class: S3StorageClass | None = None
    lifecycle_rules: Annotated[Many[S3LifecycleRule], Field(max_length=1000)] = ()
    public_access_block: bool = True
    replication_config: S3ReplicationConfig | None = None
    access_log_bucket: Annotated[str, must(BUCKET.problem)] | None = None
    event_notifications: bool | None = None
    platform: bool = False
    tags: Tags = Field(default_factory=dict)
    existing: bool = False

    @field_validator("kms_key")
    @classmethod
    def _key_needs_kms(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and not (info.data.get("encryption") or "").startswith("aws:kms"):
            raise ValueError("a KMS key needs encryption='aws:kms' or 'aws:kms:dsse'")
        return value

    @field_validator("lifecycle_rules")
    @classmethod
    def _only_downwards(cls, rules: tuple[S3LifecycleRule, ...], info: ValidationInfo) -> tuple[S3LifecycleRule, ...]:
        check_order(rules, _DOWN, info.data.get("storage_class"))
        return rules

    @field_validator("replication_config")
    @classmethod
    def _replication_needs_versions(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("versioning") is False:
            raise ValueError("replication needs versioning=True")
        return value

    @property
    def sends_events(self) -> bool:
        """Whether each change of an object is an event."""
        return self.platform if self.event_notifications is None else self.event_notifications

    @property
    def storage_class_days(self) -> int:
        """Days after which an object can move to `storage_class`: 30 for STANDARD_IA and ONEZONE_IA, else 0."""
        return 30 if self.storage_class in {"STANDARD_IA", "ONEZONE_IA"} else 0

    def meaning(self) -> StorageMeaning:
        """Say what this means on any cloud; see `StorageMeaning`."""
        given = self.set_fields()
        return StorageMeaning(
            versioning=True if self.replication_config else self.versioning,
            customer_key=True if self.kms_key else None,
            storage_class=_TO_MEANING[self.storage_class] if self.storage_class else None,
            lifecycle_rules=tuple(_rule_meaning(rule) for rule in self.lifecycle_rules),
            private=given.get("public_access_block"),
            tags=self.tags,
            existing=given.get("existing"),
            left_out=left_out(self, "replication_config", "access_log_bucket", "event_notifications", "platform"),
        )

    @classmethod
    def from_meaning(cls, meaning: StorageMeaning) -> tuple[Self, tuple[str, ...]]:
        """Make the S3 config of a meaning, and name what S3 cannot or must not take over."""
        wanted = {
            "versioning": meaning.versioning,
            "storage_class": _FROM_MEANING.get(meaning.storage_class or ""),
            "lifecycle_rules": [_rule(rule) for rule in meaning.lifecycle_rules],
            "public_access_block": meaning.private,
            "tags": meaning.tags,
            "existing": meaning.existing,
        }
        return salvage(cls, wanted, (*meaning.left_out, *left_out(meaning, "customer_key")))


# Function config -----------------------------------------------------------------------------------------------------

LambdaRuntime = Literal["python3.10", "python3.11", "python3.12", "python3.13", "python3.14"]

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LogRetention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
KmsKeyArn = Annotated[
    str,
    matches(
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+", "a key's ARN: 'arn:aws:kms:REGION:ACCOUNT:key/ID'"
    ),
]
_SIGNING = r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:code-signing-config:csc-[a-z0-9]{17}$"

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)


def _variables_problem(variables: dict[str, str]) -> str | None:
    for name in variables:
        if name in _RESERVED_VARIABLES:
            return f"must not set {name}, which Lambda reserves"
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]+", name):
            return "must have names of two or more letters, digits and '_', with a letter first"
    size = sum(len(text.encode("utf-8", "replace")) for pair in variables.items() for text in pair)
    return f"must have at most 4096 bytes in all names and values, not {size}" if size > 4096 else None


class LambdaVpcConfig(Settings):
    """The private network that a function runs in.

    Attributes:
        subnet_ids: 1-16 subnets.
        security_group_ids: 1-5 security groups.
    """

    subnet_ids: Annotated[
        Many[Annotated[str, Field(pattern=r"^subnet-[0-9a-z]+$")]], Field(min_length=1, max_length=16)
    ]
    security_group_ids: Annotated[
        Many[Annotated[str, Field(pattern=r"^sg-[0-9a-zA-Z]+$")]], Field(min_length=1, max_length=5)
    ]


class LambdaConfig(Settings):
    """What a Lambda function is like.

    Attributes:
        memory: MB, 128-10240.
        timeout: seconds, 1-900; None takes the task's timeout, else Lambda's 3.
        runtime: a Python that new functions can be made with; None is that of the function's own definition.
        environment_vars: at most 4096 bytes in all; their values are never shown.
        layers: ARNs of at most 5 layer versions.
        vpc_config: subnets and security groups.
        reserved_concurrent_executions: 0 or more; 0 stops the function; None reserves nothing.
        ephemeral_storage: MB in /tmp, 512-10240.
        architecture: of the processor.
        kms_key: ARN of a key for the function's environment, logs and failed events; None takes AWS' own.
        code_signing_config: ARN of a code signing configuration that the code must pass.
        code_bucket: name of a bucket that is there already and takes the code; None makes one for all functions.
        log_retention_days: how long log lines are kept.
        platform: take what is not given here, network, key and code signing, from variables of the generated module.
        tags: added to those of the provider.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """

    memory: Annotated[int, Field(ge=128, le=10240)] | None = None
    timeout: Annotated[int, Field(ge=1, le=900)] | None = None
    runtime: LambdaRuntime | None = None
    environment_vars: Annotated[dict[str, str], must(_variables_problem)] = Field(default_factory=dict)
    layers: Annotated[
        Many[
            Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$")]
        ],
        Field(max_length=5),
    ] = ()
    vpc_config: LambdaVpcConfig | None = None
    reserved_concurrent_executions: Annotated[int, Field(ge=0)] | None = None
    ephemeral_storage: Annotated[int, Field(ge=512, le=10240)] | None = None
    architecture: Literal["x86_64", "arm64"] | None = None
    kms_key: KmsKeyArn | None = None
    code_signing_config: Annotated[str, Field(pattern=_SIGNING)] | None = None
    code_bucket: Annotated[str, must(BUCKET.problem)] | None = None
    log_retention_days: LogRetention = 365
    platform: bool = False
    tags: Tags = Field(default_factory=dict)

    def meaning(self) -> FunctionMeaning:
        """Say what this means on any cloud; see `FunctionMeaning`."""
        names = (
            "layers",
            "vpc_config",
            "reserved_concurrent_executions",
            "ephemeral_storage",
            "architecture",
            "kms_key",
            "code_signing_config",
            "code_bucket",
            "platform",
        )
        return FunctionMeaning(
            memory=self.memory,
            timeout=self.timeout,
            python=self.runtime.removeprefix("python") if self.runtime else None,
            environment_vars=self.environment_vars,
            tags=self.tags,
            left_out=left_out(self, *names),
        )

    @classmethod
    def from_meaning(cls, meaning: FunctionMeaning) -> tuple[Self, tuple[str, ...]]:
        """Make the Lambda config of a meaning, and name what Lambda cannot take over."""
        memory, memory_note = fitted("memory", meaning.memory, range(128, 10241))
        timeout, timeout_note = fitted("timeout", meaning.timeout, range(1, 901))
        wanted = {
            "memory": memory,
            "timeout": timeout,
            "runtime": f"python{meaning.python}" if meaning.python else None,
            "environment_vars": meaning.environment_vars,
            "tags": meaning.tags,
        }
        return salvage(cls, wanted, (*meaning.left_out, *memory_note, *timeout_note))


# Meaning -------------------------------------------------------------------------------------------------------------

_TO_MEANING: dict[str, StorageClass] = {
    "STANDARD": "standard",
    "STANDARD_IA": "infrequent",
    "ONEZONE_IA": "infrequent",
    "INTELLIGENT_TIERING": "automatic",
    "GLACIER_IR": "archive-instant",
    "GLACIER": "archive",
    "DEEP_ARCHIVE": "deep-archive",
}
_FROM_MEANING = {meaning: name for name, meaning in _TO_MEANING.items() if name != "ONEZONE_IA"}


def _rule_meaning(rule: S3LifecycleRule) -> LifecycleMeaning:
    transition = _TO_MEANING[rule.transition] if rule.transition else None
    return LifecycleMeaning(days=rule.days, transition=transition, prefix=rule.prefix)


def _rule(meaning: LifecycleMeaning) -> dict[str, Any]:
    effect = {"transition": _FROM_MEANING[meaning.transition]} if meaning.transition else {"expiration": True}
    return {"days": meaning.days, "prefix": meaning.prefix, **effect}
