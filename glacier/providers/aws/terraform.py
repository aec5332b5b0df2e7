"""AWS: what an environment needs, as Terraform for the aws provider.

Both ends of the provider's range accept everything here. Buckets are versioned, encrypted, private and reached by TLS
only; functions have a role, a log group and a queue for failed events of their own. What costs money or needs another
account's resources is an option of our config classes, and the policy check that asks for it is declined in the block.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from glacier.errors import ConfigError
from glacier.infrastructure import Backend, Draft, Statement, Use
from glacier.infrastructure.requirements import requirements_of
from glacier.infrastructure.variables import environment_of
from glacier.providers.aws.config import partition_of
from glacier.resources import formats
from glacier.schedules import Cron
from glacier.terraform import Block, Call, Labels, Ref, Text, data, identifier, nested, output, resource, variable
from glacier.terraform.hcl import expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from glacier.infrastructure import Blueprint, BucketNeed, FunctionNeed, Grant, Needs, Schedule
    from glacier.providers.aws.config import (
        AwsConfig,
        LambdaConfig,
        S3Config,
        S3LifecycleRule,
        S3ReplicationConfig,
    )
    from glacier.schedules import Rate
    from glacier.terraform import Value

__all__ = ["blueprint", "bucket_ref", "expression_of", "object_patterns", "versioned"]

SOURCE, VERSION = "hashicorp/aws", ">= 5.100, < 7.0"

RUNTIME = "3.12"
"""The Python of functions that name none."""

NEWER = {"3.14": ">= 6.20, < 7.0"}
"""Runtimes that only newer providers know: https://github.com/hashicorp/terraform-provider-aws/issues/44984."""

BACKEND_ADVICE = (
    "The bucket must be there already: versioned, private, and not one of this module's.",
    "terraform init -backend-config=backends/ENV.s3.tfbackend",
)

# What generated modules may call at an endpoint that is not AWS' own.
ENDPOINTS = (
    "cloudwatch", "events", "iam", "kms", "lambda", "logs", "s3", "scheduler", "sqs", "sts",
)  # fmt: skip

ACCOUNT = Ref("data", "aws_caller_identity", "current", "account_id")
PARTITION = Ref("data", "aws_partition", "current", "partition")
DOMAIN = Ref("data", "aws_partition", "current", "dns_suffix")
REGION = Ref("var", "aws_region")
PREFIX = Ref("local", "prefix")
KMS = "aws:kms"


def blueprint(config: AwsConfig, needs: Needs) -> Blueprint:
    """Return what an environment needs of AWS."""
    module = _Module(config, needs)
    module.check_copies()
    module.providers()
    _Storage(module).draw()
    _Functions(module).draw()
    _Access(module).draw()
    _Schedules(module).draw()
    module.locals()
    settings = {"bucket": None, "key": f"glacier/{needs.module}.tfstate", "region": config.region}
    backend = Backend("s3", {**settings, "use_lockfile": True}, BACKEND_ADVICE)
    return module.draft.finish({"aws": {"source": SOURCE, "version": _version(needs)}}, backend)


def _version(needs: Needs) -> str:
    return next((NEWER[need.runtime] for need in needs.functions if need.runtime in NEWER), VERSION)


class _Module:
    """What the files of one environment share."""

    def __init__(self, config: AwsConfig, needs: Needs) -> None:
        self.config = config
        self.needs = needs
        self.draft = Draft()

    # --- providers.tf, variables.tf, locals.tf --------------------------------------------------------------------

    def providers(self) -> None:
        """Draw the provider of the environment's region, and one for each region that copies go to."""
        region = variable("aws_region", "string", "Region of buckets and functions.")
        self.draft.variable(region, self.config.region)
        self.draft.add("providers.tf", self._provider(REGION))
        for name in sorted({each.destination_region for each in self.replications()}):
            self.draft.add("providers.tf", self._provider(name, alias=identifier(name)))

    def replications(self) -> list[S3ReplicationConfig]:
        """Return where buckets of the module are copied to."""
        return [each for _, each in self._copied()]

    def _copied(self) -> list[tuple[BucketNeed, S3ReplicationConfig]]:
        found = ((need, need.config.replication_config) for need in self.needs.buckets if not need.existing)
        return [(need, wanted) for need, wanted in found if wanted is not None]

    def check_copies(self) -> None:
        """Check that each copy is a bucket of its own.

        Raises:
            ConfigError: it is one of the environment's own buckets or another one's copy, or S3 cannot copy there.
        """
        taken = {need.name: "a bucket of this environment itself" for need in self.needs.buckets}
        for need, wanted in self._copied():
            name, region = wanted.destination_bucket, wanted.destination_region
            if name in taken:
                raise ConfigError(
                    f"bucket {need.name!r} cannot be copied to {name!r}, which is {taken[name]}",
                    hint="name a bucket that is nobody else's: it is made for the copies",
                )
            if partition_of(region) != self.config.partition:
                raise ConfigError(
                    f"bucket {need.name!r} cannot be copied from {self.config.region} to {region}",
                    hint="S3 copies within one partition: the commercial, Chinese or government regions",
                )
            taken[name] = f"the copy of {need.name!r}"

    def _provider(self, region: Value, **alias: Value) -> Block:
        config, arguments = self.config, dict[str, Any](alias)
        arguments["region"] = region
        about = "Profile in the AWS configuration files; null for the SDK's own chain of credentials."
        profile = variable("aws_profile", "string", about, default=None)
        arguments["profile"] = self.draft.variable(profile, config.profile)
        if config.account_id is not None:
            arguments["allowed_account_ids"] = [config.account_id]
        inner = [nested("default_tags", tags=Ref("local", "tags"))]
        if config.assume_role_arn is not None:
            about = "ARN of the role that Terraform assumes."
            role = self.draft.variable(variable("aws_role_arn", "string", about), config.assume_role_arn)
            inner.append(nested("assume_role", role_arn=role, session_name="glacier"))
        if config.endpoint_url is not None:
            arguments["s3_use_path_style"] = True
            inner.append(nested("endpoints", **dict.fromkeys(ENDPOINTS, config.endpoint_url)))
        return Block("provider", ("aws",), arguments, tuple(inner))

    def locals(self) -> None:
        """Draw what several files refer to; the account and the partition only where something does."""
        tags = {name: self.needs.tags[name] for name in sorted(self.needs.tags)}
        for name in (name for name, value in tags.items() if not value):
            self.draft.warn(
                f"tag {name!r} has no value, which the provider takes for a change in every plan; give it one"
            )
        about = "Beginning of the names of roles and others, where glacier-ENVIRONMENT will not do."
        own = self.draft.variable(
            variable("aws_prefix", "string", about, default=None), _prefix(self.needs.environment)
        )
        prefix = Call("coalesce", own, Text("glacier-", Ref("var", "environment")))
        values: dict[str, Value] = {"prefix": prefix, "tags": tags}
        self.draft.add("locals.tf", Block("locals", (), values))
        self.draft.add("locals.tf", data("aws_caller_identity", "current"))
        self.draft.add("locals.tf", data("aws_partition", "current"))

    def tags(self, config: Any) -> dict[str, Value]:
        """Return the tags of a resource that are not everybody's, as an argument."""
        own = {name: value for name, value in sorted(config.tags.items()) if self.needs.tags.get(name) != value}
        return {"tags": own} if own else {}

    # --- what the platform gives ----------------------------------------------------------------------------------

    def key(self, config: S3Config | LambdaConfig) -> Value:
        """Return the customer's key of a config: its own, else the platform's where it asks for it, else None."""
        if getattr(config, "encryption", None) == "AES256":
            return None
        if config.kms_key is not None:
            return config.kms_key
        return (
            self.platform("aws_kms_key_arn", "ARN of the KMS key of data, logs and queues.")
            if config.platform
            else None
        )

    def platform(self, name: str, about: str, type: str | Call = "string") -> Ref:
        """Return a variable that the platform's owner gives a value."""
        self.draft.warn(f"variable {name} needs a value, in a file such as platform.auto.tfvars: {about}")
        return self.draft.variable(variable(name, type, about))


