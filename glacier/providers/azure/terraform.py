"""Azure: what an environment needs, as Terraform for the azurerm provider.

Both ends of the provider's range accept everything here. Storage accounts are versioned, geo-redundant, encrypted twice
and reached by TLS and Entra ID only; functions have an identity and an account for their code of their own. Roles are
the narrowest one that Azure has predefined for reading, and our own for writing and calling, for which there are none.
What costs money or needs another account's resources is an option of our config classes, and the policy check that asks
for it is declined in the block.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glacier.errors import InfrastructureError
from glacier.infrastructure import Backend, BucketNeed, Draft, Statement
from glacier.infrastructure.requirements import requirements_of
from glacier.infrastructure.variables import environment_of
from glacier.schedules import Cron
from glacier.terraform import Block, Call, Labels, Ref, Text, data, nested, output, resource, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from glacier.infrastructure import Blueprint, FunctionNeed, Grant, Needs, Package, Use
    from glacier.providers.azure.config import AzureConfig, AzureFunctionConfig, AzureLifecycleRule
    from glacier.schedules import Rate
    from glacier.terraform import Value
    from glacier.usage import Deed

__all__ = ["blueprint"]

VERSIONS, VERSIONS_OF_QUEUE_LOGS = ">= 4.55, < 6.0", ">= 4.55, < 5.0"

RUNTIME = "3.12"
"""The Python of functions that name none."""

BACKEND_ADVICE = (
    "The storage account must be there already: versioned, private, and not one of this module's.",
    "terraform init -backend-config=backends/ENV.azurerm.tfbackend",
)

LOCATION, ENVIRONMENT = Ref("var", "azure_location"), Ref("var", "environment")
GROUP = Ref("data", "azurerm_resource_group", "main")
PLACE: dict[str, Value] = {"resource_group_name": GROUP.name, "location": LOCATION}


def blueprint(config: AzureConfig, account: str, needs: Needs) -> Blueprint:
    """Return what an environment needs of Azure; `account` is the storage account of containers that name none.

    Raises:
        InfrastructureError: containers of one storage account want different things of it.
    """
    module = _Module(config, account, needs)
    module.providers()
    _Storage(module).draw()
    _Functions(module).draw()
    _Access(module).draw()
    where = {"resource_group_name": config.resource_group, "storage_account_name": None}
    key = {"container_name": "tfstate", "key": f"glacier/{needs.module}.tfstate", "use_azuread_auth": True}
    return module.draft.finish(_requirements(module), Backend("azurerm", {**where, **key}, BACKEND_ADVICE))


def _requirements(module: _Module) -> dict[str, dict[str, str]]:
    """Return the provider's range, which is narrower where an account has what azurerm 5 has no more."""
    accounts = (*module.accounts.values(), *(module.code_account(need) for need in module.needs.functions))
    logged = any(module.logs_queues(account) for account in accounts)
    if logged:
        module.draft.warn(
            "queue_logging=True: only azurerm 4 can log queues inside an account, so this module asks for azurerm "
            f"{VERSIONS_OF_QUEUE_LOGS}"
        )
    version = VERSIONS_OF_QUEUE_LOGS if logged else VERSIONS
    return {"azurerm": {"source": "hashicorp/azurerm", "version": version}}


class _Module:
    """What the files of one environment share."""

    def __init__(self, config: AzureConfig, account: str, needs: Needs) -> None:
        self.config = config
        self.account = account
        self.needs = needs
        self.draft = Draft()
        self.access = Labels()

    # --- providers.tf, variables.tf, locals.tf --------------------------------------------------------------------

    def providers(self) -> None:
        """Draw the provider and the resource group, which is there already."""
        subscription = variable("azure_subscription_id", "string", "Id of the Azure subscription.")
        group = variable("azure_resource_group", "string", "Name of the resource group, which is there already.")
        location = variable("azure_location", "string", "Location of storage accounts and functions.")
        known = "subscription_id" not in self.config.placeholders()
        subscription_id = self.draft.variable(subscription, self.config.subscription_id if known else None)
        name = self.draft.variable(group, self.config.resource_group)
        self.draft.variable(location, self.config.location)
        arguments: dict[str, Value] = {"subscription_id": subscription_id, "storage_use_azuread": True}
        self.draft.add("providers.tf", Block("provider", ("azurerm",), arguments, (nested("features"),)))
        self.draft.add("storage.tf", data("azurerm_resource_group", "main", name=name))

    @cached_property
    def mark(self) -> Ref:
        """A few letters that tell the modules of one directory apart; drawn when something asks for them."""
        where = (Ref("var", "azure_subscription_id"), "/", Ref("var", "azure_resource_group"), "/", ENVIRONMENT)
        seed = Text(*where, *((f"/{self.needs.only}",) if self.needs.only else ()))
        self.draft.add("locals.tf", Block("locals", (), {"azure_mark": Call("substr", Call("sha256", seed), 0, 6)}))
        return Ref("local", "azure_mark")

    def tags(self, config: Any) -> dict[str, Value]:
        """Return the tags of a resource as an argument."""
        return {"tags": {name: config.tags[name] for name in sorted(config.tags)}} if config.tags else {}

    def common_tags(self) -> dict[str, Value]:
        """Return the tags that everything has as an argument."""
        tags = self.needs.tags
        return {"tags": {name: tags[name] for name in sorted(tags)}} if tags else {}

    def unique(self, name: str) -> str:
        """Return a mark for a name that is unique in all of Azure: the same for the same environment."""
        where = f"{self.config.subscription_id}/{self.config.resource_group}/{self.needs.environment}"
        return _digest(f"{where}/{name}".lower(), 15)

    # --- accounts -------------------------------------------------------------------------------------------------

    @cached_property
    def accounts(self) -> dict[str, _Account]:
        """The storage accounts of the containers, by name."""
        found: dict[str, list[BucketNeed]] = {}
        for need in self.needs.buckets:
            found.setdefault(self.account_name(need), []).append(need)
        return {
            name: _Account(
                name, "main" if name == self.account else f"account_{name}", f"account {name}", tuple(found[name])
            )
            for name in sorted(found)
        }

    def account_name(self, need: BucketNeed) -> str:
        """Return the name of a container's storage account."""
        return need.config.storage_account or self.account

    def logs_queues(self, account: _Account) -> bool:
        """Whether an account logs its queues itself.

        The provider sets the log while it makes the account, when a private endpoint is not there yet.
        """
        return self.config.queue_logging and not (account.existing or account.premium or account.closed)

    def is_closed(self, need: BucketNeed | FunctionNeed) -> bool:
        """Whether a container or an app is reached by a private endpoint only."""
        if isinstance(need, BucketNeed):
            return self.accounts[self.account_name(need)].closed
        return need.config.private_endpoint_subnet is not None

    def code_label(self, need: FunctionNeed) -> str:
        """Return the label of the account and container of a function's code, which is none of the user's buckets'."""
        return self.needs.labels.of(f"code of {need.label}")

    def code_account(self, need: FunctionNeed) -> _Account:
        """Return the account of a function's code, as safe as the function's config asks for."""
        from glacier.providers.azure.config import AzureBlobConfig

        config: AzureFunctionConfig = need.config
        wanted = AzureBlobConfig(
            kms_key=config.kms_key,
            private_endpoint_subnet=config.private_endpoint_subnet,
            log_workspace=config.log_workspace,
            storage_insights=config.storage_insights,
            tags=config.tags,
        )
        return _Account(
            f"glacierfn{self.unique(need.name)}",
            self.code_label(need),
            f"code of function {need.name}",
            (BucketNeed("code", self.code_label(need), wanted, need.effective),),
            services=("blob", "queue"),
            option="AzureFunctionConfig",
            tier=None,
        )

    def container_id(self, need: BucketNeed) -> Value:
        """Return the id of a container, whether the module makes it or finds its account."""
        if not need.existing:
            return Ref("azurerm_storage_container", need.label).id
        account = self.accounts[self.account_name(need)]
        return Text(account.ref.id, f"/blobServices/default/containers/{need.name}")

    # --- private endpoints ----------------------------------------------------------------------------------------

    def endpoint(self, label: str, name: str, target: Ref, service: str, subnet: str) -> Block:
        """Return a private endpoint of a service; its name is in the zones of the config, else left to a policy."""
        connection = nested(
            "private_service_connection",
            name=name,
            private_connection_resource_id=target,
            subresource_names=[service],
            is_manual_connection=False,
        )
        where: dict[str, Value] = {"name": _fitted(f"{name}-{service}", 64), **PLACE, "subnet_id": subnet}
        names = _names(self.config.private_dns_zones, service)
        return resource("azurerm_private_endpoint", label, connection, names, **where, **self.common_tags())


