"""Azure: what an environment needs, as Terraform for the azurerm provider.

Both ends of the provider's range accept everything here. Roles are the narrowest one that Azure has predefined for
reading, and two of our own for writing and calling, for which there are none.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glacier.errors import InfrastructureError
from glacier.infrastructure import Backend, Blueprint, Statement
from glacier.infrastructure.requirements import requirements_of
from glacier.infrastructure.variables import environment_of
from glacier.schedules import Cron
from glacier.terraform import Block, Call, Document, Labels, Ref, Text, data, nested, output, resource, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from glacier.infrastructure import BucketNeed, FunctionNeed, Grant, Needs, Package
    from glacier.providers.azure.config import AzureConfig, AzureFunctionConfig, AzureLifecycleRule
    from glacier.schedules import Rate
    from glacier.terraform import Value

__all__ = ["blueprint"]

REQUIREMENTS = {"azurerm": {"source": "hashicorp/azurerm", "version": ">= 4.55, < 6.0"}}

RUNTIME = "3.12"
"""The Python of functions that name none."""

LOCATION, ACTION_GROUPS = Ref("var", "azure_location"), Ref("var", "azure_action_groups")
GROUP = Ref("data", "azurerm_resource_group", "main")
PLACE = {"resource_group_name": GROUP.name, "location": LOCATION}

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
READ = f"{_BLOBS}/read"
WRITER = (READ, f"{_BLOBS}/add/action", f"{_BLOBS}/delete", f"{_BLOBS}/write")
"""Reading before writing tells a blob from a folder. "Storage Blob Data Contributor" may delete containers too."""
READER = "Storage Blob Data Reader"
CALLER = ("Microsoft.Web/sites/functions/listkeys/action", "Microsoft.Web/sites/functions/read")
HOST = "Storage Blob Data Owner"
"""What a function app needs of the account of its own code and locks.

