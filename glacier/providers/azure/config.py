"""Azure: provider, Blob Storage container and Functions app, with the bounds that Microsoft documents.

Sources: the pages of learn.microsoft.com named at each class and rule, and the validation of the azurerm provider.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

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
    "RESOURCE_GROUP",
    "STORAGE_ACCOUNT",
    "AzureBlobConfig",
    "AzureConfig",
    "AzureFunctionConfig",
    "AzureLifecycleRule",
]

# Name rules ----------------------------------------------------------------------------------------------------------

_RULES = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"

BUCKET = NameRule(
    what="Azure container name",
    says="lower-case letters, digits and single '-' between them",
    pattern=r"[a-z0-9]+(-[a-z0-9]+)*",
    shortest=3,
    longest=63,
    source="https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata",
)
FUNCTION = NameRule(
    what="Azure Functions app name",
    says="letters, digits and '-', with a letter or digit at both ends",
    pattern=r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])",
    shortest=2,
    longest=60,
    source=_RULES,
)
STORAGE_ACCOUNT = NameRule(
    what="Azure storage account name",
    says="lower-case letters and digits",
    pattern=r"[a-z0-9]+",
    shortest=3,
    longest=24,
    joint="",
    source=_RULES,
)
RESOURCE_GROUP = NameRule(
    what="Azure resource group name",
    says="letters, digits, '_', '(', ')', '-' and '.', with no '.' at the end",
    pattern=r"[\w().-]*[\w()-]",
    longest=90,
    source=_RULES,
)


def _normal_location(location: str) -> str:
    return location.replace(" ", "").lower()


def _location_problem(location: str) -> str | None:
    """Check the shape of a location: https://learn.microsoft.com/azure/reliability/regions-list."""
    if re.fullmatch(r"[a-z]{4,}[0-9]?", location):
        return None
    return "must be an Azure location such as 'eastus' or 'West Europe'"


def _subscription_problem(subscription: str) -> str | None:
    if subscription == "..." or re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", subscription):
        return None
    return "must be a GUID: 8-4-4-4-12 hexadecimal digits"


def _tags_problem(tags: dict[str, str]) -> str | None:
    """Check tags: https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources."""
    if len(tags) > 50:
        return f"must have at most 50 tags, not {len(tags)}"
    if len({key.lower() for key in tags}) < len(tags):
        return "must not have two tags whose keys differ in case only"
    return next((said for key, value in tags.items() if (said := _tag_problem(key, value))), None)


def _tag_problem(key: str, value: str) -> str | None:
    if not 1 <= len(key) <= 128 or len(value) > 256:
        return "must have tag keys of 1 to 128 characters and values of at most 256"
    if re.search(r"[<>%&\\?/\x00-\x1f\x7f]", key):
        return "must have tag keys without < > % & \\ ? / and control characters"
    reserved = key.lower().startswith(("azure", "microsoft", "windows"))
    return "must not have tag keys that begin with 'azure', 'microsoft' or 'windows'" if reserved else None


Location = Annotated[str, AfterValidator(_normal_location), must(_location_problem)]
Tags = Annotated[dict[str, str], must(_tags_problem)]
StorageAccount = Annotated[str, must(STORAGE_ACCOUNT.problem)]
KmsKey = Annotated[
    str,
    matches(
        r"https://[A-Za-z0-9-]+\.(vault|managedhsm)\.[a-z.]+/keys/[A-Za-z0-9-]+(/[0-9a-f]+)?",
        "a Key Vault key's URL: 'https://VAULT.vault.azure.net/keys/KEY'",
    ),
]

SubnetId = Annotated[
    str, matches(r"/subscriptions/\S+/subnets/[^/\s]+", "a subnet's id: '/subscriptions/.../subnets/NAME'")
]
ResourceGroupId = Annotated[
    str,
    matches(
        r"/subscriptions/[^/\s]+/resource[Gg]roups/[^/\s]+",
        "a resource group's id: '/subscriptions/SUBSCRIPTION/resourceGroups/NAME'",
    ),
]