_ZONES = {
    "blob": "privatelink.blob.core.windows.net",
    "queue": "privatelink.queue.core.windows.net",
    "sites": "privatelink.azurewebsites.net",
}
"""https://learn.microsoft.com/azure/private-link/private-endpoint-dns"""


def _names(group: str | None, service: str) -> Block:
    """Return how the name of an endpoint comes into a zone: by the module, or by a policy that it leaves alone."""
    if group is None:
        return nested("lifecycle", ignore_changes=[Ref("private_dns_zone_group")])
    zone = f"{group}/providers/Microsoft.Network/privateDnsZones/{_ZONES[service]}"
    return nested("private_dns_zone_group", name="default", private_dns_zone_ids=[zone])


@dataclass(frozen=True)
class _Account:
    """A storage account with its containers; most of what a container's config says is a matter of its account.

    `services` are those that it is used for, `option` is the class whose settings are asked, and `tier` the access tier
    where none of them names one.
    """

    name: str
    label: str
    about: str
    containers: tuple[BucketNeed, ...]
    services: tuple[str, ...] = ("blob",)
    option: str = "AzureBlobConfig"
    tier: str | None = "Hot"

    @property
    def existing(self) -> bool:
        """Whether it is there already, as it is where one of its containers is."""
        return any(need.existing for need in self.containers)

    @property
    def ref(self) -> Ref:
        return Ref(*(("data",) if self.existing else ()), "azurerm_storage_account", self.label)

    @property
    def closed(self) -> bool:
        """Whether it is reached by private endpoints only."""
        return self.said("private_endpoint_subnet") is not None

    @property
    def premium(self) -> bool:
        """Whether it has blobs only, on fast disks."""
        return self.said("tier") == "Premium"

    @property
    def public(self) -> bool:
        """Whether a container of it may be opened to everybody."""
        return not all(need.config.public_access_block for need in self.containers)

    @property
    def insights(self) -> bool:
        """Whether a workspace reads it with its key; what is there already keeps its settings."""
        return not self.existing and any(need.config.storage_insights for need in self.containers)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that all containers share."""
        first, *others = [need.config.tags for need in self.containers]
        shared = [name for name, value in first.items() if all(tags.get(name) == value for tags in others)]
        return {name: first[name] for name in sorted(shared)}

    def said(self, setting: str) -> Any:
        """Return what the containers say of a setting of their account, None where none of them says anything.

        Raises:
            InfrastructureError: they say different things.
        """
        given = [(need.name, getattr(need.config, setting)) for need in self.containers]
        spoken = [(name, value) for name, value in given if value is not None]
        odd = next((pair for pair in spoken if pair[1] != spoken[0][1]), None)
        if odd is not None:
            one, other = spoken[0], odd
            raise InfrastructureError(
                f"containers {one[0]!r} and {other[0]!r} are in storage account {self.name!r}, which cannot have both "
                f"{setting}={one[1]!r} and {setting}={other[1]!r}",
                hint="give one of them another account: AzureBlobConfig(storage_account=...)",
            )
        return spoken[0][1] if spoken else None


# storage.tf ----------------------------------------------------------------------------------------------------------


class _Storage:
    """Storage accounts with their containers, rules, keys and endpoints, and the accounts of code."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for account in self.module.accounts.values():
            if account.existing:
                found = {"name": account.name, "resource_group_name": GROUP.name}
                self._add(data("azurerm_storage_account", account.label, **found), account.about)
            else:
                self._account(account)
                self._surroundings(account)
        for need in self.module.needs.buckets:
            if not need.existing:
                self._bucket(need)
            about = f"Id of container {need.label}."
            self.draft.add("outputs.tf", output(f"bucket_{need.label}", about, self.module.container_id(need)))
        for need in self.module.needs.functions:
            self._code(need)

    def _account(self, account: _Account) -> None:
        self._warn_of_tags(account)
        key, logged = self._key(account), self.module.logs_queues(account)
        made = resource(
            "azurerm_storage_account",
            account.label,
            *_account_settings(account, key),
            *([_QUEUES_LOGGED] if logged else ()),
            *([_CLOSED] if account.closed else ()),
            name=account.name,
            **PLACE,
            **_class(account),
            **{**_SAFE, "shared_access_key_enabled": account.insights},
            allow_nested_items_to_be_public=account.public,
            public_network_access_enabled=not account.closed,
            **({"tags": account.tags} if account.tags else {}),
            **({} if key is None else {"depends_on": [Ref("azurerm_role_assignment", key.labels[1])]}),
        )
        self._add(replace(made, skips=_account_skips(account, logged)), account.about)
        if self.module.config.queue_logging and account.closed:
            self.draft.warn(
                f"{account.about}: queue_logging=True is left out, as the provider sets the log while it makes the "
                "account, before the private endpoint is there"
            )

    def _surroundings(self, account: _Account) -> None:
        """Draw what belongs to an account besides its containers."""
        rules = list(_lifecycle(account))
        if rules:
            target = account.ref.id
            policy = resource("azurerm_storage_management_policy", account.label, *rules, storage_account_id=target)
            self._add(policy, account.about)
        for service in account.services if account.closed else ():
            self._add(self._endpoint(account, service), account.about)
        for service in account.services if account.said("log_workspace") else ():
            self._add(_logs(account, service), account.about)
        if account.insights:
            self._add(_insights(account), account.about)
            self.draft.warn(
                f"{account.about}: storage_insights=True opens the account to its keys and puts one into Terraform's "
                "state: who reads the state can read and write everything in the account"
            )

    def _endpoint(self, account: _Account, service: str) -> Block:
        label, subnet = entrance_label(account, service), account.said("private_endpoint_subnet")
        return self.module.endpoint(label, account.name, account.ref.id, service, subnet)

    def _warn_of_tags(self, account: _Account) -> None:
        for need in account.containers:
            lost = sorted(need.config.tags.keys() - account.tags.keys())
            if lost:
                self.draft.warn(
                    f"bucket {need.name}: a container has no tags, and its account {account.name} gets those that all "
                    f"its containers share, so {', '.join(lost)} is left out"
                )

    def _bucket(self, need: BucketNeed) -> None:
        account = self.module.accounts[self.module.account_name(need)]
        self._add(_container(need.label, need.name, account), f"bucket {need.name}")

    # --- keys -----------------------------------------------------------------------------------------------------

    def _key(self, account: _Account) -> Block | None:
        """Draw the identity by which an account uses the customer's key, and its right to do so; return the identity.

        Raises:
            InfrastructureError: a key is asked for and none is named.
        """
        url: str | None = account.said("kms_key")
        if url is None and account.said("encryption") == "Microsoft.Keyvault":
            raise InfrastructureError(
                f"storage account {account.name!r} is to be encrypted with a key of Key Vault, and none is named",
                hint="name it: AzureBlobConfig(kms_key='https://VAULT.vault.azure.net/keys/KEY')",
            )
        if url is None:
            return None
        label = self.module.access.of(f"{account.label} uses its key")
        about, tags = f"key of account {account.name}", self.module.common_tags()
        identity = resource("azurerm_user_assigned_identity", label, name=f"{account.name}-key", **PLACE, **tags)
        self.draft.add("iam.tf", identity, about)
        scope = Text(GROUP.id, _key_scope(url))
        self.draft.add("iam.tf", _assignment(label, label, scope, {"role_definition_name": KEY_USER}), about)
        return identity

    # --- code of functions ------------------------------------------------------------------------------------------

    def _code(self, need: FunctionNeed) -> None:
        account = self.module.code_account(need)
        self._account(account)
        self._add(_container(account.label, "code", account), account.about)
        self._surroundings(account)

    def _add(self, block: Block, about: str) -> Block:
        return self.draft.add("storage.tf", block, about)