https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
"""
KEY_USER = "Key Vault Crypto Service Encryption User"


def blueprint(config: AzureConfig, account: str, needs: Needs) -> Blueprint:
    """Return what an environment needs of Azure; `account` is the storage account of containers that name none.

    Raises:
        InfrastructureError: containers of one storage account want different things of it.
    """
    return _Module(config, account, needs).blueprint()


class _Module:
    """The blocks of one environment, file by file."""

    def __init__(self, config: AzureConfig, account: str, needs: Needs) -> None:
        self.config = config
        self.account = account
        self.needs = needs
        self.access = Labels()
        self.statements: list[Statement] = []
        self.resources: dict[str, str] = {}
        self.assets: dict[str, bytes] = {}
        self.warnings: list[str] = []
        self.variables: list[Block] = []

    def blueprint(self) -> Blueprint:
        files = {
            "providers.tf": self.providers(),
            "storage.tf": self.storage(),
            "functions.tf": self.functions(),
            "iam.tf": self.iam(),
            "outputs.tf": self.outputs(),
        }
        files["variables.tf"] = self.all_variables()
        return Blueprint(
            document=Document({name: tuple(blocks) for name, blocks in files.items() if blocks}),
            requirements=REQUIREMENTS,
            backend=self._backend(),
            values=self._values(),
            assets=self.assets,
            statements=tuple(self.statements),
            resources=self.resources,
            warnings=tuple(self.warnings),
        )

    def _for(self, what: str, *blocks: Block) -> tuple[Block, ...]:
        """Note the Glacier resource that blocks are for."""
        self.resources.update({block.address: what for block in blocks})
        return blocks

    # --- providers.tf, variables.tf -----------------------------------------------------------------------------

    def providers(self) -> list[Block]:
        arguments = {"subscription_id": Ref("var", "azure_subscription_id"), "storage_use_azuread": True}
        return [Block("provider", ("azurerm",), arguments, (nested("features"),))]

    def all_variables(self) -> list[Block]:
        return [
            variable("azure_subscription_id", "string", "Id of the Azure subscription."),
            variable("azure_resource_group", "string", "Name of the resource group, which exists already."),
            variable("azure_location", "string", "Location of storage accounts and functions."),
            *self.variables,
        ]

    def _values(self) -> dict[str, Value]:
        here: dict[str, Value] = {
            "azure_resource_group": self.config.resource_group,
            "azure_location": self.config.location,
        }
        if "subscription_id" in self.config.placeholders():
            return here
        return {"azure_subscription_id": self.config.subscription_id, **here}

    def _backend(self) -> Backend:
        where = {"resource_group_name": self.config.resource_group, "storage_account_name": None}
        key = {"container_name": "tfstate", "key": f"glacier/{self.needs.environment}.tfstate"}
        return Backend("azurerm", {**where, **key, "use_azuread_auth": True}, BACKEND_ADVICE)

    # --- storage.tf ---------------------------------------------------------------------------------------------

    def storage(self) -> list[Block]:
        group = data("azurerm_resource_group", "main", name=Ref("var", "azure_resource_group"))
        accounts = [block for account in self._accounts.values() for block in self._account(account)]
        containers = [block for need in self.needs.buckets for block in self._bucket(need)]
        code = [block for need in self.needs.functions for block in self._code_account(need)]
        return [group, *accounts, *containers, *code]

    @cached_property
    def _accounts(self) -> dict[str, _Account]:
        labels = Labels()
        found: dict[str, list[BucketNeed]] = {}
        for need in self.needs.buckets:
            found.setdefault(self._account_of(need), []).append(need)
        main = labels.of("main")
        return {
            name: _Account(name, main if name == self.account else labels.of(name), tuple(containers))
            for name, containers in sorted(found.items())
        }

    def _account_of(self, need: BucketNeed) -> str:
        return need.config.storage_account or self.account

    def _account(self, account: _Account) -> tuple[Block, ...]:
        if account.existing:
            return self._for(
                f"account {account.name}",
                data("azurerm_storage_account", account.label, name=account.name, resource_group_name=GROUP.name),
            )
        self._warn_of_tags(account)
        keyed = self._key_identity(account)
        made = resource(
            "azurerm_storage_account",
            account.label,
            _blob_properties(account),
            _SAS,
            *_customer_key(account, keyed),
            name=account.name,
            **PLACE,
            **_class(account),
            **_SAFE,
            allow_nested_items_to_be_public=any(not need.config.public_access_block for need in account.containers),
            public_network_access_enabled=account.said("public_network_access") is not False,
            **_given(tags=account.tags or None),
            **_depends_on(block.ref for block in keyed if block.labels[0] == "azurerm_role_assignment"),
        )
        skips = _account_skips(account)
        return self._for(f"account {account.name}", *keyed, _skipping(made, *skips), *self._policy(account))

    def _warn_of_tags(self, account: _Account) -> None:
        for need in account.containers:
            lost = [name for name in need.config.tags if name not in account.tags]
            if lost:
                self.warnings.append(
                    f"bucket {need.name}: containers have no tags, and storage account {account.name} gets those that "
                    f"all its containers share: {', '.join(lost)} is left out"
                )

    def _key_identity(self, account: _Account) -> list[Block]:
        """Return the identity by which an account uses the customer's key, and its right to do so."""
        url = account.said("kms_key")
        if url is None:
            return []
        label = self.access.of(f"{account.label} uses its key")
        identity = resource("azurerm_user_assigned_identity", label, name=f"{account.name}-key", **PLACE)
        right = resource(
            "azurerm_role_assignment",
            label,
            scope=Text(GROUP.id, _key_scope(url)),
            role_definition_name=KEY_USER,
            principal_id=identity.ref.principal_id,
            principal_type="ServicePrincipal",
        )
        return [identity, right]

    def _policy(self, account: _Account) -> list[Block]:
        rules = [(need, rule) for need in account.containers for rule in need.config.lifecycle_rules]
        if not rules:
            return []
        blocks = [_lifecycle_rule(need, number, rule) for number, (need, rule) in enumerate(rules, 1)]
        target = Ref("azurerm_storage_account", account.label).id
        return [resource("azurerm_storage_management_policy", account.label, *blocks, storage_account_id=target)]

    def _bucket(self, need: BucketNeed) -> tuple[Block, ...]:
        if need.existing:
            return ()
        made = resource(
            "azurerm_storage_container",
            need.label,
            name=need.name,
            storage_account_id=self._accounts[self._account_of(need)].ref.id,
            container_access_type="private",
        )
        return self._for(f"bucket {need.name}", _skipping(made, READ_LOG))

    def _scope(self, need: BucketNeed) -> Value:
        """Return the id of a container, to which access is given."""
        if not need.existing:
            return Ref("azurerm_storage_container", need.label).id
        account = self._accounts[self._account_of(need)]
        return Text(account.ref.id, f"/blobServices/default/containers/{need.name}")

    # --- code of functions ----------------------------------------------------------------------------------------

    def _code_account(self, need: FunctionNeed) -> tuple[Block, ...]:
        label = f"{need.label}_code"
        seed = f"{self.config.subscription_id}/{self.config.resource_group}/{self.needs.environment}/{need.name}"
        account = resource(
            "azurerm_storage_account",
            label,
            _SOFT_DELETE,
            _SAS,
            name=f"glacierfn{_digest(seed.lower(), 15)}",
            **PLACE,
            account_kind="StorageV2",
            account_tier="Standard",
            account_replication_type="LRS",
            **_SAFE,
            allow_nested_items_to_be_public=False,
            public_network_access_enabled=True,
            **_given(tags=need.config.tags or None),
        )
        container = resource(
            "azurerm_storage_container",
            label,
            name="code",
            storage_account_id=account.ref.id,
            container_access_type="private",
        )
        return self._for(
            f"code of function {need.name}", _skipping(account, *CODE_SKIPS), _skipping(container, READ_LOG)
        )

    # --- functions.tf ---------------------------------------------------------------------------------------------

    def functions(self) -> list[Block]:
        blocks = [block for need in self.needs.functions for block in self._function(need)]
        alarms = [block for need in self.needs.functions if need.monitored for block in self._alarm(need)]
        return [*self._insights(), *blocks, *alarms]

    def _function(self, need: FunctionNeed) -> tuple[Block, ...]:
        plan = resource(
            "azurerm_service_plan",
            need.label,
            name=f"{_app_name(need)}-plan"[:60],
            **PLACE,
            os_type="Linux",
            sku_name="FC1",
            **_given(tags=need.config.tags or None),
        )
        return self._for(f"function {need.name}", plan, self._app(need, plan))

    def _app(self, need: FunctionNeed, plan: Block) -> Block:
        config: AzureFunctionConfig = need.config
        identity = Ref("azurerm_user_assigned_identity", need.label)
        account = Ref("azurerm_storage_account", f"{need.label}_code")
        container = Ref("azurerm_storage_container", f"{need.label}_code")
        made = resource(
            "azurerm_function_app_flex_consumption",
            need.label,
            nested("identity", type="UserAssigned", identity_ids=[identity.id]),
            self._site(need),
            name=_app_name(need),
            **PLACE,
            service_plan_id=plan.ref.id,
            storage_container_type="blobContainer",
            storage_container_endpoint=Text(account.primary_blob_endpoint, container.name),
            storage_authentication_type="UserAssignedIdentity",
            storage_user_assigned_identity_id=identity.id,
            runtime_name="python",
            runtime_version=need.runtime or RUNTIME,
            instance_memory_in_mb=config.memory or 2048,
            **_given(maximum_instance_count=config.max_instances, http_concurrency=config.concurrency),
            **_given(virtual_network_subnet_id=config.subnet_id),
            https_only=True,
            public_network_access_enabled=config.public_network_access,
            webdeploy_publish_basic_authentication_enabled=False,
            zip_deploy_file=self._packaged(need),
            app_settings=self._settings(need),
            **_given(tags=config.tags or None),
            depends_on=[Ref("azurerm_role_assignment", self._host_label(need))],
        )
        return _skipping(made, *_app_skips(config))

    def _site(self, need: FunctionNeed) -> Block:
        where = Ref("azurerm_application_insights", "main").connection_string if self._is_logged(need) else None
        return nested("site_config", minimum_tls_version="1.2", **_given(application_insights_connection_string=where))

    def _settings(self, need: FunctionNeed) -> dict[str, Value]:
        environment = environment_of(need)
        self.variables += environment.variables
        identity = Ref("azurerm_user_assigned_identity", need.label)
        when = next((each.when for each in self.needs.schedules if each.function.name == need.name), None)
        return {
            **environment.values,
            "AZURE_CLIENT_ID": identity.client_id,
            "AzureWebJobsStorage__accountName": Ref("azurerm_storage_account", f"{need.label}_code").name,
            "AzureWebJobsStorage__clientId": identity.client_id,
            "AzureWebJobsStorage__credential": "managedidentity",
            **_given(**{SCHEDULE: None if when is None else _ncrontab(when)}),
        }

    def _packaged(self, need: FunctionNeed) -> Value:
        """Return the path of a function's zip."""
        if need.package is None:
            given = variable(f"{need.label}_package", "string", f"Path of the zip with the code of {need.origin}.")
            self.variables.append(given)
            return given.ref
        package = self._completed(need, need.package)
        path = f"packages/{need.label}-{_digest(package.zip, 16)}.zip"
        self.assets[path] = package.zip
        return Text(Ref("path", "module"), f"/{path}")

    def _completed(self, need: FunctionNeed, package: Package) -> Package:
        """Add what Azure Functions need besides: how a request reaches the handler, and what to install."""
        needed = requirements_of(package.imports, "azure-functions")
        if needed.unknown:
            self.warnings.append(
                f"function {need.name}: {', '.join(needed.unknown)} is not installed here, so its package does not "
                "ask for it; install it and generate again"
            )
        scheduled = any(each.function.name == need.name for each in self.needs.schedules)
        added = {
            f"{APP}.py": _entry(need, scheduled),
            "host.json": _host(need.timeout),
            "requirements.txt": needed.file,
        }
        return package.adding({name: text for name, text in added.items() if name not in package.files})

    # --- logs and alarms --------------------------------------------------------------------------------------------

    def _is_logged(self, need: FunctionNeed) -> bool:
        return need.monitored or need.config.log_retention_days is not None

    def _insights(self) -> list[Block]:
        logged = [need for need in self.needs.functions if self._is_logged(need)]
        if not logged:
            return []
        days = max(need.config.log_retention_days or 30 for need in logged)
        common: dict[str, Value] = {**PLACE, "retention_in_days": days, **_given(tags=dict(self.needs.tags) or None)}
        name = f"glacier-{self.needs.environment}"
        workspace = resource("azurerm_log_analytics_workspace", "main", name=name, sku="PerGB2018", **common)
        insights = resource(
            "azurerm_application_insights",
            "main",
            name=name,
            application_type="other",
            workspace_id=workspace.ref.id,
            **common,
        )
        return list(self._for("logs of functions", workspace, insights))

    def _alarm(self, need: FunctionNeed) -> tuple[Block, ...]:
        if not any(block.labels == ("azure_action_groups",) for block in self.variables):
            kind, said = Call("list", Ref("string")), "Ids of the action groups that alarms go to."
            self.variables.append(variable("azure_action_groups", kind, said, default=[]))
        only = nested("dimension", name="cloud/roleName", operator="Include", values=[_app_name(need)])
        failed = nested(
            "criteria",
            only,
            metric_namespace="microsoft.insights/components",
            metric_name="requests/failed",
            aggregation="Count",
            operator="GreaterThan",
            threshold=0,
        )
        action = Block("dynamic", ("action",), {"for_each": ACTION_GROUPS}, (_ACTION,))
        made = resource(
            "azurerm_monitor_metric_alert",
            need.label,
            failed,
            action,
            name=f"failed calls of {need.name}",
            resource_group_name=GROUP.name,
            scopes=[Ref("azurerm_application_insights", "main").id],
            **_given(tags=need.config.tags or None),
        )
        return self._for(f"function {need.name}", made)

    # --- iam.tf ---------------------------------------------------------------------------------------------------

    def iam(self) -> list[Block]:
        identities = [self._identity(label, name, said) for label, name, said in self._principals()]
        hosts = [self._host_role(need) for need in self.needs.functions]
        return [*identities, *self._roles(), *hosts, *self._bucket_assignments(), *self._callers()]

    def _principals(self) -> list[tuple[str, str, str]]:
        runners = [(each.label, f"runs pipeline {each.pipeline}") for each in self.needs.runners]
        functions = [(each.label, f"function {each.name}") for each in self.needs.functions]
        return [(label, _identity_name(self.needs.environment, label), said) for label, said in [*runners, *functions]]

    def _identity(self, label: str, name: str, said: str) -> Block:
        tags = _given(tags=dict(self.needs.tags) or None)
        made = resource("azurerm_user_assigned_identity", label, name=name, **PLACE, **tags)
        return self._for(f"identity that {said}", made)[0]

    def _roles(self) -> list[Block]:
        writer = [self._role("blob_writer", data_actions=list(WRITER))]
        caller = [self._role("function_caller", actions=list(CALLER))]
        writes = any(grant.writes for grant in self.needs.grants)
        calls = any(grant.function is not None for grant in self.needs.grants)
        return [*(writer if writes else ()), *(caller if calls else ())]

    def _role(self, label: str, **allowed: Value) -> Block:
        mark = _digest(f"{self.config.resource_group}/{self.needs.environment}")
        return resource(
            "azurerm_role_definition",
            label,
            nested("permissions", **allowed),
            name=f"Glacier {self.needs.environment} {label.replace('_', ' ')} {mark}",
            scope=GROUP.id,
            assignable_scopes=[GROUP.id],
        )

    def _host_role(self, need: FunctionNeed) -> Block:
        account = Ref("azurerm_storage_account", f"{need.label}_code").id
        return self._assignment(self._host_label(need), need.label, account, {"role_definition_name": HOST})

    def _host_label(self, need: FunctionNeed) -> str:
        return self.access.of(f"{need.label} owns its code")

    def _assignment(self, label: str, principal: str, scope: Value, role: Mapping[str, Value], **more: Value) -> Block:
        return resource(
            "azurerm_role_assignment",
            label,
            scope=scope,
            **role,
            principal_id=Ref("azurerm_user_assigned_identity", principal).principal_id,
            principal_type="ServicePrincipal",
            **more,
        )

    def _bucket_assignments(self) -> list[Block]:
        groups: dict[tuple[str, str, bool], list[Grant]] = {}
        for grant in self.needs.grants:
            if grant.bucket is not None:
                groups.setdefault((grant.principal, grant.bucket.label, grant.writes), []).append(grant)
        chunks = [
            (key, place // AT_ONCE, grants[place : place + AT_ONCE])
            for key, grants in groups.items()
            for place in range(0, len(grants), AT_ONCE)
        ]
        return [self._bucket_assignment(*key, number, grants) for key, number, grants in chunks]

    def _bucket_assignment(self, principal: str, bucket: str, writes: bool, number: int, grants: list[Grant]) -> Block:
        need = next(each for each in self.needs.buckets if each.label == bucket)
        label = self.access.of(f"{principal} {'writes' if writes else 'reads'} {bucket} {number + 1 if number else ''}")
        role = _own_role("blob_writer") if writes else {"role_definition_name": READER}
        actions = WRITER if writes else (READ,)
        narrowed = _condition(actions, [grant.path for grant in grants])
        made = self._assignment(label, principal, self._scope(need), role, **narrowed)
        self._state(made, principal, actions, grants)
        return made

    def _callers(self) -> list[Block]:
        made: list[Block] = []
        for grant in self.needs.grants:
            if grant.function is not None:
                label = self.access.of(f"{grant.principal} calls {grant.function.label}")
                app = Ref("azurerm_function_app_flex_consumption", grant.function.label)
                made.append(self._assignment(label, grant.principal, app.id, _own_role("function_caller")))
                self._state(made[-1], grant.principal, CALLER, [grant])
        return made

    def _state(self, block: Block, principal: str, actions: Sequence[str], grants: Sequence[Grant]) -> None:
        uses = tuple(dict.fromkeys(use for grant in grants for use in grant.uses))
        where = tuple(_where(grant) for grant in grants)
        self.statements.append(Statement(block.address, principal, tuple(actions), where, uses))

    # --- outputs.tf -----------------------------------------------------------------------------------------------

    def outputs(self) -> list[Block]:
        apps = {need.name: Ref("azurerm_function_app_flex_consumption", need.label) for need in self.needs.functions}
        identities = {each.pipeline: Ref("azurerm_user_assigned_identity", each.label) for each in self.needs.runners}
        every = [
            ("azure_buckets", "Ids of the containers.", {need.name: self._scope(need) for need in self.needs.buckets}),
            ("azure_functions", "Host names of the functions.", {n: app.default_hostname for n, app in apps.items()}),
            (
                "azure_runners",
                "Client ids of those who run the pipelines.",
                {n: i.client_id for n, i in identities.items()},
            ),
        ]
        return [output(name, said, values) for name, said, values in every if values]


# Providers -----------------------------------------------------------------------------------------------------------

BACKEND_ADVICE = ("A storage account for the state that exists already, with versioning.",)

# Storage accounts ----------------------------------------------------------------------------------------------------


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
        return {name: value for name, value in first.items() if all(tags.get(name) == value for tags in others)}

    def said(self, setting: str) -> Any:
        """Return what the containers say of a setting of their account, None where none of them says anything.

        Raises:
            InfrastructureError: they say different things.
        """
        given = {need.name: getattr(need.config, setting) for need in self.containers}
        spoken = {name: value for name, value in given.items() if value is not None}
        if len(set(spoken.values())) > 1:
            (one, first), (other, second) = next(iter(spoken.items())), _differing(spoken)
            raise InfrastructureError(
                f"containers {one!r} and {other!r} are in storage account {self.name!r}, which cannot have "
                f"{setting}={first!r} and {setting}={second!r}",
                hint="give one of them another account: AzureBlobConfig(storage_account=...)",
            )
        return next(iter(spoken.values()), None)


def _differing(spoken: Mapping[str, Any]) -> tuple[str, Any]:
    first = next(iter(spoken.values()))
    return next((name, value) for name, value in spoken.items() if value != first)


_SAFE: dict[str, Value] = {
    "min_tls_version": "TLS1_2",
    "https_traffic_only_enabled": True,
    "shared_access_key_enabled": False,
    "default_to_oauth_authentication": True,
    "local_user_enabled": False,
    "cross_tenant_replication_enabled": False,
}
_SAS = nested("sas_policy", expiration_period="07.00:00:00", expiration_action="Log")
_KEPT = (
    nested("delete_retention_policy", days=7),
    nested("container_delete_retention_policy", days=7),
)
_SOFT_DELETE = nested("blob_properties", *_KEPT)


def _class(account: _Account) -> dict[str, Value]:
    tier = account.said("tier")
    premium = tier == "Premium"
    kind = {"account_kind": "BlockBlobStorage" if premium else "StorageV2"}
    level = {"account_tier": "Premium" if premium else "Standard"}
    copies = {"account_replication_type": account.said("replication_type") or "LRS"}
    return {**kind, **level, **copies, **({} if premium else {"access_tier": tier or "Hot"})}


def _blob_properties(account: _Account) -> Block:
    days = account.said("soft_delete_days")
    kept = [replace(each, arguments={"days": days or 7}) for each in _KEPT] if days != 0 else []
    return nested("blob_properties", *kept, versioning_enabled=account.said("versioning") is not False)


def _customer_key(account: _Account, identity: Sequence[Block]) -> list[Block]:
    if account.said("encryption") == "Microsoft.Keyvault" and not identity:
        raise InfrastructureError(
            f"storage account {account.name!r} is to be encrypted with a key of Key Vault, and none is named",
            hint="name it: AzureBlobConfig(kms_key='https://VAULT.vault.azure.net/keys/KEY')",
        )
    if not identity:
        return []
    who = identity[0].ref.id
    key = nested("customer_managed_key", key_vault_key_id=account.said("kms_key"), user_assigned_identity_id=who)
    return [nested("identity", type="UserAssigned", identity_ids=[who]), key]


def _key_scope(url: str) -> str:
    """Return the id of a key below its resource group, in which its vault is expected.

    Raises:
        InfrastructureError: the key is in a managed HSM, for which the provider's versions share no form.
    """
    found = re.match(r"https://([A-Za-z0-9-]+)\.vault\.[a-z.]+/keys/([A-Za-z0-9-]+)", url)
    if not found:
        raise InfrastructureError(
            "keys in a managed HSM cannot be generated for azurerm 4 and 5 alike",
            hint="use a key of a Key Vault, or existing=True with an account that you keep yourself",
        )
    return f"/providers/Microsoft.KeyVault/vaults/{found[1]}/keys/{found[2]}"


def _lifecycle_rule(need: BucketNeed, number: int, rule: AzureLifecycleRule) -> Block:
    effect = f"tier_to_{rule.transition.lower()}" if rule.transition else "delete"
    actions = nested("base_blob", **{f"{effect}_after_days_since_modification_greater_than": rule.days})
    where = nested("filters", blob_types=["blockBlob"], prefix_match=[f"{need.name}/{rule.prefix}"])
    return nested(
        "rule", where, nested("actions", actions), name=f"{need.label}-{number}".replace("_", "-"), enabled=True
    )


# Policy checks that are declined -------------------------------------------------------------------------------------

READ_LOG = ("CKV2_AZURE_21", "reads are logged by a diagnostic setting, which belongs to your Log Analytics workspace")


def _account_skips(account: _Account) -> list[tuple[str, str]]:
    return list(CODE_SKIPS)


CODE_SKIPS: tuple[tuple[str, str], ...] = ()


def _app_skips(config: AzureFunctionConfig) -> list[tuple[str, str]]:
    return []


# Functions -----------------------------------------------------------------------------------------------------------

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
    days, rest = divmod(seconds, 24 * 3600)
    return f"{f'{days}.' if days else ''}{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"


def _app_name(need: FunctionNeed) -> str:
    """Return the name of an app, which is a host name in all of Azure: ours get a suffix, the user's stay."""
    if need.origin.startswith(("task ", "pipeline ")):
        return f"{need.name[:51].strip('-')}-{_digest(need.name)}"
    return need.name


_ACTION = nested("content", action_group_id=Ref("action", "value"))

# Access --------------------------------------------------------------------------------------------------------------

AT_ONCE = 3
"""Paths in one condition, which may have 8 KB: https://learn.microsoft.com/azure/role-based-access-control/conditions-format."""


def _own_role(label: str) -> dict[str, Value]:
    return {"role_definition_id": Ref("azurerm_role_definition", label).role_definition_resource_id}


def _identity_name(environment: str, label: str) -> str:
    return f"glacier-{environment}-{label}".replace("_", "-")[:119] + f"-{_digest(f'{environment}/{label}')}"


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
    start = re.split(r"[*?]", path)[0]
    plain = start.split("'")[0]
    attribute = f"@Resource[{_BLOBS}:path]"
    if plain != path:
        # A quote has no form in these conditions, so that what comes before it has to do.
        return [f"{attribute} StringStartsWith '{plain}'" if plain else ""]
    return [f"{attribute} StringEquals '{path}'", f"{attribute} StringStartsWith '{path}/'"]


def _where(grant: Grant) -> str:
    if grant.bucket is not None:
        return f"{grant.bucket.name}/{grant.path}"
    return grant.function.name if grant.function is not None else ""


# Schedules -----------------------------------------------------------------------------------------------------------


def _ncrontab(when: Rate | Cron) -> str:
    """Return a schedule with the seconds that Azure puts first.

    https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
    """
    if isinstance(when, Cron):
        return f"0 {when.minute} {when.hour} {when.day} {when.month} {when.weekday}"
    every = f"*/{when.every}" if when.every > 1 else "*"
    return {"minute": f"0 {every} * * * *", "hour": f"0 0 {every} * * *", "day": f"0 0 0 {every} * *"}[when.unit]


# Small things --------------------------------------------------------------------------------------------------------


def _digest(text: str | bytes, length: int = 8) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    return hashlib.sha256(raw).hexdigest()[:length]


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _depends_on(refs: Iterable[Ref]) -> dict[str, Value]:
    found = list(refs)
    return {"depends_on": found} if found else {}


def _skipping(block: Block, *skips: tuple[str, str]) -> Block:
    return replace(block, skips=(*block.skips, *skips))
