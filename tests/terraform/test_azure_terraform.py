"""What Azure's Terraform says, block by block."""

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from glacier.config import AzureBlobConfig, AzureConfig, AzureFunctionConfig
from glacier.errors import InfrastructureError
from glacier.infrastructure import Blueprint, Grant, Needs, Package, Runner
from glacier.providers.azure.config import STORAGE_ACCOUNT
from glacier.providers.azure.terraform import AT_ONCE, OWN_ROLES, READ, blueprint, expression_of
from glacier.schedules import schedule
from glacier.terraform import Block, Ref, Text, hcl
from terraform.made_needs import CODE, USE, bucket, function, needs, write
from terraform.options import SUBNET, WORKSPACE
from terraform.provider_schemas import ends
from terraform.schema_checker import check

CONFIG = AzureConfig(subscription_id="00000000-0000-0000-0000-000000000000", resource_group="data", location="eastus")
RAW = bucket("raw", AzureBlobConfig())


def draw(made: Needs, config: AzureConfig = CONFIG) -> Blueprint:
    return blueprint(config, "glaciermain", made)


def block(made: Blueprint, address: str) -> Block:
    return next(each for each in made.document if each.address == address)


def kind(made: Blueprint, kind: str) -> list[Block]:
    return [each for each in made.document if each.labels[:1] == (kind,) and each.kind == "resource"]


def inner(made: Block, *kinds: str) -> dict[str, Any]:
    """The arguments of the only nested block of these kinds, outermost first."""
    for name in kinds:
        (made,) = [each for each in made.blocks if each.kind == name]
    return dict(made.arguments)


# Storage accounts ----------------------------------------------------------------------------------------------------


def test_an_account_without_settings_is_closed_to_keys_plain_http_and_the_public() -> None:
    made = block(draw(needs(RAW)), "azurerm_storage_account.main")
    wanted = {
        "name": "glaciermain",
        "account_replication_type": "GRS",
        "access_tier": "Hot",
        "min_tls_version": "TLS1_2",
        "https_traffic_only_enabled": True,
        "shared_access_key_enabled": False,
        "allow_nested_items_to_be_public": False,
    }
    assert wanted.items() <= made.arguments.items()
    assert inner(made, "blob_properties") == {"versioning_enabled": True}
    assert inner(made, "blob_properties", "delete_retention_policy") == {"days": 7}


def test_containers_share_an_account_and_tell_it_what_they_need() -> None:
    one = bucket("one", AzureBlobConfig(tier="Cool", tags={"team": "data", "of": "one"}))
    two = bucket("two", AzureBlobConfig(versioning=False, tags={"team": "data"}))
    made = draw(needs(one, two))
    (account,) = kind(made, "azurerm_storage_account")
    assert account.arguments["access_tier"] == "Cool"
    assert inner(account, "blob_properties")["versioning_enabled"] is False
    assert account.arguments["tags"] == {"team": "data"}
    assert "of is left out" in made.warnings[0]
    assert len(kind(made, "azurerm_storage_container")) == 2


def test_containers_that_want_different_things_of_one_account_are_refused() -> None:
    one, two = bucket("one", AzureBlobConfig(tier="Cool")), bucket("two", AzureBlobConfig(tier="Hot"))
    with pytest.raises(InfrastructureError, match=r"'one' and 'two'.*'glaciermain'.*tier='Cool'.*storage_account="):
        draw(needs(one, two))


def test_an_account_of_its_own_settles_it() -> None:
    one, two = bucket("one", AzureBlobConfig(tier="Cool")), bucket("two", AzureBlobConfig(storage_account="othertwo"))
    made = draw(needs(one, two))
    assert [each.arguments["name"] for each in kind(made, "azurerm_storage_account")] == ["glaciermain", "othertwo"]


def test_a_container_that_is_there_brings_its_account_along() -> None:
    old = bucket("old", AzureBlobConfig(existing=True))
    made = draw(needs(old, RAW, grants=[("runner", "read", old, "x")]))
    assert kind(made, "azurerm_storage_account") == []
    assert (
        block(made, "azurerm_storage_container.raw").arguments["storage_account_id"]
        == block(made, "data.azurerm_storage_account.main").ref.id
    )
    assert "/blobServices/default/containers/old" in hcl(made.document.files["iam.tf"])