# storage.tf ----------------------------------------------------------------------------------------------------------


class _Storage:
    """Buckets, the bucket of code, and copies in other regions."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for need in self.module.needs.buckets:
            if need.existing:
                self._add(data("aws_s3_bucket", need.label, bucket=need.name), f"bucket {need.name}")
            else:
                self._bucket(need)
            about = f"Name of bucket {need.name}."
            self.draft.add("outputs.tf", output(f"bucket_{need.label}", about, bucket_ref(need).bucket))
        if any(need.config.code_bucket is None for need in self.module.needs.functions):
            self._code()

    def _bucket(self, need: BucketNeed) -> None:
        config: S3Config = need.config
        made = resource("aws_s3_bucket", need.label, bucket=need.name, **self.module.tags(config))
        for block in (replace(made, skips=_bucket_skips(config)), *self._hardened(need.label, config)):
            self._add(block, f"bucket {need.name}")
        if config.replication_config is not None:
            self._replication(need, config.replication_config)
        if need.config.tags.get("monitoring") == "enabled":
            self._alarm(need)

    def _code(self) -> None:
        from glacier.providers.aws.config import S3Config

        configs = [need.config for need in self.module.needs.functions]
        platform = any(config.platform for config in configs)
        config = S3Config(versioning=True, platform=platform)
        label = code_label(self.module)
        where = Text(ACCOUNT, "/", REGION, "/", Ref("var", "environment"), f"/{self.module.needs.only}")
        name = Text(PREFIX, "-code-", Call("substr", Call("sha256", where), 0, 12))
        made = resource("aws_s3_bucket", label, bucket=name)
        own = "the bucket of code: LambdaConfig(code_bucket=...) takes another"
        for block in (replace(made, skips=_bucket_skips(config)), *self._hardened(label, config)):
            self._add(replace(block, skips=tuple((check, own) for check, _ in block.skips)), "code of functions")

    def _hardened(self, label: str, config: S3Config, alias: Ref | None = None) -> Iterator[Block]:
        """Yield everything around a bucket that keeps its contents safe."""
        bucket: dict[str, Value] = {**_at(alias), "bucket": Ref("aws_s3_bucket", label, "id")}
        yield from self._protections(label, config, bucket)
        logged = [need for need in self.module.needs.buckets if self._logs_to(need) == label]
        if logged and config.encryption != "AES256":
            self.draft.warn(f"bucket {label}: S3 writes access logs only where encryption='AES256', so say that of it")
        yield _bucket_policy(label, logged)
        policy = Ref("data", "aws_iam_policy_document", f"{label}_tls_only", "json")
        after = [Ref("aws_s3_bucket_public_access_block", label)]
        yield resource("aws_s3_bucket_policy", label, **bucket, policy=policy, depends_on=after)

    def _protections(self, label: str, config: S3Config, bucket: Mapping[str, Value]) -> Iterator[Block]:
        ownership = nested("rule", object_ownership="BucketOwnerEnforced")
        yield resource("aws_s3_bucket_ownership_controls", label, ownership, **bucket)
        blocked = dict.fromkeys(
            ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"),
            config.public_access_block,
        )
        yield resource("aws_s3_bucket_public_access_block", label, **bucket, **blocked)
        if versioned(config):
            enabled = nested("versioning_configuration", status="Enabled")
            yield resource("aws_s3_bucket_versioning", label, enabled, **bucket)
        key = self.module.key(config)
        rule = _encryption(config, key)
        made = resource("aws_s3_bucket_server_side_encryption_configuration", label, rule, **bucket)
        own = key is not None and config.encryption != "AES256"
        yield made if own else replace(made, skips=(("AWS-0132", "AWS' own key: S3Config(kms_key=...)"),))
        after: dict[str, Value] = {"depends_on": [Ref("aws_s3_bucket_versioning", label)]} if versioned(config) else {}
        yield resource("aws_s3_bucket_lifecycle_configuration", label, *_lifecycle(config), **bucket, **after)
        log_bucket = self._log_bucket(config)
        if log_bucket is not None:
            prefix = Text(Ref("aws_s3_bucket", label, "id"), "/")
            known = self._made(log_bucket)
            after = {} if known is None else {"depends_on": [Ref("aws_s3_bucket_policy", known.label)]}
            to = log_bucket if known is None else bucket_ref(known).id
            yield resource("aws_s3_bucket_logging", label, **bucket, target_bucket=to, target_prefix=prefix, **after)
        if config.sends_events:
            yield resource("aws_s3_bucket_notification", label, **bucket, eventbridge=True)

    def _log_bucket(self, config: S3Config) -> Value:
        if config.access_log_bucket is not None or not config.platform:
            return config.access_log_bucket
        return self.module.platform("aws_access_log_bucket", "Name of the bucket for access logs of buckets.")

    def _made(self, name: Value) -> BucketNeed | None:
        """Return the bucket of a name among those that the module makes."""
        return next((need for need in self.module.needs.buckets if need.name == name and not need.existing), None)

    def _logs_to(self, need: BucketNeed) -> str | None:
        """Return the label of the bucket of this module that gets another one's access log."""
        found = None if need.existing else self._made(need.config.access_log_bucket)
        return None if found is None else found.label

    # --- copies -------------------------------------------------------------------------------------------------

    def _replication(self, need: BucketNeed, wanted: S3ReplicationConfig) -> None:
        from glacier.providers.aws.config import S3Config

        label, about = f"{need.label}_replica", f"copy of bucket {need.name}"
        alias = Ref("aws", identifier(wanted.destination_region))
        config = S3Config(
            versioning=True,
            encryption=need.config.encryption or KMS,
            access_log_bucket=wanted.access_log_bucket,
            event_notifications=need.config.sends_events,
            **_replica_key(need.config, wanted.kms_key),
        )
        made = resource("aws_s3_bucket", label, provider=alias, bucket=wanted.destination_bucket)
        for block in (replace(made, skips=_bucket_skips(config)), *self._hardened(label, config, alias)):
            self._add(_of_replica(block), about)
        role = wanted.role or self._replication_role(need, wanted)
        rule = _replication_rule(need, wanted, _key_arn(wanted.kms_key or "alias/aws/s3", wanted.destination_region))
        after = [Ref("aws_s3_bucket_versioning", need.label), Ref("aws_s3_bucket_versioning", label)]
        bucket = Ref("aws_s3_bucket", need.label, "id")
        self._add(
            resource(
                "aws_s3_bucket_replication_configuration",
                need.label,
                rule,
                bucket=bucket,
                role=role,
                depends_on=after,
            ),
            about,
        )

    def _replication_role(self, need: BucketNeed, wanted: S3ReplicationConfig) -> Ref:
        label, about = f"{need.label}_replication", f"copy of bucket {need.name}"
        trust = _trust(label, "Service", ["s3.amazonaws.com"])
        self.draft.add("iam.tf", trust, about)
        name = Text(PREFIX, f"-{_short(label)}")
        role = self.draft.add("iam.tf", _role(label, name, f"Copies bucket {need.name}."), about)
        source, target = Ref("aws_s3_bucket", need.label), Ref("aws_s3_bucket", f"{need.label}_replica")
        statements = [
            _statement("ListSource", ["s3:GetReplicationConfiguration", "s3:ListBucket"], [source.arn]),
            _statement("ReadSource", _REPLICATE_FROM, [Text(source.arn, "/*")]),
            _statement("WriteCopy", _REPLICATE_TO, [Text(target.arn, "/*")]),
            *self._replication_keys(need.config, wanted),
        ]
        because = self.module.needs.because(need)
        _policy(self.draft, label, "replicate", [(each, because) for each in statements], about)
        return role.ref.arn

    def _replication_keys(self, config: S3Config, wanted: S3ReplicationConfig) -> Iterator[Block]:
        """Yield what copying needs of keys, and only through S3: AWS' own keys have no ARN that is known before."""
        if (config.encryption or KMS) == "AES256":
            return
        for sid, action, region, key in (
            ("UseSourceKey", "kms:Decrypt", REGION, self.module.key(config)),
            ("UseCopyKey", "kms:Encrypt", wanted.destination_region, wanted.kms_key),
        ):
            arn = key if _is_arn(key) else _key_arn("*", region)
            yield _statement(sid, [action], [arn], {("StringEquals", "kms:ViaService"): self._through(region)})

    def _through(self, region: str | Ref) -> list[Value]:
        """Return how S3 is named where it uses a key: in China also by the domain there."""
        names: list[Value] = [Text("s3.", region, ".amazonaws.com")]
        return [*names, Text("s3.", region, ".", DOMAIN)] if self.module.config.partition == "aws-cn" else names

    # --- alarms -------------------------------------------------------------------------------------------------

    def _alarm(self, need: BucketNeed) -> None:
        bucket, about = Ref("aws_s3_bucket", need.label, "id"), f"bucket {need.name}"
        metric = resource("aws_s3_bucket_metric", need.label, bucket=bucket, name="EntireBucket")
        self.draft.add("monitoring.tf", metric, about)
        alarm = _alarm(
            self.module,
            f"{need.label}_server_errors",
            f"{need.name} server errors",
            ("AWS/S3", "5xxErrors"),
            {"BucketName": bucket, "FilterId": Ref("aws_s3_bucket_metric", need.label, "name")},
        )
        self.draft.add("monitoring.tf", alarm, about)

    def _add(self, block: Block, about: str) -> Block:
        return self.draft.add("storage.tf", block, about)


