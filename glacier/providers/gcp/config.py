"""Google Cloud: provider, Cloud Storage bucket and Cloud Run function, with the bounds that Google documents.

Sources: the pages of cloud.google.com named at each class and rule.
"""

import re
import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

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
    "PROJECT",
    "CloudFunctionConfig",
    "GCSConfig",
    "GCSLifecycleRule",
    "GcpConfig",
]

# Name rules ----------------------------------------------------------------------------------------------------------


def _bucket_problem(name: str) -> str | None:
    longest = max(len(part) for part in name.split("."))
    if longest > 63 or (len(name) > 63 and "." not in name):
        return "must have at most 63 characters between its periods"
    if "" in name.split("."):
        return "must not have two periods in a row"
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", name):
        return "must not look like an IP address"
    return "must not contain 'google' or anything close to it" if re.search("g[o0][o0]g[l1]e", name) else None


BUCKET = NameRule(
    what="Cloud Storage bucket name",
    says="lower-case letters, digits, '-', '_' and '.', with a letter or digit at both ends",
    pattern=r"[a-z0-9][a-z0-9._-]*[a-z0-9]",
    shortest=3,
    longest=222,
    begins=("goog",),
    also=_bucket_problem,
    source="https://cloud.google.com/storage/docs/buckets#naming",
)
FUNCTION = NameRule(
    what="Cloud Run function name",
    says="lower-case letters, digits and '-', with a letter first and no '-' at the end",
    pattern=r"[a-z]([a-z0-9-]*[a-z0-9])?",
    longest=63,
    source="https://cloud.google.com/functions/docs/reference/rest/v2/projects.locations.functions",
)
PROJECT = NameRule(
    what="Google Cloud project id",
    says="lower-case letters, digits and '-', with a letter first and no '-' at the end",
    pattern=r"[a-z][a-z0-9-]*[a-z0-9]",
    shortest=6,
    longest=30,
    source="https://cloud.google.com/resource-manager/docs/creating-managing-projects",
)


def _region_problem(region: str) -> str | None:
    """Check the shape of a region: https://cloud.google.com/about/locations."""
    if re.fullmatch(r"[a-z]+-[a-z]+[0-9]+", region):
        return None
    parts = re.match(r"([a-z]+-[a-z]+)-?([0-9]+)", region)
    return f"must be a Google Cloud region such as '{''.join(parts.groups()) if parts else 'us-central1'}'"


def _labels_problem(labels: dict[str, str]) -> str | None:
    """Check labels: https://cloud.google.com/resource-manager/docs/labels-overview."""
    if len(labels) > 64:
        return f"must have at most 64 labels, not {len(labels)}"
    return next((said for key, value in labels.items() if (said := _label_problem(key, value))), None)


def _label_problem(key: str, value: str) -> str | None:
    if not 1 <= len(key) <= 63 or len(value) > 63:
        return "must have label keys of 1 to 63 characters and values of at most 63"
    if max(len(text.encode("utf-8", "replace")) for text in (key, value)) > 128:
        return "must have label keys and values of at most 128 bytes in UTF-8"
    if not all(_in_label(character) for character in key + value):
        return "must have labels of lower-case letters, digits, '_' and '-'"
    return None if unicodedata.category(key[0]) in {"Ll", "Lo"} else "must have label keys that begin with a letter"


def _in_label(character: str) -> bool:
    return character in "_-" or unicodedata.category(character) in {"Ll", "Lo", "Nd", "Nl", "No"}


Region = Annotated[str, must(_region_problem)]
Labels = Annotated[dict[str, str], must(_labels_problem)]
KmsKey = Annotated[
    str,
    matches(
        r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+",
        "a key's name: 'projects/P/locations/L/keyRings/R/cryptoKeys/K'",
    ),
]

# Provider config -----------------------------------------------------------------------------------------------------


class GcpConfig(ProviderSettings):
    """How to reach a Google Cloud project.

    Attributes:
        project_id: 6-30 characters.
        region: where buckets and functions live.
        credentials_path: a service account's key file, looked for when it is needed; None uses the default credentials.
        labels: for all resources; at most 64, keys and values of at most 63 characters.
        allow_http: allow an endpoint on another machine without TLS.
        endpoint_url: another endpoint than Google's own.
    """

    project_id: Annotated[str, must(PROJECT.problem)]
    region: Region = "us-central1"
    credentials_path: Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")] | None = None
    labels: Labels = Field(default_factory=dict)


# Bucket config -------------------------------------------------------------------------------------------------------

GCSStorageClass = Literal["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"]
GCSTransition = Literal["NEARLINE", "COLDLINE", "ARCHIVE"]

# Objects only ever move down: https://cloud.google.com/storage/docs/lifecycle#setstorageclass
_DOWN = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")


class GCSLifecycleRule(LifecycleRule[GCSTransition]):
    """What happens to objects of a certain age: they move to another class, or they are deleted.

    Attributes:
        days: age in days since creation, 0 or more.
        transition: the class to move to.
        expiration: True deletes.
        prefix: only objects whose name begins so.
    """