def test_a_key_is_used_by_an_identity_that_may() -> None:
    url = "https://vault.vault.azure.net/keys/key/0123abc"
    made = draw(needs(bucket("one", AzureBlobConfig(kms_key=url))))
    account = block(made, "azurerm_storage_account.main")
    key = inner(account, "customer_managed_key")
    assert key["key_vault_key_id"] == url
    right = next(each for each in kind(made, "azurerm_role_assignment"))
    assert right.arguments["role_definition_name"] == "Key Vault Crypto Service Encryption User"
    assert account.arguments["depends_on"] == [right.ref]
    assert "/vaults/vault/keys/key" in hcl([right])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (AzureBlobConfig(encryption="Microsoft.Keyvault"), "none is named"),
        (AzureBlobConfig(kms_key="https://hsm.managedhsm.azure.net/keys/key"), "managed HSM"),
    ],
)
def test_keys_that_cannot_be_generated_are_refused(config: AzureBlobConfig, said: str) -> None:
    with pytest.raises(InfrastructureError, match=said):
        draw(needs(bucket("one", config)))


def test_a_private_endpoint_closes_the_account_to_the_internet() -> None:
    made = draw(needs(bucket("one", AzureBlobConfig(private_endpoint_subnet=SUBNET))))
    assert block(made, "azurerm_storage_account.main").arguments["public_network_access_enabled"] is False
    assert block(made, "azurerm_private_endpoint.main").arguments["subnet_id"] == SUBNET


def test_names_of_endpoints_are_entered_by_the_module_or_left_to_a_policy() -> None:
    closed = bucket("one", AzureBlobConfig(private_endpoint_subnet=SUBNET))
    left = block(draw(needs(closed)), "azurerm_private_endpoint.main")
    assert inner(left, "lifecycle") == {"ignore_changes": [Ref("private_dns_zone_group")]}
    zones = "/subscriptions/s/resourceGroups/dns"
    entered = block(draw(needs(closed), CONFIG.replace(private_dns_zones=zones)), "azurerm_private_endpoint.main")
    zone = f"{zones}/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net"
    assert inner(entered, "private_dns_zone_group")["private_dns_zone_ids"] == [zone]
    assert [each.kind for each in entered.blocks if each.kind == "lifecycle"] == []


def test_a_workspace_reads_an_account_with_its_key_where_that_is_asked_for() -> None:
    spelt = WORKSPACE.replace("Microsoft.OperationalInsights", "microsoft.operationalinsights")
    read = AzureBlobConfig(log_workspace=spelt, storage_insights=True)
    made = draw(needs(bucket("one", read), bucket("two", AzureBlobConfig())))
    account = block(made, "azurerm_storage_account.main")
    insights = block(made, "azurerm_log_analytics_storage_insights.main")
    wanted = {
        "resource_group_name": "g",
        "workspace_id": WORKSPACE,
        "storage_account_id": account.ref.id,
        "storage_account_key": account.ref.primary_access_key,
        "blob_container_names": ["one", "two"],
    }
    assert wanted.items() <= insights.arguments.items()
    assert account.arguments["shared_access_key_enabled"] is True
    (reason,) = [reason for check, reason in account.skips if check == "CKV2_AZURE_40"]
    assert "AzureBlobConfig(storage_insights=True)" in reason
    (warning,) = made.warnings
    assert "account glaciermain: storage_insights=True" in warning
    assert "Terraform's state" in warning


def test_an_account_that_is_there_keeps_its_settings() -> None:
    read = AzureBlobConfig(existing=True, log_workspace=WORKSPACE, storage_insights=True)
    made = draw(needs(bucket("old", read), RAW))
    assert kind(made, "azurerm_log_analytics_storage_insights") == []
    assert [check for check, _ in block(made, "azurerm_storage_container.raw").skips] == ["CKV2_AZURE_21"]


def test_queues_are_logged_inside_every_account_that_has_some() -> None:
    fast = bucket("fast", AzureBlobConfig(tier="Premium", storage_account="glacierfast"))
    made = draw(needs(RAW, fast, function("clean", AzureFunctionConfig())), CONFIG.replace(queue_logging=True))
    for label in ("main", "code_of_clean"):
        account = block(made, f"azurerm_storage_account.{label}")
        logged = inner(account, "queue_properties", "logging")
        assert {name for name, value in logged.items() if value is True} == {"read", "write", "delete"}
        assert not {"CKV_AZURE_33", "AZU-0057"} & dict(account.skips).keys()
    premium = block(made, "azurerm_storage_account.account_glacierfast")
    assert "queue_properties" not in [each.kind for each in premium.blocks]
    assert "AZU-0057" in dict(premium.skips)