def versioned(config: S3Config) -> bool:
    """Whether old versions are kept: yes, unless the config says no; copies need them."""
    return config.versioning is not False or config.replication_config is not None


def code_label(module: _Module) -> str:
    """Return the label of the bucket of code, which is none of the user's buckets'."""
    return module.needs.labels.of("code of functions")


def bucket_ref(need: BucketNeed) -> Ref:
    """Return the reference to a bucket, whether the module makes it or finds it."""
    return Ref(*(("data",) if need.existing else ()), "aws_s3_bucket", need.label)


def _at(alias: Ref | None) -> dict[str, Value]:
    return {} if alias is None else {"provider": alias}


def _encryption(config: S3Config, key: Value) -> Block:
    """Return the rule of encryption; bucket keys do not go with aws:kms:dsse."""
    algorithm = config.encryption or KMS
    chosen: dict[str, Value] = {"sse_algorithm": algorithm}
    if key is not None and algorithm != "AES256":
        chosen["kms_master_key_id"] = key
    more: dict[str, Value] = {"bucket_key_enabled": True} if algorithm == KMS else {}
    return nested("rule", nested("apply_server_side_encryption_by_default", **chosen), **more)


def _lifecycle(config: S3Config) -> Iterator[Block]:
    """Yield the rules: what never came to an end goes, new objects get their class, then the user's own."""
    ended = nested("abort_incomplete_multipart_upload", days_after_initiation=7)
    yield nested("rule", nested("filter"), ended, id="abandoned-uploads", status="Enabled")
    if config.storage_class not in (None, "STANDARD"):
        moved = nested("transition", days=config.storage_class_days, storage_class=config.storage_class)
        yield nested("rule", nested("filter"), moved, id="storage-class", status="Enabled")
    for place, rule in enumerate(config.lifecycle_rules, start=1):
        yield _lifecycle_rule(f"rule-{place}", rule)


def _lifecycle_rule(name: str, rule: S3LifecycleRule) -> Block:
    where = nested("filter", **({"prefix": rule.prefix} if rule.prefix else {}))
    if rule.transition is None:
        effect = nested("expiration", days=rule.days)
    else:
        effect = nested("transition", days=rule.days, storage_class=rule.transition)
    return nested("rule", where, effect, id=name, status="Enabled")


