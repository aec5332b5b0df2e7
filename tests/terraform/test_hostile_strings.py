"""No string of the user becomes code in the Terraform of Google Cloud and Azure: it comes back as it went in."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from glacier.config import (
    AzureBlobConfig,
    AzureConfig,
    AzureFunctionConfig,
    CloudFunctionConfig,
    GcpConfig,
    GCSConfig,
)
from glacier.infrastructure import Blueprint
from glacier.names import OBJECT_KEY
from glacier.providers.azure.terraform import blueprint as azure
from glacier.providers.gcp.terraform import blueprint as gcp
from terraform.configuration import read
from terraform.examples import CLOUDS, HOSTILE, SUBSCRIPTION
from terraform.made_needs import bucket, function, needs, write
from terraform.provider_schemas import ends
from terraform.schema_checker import check
from terraform.terraform_cli import MISSING, Terraform

AZURE = AzureConfig(subscription_id=SUBSCRIPTION, resource_group="data", location="eastus")
GCP = GcpConfig(project_id="glacier-test")

CODE = ["${", "%{", "$${", "%%{", "}", '"', "\\", "\n", "<<EOT", "#", "/*", "~"]
ODD = ["\x00", "\u2028", "é", "e\u0301", "😀", "a", " "]
texts = st.one_of(
    st.lists(st.sampled_from(CODE + ODD), max_size=12).map("".join),
    st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=30),
)
variables = st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,8}X", fullmatch=True), texts, max_size=6)
paths = texts.filter(lambda text: OBJECT_KEY.problem(text) is None)
each_cloud = pytest.mark.parametrize("cloud", sorted(CLOUDS.keys() - {"aws"}))
often = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def draw(cloud: str, tags: dict[str, str], given: dict[str, str], path: str, prefix: str) -> Blueprint:
    rules = [{"days": 3, "expiration": True, "prefix": prefix}]
    if cloud == "gcp":
        raw = bucket("raw", GCSConfig(labels=tags, lifecycle_rules=rules))
        fn = function("fn", CloudFunctionConfig(environment_vars=given))
        return gcp(GCP, needs(raw, fn, grants=[("fn", "write", raw, path)]))
    raw = bucket("raw", AzureBlobConfig(tags=tags, lifecycle_rules=rules))
    fn = function("fn", AzureFunctionConfig(environment_vars=given))
    return azure(AZURE, "glaciermain", needs(raw, fn, grants=[("fn", "write", raw, path)]))


def blocks(folder: Path) -> dict[tuple[str, ...], Any]:
    """The bodies of all blocks in a folder, by kind and labels."""
    found = [block for path in sorted(folder.glob("*.tf")) for block in read(path, pytest.fail)]
    return {(block.kind, *block.labels): block.body for block in found}


def within(body: Any, *kinds: str) -> Any:
    for kind in kinds:
        body = next(block.body for block in body.blocks if block.kind == kind)
    return body.attributes


BUCKET = {
    "gcp": ("resource", "google_storage_bucket", "raw"),
    "azure": ("resource", "azurerm_storage_account", "main"),
}
NAMES = {"gcp": "labels", "azure": "tags"}


def legal(cloud: str, tags: dict[str, str]) -> dict[str, str]:
    kind: Any = GCSConfig if cloud == "gcp" else AzureBlobConfig
    try:
        return kind(**{NAMES[cloud]: tags}) and tags
    except ValidationError:
        return {}


@each_cloud
@often
@given(
    tags=st.dictionaries(st.one_of(texts, st.from_regex(r"[a-zé][a-zé_-]{0,9}", fullmatch=True)), texts, max_size=3),
    variables=variables,
    path=paths,
    prefix=texts,
)
def test_strings_come_back_as_they_went_in(
    cloud: str, tags: dict[str, str], variables: dict[str, str], path: str, prefix: str, tmp_path_factory: Any
) -> None:
    tags = legal(cloud, tags)
    folder = write(draw(cloud, tags, variables, path, prefix), tmp_path_factory.mktemp("hostile"))
    assert check(folder, ends("newest")) == []
    found = blocks(folder)
    assert found[BUCKET[cloud]].attributes.get(NAMES[cloud], {}) == tags
    if cloud == "gcp":
        service = within(found["resource", "google_cloudfunctions2_function", "fn"], "service_config")
        seen = service.get("environment_variables", {})
        rule = found[BUCKET[cloud]].blocks[2].body
        assert within(rule, "condition").get("matches_prefix", [""]) == [prefix]
    else:
        seen = found["resource", "azurerm_function_app_flex_consumption", "fn"].attributes["app_settings"]
        policy = found["resource", "azurerm_storage_management_policy", "main"]
        assert within(policy, "rule", "filters")["prefix_match"] == [f"raw/{prefix}"]
    # A value that looks like a secret stands in no file: its name refers to a variable.
    shown = {name: text for name, text in variables.items() if isinstance(seen[name], str)}
    assert {name: seen[name] for name in shown} == shown
    assert set(found) == set(blocks(write(draw(cloud, tags, {}, "x", ""), tmp_path_factory.mktemp("plain"))))


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
@pytest.mark.slow
@each_cloud
def test_terraform_itself_gives_the_strings_back(cloud: str, tmp_path: Path, mirrors: dict[str, Path]) -> None:
    found: list[str] = []

    @settings(max_examples=150, database=None)
    @given(texts)
    def collect(text: str) -> None:
        found.append(text)

    collect()
    given_ = {f"V{place}_X": text for place, text in enumerate(dict.fromkeys([HOSTILE, *found]))}
    folder = write(draw(cloud, {}, given_, "x", "y"), tmp_path)
    terraform = Terraform(folder, mirrors["newest"])
    terraform.init()
    options = [f"-var={name}={value}" for name, value in OPEN[cloud].items()]
    terraform.apply(*options)
    state = terraform.state()
    if cloud == "gcp":
        seen = state["google_cloudfunctions2_function.fn"]["service_config"][0]["environment_variables"]
    else:
        seen = state["azurerm_function_app_flex_consumption.fn"]["app_settings"]
    # Terraform keeps strings in NFC: https://developer.hashicorp.com/terraform/language/expressions/types
    expected = {name: unicodedata.normalize("NFC", text) for name, text in given_.items()}
    assert {name: seen[name] for name in expected} == expected
    assert not terraform.plan(*options)


OPEN = {
    "gcp": {"gcp_project": "glacier-test", "gcp_region": "us-central1"},
    "azure": {"azure_subscription_id": SUBSCRIPTION, "azure_resource_group": "data", "azure_location": "eastus"},
}