def test_a_log_of_queues_binds_the_module_to_the_provider_that_has_it(tmp_path: Path) -> None:
    made = draw(needs(RAW), CONFIG.replace(queue_logging=True))
    assert made.requirements["azurerm"]["version"] == ">= 4.55, < 5.0"
    (warning,) = made.warnings
    assert ">= 4.55, < 5.0" in warning
    folder = write(made, tmp_path)
    assert check(folder, ends("oldest")) == []
    said = " ".join(finding.message for finding in check(folder, ends("newest")))
    assert "block 'queue_properties' is unknown" in said
    assert "excludes the schema's 5.10.0" in said
    assert draw(needs(RAW)).requirements["azurerm"]["version"] == ">= 4.55, < 6.0"


def test_a_closed_account_does_not_log_its_queues_inside() -> None:
    """The provider sets the log while it makes the account, when nothing leads to its queues."""
    closed = bucket("one", AzureBlobConfig(private_endpoint_subnet=SUBNET))
    made = draw(needs(closed), CONFIG.replace(queue_logging=True))
    account = block(made, "azurerm_storage_account.main")
    assert "queue_properties" not in [each.kind for each in account.blocks]
    assert "private_endpoint_subnet" in dict(account.skips)["CKV_AZURE_33"]
    assert made.requirements["azurerm"]["version"] == ">= 4.55, < 6.0"
    (warning,) = made.warnings
    assert "account glaciermain: queue_logging=True is left out" in warning


# Functions -----------------------------------------------------------------------------------------------------------


def test_what_happens_in_an_account_is_logged_where_a_workspace_is_named() -> None:
    raw = bucket("raw", AzureBlobConfig(log_workspace=WORKSPACE))
    clean = function("clean", AzureFunctionConfig(log_workspace=WORKSPACE))
    made = draw(needs(raw, clean))
    found = {each.labels[1]: each for each in kind(made, "azurerm_monitor_diagnostic_setting")}
    services = {"main_blob": "blob", "code_of_clean_blob": "blob", "code_of_clean_queue": "queue"}
    assert set(found) == set(services)
    for label, service in services.items():
        account = Ref("azurerm_storage_account", label.rpartition("_")[0]).id
        wanted = {
            "target_resource_id": Text(account, f"/{service}Services/default"),
            "log_analytics_workspace_id": WORKSPACE,
        }
        assert wanted.items() <= found[label].arguments.items()
        categories = [each.arguments["category"] for each in found[label].blocks]
        assert categories == ["StorageRead", "StorageWrite", "StorageDelete"]
    assert kind(draw(needs(RAW)), "azurerm_monitor_diagnostic_setting") == []


@pytest.mark.parametrize(("least", "ready"), [(None, None), (0, None), (2, {"name": "http", "instance_count": 2})])
def test_instances_wait_for_requests_where_that_is_asked_for(least: int | None, ready: dict[str, Any] | None) -> None:
    made = draw(needs(function("clean", AzureFunctionConfig(min_instances=least))))
    app = block(made, "azurerm_function_app_flex_consumption.clean")
    assert [dict(each.arguments) for each in app.blocks if each.kind == "always_ready"] == ([ready] if ready else [])


def test_a_function_has_identity_account_and_plan_of_its_own() -> None:
    made = draw(needs(function("one", AzureFunctionConfig()), function("two", AzureFunctionConfig())))
    assert len(kind(made, "azurerm_service_plan")) == len(kind(made, "azurerm_user_assigned_identity")) == 2
    accounts = [each.arguments["name"] for each in kind(made, "azurerm_storage_account")]
    assert len(set(accounts)) == 2
    assert [STORAGE_ACCOUNT.problem(name) for name in accounts] == [None, None]
    app = block(made, "azurerm_function_app_flex_consumption.one")
    assert app.arguments["https_only"] is True
    assert app.arguments["storage_authentication_type"] == "UserAssignedIdentity"
    assert not any("key" in name.lower() for name in app.arguments["app_settings"])