def _bucket_policy(label: str, logged: Sequence[BucketNeed]) -> Block:
    """Return a policy that refuses plain HTTP, and lets S3 write the access logs of other buckets of the module.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """
    arn = Ref("aws_s3_bucket", label, "arn")
    plain = nested(
        "statement",
        nested("principals", type="*", identifiers=["*"]),
        nested("condition", test="Bool", variable="aws:SecureTransport", values=["false"]),
        sid="DenyPlainHttp",
        effect="Deny",
        actions=["s3:*"],
        resources=[arn, Text(arn, "/*")],
    )
    return data("aws_iam_policy_document", f"{label}_tls_only", plain, *([_logs(arn, logged)] if logged else []))


def _logs(arn: Ref, logged: Sequence[BucketNeed]) -> Block:
    return nested(
        "statement",
        nested("principals", type="Service", identifiers=["logging.s3.amazonaws.com"]),
        nested("condition", test="ArnLike", variable="aws:SourceArn", values=[bucket_ref(each).arn for each in logged]),
        nested("condition", test="StringEquals", variable="aws:SourceAccount", values=[ACCOUNT]),
        sid="WriteAccessLogs",
        actions=["s3:PutObject"],
        resources=[Text(arn, "/*")],
    )


def _bucket_skips(config: S3Config) -> tuple[tuple[str, str], ...]:
    """Name the checks that a bucket declines, each with the option that would satisfy it."""
    logged = config.access_log_bucket is not None or config.platform
    no_log, unversioned = "no access log: S3Config(access_log_bucket=...)", "versioning=False was asked for"
    declined = {
        "CKV_AWS_18": None if logged else no_log,
        "CKV_AWS_21": None if versioned(config) else unversioned,
        "AWS-0089": None if logged else no_log,
        "AWS-0090": None if versioned(config) else unversioned,
        "CKV_AWS_144": None if config.replication_config else "no copy elsewhere: S3Config(replication_config=...)",
        "CKV_AWS_145": "encryption='AES256' was asked for" if config.encryption == "AES256" else None,
        "CKV2_AWS_6": None if config.public_access_block else "public_access_block=False was asked for",
        "CKV2_AWS_62": None if config.sends_events else "no events: S3Config(event_notifications=True)",
    }
    return tuple((check, reason) for check, reason in declined.items() if reason is not None)


_REPLICA_OPTIONS = {
    "CKV_AWS_18": "no access log: S3ReplicationConfig(access_log_bucket=...)",
    "AWS-0089": "no access log: S3ReplicationConfig(access_log_bucket=...)",
    "AWS-0132": "AWS' own key: S3ReplicationConfig(kms_key=...)",
}


def _of_replica(block: Block) -> Block:
    """Name the options of a copy where a block declines checks; that it has no copy itself is none."""
    skips = (skip for skip in block.skips if skip[0] != "CKV_AWS_144")
    return replace(block, skips=tuple((check, _REPLICA_OPTIONS.get(check, reason)) for check, reason in skips))


_REPLICATE_FROM = [
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
]
# Markers of deletion are not copied, so that nothing needs s3:ReplicateDelete.
_REPLICATE_TO = ["s3:ReplicateObject", "s3:ReplicateTags"]


def _replica_key(config: S3Config, key: str | None) -> dict[str, Any]:
    return {"kms_key": key} if key is not None and (config.encryption or KMS) != "AES256" else {}


def _key_arn(key: str, region: str | Ref) -> Value:
    """Return the ARN of a key or an alias; where only an ARN will do, its id or its name is not enough."""
    if key.startswith("arn:"):
        return key
    what = key if key.startswith("alias/") else f"key/{key}"
    return Text("arn:", PARTITION, ":kms:", region, ":", ACCOUNT, f":{what}")


def _replication_rule(need: BucketNeed, wanted: S3ReplicationConfig, key: Value) -> Block:
    to = Ref("aws_s3_bucket", f"{need.label}_replica", "arn")
    more = [nested("delete_marker_replication", status="Disabled")]
    if (need.config.encryption or KMS) == "AES256":
        destination = nested("destination", bucket=to)
    else:
        encrypted = nested("encryption_configuration", replica_kms_key_id=key)
        destination = nested("destination", encrypted, bucket=to)
        more.append(nested("source_selection_criteria", nested("sse_kms_encrypted_objects", status="Enabled")))
    return nested("rule", nested("filter"), *more, destination, id="everything", status="Enabled")


def _prefix(environment: str) -> str | None:
    """Return how names begin that must not be long or have capitals; None where the environment's name will do.

    With what stands behind it, a role has at most 64 characters and a bucket 63.
    """
    if len(environment) <= 19 and re.fullmatch(r"[a-z][a-z0-9-]*", environment):
        return None
    return f"glacier-{re.sub('[^a-z0-9]+', '-', environment.lower())[:12].strip('-')}-{_digest(environment)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _is_arn(key: Value) -> bool:
    return isinstance(key, Ref) or (isinstance(key, str) and key.startswith("arn:") and ":key/" in key)


# functions.tf --------------------------------------------------------------------------------------------------------