def entrance_label(account: _Account, service: str) -> str:
    """Return the label of the private endpoint of an account's service."""
    return account.label if service == "blob" else f"{service}_of_{account.label}"


def _container(label: str, name: str, account: _Account) -> Block:
    where: dict[str, Value] = {"storage_account_id": account.ref.id, "container_access_type": "private"}
    made = resource("azurerm_storage_container", label, name=name, **where)
    return made if account.insights else replace(made, skips=_no_read_log(account))


def _logs(account: _Account, service: str) -> Block:
    """Return the log of a service of an account, of every read, write and deletion."""
    return resource(
        "azurerm_monitor_diagnostic_setting",
        f"{account.label}_{service}",
        *(nested("enabled_log", category=f"Storage{kind}") for kind in ("Read", "Write", "Delete")),
        name="glacier",
        target_resource_id=Text(account.ref.id, f"/{service}Services/default"),
        log_analytics_workspace_id=account.said("log_workspace"),
    )


def _insights(account: _Account) -> Block:
    """Return the connection by which a workspace reads an account; it belongs to the workspace's own resource group."""
    workspace: str = account.said("log_workspace")
    _, _, subscription, _, group, *_, name = workspace.split("/")
    # The provider takes ids in this spelling only.
    home = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.OperationalInsights"
    return resource(
        "azurerm_log_analytics_storage_insights",
        account.label,
        name=f"glacier-{account.name}",
        resource_group_name=group,
        workspace_id=f"{home}/workspaces/{name}",
        storage_account_id=account.ref.id,
        storage_account_key=account.ref.primary_access_key,
        blob_container_names=[need.name for need in account.containers],
    )