def test_accounts_of_code_differ_between_environments_and_stay_the_same() -> None:
    def name(environment: str) -> Any:
        drawn = draw(replace(needs(function("fn", AzureFunctionConfig())), environment=environment))
        return block(drawn, "azurerm_storage_account.code_of_fn").arguments["name"]

    assert name("dev") == name("dev") != name("prod")


@pytest.mark.parametrize(
    ("location", "wanted", "zones"),
    [("eastus", None, True), ("West US", None, False), ("eastus", False, False), ("westus", True, True)],
)
def test_a_plan_spreads_over_zones_where_there_are_some(location: str, wanted: bool | None, zones: bool) -> None:
    config = CONFIG.replace(location=location)
    made = draw(needs(function("fn", AzureFunctionConfig(zone_redundant=wanted))), config)
    assert block(made, "azurerm_service_plan.fn").arguments["zone_balancing_enabled"] is zones


PREMIUM = AzureFunctionConfig(plan="P1v3", subnet_id=SUBNET)


def test_a_premium_plan_has_instances_and_an_app_without_a_key() -> None:
    made = draw(needs(function("fn", PREMIUM, runtime="3.13", monitored=True), when="rate(1 hour)"))
    plan, app = block(made, "azurerm_service_plan.fn"), block(made, "azurerm_linux_function_app.fn")
    wanted = {"sku_name": "P1v3", "os_type": "Linux", "worker_count": 2, "zone_balancing_enabled": True}
    assert wanted.items() <= plan.arguments.items()
    assert plan.skips == ()
    wanted = {
        "service_plan_id": plan.ref.id,
        "storage_account_name": Ref("azurerm_storage_account", "code_of_fn").name,
        "storage_uses_managed_identity": True,
        "virtual_network_subnet_id": SUBNET,
        "https_only": True,
        "ftp_publish_basic_authentication_enabled": False,
    }
    assert wanted.items() <= app.arguments.items()
    site = inner(app, "site_config")
    assert {"always_on": True, "minimum_tls_version": "1.2", "vnet_route_all_enabled": True}.items() <= site.items()
    assert "application_insights_connection_string" in site
    assert inner(app, "site_config", "application_stack") == {"python_version": "3.13"}
    assert kind(made, "azurerm_function_app_flex_consumption") == []


def test_settings_of_a_premium_app_leave_out_what_the_provider_writes_itself() -> None:
    """It takes the account's name out of what it reads, so that each plan would add it again."""
    made = draw(needs(function("fn", PREMIUM), when="rate(1 hour)"))
    assert block(made, "azurerm_linux_function_app.fn").arguments["app_settings"].keys() == {
        "AZURE_CLIENT_ID",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
        "GLACIER_SCHEDULE",
        "WEBSITE_RUN_FROM_PACKAGE",
    }


@pytest.mark.parametrize(
    ("location", "least", "zones", "declined"),
    [
        ("eastus", None, True, set()),
        ("eastus", 3, True, set()),
        ("westus", 3, False, {"CKV_AZURE_225"}),
        ("eastus", 1, False, {"CKV_AZURE_212", "CKV_AZURE_225"}),
    ],
)
def test_a_premium_plan_spreads_where_it_has_instances_to_spread(
    location: str, least: int | None, zones: bool, declined: set[str]
) -> None:
    config = AzureFunctionConfig(plan="P2v3", min_instances=least)
    plan = block(draw(needs(function("fn", config)), CONFIG.replace(location=location)), "azurerm_service_plan.fn")
    assert plan.arguments["worker_count"] == (least or 2)
    assert plan.arguments["zone_balancing_enabled"] is zones
    assert dict(plan.skips).keys() == declined
    reasons = dict(plan.skips).values()
    assert all("min_instances=1" in reason for reason in reasons) == (least == 1 or not reasons)


def test_whoever_calls_a_premium_app_may_call_that_app() -> None:
    fn = function("fn", PREMIUM)
    made = draw(needs(fn, grants=[("runner", "write", fn)]))
    scope = block(made, "azurerm_role_assignment.runner_calls_fn").arguments["scope"]
    assert scope == Ref("azurerm_linux_function_app", "fn").id