class _Functions:
    """Functions with their code, logs, failed events and alarms."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for need in self.module.needs.functions:
            self._function(need)

    def _function(self, need: FunctionNeed) -> None:
        config: LambdaConfig = need.config
        about = need.origin or f"function {need.name}"
        code = self._add(self._code(need), about)
        self._add(self._log_group(need, config), about)
        self._add(self._queue(need, config), about)
        self._add(self._lambda(need, config, code), about)
        if need.monitored:
            for alarm in self._alarms(need):
                self.draft.add("monitoring.tf", alarm, about)
        arn = Ref("aws_lambda_function", need.label, "arn")
        self.draft.add("outputs.tf", output(f"function_{need.label}", f"ARN of function {need.name}.", arn))

    def _code(self, need: FunctionNeed) -> Block:
        """Return the object that holds a function's zip: from the module's folder, or from where a variable says."""
        path, label, other = self._zip(need), code_label(self.module), need.config.code_bucket
        # An object takes ten tags, fewer than a function: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
        untagged = nested("override_provider", nested("default_tags", tags={}))
        after: dict[str, Value] = {"depends_on": [Ref("aws_s3_bucket_versioning", label)]} if other is None else {}
        return resource(
            "aws_s3_object",
            need.label,
            *([untagged] if len(self.module.needs.tags) > 10 else ()),
            bucket=other or Ref("aws_s3_bucket", label, "id"),
            key=f"functions/{need.name}.zip",
            source=path,
            source_hash=Call("filemd5", path),
            **after,
        )

    def _zip(self, need: FunctionNeed) -> Value:
        if need.package is None:
            about = f"Path of the zip with the code of function {need.name}; its handler is {need.handler}."
            return self.draft.variable(variable(f"{need.label}_package", "string", about))
        if need.package.imports:
            names = ", ".join(_installed_as(need.package.imports))
            self.draft.warn(
                f"function {need.name}: its package has your own files only; bring {names} in a layer, or build the zip"
            )
        self.draft.assets[f"packages/{need.name}.zip"] = need.package.zip
        return Text(Ref("path", "module"), f"/packages/{need.name}.zip")

    def _log_group(self, need: FunctionNeed, config: LambdaConfig) -> Block:
        key = self.module.key(config)
        made = resource(
            "aws_cloudwatch_log_group",
            need.label,
            name=f"/aws/lambda/{need.name}",
            retention_in_days=config.log_retention_days,
            **({} if key is None else {"kms_key_id": key}),
        )
        unkeyed = "AWS' own key: LambdaConfig(kms_key=...)"
        declined = (("CKV_AWS_158", unkeyed), ("AWS-0017", unkeyed)) if key is None else ()
        short = (("CKV_AWS_338", "log_retention_days was asked for"),) if config.log_retention_days < 365 else ()
        return replace(made, skips=(*declined, *short))

    def _queue(self, need: FunctionNeed, config: LambdaConfig) -> Block:
        key = self.module.key(config)
        kept: dict[str, Value] = {"sqs_managed_sse_enabled": True} if key is None else {"kms_master_key_id": key}
        name = f"{need.name}-failed"[-80:]
        return resource("aws_sqs_queue", f"{need.label}_failed", name=name, message_retention_seconds=1209600, **kept)

    def _lambda(self, need: FunctionNeed, config: LambdaConfig, code: Block) -> Block:
        arguments: dict[str, Value] = {
            "function_name": need.name,
            "description": f"Glacier: {need.origin or need.name}"[:256],
            "role": Ref("aws_iam_role", need.label, "arn"),
            "runtime": f"python{need.runtime or RUNTIME}",
            "handler": need.handler,
            "s3_bucket": code.ref.bucket,
            "s3_key": code.ref.key,
            "s3_object_version": code.ref.version_id,
            "source_code_hash": Call("filebase64sha256", self._zip(need)),
            **self._sizes(need, config),
            **self.module.tags(config),
            "depends_on": [Ref("aws_cloudwatch_log_group", need.label), Ref("aws_iam_role_policy", need.label)],
        }
        made = resource("aws_lambda_function", need.label, *self._surroundings(need, config), **arguments)
        return replace(made, skips=_function_skips(need, config))

    def _sizes(self, need: FunctionNeed, config: LambdaConfig) -> dict[str, Value]:
        """Return what is given; reserving nothing is said as -1, as the provider has it."""
        reserved = config.reserved_concurrent_executions
        key, signing = self.module.key(config), self._signing(config)
        sizes: dict[str, Value] = {
            "architectures": [config.architecture] if config.architecture else None,
            "memory_size": config.memory,
            "timeout": self._timeout(need),
            "layers": list(config.layers) or None,
            "reserved_concurrent_executions": -1 if reserved is None else reserved,
            "kms_key_arn": key if _variables(need) else None,
            "code_signing_config_arn": signing,
        }
        return {name: value for name, value in sizes.items() if value is not None}

    def _timeout(self, need: FunctionNeed) -> int | None:
        """Return the timeout; https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html."""
        if need.timeout is not None and need.timeout > 900:
            self.draft.warn(f"function {need.name}: its tasks may take {need.timeout} s, Lambda ends it after 900 s")
        if need.timeout is None and need.variables:
            self.draft.warn(
                f"function {need.name}: Lambda ends it after 3 s; give {need.origin} a timeout=, or "
                "LambdaConfig(timeout=...)"
            )
        return None if need.timeout is None else min(need.timeout, 900)

    def _signing(self, config: LambdaConfig) -> Value:
        if config.code_signing_config is not None or not config.platform:
            return config.code_signing_config
        return self.module.platform(
            "aws_code_signing_config_arn", "ARN of the code signing configuration of functions."
        )

    def _surroundings(self, need: FunctionNeed, config: LambdaConfig) -> Iterator[Block]:
        environment = environment_of(need)
        for block in environment.variables:
            self.draft.variable(block)
        if environment.values:
            yield nested("environment", variables={key: environment.values[key] for key in sorted(environment.values)})
        if config.ephemeral_storage is not None:
            yield nested("ephemeral_storage", size=config.ephemeral_storage)
        yield nested("dead_letter_config", target_arn=Ref("aws_sqs_queue", f"{need.label}_failed", "arn"))
        yield nested("tracing_config", mode="Active")
        if config.vpc_config is not None:
            network = config.vpc_config
            yield _vpc(list(network.subnet_ids), list(network.security_group_ids))
        elif config.platform:
            strings = Call("list", Ref("string"))
            subnets = self.module.platform("aws_subnet_ids", "Ids of the subnets of functions.", strings)
            groups = self.module.platform("aws_security_group_ids", "Ids of the security groups of functions.", strings)
            yield _vpc(subnets, groups)

    def _alarms(self, need: FunctionNeed) -> Iterator[Block]:
        name = {"FunctionName": Ref("aws_lambda_function", need.label, "function_name")}
        for metric in ("Errors", "Throttles"):
            label, title = f"{need.label}_{metric.lower()}", f"{need.name} {metric.lower()}"
            yield _alarm(self.module, label, title, ("AWS/Lambda", metric), name)
        queue = {"QueueName": Ref("aws_sqs_queue", f"{need.label}_failed", "name")}
        visible = ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
        yield _alarm(self.module, f"{need.label}_failed", f"{need.name} failed events", visible, queue)

    def _add(self, block: Block, about: str) -> Block:
        return self.draft.add("functions.tf", block, about)


def _installed_as(modules: Iterable[str]) -> list[str]:
    """Name what has to be installed for modules: the distribution's name, which need not be the module's."""
    found = requirements_of(modules)
    return sorted((*found.lines, *found.unknown))


def _vpc(subnets: Value, groups: Value) -> Block:
    return nested("vpc_config", subnet_ids=subnets, security_group_ids=groups)


def _variables(need: FunctionNeed) -> bool:
    return bool(need.config.environment_vars or need.variables)


def _function_skips(need: FunctionNeed, config: LambdaConfig) -> tuple[tuple[str, str], ...]:
    """Name the checks that a function declines, each with the option that would satisfy it."""
    keyed = config.kms_key is not None or config.platform
    declined = {
        "CKV_AWS_117": None
        if config.vpc_config or config.platform
        else "no network of its own: LambdaConfig(vpc_config=...)",
        "CKV_AWS_173": "AWS' own key: LambdaConfig(kms_key=...)" if _variables(need) and not keyed else None,
        "CKV_AWS_272": None
        if config.code_signing_config or config.platform
        else "code is not signed: LambdaConfig(code_signing_config=...)",
    }
    return tuple((check, reason) for check, reason in declined.items() if reason is not None)


def _alarm(module: _Module, label: str, title: str, metric: tuple[str, str], dimensions: Mapping[str, Value]) -> Block:
    """Return an alarm that rises when a count is above zero within five minutes."""
    about = "ARNs of SNS topics that alarms notify."
    topics = module.draft.variable(variable("aws_alarm_topics", Call("list", Ref("string")), about, default=[]))
    return resource(
        "aws_cloudwatch_metric_alarm",
        label,
        alarm_name=Text(PREFIX, f" {title}"),
        alarm_description=f"Glacier: {title}",
        namespace=metric[0],
        metric_name=metric[1],
        dimensions=dimensions,
        statistic="Sum",
        period=300,
        evaluation_periods=1,
        comparison_operator="GreaterThanThreshold",
        threshold=0,
        treat_missing_data="notBreaching",
        alarm_actions=topics,
    )


# iam.tf --------------------------------------------------------------------------------------------------------------


class _Access:
    """A role for each function and for whoever runs a pipeline, and what the traced graph says that each may do."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for runner in self.module.needs.runners:
            self._runner(runner.label, runner.pipeline)
        for need in self.module.needs.functions:
            self._function(need)

    def _runner(self, label: str, pipeline: str) -> None:
        about = f"runner of pipeline {pipeline}"
        root = Text("arn:", PARTITION, ":iam::", ACCOUNT, ":root")
        trust = _trust(label, "AWS", [root])
        self._role(trust, _role(label, Text(PREFIX, f"-{_short(label)}"), f"Runs pipeline {pipeline}."), about)
        self._permissions(label, [], [], about)
        arn = Ref("aws_iam_role", label, "arn")
        self.draft.add("outputs.tf", output(f"role_{label}", f"ARN of the role that runs pipeline {pipeline}.", arn))

    def _function(self, need: FunctionNeed) -> None:
        about = need.origin or f"function {need.name}"
        name = Text(PREFIX, f"-{_short(need.label)}")
        trust = _trust(need.label, "Service", ["lambda.amazonaws.com"])
        self._role(trust, _role(need.label, name, f"Role of function {need.name}."), about)
        because, key = self.module.needs.because(need), self.module.key(need.config)
        base = [(each, because) for each in _of_function(need)]
        keys = [] if key is None else [_KeyUse(key, "FailedEvents", _BOTH, because)]
        self._permissions(need.label, base, keys, about)
        self._managed(need, "tracing", "AWSXRayDaemonWriteAccess", about)
        if need.config.vpc_config or need.config.platform:
            self._managed(need, "network", "service-role/AWSLambdaVPCAccessExecutionRole", about)

    def _role(self, trust: Block, role: Block, about: str) -> None:
        self.draft.add("iam.tf", trust, about)
        self.draft.add("iam.tf", role, about)

    def _managed(self, need: FunctionNeed, what: str, policy: str, about: str) -> None:
        """Attach one of AWS' own policies: these actions know no resources, so that ours could say nothing narrower."""
        arn = Text("arn:", PARTITION, f":iam::aws:policy/{policy}")
        role = Ref("aws_iam_role", need.label, "name")
        label = f"{need.label}_{what}"
        self.draft.add("iam.tf", resource("aws_iam_role_policy_attachment", label, role=role, policy_arn=arn), about)

    # --- statements ---------------------------------------------------------------------------------------------

    def _permissions(self, label: str, base: list[Because], keys: list[_KeyUse], about: str) -> None:
        statements = [*base, *self._granted(label), *_on_keys([*keys, *self._keys_of(label)])]
        for place, part in enumerate(parts := _parted(statements, self._length)):
            if place:
                self._part(label, f"{label}_{place + 1}_part", part, about)
            else:
                _policy(self.draft, label, "access", part, about)
        if len(parts) > 1 + MANAGED:
            self.draft.warn(
                f"{about}: its role needs {len(parts) - 1} policies, IAM attaches 10 unless the quota is raised"
            )

    def _part(self, label: str, name: str, statements: Sequence[Because], about: str) -> None:
        """Draw what does not fit into a role as a policy of its own."""
        _document(self.draft, label, name, statements, about)
        document = Ref("data", "aws_iam_policy_document", name, "json")
        made = resource("aws_iam_policy", name, name=Text(PREFIX, f"-{_short(name)}"), policy=document)
        self.draft.add("iam.tf", made, about)
        role = Ref("aws_iam_role", label, "name")
        attached = resource("aws_iam_role_policy_attachment", name, role=role, policy_arn=made.ref.arn)
        self.draft.add("iam.tf", attached, about)

    def _length(self, value: Any) -> int:
        """Return how many characters a value of a statement has at most, as JSON without spaces."""
        match value:
            case Ref():
                return 20 + self._names.get(value.parts[-2], 110)
            case Text(parts=parts):
                return 3 + sum(len(part) if isinstance(part, str) else self._length(part) for part in parts)
            case str():
                return 3 + len(json.dumps(value, ensure_ascii=False))
            case Block(arguments=arguments, blocks=blocks):
                inner = sum(self._length(each) for each in (*arguments.values(), *blocks))
                return 20 + inner + sum(len(name) + 4 for name in arguments)
            case _:
                return 2 + sum(self._length(each) for each in value)

    @cached_property
    def _names(self) -> dict[Any, int]:
        return {need.label: len(need.name) for need in self.module.needs.buckets}

    def _granted(self, label: str) -> Iterator[Because]:
        grants = self.module.needs.of(label)
        buckets = {grant.bucket.name: grant.bucket for grant in grants if grant.bucket is not None}
        for need in buckets.values():
            yield from self._on_bucket(need, [each for each in grants if each.bucket is need])
        for grant in grants:
            if grant.function is not None:
                yield from _on_function(grant.function, grant)

    def _on_bucket(self, need: BucketNeed, grants: list[Grant]) -> Iterator[Because]:
        """Yield what a principal may do with a bucket."""
        arn, name = bucket_ref(need).arn, _camel(need.label)
        for verb, actions, uses in (
            ("Read", ["s3:GetObject"], [_opens(each) for each in grants]),
            ("Write", ["s3:PutObject", "s3:AbortMultipartUpload"], [each.by("write") for each in grants]),
            ("Delete", ["s3:DeleteObject"], [each.by("delete") for each in grants]),
        ):
            chosen = [grant for grant, who in zip(grants, uses, strict=True) if who]
            for some in _shares(_patterns(chosen, object_patterns)):
                yield _statement(f"{verb}{name}", actions, [Text(arn, "/", each) for each in some]), _uses(uses)
        for some in _shares(_patterns(grants, _prefixes)):
            yield _list_statement(f"List{name}", arn, some), _uses(each.by() for each in grants)

    def _keys_of(self, label: str) -> Iterator[_KeyUse]:
        """Yield what reading (Decrypt) and writing (both, for uploads in parts) need of the buckets' customers' keys.

        A bucket that is there already has the key that its config names, and none of the platform's.
        Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        """
        for grant in self.module.needs.of(label):
            need, uses = grant.bucket, grant.by("read", "write")
            if need is not None and uses:
                key = need.config.kms_key if need.existing else self.module.key(need.config)
                actions = _BOTH if grant.does("write") else _BOTH[:1]
                if key is not None:
                    yield _KeyUse(self._key_arn(key), _camel(need.label), actions, uses)

    def _key_arn(self, key: Value) -> Value:
        if _is_arn(key) or not isinstance(key, str):
            return key
        label = self._keys.of(f"key {key}")
        if label not in self._found:
            self._found[label] = self.draft.add("iam.tf", data("aws_kms_key", label, key_id=key))
        return self._found[label].ref.arn

    @cached_property
    def _keys(self) -> Labels:
        return Labels()

    @cached_property
    def _found(self) -> dict[str, Block]:
        return {}


