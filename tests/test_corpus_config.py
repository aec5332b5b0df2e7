"""Every case of the corpus that concerns configuration, names, tags and paths has its verdict."""

import corpus
import pytest
from pydantic import ValidationError

from glacier import config, names
from glacier.errors import ConfigError
from glacier.providers.aws.config import BUCKET as S3_BUCKET
from glacier.providers.aws.config import FUNCTION as LAMBDA_FUNCTION
from glacier.providers.azure.config import BUCKET as AZURE_CONTAINER
from glacier.providers.azure.config import FUNCTION as AZURE_APP
from glacier.providers.azure.config import STORAGE_ACCOUNT
from glacier.providers.gcp.config import BUCKET as GCS_BUCKET

CASES = {case["id"]: case for case in corpus.load("config", "names", "tags", "paths")}

# What needs an environment or a provider is tested with it.
TESTED_ELSEWHERE = {
    "config-from_env-001": "test_environment.py",
    "config-from_env-005": "test_environment.py",
    "config-from_env-006": "test_environment.py",
    "config-from_env-007": "test_environment.py",
    "config-from_env-012": "test_environment.py",
    "names-collision-003": "test_environment.py",
    "names-collision-004": "test_environment.py",
    "names-collision-005": "test_environment.py",
    "paths-local-010": "the tests of the local provider: it needs a symbolic link",
}

# Where the project took a decision of its own on a case: the verdict and the reason.
DECIDED_OTHERWISE = {
    "config-azure_subscription-003": (
        "accept",
        "the design document builds its examples with '...'; it is taken, and `placeholders()` names it for later use",
    ),
    "paths-local-029": (
        "reject",
        "a bucket may name a folder of files, but without the slash: 'dir' and 'dir/' would be two keys on S3",
    ),
}

NEEDED = {
    "AwsConfig": {"region": "us-east-1"},
    "GcpConfig": {"project_id": "my-project"},
    "AzureConfig": {
        "subscription_id": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "resource_group": "data",
        "location": "eastus",
    },
}

RULES = {
    "AWSProvider.bucket(name)": S3_BUCKET,
    "AWSProvider.serverless(name)": LAMBDA_FUNCTION,
    "GCPProvider.bucket(name)": GCS_BUCKET,
    "AzureProvider.bucket(name)": AZURE_CONTAINER,
    "AzureProvider.serverless(name)": AZURE_APP,
    "AzureProvider storage account name": STORAGE_ACCOUNT,
    "GlacierEnv(name=)": names.ENVIRONMENT,
    "env.register(name, resource)": names.RESOURCE,
    "@env.task(name=) or function name": names.TASK,
    'LocalProvider.bucket("ok", path=...)': names.LOCAL_KEY,
    'LocalProvider.bucket(name, path="x.parquet")': names.LOCAL_BUCKET,
    "Bucket.path on AWS": names.OBJECT_KEY,
    "serverless(handler=)": names.HANDLER,
}


def build(name, **given):
    return getattr(config, name)(**{**NEEDED.get(name, {}), **given})


def settings_of(case, value):
    """Make the settings a case is about; also the fields, one of which an error must name."""
    slot = case["slot"]
    if slot == "XConfig(**kwargs)":
        return lambda: build(value["cls"], **value["kwargs"]), set(value["kwargs"])
    if slot == "@env.task(...)":
        return lambda: config.TaskConfig(**value), set(value)
    if slot == "endpoint_url of a provider config":
        return lambda: [build(name, endpoint_url=value) for name in NEEDED], {"endpoint_url"}
    if slot == "S3Config.replication_config" and "replication" in value:
        both = {"versioning": value["versioning"], "replication_config": value["replication"]}
        return lambda: config.S3Config(**both), {"replication_config"}
    if slot == "CloudFunctionConfig.memory / timeout":
        return lambda: config.CloudFunctionConfig(**value), set(value)
    name, _, field = slot.partition(".")
    return lambda: build(name, **{field: value}), {field}


def verdict(case):
    return DECIDED_OTHERWISE.get(case["id"], (case["expected"], ""))[0]


def keeps_quiet(case, kind, text):
    return all(oracle.split(":", 1)[1] not in text for oracle in case.get("must", []) if oracle.startswith(kind))


RUN_HERE = {key: case for key, case in CASES.items() if key not in TESTED_ELSEWHERE}
SETTINGS = [key for key, case in RUN_HERE.items() if case["slot"] not in RULES]
NAMES = [key for key, case in RUN_HERE.items() if case["slot"] in RULES]


@pytest.mark.parametrize("key", [key for key in SETTINGS if verdict(CASES[key]) == "accept"])
def test_settings_are_accepted(key):
    case = CASES[key]
    make, _ = settings_of(case, corpus.value(case))
    assert keeps_quiet(case, "not_in_repr", repr(make()))


@pytest.mark.parametrize("key", [key for key in SETTINGS if verdict(CASES[key]) == "reject"])
def test_settings_are_rejected_with_the_field_named(key):
    case = CASES[key]
    make, fields = settings_of(case, corpus.value(case))
    with pytest.raises(ValidationError) as caught:
        make()
    assert fields & {line["loc"][0] for line in caught.value.errors()}
    assert keeps_quiet(case, "not_in_error", str(caught.value) + repr(caught.value.errors()) + caught.value.json())


@pytest.mark.parametrize("key", [key for key in NAMES if verdict(CASES[key]) == "accept"])
def test_names_are_accepted(key):
    case = CASES[key]
    rule, name = RULES[case["slot"]], corpus.value(case)
    assert rule.check(name) == rule.normal(name)


@pytest.mark.parametrize("key", [key for key in NAMES if verdict(CASES[key]) == "reject"])
def test_names_are_rejected_with_the_rule_named_and_nothing_unprintable(key):
    case = CASES[key]
    rule = RULES[case["slot"]]
    with pytest.raises(ConfigError) as caught:
        rule.check(corpus.value(case), where="here")
    assert str(caught.value).startswith("here: ")
    assert rule.what in caught.value.message
    assert str(caught.value).isprintable()


def test_no_case_is_lost():
    assert {*SETTINGS, *NAMES, *TESTED_ELSEWHERE} == set(CASES)
    assert set(DECIDED_OTHERWISE) <= set(CASES)


def test_the_placeholder_of_a_subscription_is_flagged():
    assert build("AzureConfig", subscription_id="...").placeholders() == ("subscription_id",)
    assert build("AzureConfig").placeholders() == ()


def test_a_task_has_the_name_that_python_gives_its_function():
    assert names.TASK.check("e\u0301tat") == "\u00e9tat"
    assert names.TASK.check("\ufb01lter") == "filter"