def _soft_delete_problem(days: int) -> str | None:
    return None if days == 0 or 7 <= days <= 90 else "must be 0, or 7 to 90 days"


class GCSConfig(Settings):
    """What a Cloud Storage bucket is like.

    Attributes:
        versioning: keep old versions; None leaves it to Glacier.
        encryption: whose key encrypts: Google's or, with `kms_key`, the customer's.
        kms_key: full name of a Cloud KMS key.
        storage_class: class of new objects.
        autoclass: let Google choose the class; excludes another `storage_class` and lifecycle transitions.
        lifecycle_rules: at most 100; within one prefix objects only move to colder classes.
        public_access_prevention: forbid all public access.
        soft_delete_days: days for which deleted objects can be brought back, 7-90, or 0 for not at all; None is 7.
        access_log_bucket: name of the bucket that takes the access logs.
        labels: added to those of the provider.
        existing: the bucket is there already: use it, never create it.

    Sources: https://cloud.google.com/storage/docs/storage-classes, .../lifecycle, .../autoclass, .../soft-delete
    """

    versioning: bool | None = None
    encryption: Literal["google-managed", "customer-managed"] | None = None
    kms_key: KmsKey | None = None
    storage_class: GCSStorageClass | None = None
    autoclass: bool = False
    lifecycle_rules: Annotated[Many[GCSLifecycleRule], Field(max_length=100)] = ()
    public_access_prevention: bool = True
    soft_delete_days: Annotated[int, must(_soft_delete_problem)] | None = None
    access_log_bucket: Annotated[str, must(BUCKET.problem)] | None = None
    labels: Labels = Field(default_factory=dict)
    existing: bool = False

    @field_validator("kms_key")
    @classmethod
    def _key_needs_customer(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("encryption") == "google-managed":
            raise ValueError("a KMS key needs encryption='customer-managed'")
        return value

    @field_validator("autoclass")
    @classmethod
    def _autoclass_begins_standard(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("storage_class") not in (None, "STANDARD"):
            raise ValueError("must not go with another storage_class than 'STANDARD'")
        return value

    @field_validator("lifecycle_rules")
    @classmethod
    def _only_downwards(cls, rules: tuple[GCSLifecycleRule, ...], info: ValidationInfo) -> tuple[GCSLifecycleRule, ...]:
        if info.data.get("autoclass") and any(rule.transition for rule in rules):
            raise ValueError("must not have transitions together with autoclass=True")
        check_order(rules, _DOWN, info.data.get("storage_class"))
        return rules

    def meaning(self) -> StorageMeaning:
        """Say what this means on any cloud; see `StorageMeaning`."""
        given = self.set_fields()
        fixed = _TO_MEANING[self.storage_class] if self.storage_class else None
        return StorageMeaning(
            versioning=self.versioning,
            customer_key=True if self.kms_key else None,
            storage_class="automatic" if self.autoclass else fixed,
            lifecycle_rules=tuple(_rule_meaning(rule) for rule in self.lifecycle_rules),
            private=given.get("public_access_prevention"),
            tags=self.labels,
            existing=given.get("existing"),
            left_out=left_out(self, "soft_delete_days", "access_log_bucket"),
        )

    @classmethod
    def from_meaning(cls, meaning: StorageMeaning) -> tuple[Self, tuple[str, ...]]:
        """Make the Cloud Storage config of a meaning, and name what Cloud Storage cannot or must not take over."""
        automatic = meaning.storage_class == "automatic"
        labels, lost = _labels(meaning.tags)
        wanted = {
            "versioning": meaning.versioning,
            "storage_class": None if automatic else _FROM_MEANING.get(meaning.storage_class or ""),
            "autoclass": automatic or None,
            "lifecycle_rules": [_rule(rule) for rule in meaning.lifecycle_rules],
            "public_access_prevention": meaning.private,
            "labels": labels,
            "existing": meaning.existing,
        }
        return salvage(cls, wanted, (*meaning.left_out, *left_out(meaning, "customer_key"), *lost))


# Function config -----------------------------------------------------------------------------------------------------

CloudFunctionRuntime = Literal["python310", "python311", "python312", "python313", "python314"]

# https://cloud.google.com/functions/docs/configuring/env-var
_RESERVED_VARIABLES = frozenset(
    {"FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE", "K_SERVICE", "K_REVISION", "K_CONFIGURATION", "PORT"}
)


def _undotted(runtime: Any) -> Any:
    return runtime.replace(".", "") if isinstance(runtime, str) else runtime


def _variables_problem(variables: dict[str, str]) -> str | None:
    for name in variables:
        if name in _RESERVED_VARIABLES or name.startswith("X_GOOGLE_"):
            return f"must not set {name}, which Cloud Run functions reserve"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            return "must have names of letters, digits and '_', without a digit first"
    size = sum(len(text.encode("utf-8", "replace")) for pair in variables.items() for text in pair)
    return f"must have at most 32768 bytes in all names and values, not {size}" if size > 32768 else None


class CloudFunctionConfig(Settings):
    """What a Cloud Run function (2nd generation) is like.

    Attributes:
        memory: MB, 128-32768.
        timeout: seconds, 1-3600; functions that an event starts get at most 540; None takes the task's timeout.
        runtime: a Python that new functions can be made with, written `python312` or `python3.12`.
        environment_vars: at most 32768 bytes in all; their values are never shown.
        min_instances: instances kept warm, 0-1000.
        max_instances: most instances, 1-1000.
        concurrency: requests one instance answers at a time, 1-1000.
        vpc_connector: name of a serverless VPC connector.
        ingress: who may call.
        service_account: e-mail address of the account it runs as.
        code_bucket: name of a bucket that is there already and takes the code; None makes one for all functions.
        labels: added to those of the provider.

    Source: https://cloud.google.com/functions/quotas
    """

    memory: Annotated[int, Field(ge=128, le=32768)] | None = None
    timeout: Annotated[int, Field(ge=1, le=3600)] | None = None
    runtime: Annotated[CloudFunctionRuntime, BeforeValidator(_undotted)] | None = None
    environment_vars: Annotated[dict[str, str], must(_variables_problem)] = Field(default_factory=dict)
    min_instances: Annotated[int, Field(ge=0, le=1000)] | None = None
    max_instances: Annotated[int, Field(ge=1, le=1000)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = None
    vpc_connector: Annotated[str, Field(pattern=r"^[a-z0-9/_-]+$")] | None = None
    ingress: Literal["ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"] | None = None
    service_account: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[a-z0-9.-]+$")] | None = None
    code_bucket: Annotated[str, must(BUCKET.problem)] | None = None
    labels: Labels = Field(default_factory=dict)

    @field_validator("max_instances")
    @classmethod
    def _room_for_the_least(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and value < (info.data.get("min_instances") or 0):
            raise ValueError("must not be below min_instances")
        return value

    def meaning(self) -> FunctionMeaning:
        """Say what this means on any cloud; see `FunctionMeaning`."""
        sizes = ("min_instances", "max_instances", "concurrency")
        places = ("vpc_connector", "ingress", "service_account", "code_bucket")
        return FunctionMeaning(
            memory=self.memory,
            timeout=self.timeout,
            python=f"3.{self.runtime.removeprefix('python3')}" if self.runtime else None,
            environment_vars=self.environment_vars,
            tags=self.labels,
            left_out=left_out(self, *sizes, *places),
        )

    @classmethod
    def from_meaning(cls, meaning: FunctionMeaning) -> tuple[Self, tuple[str, ...]]:
        """Make the Cloud Run function config of a meaning, and name what Cloud Run functions cannot take over."""
        memory, memory_note = fitted("memory", meaning.memory, range(128, 32769))
        timeout, timeout_note = fitted("timeout", meaning.timeout, range(1, 3601))
        labels, lost = _labels(meaning.tags)
        wanted = {
            "memory": memory,
            "timeout": timeout,
            "runtime": f"python{meaning.python}" if meaning.python else None,
            "environment_vars": meaning.environment_vars,
            "labels": labels,
        }
        return salvage(cls, wanted, (*meaning.left_out, *memory_note, *timeout_note, *lost))


# Meaning -------------------------------------------------------------------------------------------------------------

# All classes of Cloud Storage are read at once, so ARCHIVE promises no more than "archive-instant" to other clouds.
_TO_MEANING: dict[str, StorageClass] = {
    "STANDARD": "standard",
    "NEARLINE": "infrequent",
    "COLDLINE": "archive-instant",
    "ARCHIVE": "archive-instant",
}
_FROM_MEANING = {
    "standard": "STANDARD",
    "infrequent": "NEARLINE",
    "archive-instant": "COLDLINE",
    "archive": "ARCHIVE",
    "deep-archive": "ARCHIVE",
}


def _rule_meaning(rule: GCSLifecycleRule) -> LifecycleMeaning:
    transition = _TO_MEANING[rule.transition] if rule.transition else None
    return LifecycleMeaning(days=rule.days, transition=transition, prefix=rule.prefix)


def _rule(meaning: LifecycleMeaning) -> dict[str, Any]:
    effect = {"transition": _FROM_MEANING.get(meaning.transition, "")} if meaning.transition else {"expiration": True}
    return {"days": meaning.days, "prefix": meaning.prefix, **effect}


def _labels(tags: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Write tags as labels: in lower case, with '_' for what labels do not allow; and name those that would collide."""
    labels: dict[str, str] = {}
    lost: list[str] = []
    for key, value in tags.items():
        label = _as_label(key)
        if label in labels:
            lost.append(f"labels.{key}")
        labels.setdefault(label, _as_label(value))
    return labels, lost


def _as_label(text: str) -> str:
    return "".join(character if _in_label(character) else "_" for character in text.lower())