_SAFE: dict[str, Value] = {
    "min_tls_version": "TLS1_2",
    "https_traffic_only_enabled": True,
    "infrastructure_encryption_enabled": True,
    "shared_access_key_enabled": False,
    "default_to_oauth_authentication": True,
    "local_user_enabled": False,
    "cross_tenant_replication_enabled": False,
}
_QUEUES_LOGGED = nested(
    "queue_properties",
    nested("logging", read=True, write=True, delete=True, version="1.0", retention_policy_days=90),
)
_CLOSED = nested("network_rules", default_action="Deny", bypass=["AzureServices"])
_SAS = nested("sas_policy", expiration_period="07.00:00:00", expiration_action="Log")


def _class(account: _Account) -> dict[str, Value]:
    """Return kind, tier and copies; GRS is what Azure itself proposes, and Premium stays in its region."""
    tier, copies = account.said("tier") or account.tier, account.said("replication_type")
    if account.premium:
        return {
            "account_kind": "BlockBlobStorage",
            "account_tier": "Premium",
            "account_replication_type": copies or "LRS",
        }
    kind = {"account_kind": "StorageV2", "account_tier": "Standard", "account_replication_type": copies or "GRS"}
    return kind if tier is None else {**kind, "access_tier": tier}


def _account_settings(account: _Account, key: Block | None) -> Iterator[Block]:
    days = account.said("soft_delete_days")
    kept = _kept(7 if days is None else days)
    yield nested("blob_properties", *kept, versioning_enabled=account.said("versioning") is not False)
    yield _SAS
    if key is not None:
        yield nested("identity", type="UserAssigned", identity_ids=[key.ref.id])
        url: str = account.said("kms_key")
        yield nested("customer_managed_key", key_vault_key_id=url, user_assigned_identity_id=key.ref.id)


def _kept(days: int) -> list[Block]:
    """Return for how long deleted blobs and containers can be brought back; nothing for 0 days."""
    kinds = ("delete_retention_policy", "container_delete_retention_policy")
    return [nested(kind, days=days) for kind in kinds] if days else []


def _lifecycle(account: _Account) -> Iterator[Block]:
    for need in account.containers:
        for place, rule in enumerate(need.config.lifecycle_rules, start=1):
            yield _lifecycle_rule(f"{need.name}-{place}", need, rule)


def _lifecycle_rule(name: str, need: BucketNeed, rule: AzureLifecycleRule) -> Block:
    effect = f"tier_to_{rule.transition.lower()}" if rule.transition else "delete"
    actions = nested("base_blob", **{f"{effect}_after_days_since_modification_greater_than": rule.days})
    where = nested("filters", blob_types=["blockBlob"], prefix_match=[f"{need.name}/{rule.prefix}"])
    return nested("rule", where, nested("actions", actions), name=name, enabled=True)


KEY_USER = "Key Vault Crypto Service Encryption User"


def _key_scope(url: str) -> str:
    """Return the id of a key below its resource group, in which its vault is expected.

    Raises:
        InfrastructureError: the key is in a managed HSM, for which azurerm 4 and 5 share no form.
    """
    found = re.match(r"https://([A-Za-z0-9-]+)\.vault\.[a-z.]+/keys/([A-Za-z0-9-]+)", url)
    if not found:
        raise InfrastructureError(
            "a key in a managed HSM has no form that both azurerm 4 and 5 accept",
            hint="use a key of a Key Vault, or existing=True with an account that you keep yourself",
        )
    return f"/providers/Microsoft.KeyVault/vaults/{found[1]}/keys/{found[2]}"


def _open(account: _Account) -> tuple[tuple[str, str], ...]:
    said = f"reached over the internet: {account.option}(private_endpoint_subnet=...)"
    return tuple((check, said) for check in ("CKV_AZURE_59", "CKV2_AZURE_33", "AZU-0012"))


def _unkeyed(account: _Account) -> tuple[tuple[str, str], ...]:
    said = f"Microsoft's own key: {account.option}(kms_key=...)"
    return tuple((check, said) for check in ("CKV2_AZURE_1", "AZU-0060"))


def _no_queue_log(account: _Account) -> tuple[tuple[str, str], ...]:
    """Decline the checks that look for queue_properties in the account; checkov knows that Premium has no queues."""
    said = "nothing uses queues of this account: AzureConfig(queue_logging=True)"
    closed = f"no way to the queues of an account in the making: {account.option}(private_endpoint_subnet=...)"
    checks = ("AZU-0057",) if account.premium else ("CKV_AZURE_33", "AZU-0057")
    return tuple((check, closed if account.closed else said) for check in checks)


def _no_read_log(account: _Account) -> tuple[tuple[str, str], ...]:
    """Decline the check that looks for a workspace which reads the account with its key."""
    kept = "the account keeps its settings: AzureBlobConfig(existing=True)"
    closed = f"no key of the account is given away: {account.option}(storage_insights=True)"
    return (("CKV2_AZURE_21", kept if account.existing else closed),)


def _account_skips(account: _Account, logged: bool) -> tuple[tuple[str, str], ...]:
    """Name the checks that an account declines, each with the option that would satisfy it."""
    copies, premium = account.said("replication_type"), account.premium
    local = f"replication_type={copies!r} was asked for" if copies else "tier='Premium' was asked for"
    near = copies in ("LRS", "ZRS") or premium
    keyed = f"{account.option}(storage_insights=True) was asked for, which reads with a key of the account"
    return (
        *(() if account.closed else _open(account)),
        *(() if account.said("kms_key") else _unkeyed(account)),
        *(() if logged else _no_queue_log(account)),
        *((("CKV2_AZURE_40", keyed),) if account.insights else ()),
        *((("CKV_AZURE_206", local), ("AZU-0058", local)) if near else ()),
        *((("CKV_AZURE_190", "public_access_block=False was asked for"),) if account.public else ()),
        *((("CKV2_AZURE_47", "public_access_block=False was asked for"),) if account.public else ()),
        *((("CKV2_AZURE_38", "soft_delete_days=0 was asked for"),) if account.said("soft_delete_days") == 0 else ()),
    )