@pytest.mark.parametrize(
    ("plan", "app"), [("FC1", "azurerm_function_app_flex_consumption"), ("P1v3", "azurerm_linux_function_app")]
)
def test_a_private_app_is_reached_by_an_endpoint_and_so_is_its_code(plan: Any, app: str) -> None:
    config = AzureFunctionConfig(plan=plan, subnet_id=SUBNET, private_endpoint_subnet=SUBNET)
    made = draw(needs(function("fn", config)))
    assert block(made, f"{app}.fn").arguments["public_network_access_enabled"] is False
    assert block(made, f"{app}.fn").skips == ()
    assert block(made, "azurerm_storage_account.code_of_fn").arguments["public_network_access_enabled"] is False
    services = {
        each.labels[1]: inner(each, "private_service_connection")["subresource_names"]
        for each in kind(made, "azurerm_private_endpoint")
    }
    assert services == {"app_fn": ["sites"], "code_of_fn": ["blob"], "queue_of_code_of_fn": ["queue"]}
    ways = [Ref("azurerm_private_endpoint", label) for label in ("code_of_fn", "queue_of_code_of_fn")]
    assert block(made, f"{app}.fn").arguments["depends_on"][1:] == ways


def test_names_of_endpoints_are_cut_where_they_are_too_long() -> None:
    config = AzureFunctionConfig(subnet_id=SUBNET, private_endpoint_subnet=SUBNET)
    names = ["a" * 60, "a" * 59 + "b", "short"]
    made = draw(needs(*(function(name, config) for name in names)))
    found = [block(made, f"azurerm_private_endpoint.app_{name}").arguments["name"] for name in names]
    assert len(set(found)) == 3
    assert [len(name) for name in found] == [64, 64, len("short-sites")]


def test_the_code_of_a_private_app_is_left_to_somebody_inside() -> None:
    config = AzureFunctionConfig(subnet_id=SUBNET, private_endpoint_subnet=SUBNET)
    made = draw(needs(function("fn", config), function("gn", config, package=None)))
    assert not any("zip_deploy_file" in each.arguments for each in made.document)
    assert not any("package" in each.labels[0] for each in made.document.files["variables.tf"])
    (path,) = made.assets
    fn, gn = (line for line in made.warnings if "does not upload its code" in line)
    assert f"config-zip --src {path} --name fn --resource-group data" in fn
    assert "config-zip --src ZIP --name gn" in gn


@pytest.mark.parametrize("subnet", [None, SUBNET])
def test_a_function_without_a_network_does_not_reach_what_is_private(subnet: str | None) -> None:
    closed = bucket("closed", AzureBlobConfig(private_endpoint_subnet=SUBNET))
    opened = bucket("opened", AzureBlobConfig(storage_account="glacieropened"))
    fn = function("fn", AzureFunctionConfig(subnet_id=subnet))
    made = draw(needs(closed, opened, fn, grants=[("fn", "read", closed, "x"), ("fn", "write", opened, "x")]))
    warnings = [line for line in made.warnings if "from a network only" in line]
    assert len(warnings) == (1 if subnet is None else 0)
    assert all("function fn: closed" in line and "AzureFunctionConfig(subnet_id=...)" in line for line in warnings)


def test_an_open_premium_app_says_how_to_close_it() -> None:
    ((check_, reason),) = block(draw(needs(function("fn", PREMIUM))), "azurerm_linux_function_app.fn").skips
    assert check_ == "CKV_AZURE_221"
    assert "AzureFunctionConfig(private_endpoint_subnet=...)" in reason


def test_the_account_of_code_is_as_safe_as_the_function_asks_for() -> None:
    url = "https://vault.vault.azure.net/keys/key"
    config = AzureFunctionConfig(kms_key=url, log_workspace=WORKSPACE, storage_insights=True, tags={"kind": "function"})
    made = draw(needs(RAW, function("fn", config)))
    account = block(made, "azurerm_storage_account.code_of_fn")
    assert inner(account, "customer_managed_key")["key_vault_key_id"] == url
    assert account.arguments["tags"] == {"kind": "function"}
    assert account.arguments["shared_access_key_enabled"] is True
    assert "AzureFunctionConfig(storage_insights=True)" in dict(account.skips)["CKV2_AZURE_40"]
    insights = block(made, "azurerm_log_analytics_storage_insights.code_of_fn")
    assert insights.arguments["blob_container_names"] == ["code"]
    assert block(made, "azurerm_storage_account.main").arguments["shared_access_key_enabled"] is False