def _of_function(need: FunctionNeed) -> Iterator[Block]:
    """Yield what Lambda does in a function's name: it writes its log, and keeps its failed events."""
    logs = Ref("aws_cloudwatch_log_group", need.label, "arn")
    yield _statement("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [Text(logs, ":*")])
    yield _statement("KeepFailedEvents", ["sqs:SendMessage"], [Ref("aws_sqs_queue", f"{need.label}_failed", "arn")])


_BOTH = ("kms:Decrypt", "kms:GenerateDataKey")
"""What sending to a queue with a customer's key needs of it, and writing to a bucket with one.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""


@dataclass(frozen=True)
class _KeyUse:
    """A customer's key, what it encrypts, and what is asked of it because of whom."""

    key: Value
    of: str
    actions: tuple[str, ...]
    uses: tuple[Use, ...]


def _on_keys(found: Iterable[_KeyUse]) -> Iterator[Because]:
    """Yield a statement for each key: buckets, failed events and schedules may share one."""
    by_key: dict[str, list[_KeyUse]] = {}
    for each in found:
        by_key.setdefault(expression(each.key), []).append(each)
    for same in by_key.values():
        names = list(dict.fromkeys(each.of for each in same))
        names = names if len(names) <= 3 else [names[0], "Others"]
        actions = sorted({action for each in same for action in each.actions})
        yield _statement(f"UseKeyOf{'And'.join(names)}", actions, [same[0].key]), _uses(each.uses for each in same)


def _trust(label: str, kind: str, who: Sequence[Value]) -> Block:
    """Return who may assume a role."""
    statement = nested("statement", nested("principals", type=kind, identifiers=who), actions=["sts:AssumeRole"])
    return data("aws_iam_policy_document", f"{label}_trust", statement)


def _role(label: str, name: Value, description: str) -> Block:
    trust = Ref("data", "aws_iam_policy_document", f"{label}_trust", "json")
    told = "".join(each if " " <= each <= "~" or "\xa1" <= each <= "\xff" else "?" for each in description)
    return resource("aws_iam_role", label, name=name, description=told[:1000], assume_role_policy=trust)


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE, POLICY, MANAGED, LONGEST_ARN = 10_000, 6_000, 8, 100
"""Characters of the policies within a role and of one attached to it, how many of these there may be besides AWS' two,
and characters of a bucket's ARN with what stands around it."""


def _parted(statements: Iterable[Because], length: Callable[[Block], int]) -> list[list[Because]]:
    """Part statements so that each part fits into a policy: the first within a role, the others attached to it."""
    parts: list[list[Because]] = []
    left = 0
    for statement in statements:
        size = length(statement[0])
        if not parts or size > left:
            left = POLICY if parts else INLINE
            parts.append([])
        parts[-1].append(statement)
        left -= size
    return parts


Because: TypeAlias = "tuple[Block, tuple[Use, ...]]"
"""A statement, and who needs it."""


def _policy(draft: Draft, label: str, name: str, statements: Sequence[Because], about: str) -> None:
    """Draw the policy within a role, and report its statements."""
    _document(draft, label, label, statements, about)
    draft.add("iam.tf", _role_policy(label, name), about)


def _document(draft: Draft, label: str, name: str, statements: Sequence[Because], about: str) -> None:
    """Draw a policy's document, and report its statements; each gets an id that no other of the policy has."""
    ids: set[str] = set()
    named = [(_unlike(block, ids), uses) for block, uses in statements]
    document = data("aws_iam_policy_document", name, *(block for block, _ in named))
    draft.add("iam.tf", document, about)
    draft.statements.extend(_reported(document, label, block, uses) for block, uses in named)


def _unlike(block: Block, ids: set[str]) -> Block:
    """Return a statement with an id that is not taken: labels differ in more than the letters and digits of an id."""
    sid = str(block.arguments["sid"])
    free = next(each for number in count(1) if (each := sid if number == 1 else f"{sid}No{number}") not in ids)
    ids.add(free)
    return replace(block, arguments={**block.arguments, "sid": free})


def _role_policy(label: str, name: str) -> Block:
    policy = Ref("data", "aws_iam_policy_document", label, "json")
    return resource("aws_iam_role_policy", label, name=name, role=Ref("aws_iam_role", label, "id"), policy=policy)


def _statement(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[Value],
    conditions: Mapping[tuple[str, str], Sequence[Value]] | None = None,
) -> Block:
    made = [
        nested("condition", test=test, variable=name, values=values)
        for (test, name), values in (conditions or {}).items()
    ]
    return nested("statement", *made, sid=sid, actions=actions, resources=resources)


def _list_statement(sid: str, arn: Ref, prefixes: Sequence[str]) -> Block:
    """Return the permission to list what reading and writing look for.

    S3 says that an object is not there only to whoever may list, and names no prefix then: hence IfExists.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    some = None if "*" in prefixes else {("StringLikeIfExists", "s3:prefix"): prefixes}
    return _statement(sid, ["s3:ListBucket"], [arn], some)


def _on_function(need: FunctionNeed, grant: Grant) -> Iterator[Because]:
    """Yield what calling a function, looking for it, and reading its log need; see `LambdaFunctions`."""
    name, arn = _camel(need.label), Ref("aws_lambda_function", need.label, "arn")
    log = Text(Ref("aws_cloudwatch_log_group", need.label, "arn"), ":*")
    for sid, uses, actions, on in (
        (f"Call{name}", grant.by("call"), ["lambda:InvokeFunction"], arn),
        (f"Find{name}", grant.by("look"), ["lambda:GetFunctionConcurrency"], arn),
        (f"FollowLogOf{name}", grant.by("log"), ["logs:DescribeLogStreams", "logs:GetLogEvents"], log),
    ):
        if uses:
            yield _statement(sid, actions, [on]), uses


def _opens(grant: Grant) -> tuple[Use, ...]:
    """Return who asks for single objects: whoever reads, and whoever looks what a path without a pattern is."""
    return grant.by("read") if formats.is_pattern(grant.path) else grant.by()


def _reported(document: Block, principal: str, block: Block, uses: tuple[Use, ...]) -> Statement:
    arguments: Mapping[str, Any] = block.arguments
    on = tuple(_shown(each) for each in arguments["resources"])
    return Statement(f"{document.address}.{arguments['sid']}", principal, tuple(arguments["actions"]), on, uses)


def _shown(resource: str | Ref | Text) -> str:
    parts = resource.parts if isinstance(resource, Text) else (resource,)
    return "".join(part if isinstance(part, str) else expression(part) for part in parts)


def _uses(found: Iterable[tuple[Use, ...]]) -> tuple[Use, ...]:
    return tuple(dict.fromkeys(use for uses in found for use in uses))


def _patterns(grants: Iterable[Grant], of: Any) -> list[str]:
    found: Iterable[str] = (pattern for grant in grants for pattern in of(grant.path))
    return sorted(set(found))


def _shares(patterns: Sequence[str]) -> Iterator[list[str]]:
    """Yield patterns in lists of which each fits into a statement; all prefixes are one statement's `*`."""
    share: list[str] = []
    for each in ["*"] if "*" in patterns else patterns:
        if share and sum(len(other) + LONGEST_ARN for other in (*share, each)) > POLICY - LONGEST_ARN:
            yield share
            share = []
        share.append(each)
    if share:
        yield share


def object_patterns(path: str) -> tuple[str, ...]:
    """Return a resource's path as IAM has it: its `*` also crosses folders, and `$`, `*`, `?` can be escaped.

    The provider writes `&{` as `${` and knows no escape: any character stands for its brace.
    Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
    """
    plain = _literal(path).replace("**", "*")
    if formats.is_pattern(path) or _is_file(path):
        return (plain,)
    return plain, f"{plain}/*"


def _prefixes(path: str) -> tuple[str, ...]:
    """Return what a list request for a path asks for: what is in it, or in the folder of a pattern."""
    base = re.split(r"[*?]", path)[0]
    folder = base.rpartition("/")[0] if formats.is_pattern(path) else base
    if not folder:
        return ("*",)
    return (f"{_literal(folder)}/*",)


def _camel(label: str) -> str:
    """Return a label as a part of statements' ids, which know letters and digits only."""
    return "".join(part.capitalize() for part in label.split("_"))


def _literal(text: str) -> str:
    return text.replace("$", "${$}").replace("&{", "&?")


def _is_file(path: str) -> bool:
    return any(path.endswith(suffix) for each in formats.FORMATS.values() for suffix in each.suffixes)


def _short(label: str) -> str:
    """Return the part of a role's name that is ours: all of it has at most 64 characters."""
    name = label.strip("_").replace("_", "-")
    return name if len(name) <= 36 else f"{name[:29].rstrip('-')}-{_digest(name)}"


# schedules.tf --------------------------------------------------------------------------------------------------------


class _Schedules:
    """Pipelines that run by themselves."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for each in self.module.needs.schedules:
            self._schedule(each)

    def _schedule(self, schedule: Schedule) -> None:
        need, about = schedule.function, f"schedule of pipeline {schedule.pipeline}"
        label = f"{need.label}_schedule"
        function, queue = Ref("aws_lambda_function", need.label), Ref("aws_sqs_queue", f"{need.label}_failed")
        key = self.module.key(need.config)
        uses = (schedule.use,)
        # EventBridge decrypts the schedule: https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
        asked = (("FailedEvents", _BOTH), ("Schedule", _BOTH[:1]))
        keys = [] if key is None else [_KeyUse(key, of, actions, uses) for of, actions in asked]
        statements = [
            (_statement("StartPipeline", ["lambda:InvokeFunction"], [function.arn]), uses),
            (_statement("KeepFailedEvents", ["sqs:SendMessage"], [queue.arn]), uses),
            *_on_keys(keys),
        ]
        name = Text(PREFIX, f"-{_short(label)}")
        self.draft.add("iam.tf", _trust(label, "Service", ["scheduler.amazonaws.com"]), about)
        role = self.draft.add("iam.tf", _role(label, name, f"Starts pipeline {schedule.pipeline}."), about)
        _policy(self.draft, label, "start", statements, about)
        self.draft.add("schedules.tf", self._block(schedule, role), about)

    def _block(self, schedule: Schedule, role: Block) -> Block:
        need, key = schedule.function, self.module.key(schedule.function.config)
        failed = nested("dead_letter_config", arn=Ref("aws_sqs_queue", f"{need.label}_failed", "arn"))
        target = nested(
            "target",
            failed,
            nested("retry_policy", maximum_event_age_in_seconds=3600, maximum_retry_attempts=2),
            arn=Ref("aws_lambda_function", need.label, "arn"),
            role_arn=role.ref.arn,
            input="{}",
        )
        made = resource(
            "aws_scheduler_schedule",
            need.label,
            nested("flexible_time_window", mode="OFF"),
            target,
            name=Text(PREFIX, f"-{_short(need.label)}"),
            description=f"Starts pipeline {schedule.pipeline}.",
            schedule_expression=expression_of(schedule.when),
            schedule_expression_timezone="UTC",
            **({} if key is None else {"kms_key_arn": key}),
        )
        return replace(made, skips=(("CKV_AWS_297", "AWS' own key: LambdaConfig(kms_key=...)"),) if key is None else ())


def expression_of(when: Rate | Cron) -> str:
    """Return a schedule as EventBridge has it: `?` for the day that does not matter, and Sunday is 1.

    Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
    """
    if not isinstance(when, Cron):
        return str(when)
    day, weekday = ("?", _weekdays(when.weekday)) if when.weekday != "*" else (when.day, "?")
    return f"cron({when.minute} {when.hour} {day} {when.month} {weekday} *)"


def _weekdays(field: str) -> str:
    return re.sub(r"(?<![/0-9])[0-6](?![0-9])", lambda found: str(int(found[0]) + 1), field)
