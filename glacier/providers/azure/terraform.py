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
from glacier.infrastructure import Backend, Draft, Statement
from glacier.infrastructure.requirements import requirements_of
from glacier.infrastructure.variables import environment_of
from glacier.schedules import Cron
from glacier.terraform import Block, Call, Labels, Ref, Text, data, nested, output, resource, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from glacier.infrastructure import Blueprint, BucketNeed, FunctionNeed, Grant, Needs, Package, Use
    from glacier.providers.azure.config import AzureConfig, AzureFunctionConfig, AzureLifecycleRule
    from glacier.schedules import Rate
    from glacier.terraform import Value
    from glacier.usage import Deed

__all__ = ["blueprint"]

REQUIREMENTS = {"azurerm": {"source": "hashicorp/azurerm", "version": ">= 4.55, < 6.0"}}

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
    key = {"container_name": "tfstate", "key": f"glacier/{needs.environment}.tfstate", "use_azuread_auth": True}
    return module.draft.finish(REQUIREMENTS, Backend("azurerm", {**where, **key}, BACKEND_ADVICE))


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
        """A few letters that tell environments of one directory apart; drawn when something asks for them."""
        seed = Text(Ref("var", "azure_subscription_id"), "/", Ref("var", "azure_resource_group"), "/", ENVIRONMENT)
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
            name: _Account(name, "main" if name == self.account else f"account_{name}", tuple(found[name]))
            for name in sorted(found)
        }

    def account_name(self, need: BucketNeed) -> str:
        """Return the name of a container's storage account."""
        return need.config.storage_account or self.account

    def code_label(self, need: FunctionNeed) -> str:
        """Return the label of the account and container of a function's code, which is none of the user's buckets'."""
        return self.needs.labels.of(f"code of {need.label}")

    def container_id(self, need: BucketNeed) -> Value:
        """Return the id of a container, whether the module makes it or finds its account."""
        if not need.existing:
            return Ref("azurerm_storage_container", need.label).id
        account = self.accounts[self.account_name(need)]
        return Text(account.ref.id, f"/blobServices/default/containers/{need.name}")


@dataclass(frozen=True)
class _Account:
    """A storage account with its containers; most of what a container's config says is a matter of its account."""

    name: str
    label: str
    containers: tuple[BucketNeed, ...]

    @property
    def existing(self) -> bool:
        """Whether it is there already, as it is where one of its containers is."""
        return any(need.existing for need in self.containers)

    @property
    def ref(self) -> Ref:
        return Ref(*(("data",) if self.existing else ()), "azurerm_storage_account", self.label)

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
                self._add(data("azurerm_storage_account", account.label, **found), f"account {account.name}")
            else:
                self._account(account)
        for need in self.module.needs.buckets:
            if not need.existing:
                self._bucket(need)
            about = f"Id of container {need.label}."
            self.draft.add("outputs.tf", output(f"bucket_{need.label}", about, self.module.container_id(need)))
        for need in self.module.needs.functions:
            self._code(need)

    def _account(self, account: _Account) -> None:
        about = f"account {account.name}"
        self._warn_of_tags(account)
        key = self._key(account)
        closed = account.said("private_endpoint_subnet") is not None
        made = resource(
            "azurerm_storage_account",
            account.label,
            *_account_settings(account, key),
            *([_CLOSED] if closed else ()),
            name=account.name,
            **PLACE,
            **_class(account),
            **_SAFE,
            allow_nested_items_to_be_public=not all(need.config.public_access_block for need in account.containers),
            public_network_access_enabled=not closed,
            **({"tags": account.tags} if account.tags else {}),
            **({} if key is None else {"depends_on": [Ref("azurerm_role_assignment", key.labels[1])]}),
        )
        self._add(replace(made, skips=_account_skips(account, closed)), about)
        rules = list(_lifecycle(account))
        if rules:
            target = Ref("azurerm_storage_account", account.label).id
            policy = resource("azurerm_storage_management_policy", account.label, *rules, storage_account_id=target)
            self._add(policy, about)
        if closed:
            self._add(_endpoint(account), about)
        self._logs(account.label, account.said("log_workspace"), ("blob",), about)

    def _logs(self, label: str, workspace: str | None, services: Iterable[str], about: str) -> None:
        """Draw the logs of an account's services, of every read, write and deletion."""
        account = Ref("azurerm_storage_account", label).id
        for service in services if workspace else ():
            made = resource(
                "azurerm_monitor_diagnostic_setting",
                f"{label}_{service}",
                *(nested("enabled_log", category=f"Storage{kind}") for kind in ("Read", "Write", "Delete")),
                name="glacier",
                target_resource_id=Text(account, f"/{service}Services/default"),
                log_analytics_workspace_id=workspace,
            )
            self._add(made, about)

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
        self._add(_container(need.label, need.name, account.ref), f"bucket {need.name}")

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
        about = f"key of account {account.name}"
        identity = resource("azurerm_user_assigned_identity", label, name=f"{account.name}-key", **PLACE)
        self.draft.add("iam.tf", identity, about)
        scope = Text(GROUP.id, _key_scope(url))
        self.draft.add("iam.tf", _assignment(label, label, scope, {"role_definition_name": KEY_USER}), about)
        return identity

    # --- code of functions ------------------------------------------------------------------------------------------

    def _code(self, need: FunctionNeed) -> None:
        about, label = f"code of function {need.name}", self.module.code_label(need)
        made = resource(
            "azurerm_storage_account",
            label,
            nested("blob_properties", *_kept(7), versioning_enabled=True),
            _SAS,
            name=f"glacierfn{self.module.unique(need.name)}",
            **PLACE,
            account_kind="StorageV2",
            account_tier="Standard",
            account_replication_type="GRS",
            **_SAFE,
            allow_nested_items_to_be_public=False,
            public_network_access_enabled=True,
            **self.module.tags(need.config),
        )
        self._add(replace(made, skips=(*_OPEN, *_UNKEYED, *_NO_QUEUES)), about)
        self._add(_container(label, "code", made.ref), about)
        self._logs(label, need.config.log_workspace, ("blob", "queue"), about)

    def _add(self, block: Block, about: str) -> Block:
        return self.draft.add("storage.tf", block, about)


