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
from terraform.examples import WORKSPACE
from terraform.made_needs import CODE, USE, bucket, function, needs, write
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
    subnet = "/subscriptions/s/resourceGroups/g/providers/n/virtualNetworks/v/subnets/s"
    made = draw(needs(bucket("one", AzureBlobConfig(private_endpoint_subnet=subnet))))
    assert block(made, "azurerm_storage_account.main").arguments["public_network_access_enabled"] is False
    assert block(made, "azurerm_private_endpoint.main").arguments["subnet_id"] == subnet


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