def test_logs_are_kept_as_long_as_was_asked_for() -> None:
    logged = function("logged", AzureFunctionConfig(log_retention_days=60))
    made = draw(needs(logged, function("silent", AzureFunctionConfig())))
    assert block(made, "azurerm_log_analytics_workspace.main").arguments["retention_in_days"] == 60
    sites = [inner(each, "site_config") for each in kind(made, "azurerm_function_app_flex_consumption")]
    assert ["application_insights_connection_string" in each for each in sites] == [True, False]


def files(made: Blueprint) -> dict[str, bytes]:
    (path,) = made.assets
    with zipfile.ZipFile(BytesIO(made.assets[path])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("timeout", "span"), [(None, None), (90, "00:01:30"), (86_399, "23:59:59"), (90_061, "1.01:01:01")]
)
def test_the_timeout_is_the_hosts(timeout: int | None, span: str | None) -> None:
    made = draw(needs(function("fn", AzureFunctionConfig(), timeout=timeout)))
    assert json.loads(files(made)["host.json"]).get("functionTimeout") == span


def test_the_users_own_app_stays_as_it_is() -> None:
    own = Package({"function_app.py": b"app = None\n", "host.json": b"{}"})
    made = draw(needs(function("fn", AzureFunctionConfig(), package=own, handler="function_app.app")))
    assert files(made)["function_app.py"] == b"app = None\n"
    assert files(made)["host.json"] == b"{}"