def _container(label: str, name: str, account: Ref) -> Block:
    where: dict[str, Value] = {"storage_account_id": account.id, "container_access_type": "private"}
    return replace(resource("azurerm_storage_container", label, name=name, **where), skips=_NO_READ_LOG)


_SAFE: dict[str, Value] = {
    "min_tls_version": "TLS1_2",
    "https_traffic_only_enabled": True,
    "infrastructure_encryption_enabled": True,
    "shared_access_key_enabled": False,
    "default_to_oauth_authentication": True,
    "local_user_enabled": False,
    "cross_tenant_replication_enabled": False,
}
_CLOSED = nested("network_rules", default_action="Deny", bypass=["AzureServices"])
_SAS = nested("sas_policy", expiration_period="07.00:00:00", expiration_action="Log")


def _class(account: _Account) -> dict[str, Value]:
    """Return kind, tier and copies; GRS is what Azure itself proposes, and Premium stays in its region."""
    tier, copies = account.said("tier"), account.said("replication_type")
    if tier == "Premium":
        return {
            "account_kind": "BlockBlobStorage",
            "account_tier": "Premium",
            "account_replication_type": copies or "LRS",
        }
    kind = {"account_kind": "StorageV2", "account_tier": "Standard", "account_replication_type": copies or "GRS"}
    return {**kind, "access_tier": tier or "Hot"}


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


def _endpoint(account: _Account) -> Block:
    target = Ref("azurerm_storage_account", account.label).id
    connection = nested(
        "private_service_connection",
        name=account.name,
        private_connection_resource_id=target,
        subresource_names=["blob"],
        is_manual_connection=False,
    )
    subnet: str = account.said("private_endpoint_subnet")
    name = f"{account.name}-blob"
    return resource("azurerm_private_endpoint", account.label, connection, name=name, **PLACE, subnet_id=subnet)


_OPEN = (
    ("CKV_AZURE_59", "reached over the internet: AzureBlobConfig(private_endpoint_subnet=...)"),
    ("CKV2_AZURE_33", "reached over the internet: AzureBlobConfig(private_endpoint_subnet=...)"),
    ("AZU-0012", "reached over the internet: AzureBlobConfig(private_endpoint_subnet=...)"),
)
_UNKEYED = (
    ("CKV2_AZURE_1", "Microsoft's own key: AzureBlobConfig(kms_key=...)"),
    ("AZU-0060", "Microsoft's own key: AzureBlobConfig(kms_key=...)"),
)
# The check looks for queue_properties in the account, which azurerm 5 has no more.
_NO_QUEUES = (
    ("CKV_AZURE_33", "nothing uses queues of this account"),
    ("AZU-0057", "nothing uses queues of this account"),
)
# The check looks for azurerm_log_analytics_storage_insights, which reads the logs with the account's key.
_NO_READ_LOG = (("CKV2_AZURE_21", "no key of the account is given away: log_workspace=... logs reads without one"),)