# https://learn.microsoft.com/azure/azure-monitor/logs/manage-access
WorkspaceId = Annotated[
    str,
    matches(
        r"/subscriptions/[^/\s]+/resource[Gg]roups/[^/\s]+/providers/[Mm]icrosoft\.[Oo]perational[Ii]nsights/workspaces/[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
        "a Log Analytics workspace's id: '/subscriptions/.../Microsoft.OperationalInsights/workspaces/NAME'",
    ),
]

# Provider config -----------------------------------------------------------------------------------------------------


class AzureConfig(ProviderSettings):
    """How to reach an Azure subscription.

    Attributes:
        subscription_id: a GUID; `"..."` is taken as a placeholder until a real one is needed.
        resource_group: name of the resource group, 1-90 characters.
        location: such as `eastus`; "East US" is written so too.
        storage_account: account of all containers, 3-24 characters; None derives a legal name.
        account_key: the account's key; None uses the default credentials.
        connection_string: the account's connection string, instead of a key.
        queue_logging: log every read, write and deletion of queues in the storage accounts of a generated module that
            are not private; it then asks for azurerm 4, as version 5 has no such setting.
        private_dns_zones: id of the resource group that has the private DNS zones of private endpoints, such as
            `privatelink.blob.core.windows.net`; None leaves the names to the platform's own policy.
        tags: for all resources; at most 50, keys 1-128 characters, values 0-256.
        allow_http: allow an endpoint on another machine without TLS.
        endpoint_url: another endpoint than Azure's own.
    """

    subscription_id: Annotated[str, must(_subscription_problem)]
    resource_group: Annotated[str, must(RESOURCE_GROUP.problem)]
    location: Location
    storage_account: StorageAccount | None = None
    account_key: SecretStr | None = None
    connection_string: SecretStr | None = None
    queue_logging: bool = False
    private_dns_zones: ResourceGroupId | None = None
    tags: Tags = Field(default_factory=dict)


# Bucket config -------------------------------------------------------------------------------------------------------

AzureTier = Literal["Hot", "Cool", "Cold", "Premium", "Smart"]
AzureTransition = Literal["Cool", "Cold", "Archive"]

# Rules only ever move blobs down: https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-overview
_DOWN = ("Hot", "Cool", "Cold", "Archive")


class AzureLifecycleRule(LifecycleRule[AzureTransition]):
    """What happens to blobs of a certain age: they move to another tier, or they are deleted.

    Attributes:
        days: days since the last change, 0-99999.
        transition: the tier to move to.
        expiration: True deletes.
        prefix: only blobs whose name begins so.
    """

    days: Annotated[int, Field(ge=0, le=99999)]


_OWN_ONLY = (
    "replication_type",
    "soft_delete_days",
    "private_endpoint_subnet",
    "log_workspace",
    "storage_insights",
    "storage_account",
)


def _insights(wanted: bool, info: ValidationInfo) -> bool:
    if wanted and info.data.get("log_workspace", "wrong") is None:
        raise ValueError("needs log_workspace, which names the workspace that reads")
    return wanted


_ZONED = ("ZRS", "GZRS", "RAGZRS")