def test_the_package_answers_requests_and_the_clock(tmp_path: Path) -> None:
    made = draw(needs(function("fn", AzureFunctionConfig()), when="rate(1 hour)"))
    for name, contents in files(made).items():
        (tmp_path / name).write_bytes(contents)
    code = """
import azure.functions as func, json
from function_app import app
known = {each.get_function_name(): each for each in app.get_functions()}
call = known["call"].get_user_function()
ask = lambda body: json.loads(call(func.HttpRequest(method="POST", url="/api/fn", body=body)).get_body())
timer = [each.get_dict_repr()["schedule"] for each in known["scheduled"].get_bindings()]
print(json.dumps([ask(b'{"n": 1}'), ask(b""), known["scheduled"].get_user_function()(None), timer]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert json.loads(done.stdout) == [{"n": 1}, None, None, ["%GLACIER_SCHEDULE%"]], done.stderr
    app = block(made, "azurerm_function_app_flex_consumption.fn")
    assert app.arguments["app_settings"]["GLACIER_SCHEDULE"] == "0 0 * * * *"


def test_the_path_of_a_package_changes_with_its_code() -> None:
    other = Package({"process.py": b"def handler(event, context):\n    return None\n"})
    one, two = (draw(needs(function("fn", AzureFunctionConfig(), package=each))).assets for each in (CODE, other))
    assert one.keys() != two.keys()


# Access --------------------------------------------------------------------------------------------------------------


def condition(made: Blueprint, address: str) -> str:
    return block(made, address).arguments["condition"]


def evaluates(expression: str, action: str, path: str, *, listing: bool = False) -> bool:
    """Evaluate the few forms of conditions that we write, as Python."""
    text = re.sub(r"NOT SubOperationMatches\{'Blob\.List'\}", str(not listing), expression)
    text = re.sub(r"!\(ActionMatches\{'([^']*)'\} AND (True|False)\)", r"(not ('\1' == action and \2))", text)
    text = re.sub(r"!\(ActionMatches\{'([^']*)'\}\)", r"(not '\1' == action)", text)
    text = re.sub(r"@Resource\[[^]]*:path\] StringEquals ('[^']*')", r"path == r\1", text)
    text = re.sub(r"@Resource\[[^]]*:path\] StringStartsWith ('[^']*')", r"path.startswith(r\1)", text)
    return eval(text.replace(" AND ", " and ").replace(" OR ", " or "), {"action": action, "path": path})


WRITE = READ.replace("read", "write")


@pytest.mark.parametrize(
    ("path", "passes", "fails"),
    [
        ("raw/x.parquet", ["raw/x.parquet", "raw/x.parquet/part-1"], ["raw/x.parquet2", "raw/y", "raw"]),
        ("raw/*.parquet", ["raw/x.parquet"], ["ra", "other/x.parquet"]),
        ("raw/it's/x", ["raw/it's/x"], ["raw/x"]),
    ],
)
def test_an_assignment_reaches_its_paths_and_no_others(path: str, passes: list[str], fails: list[str]) -> None:
    made = draw(needs(RAW, grants=[("runner", "read", RAW, path), ("other", "write", RAW, path)]))
    reads = condition(made, "azurerm_role_assignment.runner_reads_raw")
    writes = condition(made, "azurerm_role_assignment.other_writes_raw")
    for expression, action in ((reads, READ), (writes, READ), (writes, WRITE)):
        assert all(evaluates(expression, action, name) for name in passes)
        assert not any(evaluates(expression, action, name) for name in fails)
    assert evaluates(reads, READ, "anything", listing=True)


def test_a_pattern_that_may_match_anything_is_no_condition() -> None:
    made = draw(needs(RAW, grants=[("runner", "read", RAW, "**/*.csv")]))
    assert "condition" not in block(made, "azurerm_role_assignment.runner_reads_raw").arguments


def test_conditions_keep_below_the_size_that_azure_allows() -> None:
    grants = [("runner", "write", RAW, f"{number}" + "x" * 1000) for number in range(2 * AT_ONCE + 1)]
    made = draw(needs(RAW, grants=grants))
    assert [len(each.arguments["condition"]) < 8192 for each in kind(made, "azurerm_role_assignment")] == [True] * 3


def test_only_who_deletes_may_delete() -> None:
    grants = (
        Grant("cleaner", {"delete": (USE,)}, RAW, None, "old"),
        Grant("writer", {"write": (USE,), "read": (USE,)}, RAW, None, "new"),
        Grant("keeper", {"write": (USE,), "delete": (USE,)}, RAW, None, "kept"),
    )
    drawn = draw(
        replace(needs(RAW), grants=grants, runners=tuple(Runner(each.principal, each.principal) for each in grants))
    )
    allowed = {
        each.labels[1]: inner(each, "permissions")["data_actions"] for each in kind(drawn, "azurerm_role_definition")
    }
    assert set(allowed) == {"blob_deleter", "blob_writer"}
    verbs = {label: {action.rpartition("/")[2] for action in actions} for label, actions in allowed.items()}
    assert verbs == {"blob_deleter": {"read", "delete"}, "blob_writer": {"read", "write"}}
    assert {each.labels[1] for each in kind(drawn, "azurerm_role_assignment")} == {
        "cleaner_deletes_raw",
        "writer_writes_raw",
        "keeper_writes_raw",
        "keeper_deletes_raw",
    }


def test_no_role_of_ours_has_a_wildcard() -> None:
    assert not any("*" in action for _, actions in OWN_ROLES.values() for action in actions)


def test_everything_is_scoped_to_a_container_an_account_or_a_function() -> None:
    fn = function("fn", AzureFunctionConfig())
    made = draw(
        needs(RAW, fn, grants=[("runner", "read", RAW, "x"), ("fn", "write", RAW, "y"), ("runner", "call", fn)])
    )
    scopes = {hcl([Block("x", (), {"x": each.arguments["scope"]})]) for each in kind(made, "azurerm_role_assignment")}
    assert not any("azurerm_resource_group" in scope for scope in scopes)
    assert {each.address for each in made.statements} == {
        each.address for each in kind(made, "azurerm_role_assignment")
    }


# Schedules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "expression"),
    [
        ("rate(1 minute)", "0 * * * * *"),
        ("rate(15 minutes)", "0 */15 * * * *"),
        ("rate(1 hour)", "0 0 * * * *"),
        ("rate(6 hours)", "0 0 */6 * * *"),
        ("rate(1 day)", "0 0 0 * * *"),
        ("cron(0 6 * * 1-5)", "0 0 6 * * 1-5"),
    ],
)
def test_schedules_are_those_of_timers(when: str, expression: str) -> None:
    assert expression_of(schedule(when)) == expression


# The module ----------------------------------------------------------------------------------------------------------


def test_a_placeholder_is_left_open(tmp_path: Path) -> None:
    made = draw(needs(RAW), CONFIG.replace(subscription_id="..."))
    assert "azure_subscription_id" not in made.values
    assert check(write(made, tmp_path), ends("oldest")) == []