# functions.tf --------------------------------------------------------------------------------------------------------


class _Functions:
    """Functions with their plan, logs and alarms."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        logged = [need for need in self.module.needs.functions if _is_logged(need)]
        if logged:
            self._insights(max(need.config.log_retention_days or 90 for need in logged))
        for need in self.module.needs.functions:
            self._function(need)

    def _function(self, need: FunctionNeed) -> None:
        about = need.origin or f"function {need.name}"
        plan = self._add(self._plan(need), about)
        made = self._add(self._app(need, need.config, plan), about)
        self._warn_of_closed_doors(need)
        if self.module.is_closed(need):
            self._add(self._endpoint(need), about)
        if need.monitored:
            self.draft.add("monitoring.tf", self._alarm(need), about)
        said = f"Host name of function {need.name}."
        self.draft.add("outputs.tf", output(f"function_{need.label}", said, made.ref.default_hostname))

    def _warn_of_closed_doors(self, need: FunctionNeed) -> None:
        """Say so where a function is in no network and something that it uses is reached from a network only."""
        grants = self.module.needs.of(need.label) if need.config.subnet_id is None else ()
        for grant in grants:
            used = grant.bucket or grant.function
            if used is not None and self.module.is_closed(used):
                self.draft.warn(
                    f"function {need.name}: {used.name} is reached from a network only, and the function is in none; "
                    "give it one: AzureFunctionConfig(subnet_id=...)"
                )

    def _plan(self, need: FunctionNeed) -> Block:
        """Return the app's own plan; Flex Consumption takes no more than one."""
        config: AzureFunctionConfig = need.config
        zones = self._zones(config)
        made = resource(
            "azurerm_service_plan",
            need.label,
            name=f"{self._name(need)}-plan"[:60],
            **PLACE,
            os_type="Linux",
            sku_name=config.plan,
            **({} if config.flexible else {"worker_count": _workers(config)}),
            zone_balancing_enabled=zones,
            **self.module.tags(config),
        )
        return replace(made, skips=_plan_skips(config, zones, self.module.config.location))

    def _zones(self, config: AzureFunctionConfig) -> bool:
        if config.zone_redundant is not None:
            return config.zone_redundant
        return self.module.config.location not in ZONELESS and (config.flexible or _workers(config) > 1)

    def _app(self, need: FunctionNeed, config: AzureFunctionConfig, plan: Block) -> Block:
        identity = Ref("azurerm_user_assigned_identity", need.label).id
        code = self.module.code_label(need)
        host = _flexible_host(need, code, identity) if config.flexible else _premium_host(need, code)
        made = resource(
            app_kind(need),
            need.label,
            nested("identity", type="UserAssigned", identity_ids=[identity]),
            *_ready(config),
            _site(need),
            name=self._name(need),
            **PLACE,
            service_plan_id=plan.ref.id,
            **host,
            **({"public_network_access_enabled": False} if self.module.is_closed(need) else {}),
            https_only=True,
            **self._upload(need),
            app_settings=self._environment(need),
            **self.module.tags(config),
            depends_on=list(self._conditions(need)),
        )
        return replace(made, skips=_app_skips(config))

    def _conditions(self, need: FunctionNeed) -> Iterator[Ref]:
        """Yield what has to be there before an app: its right to its code's account, and the way to it."""
        yield Ref("azurerm_role_assignment", host_label(self.module, need))
        account = self.module.code_account(need)
        for service in account.services if account.closed else ():
            yield Ref("azurerm_private_endpoint", entrance_label(account, service))

    def _endpoint(self, need: FunctionNeed) -> Block:
        app, subnet = Ref(app_kind(need), need.label).id, need.config.private_endpoint_subnet
        return self.module.endpoint(f"app_{need.label}", self._name(need), app, "sites", subnet)

    def _environment(self, need: FunctionNeed) -> dict[str, Value]:
        environment = environment_of(need)
        for block in environment.variables:
            self.draft.variable(block)
        client = Ref("azurerm_user_assigned_identity", need.label).client_id
        when = next((each.when for each in self.module.needs.schedules if each.function.name == need.name), None)
        values = {
            **environment.values,
            "AZURE_CLIENT_ID": client,
            **self._code_settings(need),
            "AzureWebJobsStorage__clientId": client,
            "AzureWebJobsStorage__credential": "managedidentity",
            **({} if when is None else {SCHEDULE: expression_of(when)}),
        }
        return {name: values[name] for name in sorted(values)}

    def _code_settings(self, need: FunctionNeed) -> dict[str, Value]:
        """Return how an app finds its code; on Premium the account's name is no setting but an argument."""
        if need.config.flexible:
            account = Ref("azurerm_storage_account", self.module.code_label(need))
            return {"AzureWebJobsStorage__accountName": account.name}
        return {"WEBSITE_RUN_FROM_PACKAGE": "1"}

    def _upload(self, need: FunctionNeed) -> dict[str, Value]:
        """Return how Terraform uploads the code: not where an app is made before the only way to it."""
        if self.module.is_closed(need):
            source = "ZIP" if need.package is None else self._packed(need, need.package)
            self.draft.warn(
                f"function {need.name}: it is reached from a network only, so Terraform does not upload its code; run "
                f"this inside the network: az functionapp deployment source config-zip --src {source} "
                f"--name {self._name(need)} --resource-group {self.module.config.resource_group}"
            )
            return {}
        if need.package is None:
            about = f"Path of the zip with the code of function {need.name}; its handler is {need.handler}."
            return {"zip_deploy_file": self.draft.variable(variable(f"{need.label}_package", "string", about))}
        return {"zip_deploy_file": Text(Ref("path", "module"), f"/{self._packed(need, need.package)}")}

    def _packed(self, need: FunctionNeed, package: Package) -> str:
        """Add the zip of a package and return its path, which changes with the code: then the app is deployed anew."""
        whole = self._completed(need, package).zip
        path = f"packages/{need.name}-{_digest(whole, 12)}.zip"
        self.draft.assets[path] = whole
        return path

    def _completed(self, need: FunctionNeed, package: Package) -> Package:
        """Add what Azure Functions need besides: how a request reaches the handler, and what to install."""
        needed = requirements_of(package.imports, "azure-functions")
        if package.imports:
            self.draft.warn(
                f"function {need.name}: its package has your own files only, and nothing is installed when Terraform "
                f"deploys it; bring {', '.join(package.imports)} in .python_packages, or build the zip"
            )
        scheduled = any(each.function.name == need.name for each in self.module.needs.schedules)
        added = {
            f"{APP}.py": _entry(need, scheduled),
            "host.json": _host(need.timeout),
            "requirements.txt": needed.file,
        }
        return package.adding({name: text for name, text in added.items() if name not in package.files})

    def _name(self, need: FunctionNeed) -> str:
        """Return the name of an app, which is a host name in all of Azure: ours get a suffix, the user's stay."""
        if need.origin.startswith(("task ", "pipeline ")):
            return f"{need.name[:51].strip('-')}-{self.module.unique(need.name)[:8]}"
        return need.name

    # --- logs and alarms --------------------------------------------------------------------------------------------

    def _insights(self, days: int) -> None:
        common: dict[str, Value] = {**PLACE, "retention_in_days": days, **self.module.common_tags()}
        of_its_own = ("-", self.module.mark) if self.module.needs.only else ()
        name = Text("glacier-", ENVIRONMENT, *of_its_own)
        home = Text("glacier-", _workspace_part(48 if of_its_own else 55), *of_its_own)
        workspace = resource("azurerm_log_analytics_workspace", "main", name=home, sku="PerGB2018", **common)
        where: dict[str, Value] = {"application_type": "other", "workspace_id": workspace.ref.id}
        self.draft.add("monitoring.tf", workspace, "logs of functions")
        insights = resource("azurerm_application_insights", "main", name=name, **where, **common)
        self.draft.add("monitoring.tf", insights, "logs of functions")

    def _alarm(self, need: FunctionNeed) -> Block:
        """Return an alarm that rises when a call fails within five minutes."""
        about = "Ids of the action groups that alarms notify."
        groups = self.draft.variable(variable("azure_action_groups", Call("list", Ref("string")), about, default=[]))
        notify = nested("content", action_group_id=Ref("action", "value"))
        return resource(
            "azurerm_monitor_metric_alert",
            need.label,
            _failures(self._name(need)),
            Block("dynamic", ("action",), {"for_each": groups}, (notify,)),
            name=f"{need.name} failed calls",
            resource_group_name=GROUP.name,
            scopes=[Ref("azurerm_application_insights", "main").id],
            **self.module.tags(need.config),
        )

    def _add(self, block: Block, about: str) -> Block:
        return self.draft.add("functions.tf", block, about)