def _account_skips(account: _Account, closed: bool) -> tuple[tuple[str, str], ...]:
    """Name the checks that an account declines, each with the option that would satisfy it."""
    copies, premium = account.said("replication_type"), account.said("tier") == "Premium"
    local = f"replication_type={copies!r} was asked for" if copies else "tier='Premium' was asked for"
    near = copies in ("LRS", "ZRS") or premium
    public = not all(need.config.public_access_block for need in account.containers)
    return (
        *(() if closed else _OPEN),
        *(() if account.said("kms_key") else _UNKEYED),
        *(_NO_QUEUES[1:] if premium else _NO_QUEUES),
        *((("CKV_AZURE_206", local), ("AZU-0058", local)) if near else ()),
        *((("CKV_AZURE_190", "public_access_block=False was asked for"),) if public else ()),
        *((("CKV2_AZURE_47", "public_access_block=False was asked for"),) if public else ()),
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
        if need.monitored:
            self.draft.add("monitoring.tf", self._alarm(need), about)
        said = f"Host name of function {need.name}."
        self.draft.add("outputs.tf", output(f"function_{need.label}", said, made.ref.default_hostname))

    def _plan(self, need: FunctionNeed) -> Block:
        """Return a plan; on Flex Consumption each app has its own."""
        wanted = need.config.zone_redundant
        zones = self.module.config.location not in ZONELESS if wanted is None else wanted
        made = resource(
            "azurerm_service_plan",
            need.label,
            name=f"{self._name(need)}-plan"[:60],
            **PLACE,
            os_type="Linux",
            sku_name="FC1",
            zone_balancing_enabled=zones,
            **self.module.tags(need.config),
        )
        alone = f"zone_redundant=False was asked for, or {self.module.config.location} has no zones"
        skips = [("CKV_AZURE_212", "this plan counts instances in its app: AzureFunctionConfig(min_instances=2)")]
        return replace(made, skips=(*skips, *(() if zones else (("CKV_AZURE_225", alone),))))

    def _app(self, need: FunctionNeed, config: AzureFunctionConfig, plan: Block) -> Block:
        identity = Ref("azurerm_user_assigned_identity", need.label).id
        return resource(
            "azurerm_function_app_flex_consumption",
            need.label,
            nested("identity", type="UserAssigned", identity_ids=[identity]),
            *_ready(config),
            _site(need),
            name=self._name(need),
            **PLACE,
            service_plan_id=plan.ref.id,
            **_code_place(self.module.code_label(need), identity),
            runtime_name="python",
            runtime_version=need.runtime or RUNTIME,
            **_sizes(config),
            https_only=True,
            zip_deploy_file=self._zip(need),
            app_settings=self._environment(need),
            **self.module.tags(config),
            depends_on=[Ref("azurerm_role_assignment", host_label(self.module, need))],
        )

    def _environment(self, need: FunctionNeed) -> dict[str, Value]:
        environment = environment_of(need)
        for block in environment.variables:
            self.draft.variable(block)
        client = Ref("azurerm_user_assigned_identity", need.label).client_id
        when = next((each.when for each in self.module.needs.schedules if each.function.name == need.name), None)
        values = {
            **environment.values,
            "AZURE_CLIENT_ID": client,
            "AzureWebJobsStorage__accountName": Ref("azurerm_storage_account", self.module.code_label(need)).name,
            "AzureWebJobsStorage__clientId": client,
            "AzureWebJobsStorage__credential": "managedidentity",
            **({} if when is None else {SCHEDULE: expression_of(when)}),
        }
        return {name: values[name] for name in sorted(values)}

    def _zip(self, need: FunctionNeed) -> Value:
        if need.package is None:
            about = f"Path of the zip with the code of function {need.name}; its handler is {need.handler}."
            return self.draft.variable(variable(f"{need.label}_package", "string", about))
        package = self._completed(need, need.package).zip
        path = f"packages/{need.name}-{_digest(package, 12)}.zip"  # the app is deployed anew when the path changes
        self.draft.assets[path] = package
        return Text(Ref("path", "module"), f"/{path}")

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
        name = Text("glacier-", ENVIRONMENT)
        workspace = resource("azurerm_log_analytics_workspace", "main", name=name, sku="PerGB2018", **common)
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


def _code_place(label: str, identity: Ref) -> dict[str, Value]:
    """Return where the code of an app is kept, and that its identity opens the door."""
    account = Ref("azurerm_storage_account", label)
    container = Ref("azurerm_storage_container", label)
    return {
        "storage_container_type": "blobContainer",
        "storage_container_endpoint": Text(account.primary_blob_endpoint, container.name),
        "storage_authentication_type": "UserAssignedIdentity",
        "storage_user_assigned_identity_id": identity,
    }


def _sizes(config: AzureFunctionConfig) -> dict[str, Value]:
    sizes: dict[str, Value] = {
        "instance_memory_in_mb": config.memory or 2048,
        "maximum_instance_count": config.max_instances,
        "http_concurrency": config.concurrency,
        "virtual_network_subnet_id": config.subnet_id,
    }
    return {name: value for name, value in sizes.items() if value is not None}


def _ready(config: AzureFunctionConfig) -> list[Block]:
    """Return how many instances always wait for requests."""
    return [nested("always_ready", name="http", instance_count=config.min_instances)] if config.min_instances else []


def _site(need: FunctionNeed) -> Block:
    logs = Ref("azurerm_application_insights", "main").connection_string
    logged: dict[str, Value] = {"application_insights_connection_string": logs} if _is_logged(need) else {}
    return nested("site_config", minimum_tls_version="1.2", **logged)


def _is_logged(need: FunctionNeed) -> bool:
    return need.monitored or need.config.log_retention_days is not None


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
        app = Ref("azurerm_function_app_flex_consumption", need.label).id
        made = _assignment(self.module.access.of(f"{label} calls {need.label}"), label, app, _own("function_caller"))
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
    name = label.strip("_").replace("_", "-")
    return name if len(name) <= 50 else f"{name[:43]}-{_digest(name, 6)}"


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