class AzureBlobConfig(Settings):
    """What a Blob Storage container is like, with the storage account it is in.

    Attributes:
        versioning: keep old versions; None leaves it to Glacier.
        encryption: whose key encrypts: Microsoft's or, with `kms_key`, the customer's.
        kms_key: URL of a Key Vault key.
        tier: access tier of new blobs; Archive is for single blobs only, by a lifecycle rule.
        replication_type: where copies are kept.
        lifecycle_rules: at most 100; within one prefix blobs only move to colder tiers.
        public_access_block: forbid all public access.
        soft_delete_days: days for which deleted blobs can be brought back, 1-365, or 0 for not at all; None is 7.
        private_endpoint_subnet: resource id of a subnet; the account is reached from there, and from nowhere else.
        log_workspace: resource id of a Log Analytics workspace, which gets every read, write and deletion of a blob.
        storage_insights: connect that workspace with the account as well. It reads with the account's key, which opens
            the account to its keys and puts one of them into Terraform's state; `log_workspace` alone needs none.
        storage_account: account of this container, instead of the provider's.
        tags: added to those of the provider.
        existing: the container is there already: use it, never create it.

    Sources: https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview, .../lifecycle-management-overview
    """

    versioning: bool | None = None
    encryption: Literal["Microsoft.Storage", "Microsoft.Keyvault"] | None = None
    kms_key: KmsKey | None = None
    tier: AzureTier | None = None
    replication_type: Literal["LRS", "GRS", "RAGRS", "ZRS", "GZRS", "RAGZRS"] | None = None
    lifecycle_rules: Annotated[Many[AzureLifecycleRule], Field(max_length=100)] = ()
    public_access_block: bool = True
    soft_delete_days: Annotated[int, Field(ge=0, le=365)] | None = None
    private_endpoint_subnet: SubnetId | None = None
    log_workspace: WorkspaceId | None = None
    storage_insights: bool = False
    storage_account: StorageAccount | None = None
    tags: Tags = Field(default_factory=dict)
    existing: bool = False

    @field_validator("kms_key")
    @classmethod
    def _key_needs_vault(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("encryption") == "Microsoft.Storage":
            raise ValueError("a Key Vault key needs encryption='Microsoft.Keyvault'")
        return value

    @field_validator("replication_type")
    @classmethod
    def _premium_stays_in_its_region(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("tier") == "Premium" and value not in (None, "LRS", "ZRS"):
            raise ValueError("must be LRS or ZRS with tier='Premium'")
        return value

    @field_validator("lifecycle_rules")
    @classmethod
    def _only_downwards(
        cls, rules: tuple[AzureLifecycleRule, ...], info: ValidationInfo
    ) -> tuple[AzureLifecycleRule, ...]:
        tiers = {rule.transition for rule in rules} - {None}
        if tiers and info.data.get("tier") == "Premium":
            raise ValueError("must not have transitions with tier='Premium', which has no other tiers")
        if "Archive" in tiers and info.data.get("replication_type") in _ZONED:
            raise ValueError("must not move blobs to Archive with zone-redundant replication, which has no such tier")
        check_order(rules, _DOWN, info.data.get("tier"))
        return rules

    @field_validator("storage_insights")
    @classmethod
    def _insights_need_a_workspace(cls, value: bool, info: ValidationInfo) -> bool:
        return _insights(value, info)

    def meaning(self) -> StorageMeaning:
        """Say what this means on any cloud; see `StorageMeaning`."""
        given = self.set_fields()
        premium = ("tier",) if self.tier == "Premium" else ()
        return StorageMeaning(
            versioning=self.versioning,
            customer_key=True if self.kms_key else None,
            storage_class=_TO_MEANING[self.tier] if self.tier else None,
            lifecycle_rules=tuple(_rule_meaning(rule) for rule in self.lifecycle_rules),
            private=given.get("public_access_block"),
            tags=self.tags,
            existing=given.get("existing"),
            left_out=(*premium, *left_out(self, *_OWN_ONLY)),
        )

    @classmethod
    def from_meaning(cls, meaning: StorageMeaning) -> tuple[Self, tuple[str, ...]]:
        """Make the Blob Storage config of a meaning, and name what Blob Storage cannot or must not take over."""
        # A container has no archive tier of its own: a rule moves each blob there at once.
        at_once = [_AT_ONCE] if meaning.storage_class in {"archive", "deep-archive"} else []
        wanted = {
            "versioning": meaning.versioning,
            "tier": _TIER.get(meaning.storage_class or ""),
            "lifecycle_rules": [*at_once, *(_rule(rule) for rule in meaning.lifecycle_rules)],
            "public_access_block": meaning.private,
            "tags": meaning.tags,
            "existing": meaning.existing,
        }
        return salvage(cls, wanted, (*meaning.left_out, *left_out(meaning, "customer_key")))


# Function config -----------------------------------------------------------------------------------------------------

AzureFunctionRuntime = Literal["python3.10", "python3.11", "python3.12", "python3.13"]

# Set by the platform or by what Glacier generates:
# https://learn.microsoft.com/azure/azure-functions/functions-app-settings
_RESERVED_VARIABLES = frozenset(
    {
        "AZURE_CLIENT_ID",
        "FUNCTIONS_EXTENSION_VERSION",
        "FUNCTIONS_WORKER_RUNTIME",
        "GLACIER_SCHEDULE",
        "WEBSITE_RUN_FROM_PACKAGE",
    }
)


def _variables_problem(variables: dict[str, str]) -> str | None:
    for name in variables:
        if name in _RESERVED_VARIABLES or name.startswith("AzureWebJobsStorage"):
            return f"must not set {name}, which Azure Functions reserve"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            return "must have names of letters, digits and '_', without a digit first"
    return None


_FUNCTION_ONLY = (
    "plan",
    "min_instances",
    "max_instances",
    "concurrency",
    "subnet_id",
    "private_endpoint_subnet",
    "zone_redundant",
    "kms_key",
    "log_retention_days",
    "log_workspace",
    "storage_insights",
)


AzurePlan = Literal["FC1", "P0v3", "P1v3", "P2v3", "P3v3"]

_FLEX = "FC1"
_MOST_INSTANCES = 100
"""What Flex Consumption has where nobody says anything."""

_MOST_WORKERS = 30
"""https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits#app-service-limits"""

_FLEX_ONLY = {
    "memory": "the plan's own size is what its instances have",
    "max_instances": "the plan always has min_instances",
    "concurrency": "a host.json of your own may say it: extensions.http.maxConcurrentRequests",
}


class AzureFunctionConfig(Settings):
    """What an Azure Functions app is like.

    Attributes:
        plan: `"FC1"` is Flex Consumption, which scales by itself and costs what calls cost; the others are sizes of
            Premium v3, whose instances are there, and paid for, all the time.
        memory: MB of an instance: 512, 2048 or 4096; of Flex Consumption only.
        timeout: seconds, 1 or more; an answer over HTTP must come within 230; None takes the task's timeout.
        runtime: a Python that the plan offers.
        environment_vars: the app's settings; their values are never shown.
        max_instances: most instances, 40-1000; None is 100; of Flex Consumption only.
        min_instances: instances that are always ready for requests: on Flex Consumption 0-1000, no more than
            `max_instances`, and None keeps none; on Premium v3 all that the plan has, 1-30, and None is 2.
        concurrency: HTTP requests one instance answers at a time, 1-1000; of Flex Consumption only.
        subnet_id: resource id of the subnet it runs in.
        private_endpoint_subnet: resource id of a subnet; the app and the account of its code are reached from there,
            and from nowhere else. The app itself reaches its account from `subnet_id`, and its code is uploaded by you.
        zone_redundant: spread instances over zones; None does so where the location has zones.
        kms_key: URL of a Key Vault key that encrypts the account of its code.
        log_retention_days: how long its logs are kept in Application Insights; None keeps none.
        log_workspace: resource id of a Log Analytics workspace, which gets what happens in the account of its code.
        storage_insights: connect that workspace with the account as well; see `AzureBlobConfig`.
        tags: added to those of the provider.

    Sources: https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan, .../dedicated-plan
    """

    plan: AzurePlan = _FLEX
    memory: Literal[512, 2048, 4096] | None = None
    timeout: Annotated[int, Field(ge=1, le=2147483647)] | None = None
    runtime: AzureFunctionRuntime | None = None
    environment_vars: Annotated[dict[str, str], must(_variables_problem)] = Field(default_factory=dict)
    max_instances: Annotated[int, Field(ge=40, le=1000)] | None = None
    min_instances: Annotated[int, Field(ge=0, le=1000)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = None
    subnet_id: SubnetId | None = None
    private_endpoint_subnet: SubnetId | None = None
    zone_redundant: bool | None = None
    kms_key: KmsKey | None = None
    log_retention_days: Literal[30, 60, 90, 120, 180, 270, 365, 550, 730] | None = None
    log_workspace: WorkspaceId | None = None
    storage_insights: bool = False
    tags: Tags = Field(default_factory=dict)

    @field_validator(*_FLEX_ONLY)
    @classmethod
    def _as_the_plan_has(cls, value: int | None, info: ValidationInfo) -> int | None:
        plan = info.data.get("plan", _FLEX)
        if value is not None and plan != _FLEX:
            raise ValueError(f"must not go with plan={plan!r}: {_FLEX_ONLY[info.field_name or '']}")
        return value

    @field_validator("min_instances")
    @classmethod
    def _as_many_as_there_can_be(cls, value: int | None, info: ValidationInfo) -> int | None:
        plan, most = info.data.get("plan", _FLEX), info.data.get("max_instances") or _MOST_INSTANCES
        if value is None:
            return value
        if plan == _FLEX and value > most:
            raise ValueError(f"must be at most max_instances, which is {most}")
        if plan != _FLEX and not 1 <= value <= _MOST_WORKERS:
            raise ValueError(f"must be 1 to {_MOST_WORKERS} with plan={plan!r}")
        return value

    @field_validator("private_endpoint_subnet")
    @classmethod
    def _closed_account_needs_a_way(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("subnet_id", "wrong") is None:
            raise ValueError("needs subnet_id, from where the app reaches the account of its code")
        return value

    @field_validator("zone_redundant")
    @classmethod
    def _zones_need_instances(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        if value and info.data.get("plan", _FLEX) != _FLEX and info.data.get("min_instances") == 1:
            raise ValueError("must not be True with min_instances=1: one instance is in one zone")
        return value

    @field_validator("storage_insights")
    @classmethod
    def _insights_need_a_workspace(cls, value: bool, info: ValidationInfo) -> bool:
        return _insights(value, info)

    @property
    def flexible(self) -> bool:
        """Whether the plan is Flex Consumption."""
        return self.plan == _FLEX

    def meaning(self) -> FunctionMeaning:
        """Say what this means on any cloud; see `FunctionMeaning`."""
        return FunctionMeaning(
            memory=self.memory,
            timeout=self.timeout,
            python=self.runtime.removeprefix("python") if self.runtime else None,
            environment_vars=self.environment_vars,
            tags=self.tags,
            left_out=left_out(self, *_FUNCTION_ONLY),
        )

    @classmethod
    def from_meaning(cls, meaning: FunctionMeaning) -> tuple[Self, tuple[str, ...]]:
        """Make the Azure Functions config of a meaning, and name what Azure Functions cannot take over."""
        memory, memory_note = fitted("memory", meaning.memory, (512, 2048, 4096))
        wanted = {
            "memory": memory,
            "timeout": meaning.timeout,
            "runtime": f"python{meaning.python}" if meaning.python else None,
            "environment_vars": meaning.environment_vars,
            "tags": meaning.tags,
        }
        return salvage(cls, wanted, (*meaning.left_out, *memory_note))


# Meaning -------------------------------------------------------------------------------------------------------------

_TO_MEANING: dict[str, StorageClass] = {
    "Hot": "standard",
    "Premium": "standard",
    "Cool": "infrequent",
    "Cold": "archive-instant",
    "Archive": "archive",
    "Smart": "automatic",
}
_TIER = {"standard": "Hot", "infrequent": "Cool", "archive-instant": "Cold", "automatic": "Smart"}
_TRANSITION = {"infrequent": "Cool", "archive-instant": "Cold", "archive": "Archive", "deep-archive": "Archive"}
_AT_ONCE = {"days": 0, "transition": "Archive"}


def _rule_meaning(rule: AzureLifecycleRule) -> LifecycleMeaning:
    transition = _TO_MEANING[rule.transition] if rule.transition else None
    return LifecycleMeaning(days=rule.days, transition=transition, prefix=rule.prefix)


def _rule(meaning: LifecycleMeaning) -> dict[str, Any]:
    effect = {"transition": _TRANSITION.get(meaning.transition, "")} if meaning.transition else {"expiration": True}
    return {"days": meaning.days, "prefix": meaning.prefix, **effect}