# https://learn.microsoft.com/azure/reliability/regions-list
ZONELESS = frozenset(
    {
        "australiacentral", "australiacentral2", "australiasoutheast", "brazilsoutheast", "canadaeast", "francesouth",
        "germanynorth", "koreasouth", "northcentralus", "norwaywest", "southafricawest", "southindia",
        "switzerlandwest", "uaecentral", "ukwest", "westcentralus", "westindia", "westus",
    }
)  # fmt: skip
"""Locations without availability zones."""

APP = "function_app"
SCHEDULE = "GLACIER_SCHEDULE"

_ENTRY = '''\
"""Hands the JSON of a request to {handler} and answers with its result as JSON."""

import json

import azure.functions as func
from {module} import {function} as handler

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="{route}", methods=["POST"])
def call(request: func.HttpRequest) -> func.HttpResponse:
    payload = request.get_json() if request.get_body() else None
    return func.HttpResponse(json.dumps(handler(payload, None)), mimetype="application/json")
'''
_TIMER = """

@app.timer_trigger(schedule="%{schedule}%", arg_name="timer")
def scheduled(timer: func.TimerRequest) -> None:
    handler(None, None)
"""


def _entry(need: FunctionNeed, scheduled: bool) -> bytes:
    module, _, function = need.handler.rpartition(".")
    text = _ENTRY.format(handler=need.handler, module=module, function=function, route=need.name)
    return (text + (_TIMER.format(schedule=SCHEDULE) if scheduled else "")).encode()


def _host(timeout: int | None) -> bytes:
    """Return a host.json: https://learn.microsoft.com/azure/azure-functions/functions-host-json."""
    limit = {} if timeout is None else {"functionTimeout": _span(timeout)}
    return (json.dumps({"version": "2.0", **limit}, indent=2) + "\n").encode()


def _span(seconds: int) -> str:
    """Return seconds as .NET has a time span: `[d.]hh:mm:ss`."""
    days, rest = divmod(seconds, 24 * 3600)
    return f"{f'{days}.' if days else ''}{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"


def app_kind(need: FunctionNeed) -> str:
    """Return the type of an app's resource, which depends on its plan."""
    return "azurerm_function_app_flex_consumption" if need.config.flexible else "azurerm_linux_function_app"


def _flexible_host(need: FunctionNeed, code: str, identity: Ref) -> dict[str, Value]:
    """Return where the code of an app is kept, and that its identity opens the door; runtime and sizes."""
    account, container = Ref("azurerm_storage_account", code), Ref("azurerm_storage_container", code)
    config: AzureFunctionConfig = need.config
    wanted: dict[str, Value] = {
        "storage_container_type": "blobContainer",
        "storage_container_endpoint": Text(account.primary_blob_endpoint, container.name),
        "storage_authentication_type": "UserAssignedIdentity",
        "storage_user_assigned_identity_id": identity,
        "runtime_name": "python",
        "runtime_version": need.runtime or RUNTIME,
        "instance_memory_in_mb": config.memory or 2048,
        "maximum_instance_count": config.max_instances,
        "http_concurrency": config.concurrency,
        "virtual_network_subnet_id": config.subnet_id,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _premium_host(need: FunctionNeed, code: str) -> dict[str, Value]:
    """Return the account in which an app keeps its locks, by its identity; only Terraform's upload has a password."""
    network: dict[str, Value] = {"virtual_network_subnet_id": need.config.subnet_id} if need.config.subnet_id else {}
    return {
        "storage_account_name": Ref("azurerm_storage_account", code).name,
        "storage_uses_managed_identity": True,
        "builtin_logging_enabled": False,
        "ftp_publish_basic_authentication_enabled": False,
        **network,
    }


def _ready(config: AzureFunctionConfig) -> list[Block]:
    """Return how many instances always wait for requests, where that is the app's business and not its plan's."""
    wanted = config.min_instances if config.flexible else None
    return [nested("always_ready", name="http", instance_count=wanted)] if wanted else []


def _workers(config: AzureFunctionConfig) -> int:
    """Return how many instances a plan of Premium v3 has: two, so that one can fail, where nobody says anything."""
    return config.min_instances or 2


def _plan_skips(config: AzureFunctionConfig, zones: bool, location: str) -> tuple[tuple[str, str], ...]:
    flexible = "this plan has no fixed instances: AzureFunctionConfig(plan='P1v3') has two"
    few = flexible if config.flexible else "min_instances=1 was asked for" if _workers(config) < 2 else None
    alone = "min_instances=1 was asked for" if not config.flexible and _workers(config) < 2 else None
    alone = alone or f"zone_redundant=False was asked for, or {location} has no zones"
    return (
        *((("CKV_AZURE_212", few),) if few else ()),
        *(() if zones else (("CKV_AZURE_225", alone),)),
    )


def _app_skips(config: AzureFunctionConfig) -> tuple[tuple[str, str], ...]:
    """Name the check that an open app declines; it knows the app of Premium v3 only."""
    if config.flexible or config.private_endpoint_subnet:
        return ()
    return (("CKV_AZURE_221", "called over the internet: AzureFunctionConfig(private_endpoint_subnet=...)"),)


def _site(need: FunctionNeed) -> Block:
    logs = Ref("azurerm_application_insights", "main").connection_string
    logged: dict[str, Value] = {"application_insights_connection_string": logs} if _is_logged(need) else {}
    if need.config.flexible:
        return nested("site_config", minimum_tls_version="1.2", **logged)
    stack = nested("application_stack", python_version=need.runtime or RUNTIME)
    network: dict[str, Value] = {"vnet_route_all_enabled": True} if need.config.subnet_id else {}
    always: dict[str, Value] = {"always_on": True, "ftps_state": "Disabled", "http2_enabled": True}
    return nested("site_config", stack, **always, minimum_tls_version="1.2", **network, **logged)


def _is_logged(need: FunctionNeed) -> bool:
    return need.monitored or need.config.log_retention_days is not None


def _workspace_part(most: int) -> Call:
    """Return the environment's part in a workspace's name, which has 4 to 63 letters, digits and '-' between them.

    https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftoperationalinsights
    """
    return Call("trim", Call("substr", Call("replace", ENVIRONMENT, "_", "-"), 0, most), "-")


def _failures(app: str) -> Block:
    only = nested("dimension", name="cloud/roleName", operator="Include", values=[app])
    return nested(
        "criteria",
        only,
        metric_namespace="microsoft.insights/components",
        metric_name="requests/failed",
        aggregation="Count",
        operator="GreaterThan",
        threshold=0,
    )


# iam.tf --------------------------------------------------------------------------------------------------------------

READER = "Storage Blob Data Reader"
HOST = "Storage Blob Data Owner"
"""What an app needs of the account of its own code and locks.

https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
"""

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
READ = f"{_BLOBS}/read"
# A write or a deletion looks first whether its path is a folder, so who does it reads too. "Storage Blob Data
# Contributor" may delete whole containers:
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
# What each request needs: https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory
OWN_ROLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "blob_writer": ("data_actions", (READ, f"{_BLOBS}/write")),
    "blob_deleter": ("data_actions", (READ, f"{_BLOBS}/delete")),
    "function_caller": ("actions", ("Microsoft.Web/sites/functions/listkeys/action",)),
}

AT_ONCE = 3
"""Paths in one condition, which may have 8 KB.

https://learn.microsoft.com/azure/role-based-access-control/conditions-format
"""


class _Access:
    """An identity for each function and for whoever runs a pipeline, and what the traced graph lets each do."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for runner in self.module.needs.runners:
            self._runner(runner.label, runner.pipeline)
        for need in self.module.needs.functions:
            self._function(need)
        wanted = {role for grant in self.module.needs.grants for role in _roles_of(grant)} - {None}
        for label in sorted(filter(None, wanted)):
            self.draft.add("iam.tf", _own_role(label, self.module.mark))
        for principal in self.module.needs.principals():
            self._permissions(principal)

    def _runner(self, label: str, pipeline: str) -> None:
        made = self._identity(label, f"runner of pipeline {pipeline}")
        about = f"Client id of the identity that runs pipeline {pipeline}."
        self.draft.add("outputs.tf", output(f"identity_{label}", about, made.ref.client_id))

    def _function(self, need: FunctionNeed) -> None:
        about = need.origin or f"function {need.name}"
        self._identity(need.label, about)
        account = Ref("azurerm_storage_account", self.module.code_label(need)).id
        label = host_label(self.module, need)
        made = _assignment(label, need.label, account, {"role_definition_name": HOST})
        self.draft.add("iam.tf", made, about)
        because, where = self.module.needs.because(need), (f"code of {need.name}",)
        self.draft.statements.append(Statement(made.address, need.label, (HOST,), where, because))

    def _identity(self, label: str, about: str) -> Block:
        name = Text("glacier-", ENVIRONMENT, f"-{_short(label)}")
        made = resource("azurerm_user_assigned_identity", label, name=name, **PLACE, **self.module.common_tags())
        return self.draft.add("iam.tf", made, about)

    # --- statements ---------------------------------------------------------------------------------------------

    def _permissions(self, label: str) -> None:
        grants = self.module.needs.of(label)
        buckets = {grant.bucket.name: grant.bucket for grant in grants if grant.bucket is not None}
        for need in buckets.values():
            mine = [grant for grant in grants if grant.bucket is need]
            for role in (None, "blob_writer", "blob_deleter"):
                self._on_bucket(label, need, role, [grant for grant in mine if role in _roles_of(grant)])
        for grant in grants:
            if grant.function is not None and grant.does("call"):
                self._on_function(label, grant.function, grant.by("call"))

    def _on_bucket(self, label: str, need: BucketNeed, role: str | None, grants: Sequence[Grant]) -> None:
        verb = {None: "reads", "blob_writer": "writes", "blob_deleter": "deletes"}[role]
        actions = (READ,) if role is None else OWN_ROLES[role][1]
        for place in range(0, len(grants), AT_ONCE):
            some = grants[place : place + AT_ONCE]
            which = {"role_definition_name": READER} if role is None else _own(role)
            made = _assignment(
                self.module.access.of(f"{label} {verb} {need.label} {place or ''}"),
                label,
                self.module.container_id(need),
                which,
                **_condition(actions, [grant.path for grant in some]),
            )
            where = tuple(f"{need.name}/{grant.path}" for grant in some)
            self._state(made, label, actions, where, tuple(dict.fromkeys(_because(some, role))))

    def _on_function(self, label: str, need: FunctionNeed, uses: tuple[Use, ...]) -> None:
        app, role = Ref(app_kind(need), need.label).id, _own("function_caller")
        made = _assignment(self.module.access.of(f"{label} calls {need.label}"), label, app, role)
        self._state(made, label, OWN_ROLES["function_caller"][1], (need.name,), uses)

    def _state(
        self, block: Block, principal: str, actions: Sequence[str], where: tuple[str, ...], uses: tuple[Use, ...]
    ) -> None:
        self.draft.add("iam.tf", block, f"permission of {principal}")
        self.draft.statements.append(Statement(block.address, principal, tuple(actions), where, uses))


def host_label(module: _Module, need: FunctionNeed) -> str:
    """Return the label of the permission that an app has for the account of its own code."""
    return module.access.of(f"{need.label} owns its code")


_ROLES: Mapping[str, Deed] = {"blob_writer": "write", "blob_deleter": "delete", "function_caller": "call"}
"""What each role of ours lets one do."""


def _roles_of(grant: Grant) -> list[str | None]:
    """Return which of our own roles a grant needs, None where Azure's for readers suffices."""
    own: list[str | None] = [role for role, deed in _ROLES.items() if grant.does(deed)]
    return own or ([] if grant.bucket is None else [None])


def _because(grants: Iterable[Grant], role: str | None) -> Iterator[Use]:
    """Yield who needs a role on buckets: whoever does what it is for, of a reader's whoever does anything."""
    for grant in grants:
        yield from grant.by() if role is None else grant.by(_ROLES[role])


def _own_role(label: str, mark: Ref) -> Block:
    kind, actions = OWN_ROLES[label]
    return resource(
        "azurerm_role_definition",
        label,
        nested("permissions", **{kind: list(actions)}),
        name=Text(f"Glacier {label.replace('_', ' ')} ", ENVIRONMENT, " ", mark),
        scope=GROUP.id,
        assignable_scopes=[GROUP.id],
    )


def _own(role: str) -> dict[str, Value]:
    return {"role_definition_id": Ref("azurerm_role_definition", role).role_definition_resource_id}


def _assignment(label: str, principal: str, scope: Value, role: Mapping[str, Value], **more: Value) -> Block:
    return resource(
        "azurerm_role_assignment",
        label,
        scope=scope,
        **role,
        principal_id=Ref("azurerm_user_assigned_identity", principal).principal_id,
        principal_type="ServicePrincipal",
        **more,
    )


def _short(label: str) -> str:
    """Return the part of an identity's name that is ours: all of it has at most 128 characters.

    https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
    """
    return _fitted(label.strip("_").replace("_", "-"), 50)


def _fitted(name: str, most: int) -> str:
    """Return a name of at most so many characters, with a mark of the whole name in the place of its end."""
    return name if len(name) <= most else f"{name[: most - 7]}-{_digest(name, 6)}"


def _digest(text: str | bytes, length: int) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return hashlib.sha256(raw).hexdigest()[:length]


def _condition(actions: Sequence[str], paths: Iterable[str]) -> dict[str, Value]:
    """Narrow an assignment to paths in a container; nothing where a pattern may match any blob.

    Listing shows names only. https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-attributes
    """
    tests = [test for path in paths for test in _tests(path)]
    if not all(tests):
        return {}
    others = [f"!(ActionMatches{{'{action}'}})" for action in actions if action != READ]
    not_asked = [f"!(ActionMatches{{'{READ}'}} AND NOT SubOperationMatches{{'Blob.List'}})", *others]
    return {"condition": f"(({' AND '.join(not_asked)}) OR ({' OR '.join(tests)}))", "condition_version": "2.0"}


def _tests(path: str) -> list[str]:
    """Return tests of a blob's path; an empty one where every blob passes."""
    plain = re.split(r"[*?']", path)[0]
    attribute = f"@Resource[{_BLOBS}:path]"
    if plain != path:
        # A quote has no form in these conditions, so that what comes before it has to do, as before a wildcard.
        return [f"{attribute} StringStartsWith '{plain}'" if plain else ""]
    return [f"{attribute} StringEquals '{path}'", f"{attribute} StringStartsWith '{path}/'"]


# Schedules -----------------------------------------------------------------------------------------------------------


def expression_of(when: Rate | Cron) -> str:
    """Return a schedule as a timer has it: crontab with seconds before it; it is a setting of the app.

    Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
    """
    if isinstance(when, Cron):
        return f"0 {when.minute} {when.hour} {when.day} {when.month} {when.weekday}"
    every = f"*/{when.every}" if when.every > 1 else "*"
    return {"minute": f"0 {every} * * * *", "hour": f"0 0 {every} * * *", "day": f"0 0 0 {every} * *"}[when.unit]
