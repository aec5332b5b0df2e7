"""Settings are strict and quiet, the cascade is lawful, names are checked, a config of one cloud moves to another."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from glacier import config, names
from glacier.config import (
    AwsConfig,
    AzureBlobConfig,
    AzureConfig,
    AzureFunctionConfig,
    CloudFunctionConfig,
    GcpConfig,
    GCSConfig,
    LambdaConfig,
    LocalConfig,
    S3Config,
    TaskConfig,
)
from glacier.errors import ConfigError
from glacier.settings import FunctionMeaning, Level, StorageMeaning, cascade, defaults, endpoint_problem

ROOT = Path(__file__).parent.parent


def problems(make):
    with pytest.raises(ValidationError) as caught:
        make()
    return {".".join(str(part) for part in line["loc"]): line["msg"] for line in caught.value.errors()}


# Strictness ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_",
    [
        {"retries": True},
        {"retries": "3"},
        {"retries": 3.0},
        {"timeout": "30"},
        {"timeout": True},
        {"retry_delay": float("inf")},
        {"retry_delay": -1},
        {"cache": 1},
        {"executor": ""},
        {"tags": {"a": 1}},
        {"tags": [("a", "b")]},
    ],
)
def test_nothing_is_converted_behind_the_users_back(given_):
    (field,) = given_
    assert {path.split(".")[0] for path in problems(lambda: TaskConfig(**given_))} == {field}


def test_numbers_of_seconds_may_be_whole_or_not():
    assert TaskConfig(timeout=300, retry_delay=0.5).timeout == 300


def test_lists_and_dicts_stand_for_tuples_and_nested_settings():
    made = S3Config(lifecycle_rules=[{"days": 30, "transition": "GLACIER"}], replication_config=None)
    assert isinstance(made.lifecycle_rules, tuple)
    assert made.lifecycle_rules[0] == config.S3LifecycleRule(days=30, transition="GLACIER")


def test_all_errors_come_at_once_with_the_nearest_name_and_without_any_value():
    said = problems(lambda: TaskConfig(retires="CANARY", timeout="CANARY", cache="CANARY"))
    assert set(said) == {"retires", "timeout", "cache"}
    assert "did you mean 'retries'?" in said["retires"]


def test_an_error_holds_no_value_in_any_of_its_forms():
    with pytest.raises(ValidationError) as caught:
        AzureConfig(subscription_id="CANARY", connection_string=7, account_kee="CANARY", tags={"a": "CANARY" * 60})
    assert "CANARY" not in f"{caught.value} {caught.value!r} {caught.value.errors()} {caught.value.json()}"


def test_a_nested_error_says_where_it_is():
    said = problems(
        lambda: S3Config(
            lifecycle_rules=[{"days": 1, "expiration": True}, {"days": -1, "expiration": True, "prefx": "a"}]
        )
    )
    assert set(said) == {"lifecycle_rules.1.days", "lifecycle_rules.1.prefx"}
    assert "did you mean 'prefix'?" in said["lifecycle_rules.1.prefx"]


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"days": 3}, "expiration"),
        ({"days": 3, "expiration": False}, "expiration"),
        ({"days": 3, "expiration": True, "transition": "GLACIER"}, "expiration"),
        ({"days": 0, "expiration": True}, "expiration"),
        ({"days": 29, "transition": "ONEZONE_IA"}, "transition"),
        ({"days": 29, "transition": "glacier"}, "transition"),
        ({"days": "x", "transition": "STANDARD_IA"}, "days"),
    ],
)
def test_a_lifecycle_rule_says_which_of_its_fields_is_wrong(given_, field):
    (path, said), *more = problems(lambda: config.S3LifecycleRule(**given_)).items()
    assert (path, more) == (field, [])
    assert "Value error" not in said


def test_a_hostile_field_name_is_escaped():
    (path,) = problems(lambda: TaskConfig(**{"a\u202eb\n": 1}))
    assert path == "a\\u202eb\\n"


def test_a_wrong_choice_is_answered_with_the_right_one():
    assert (
        "did you mean 'INTELLIGENT_TIERING'?"
        in problems(lambda: S3Config(storage_class="Intelligent-Tiering"))["storage_class"]
    )
    assert "did you mean" not in problems(lambda: S3Config(storage_class="Hot"))["storage_class"]


def test_settings_are_frozen_and_refined_with_their_rules():
    task = TaskConfig(timeout=5)
    with pytest.raises(ValidationError):
        task.timeout = 6
    assert task.replace(retries=2).set_fields() == {"timeout": 5, "retries": 2}
    assert set(problems(lambda: task.replace(retries=-1))) == {"retries"}


def test_not_given_differs_from_none():
    assert TaskConfig().set_fields() == {}
    assert TaskConfig(timeout=None).set_fields() == {"timeout": None}


def test_placeholders_are_taken_and_remembered():
    made = GCSConfig(storage_class="NEARLINE", versioning=True, lifecycle_rules=[...])
    assert (made.lifecycle_rules, made.placeholders()) == ((), ("lifecycle_rules",))
    assert made.replace(versioning=False).placeholders() == ("lifecycle_rules",)
    assert made.replace(lifecycle_rules=[]).placeholders() == ()
    assert set(problems(lambda: AwsConfig(region=...))) == {"region"}


def test_settings_survive_pickling():
    made = S3Config(tags={"a": "b"}, lifecycle_rules=[{"days": 1, "expiration": True}])
    assert pickle.loads(pickle.dumps(made)) == made


def test_secrets_are_not_shown():
    azure = AzureConfig(subscription_id="...", resource_group="data", location="East US", account_key="CANARY")
    function = LambdaConfig(environment_vars={"LOG_LEVEL": "CANARY"})
    assert azure.location == "eastus"
    assert "CANARY" not in f"{azure} {azure!r} {function} {function!r}"
    assert "LOG_LEVEL" in repr(function)


# The cascade ---------------------------------------------------------------------------------------------------------

tag_values = st.dictionaries(st.sampled_from("xyz"), st.none() | st.sampled_from("12"), max_size=3)
levels = st.builds(
    Level,
    st.sampled_from(["provider", "environment", "task"]),
    st.fixed_dictionaries(
        {},
        optional={
            "timeout": st.none() | st.integers(1, 3),
            "rules": st.lists(st.integers(0, 2), max_size=2),
            "vpc_config": tag_values,
            "tags": st.none() | tag_values,
        },
    ),
)


def nearest(stack, name, key=None):
    """Look a setting up from the nearest level outwards, as a reader of the rules would."""
    for level in reversed(stack):
        value = level.values.get(name, ...)
        if key is None and value is not ...:
            return value, level.name
        if key is not None and value is None:
            return None
        if key is not None and value is not ... and key in value:
            return value[key], level.name
    return None


@given(st.lists(levels, max_size=5))
def test_every_value_is_that_of_the_nearest_level_that_gives_it(stack):
    merged = cascade(*stack)
    found = {row.setting: (row.value, row.level) for row in merged.rows}
    for name in ("timeout", "rules", "vpc_config"):
        assert found.get(name) == nearest(stack, name)
    for key in "xyz":
        assert found.get(f"tags.{key}") == nearest(stack, "tags", key)
    assert set(merged.values) == {name for level in stack for name in level.values}
    assert all(merged.origin(row.setting) == row.level for row in merged.rows)


@given(st.lists(levels, max_size=3), st.lists(levels, max_size=3), st.lists(levels, max_size=3))
def test_merging_results_is_associative(first, second, third):
    a, b, c = cascade(*first), cascade(*second), cascade(*third)
    assert a.refine(b).refine(c).rows == a.refine(b.refine(c)).rows == cascade(*first, *second, *third).rows


@given(st.lists(levels, max_size=4))
def test_an_empty_level_is_neutral_and_a_repeated_one_changes_nothing(stack):
    rows = cascade(*stack).rows
    assert cascade(Level("x", {}), *stack, Level("x", {})).rows == rows
    assert {row.setting: row for row in cascade(*stack, *stack[-1:]).rows} == {row.setting: row for row in rows}


def test_the_cascade_of_a_task():
    merged = cascade(
        defaults(TaskConfig),
        Level("environment", TaskConfig(timeout=60, retries=3, tags={"team": "data", "env": "dev"}).set_fields()),
        Level("task", TaskConfig(timeout=None, tags={"env": "prod"}).set_fields()),
    )
    assert TaskConfig(**merged.values) == TaskConfig(timeout=None, retries=3, tags={"team": "data", "env": "prod"})
    assert str(merged).splitlines() == [
        "setting      value  from",
        "executor     local  default",
        "timeout      None   task",
        "retries      3      environment",
        "retry_delay  0      default",
        "retry_on     None   default",
        "memory       None   default",
        "cache        False  default",
        "tags.team    data   environment",
        "tags.env     prod   task",
    ]
    with pytest.raises(ConfigError, match=re.escape("did you mean 'tags.team'?")):
        merged.origin("tags.teem")


def test_nested_settings_become_plain_values_that_make_the_same_settings_again():
    given_ = S3Config(lifecycle_rules=[{"days": 1, "expiration": True}], tags={"a.b": "c"})
    merged = cascade(defaults(S3Config), Level("resource", given_.set_fields()))
    assert merged.values["lifecycle_rules"] == [{"days": 1, "expiration": True}]
    assert merged.origin("tags.a.b") == "resource"
    assert S3Config(**merged.values) == given_


def test_what_is_shown_hides_secrets_and_escapes_the_rest():
    azure = AzureConfig(subscription_id="...", resource_group="data", location="eastus", account_key="CANARY")
    variables = {"DB_PASSWORD": "CANARY", "URL": "db://me:CANARY@host", "LOG_LEVEL": "INFO", "X": "<b>\u202e\n"}
    merged = cascade(Level("provider", azure.set_fields()), Level("resource", {"environment_vars": variables}))
    shown = f"{merged} {merged!r} {merged._repr_html_()} {merged.levels} {merged.rows}"
    assert "CANARY" not in shown
    assert "INFO" in str(merged)
    assert merged.values["environment_vars"] == variables
    assert "\\u202e\\n" in str(merged)
    assert "<b>" not in merged._repr_html_()
    assert "&lt;b&gt;" in merged._repr_html_()


# Endpoints -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://storage.example.com",
        "https://10.1.2.3:9000/base",
        "http://localhost:9000",
        "http://127.0.0.1:10000/devstoreaccount1",
        "http://[::1]:9000",
        "http://s3.localhost:9000",
    ],
)
def test_an_endpoint_with_tls_or_on_this_machine_will_do(url):
    assert endpoint_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "https://169.254.43518",
        "http://[::ffff:169.254.169.254]/",
        "http://[::169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1%25eth0]/",
        "https://168.63.129.16",
        "https://metadata.google.internal.",
        "https://0.0.0.0",
        "https://user:secret@storage.example.com",
        "https://storage.example.com:port",
        "https://storage.example.com?x=1",
        "https://storage.example.com#",
        "https://stor\u00e4ge.example.com",
        "https://storage example.com",
        "https://[half",
        "https://",
        "storage.example.com",
    ],
)
def test_an_endpoint_that_could_leak_credentials_is_refused_even_with_allow_http(url):
    assert endpoint_problem(url, allow_http=True)
    assert "secret" not in str(problems(lambda: AwsConfig(region="us-east-1", endpoint_url=url, allow_http=True)))


def test_plain_http_to_another_machine_must_be_allowed():
    assert (
        "allow_http=True"
        in problems(lambda: GcpConfig(project_id="my-project", endpoint_url="http://h"))["endpoint_url"]
    )
    assert GcpConfig(project_id="my-project", endpoint_url="http://h", allow_http=True).endpoint_url == "http://h"


# The clouds' own rules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-3", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-east-1", "aws-us-gov"), ("eu-new-9", "aws")],
)
def test_a_region_knows_its_partition_even_when_it_is_new(region, partition):
    assert AwsConfig(region=region).partition == partition


@pytest.mark.parametrize(("wrong", "right"), [("us-east1", "us-east-1"), ("eu-west-1b", "eu-west-1")])
def test_a_wrong_region_is_answered_with_the_nearest(wrong, right):
    assert repr(right) in problems(lambda: AwsConfig(region=wrong))["region"]


@pytest.mark.parametrize("region", ["us-central1-a", "us-central-1"])
def test_a_wrong_gcp_region_is_answered_with_the_nearest(region):
    assert "'us-central1'" in problems(lambda: GcpConfig(project_id="my-project", region=region))["region"]


@pytest.mark.parametrize(
    ("kind", "given_", "field"),
    [
        (S3Config, {"kms_key": "alias/data"}, "kms_key"),
        (S3Config, {"kms_key": "alias/data", "encryption": "AES256"}, "kms_key"),
        (S3Config, {"lifecycle_rules": [{"days": 10, "transition": "STANDARD_IA"}]}, "lifecycle_rules"),
        (S3Config, {"lifecycle_rules": [{"days": 0, "expiration": True}]}, "lifecycle_rules"),
        (S3Config, {"lifecycle_rules": [{"days": 9, "expiration": True, "transition": "GLACIER"}]}, "lifecycle_rules"),
        (
            S3Config,
            {"lifecycle_rules": [{"days": 9, "transition": "GLACIER"}, {"days": 9, "expiration": True}]},
            "lifecycle_rules",
        ),
        (
            S3Config,
            {"storage_class": "DEEP_ARCHIVE", "lifecycle_rules": [{"days": 9, "transition": "GLACIER"}]},
            "lifecycle_rules",
        ),
        (
            S3Config,
            {
                "versioning": False,
                "replication_config": {"destination_bucket": "backup", "destination_region": "us-west-2"},
            },
            "replication_config",
        ),
        (LambdaConfig, {"vpc_config": {"subnet_ids": [], "security_group_ids": ["sg-1"]}}, "vpc_config"),
        (LambdaConfig, {"layers": ["mine"]}, "layers"),
        (GCSConfig, {"kms_key": "mine"}, "kms_key"),
        (GCSConfig, {"autoclass": True, "storage_class": "NEARLINE"}, "autoclass"),
        (GCSConfig, {"autoclass": True, "lifecycle_rules": [{"days": 1, "transition": "NEARLINE"}]}, "lifecycle_rules"),
        (
            GCSConfig,
            {"storage_class": "ARCHIVE", "lifecycle_rules": [{"days": 1, "transition": "NEARLINE"}]},
            "lifecycle_rules",
        ),
        (AzureBlobConfig, {"tier": "Archive"}, "tier"),
        (AzureBlobConfig, {"tier": "Cold", "lifecycle_rules": [{"days": 1, "transition": "Cool"}]}, "lifecycle_rules"),
        (AzureBlobConfig, {"storage_account": "My_Account"}, "storage_account"),
        (AzureFunctionConfig, {"memory": 1024}, "memory"),
        (AzureFunctionConfig, {"environment_vars": {"AzureWebJobsStorage": "x"}}, "environment_vars"),
        (CloudFunctionConfig, {"environment_vars": {"PORT": "1"}}, "environment_vars"),
        (LocalConfig, {"base_path": ""}, "base_path"),
        (LocalConfig, {"layout": "deep"}, "layout"),
    ],
)
def test_what_a_cloud_would_refuse_later_is_refused_now(kind, given_, field):
    assert {path.split(".")[0] for path in problems(lambda: kind(**given_))} == {field}


def test_a_local_path_may_be_text_or_a_path():
    assert LocalConfig().base_path == LocalConfig(base_path="./data").base_path == Path("data")
    assert LocalConfig(base_path=Path("/tmp/x"), create_dirs=False).set_fields()["base_path"] == Path("/tmp/x")


def test_a_runtime_of_google_may_have_its_dot():
    assert CloudFunctionConfig(runtime="python3.12") == CloudFunctionConfig(runtime="python312")


# From one cloud to another -------------------------------------------------------------------------------------------

SEED = S3Config(
    versioning=False,
    encryption="AES256",
    storage_class="INTELLIGENT_TIERING",
    lifecycle_rules=[{"days": 30, "transition": "GLACIER"}, {"days": 365, "expiration": True}],
)
CRITICAL = S3Config(
    versioning=True,
    replication_config={"destination_bucket": "sales-data-backup", "destination_region": "us-west-2"},
    tags={"Cost Center": "Analytics", "9": "x"},
)


def test_a_bucket_moves_from_aws_to_google():
    made, dropped = GCSConfig.from_meaning(SEED.meaning())
    assert made == GCSConfig(
        versioning=False,
        autoclass=True,
        lifecycle_rules=[{"days": 365, "expiration": True, "prefix": ""}],
    )
    assert dropped == ("lifecycle_rules[0]",)


def test_a_bucket_moves_from_aws_to_azure():
    made, dropped = AzureBlobConfig.from_meaning(SEED.meaning())
    assert (made.tier, made.versioning, dropped) == ("Smart", False, ())
    assert [(rule.days, rule.transition, rule.expiration) for rule in made.lifecycle_rules] == [
        (30, "Archive", False),
        (365, None, True),
    ]


def test_what_means_nothing_elsewhere_is_named():
    made, dropped = GCSConfig.from_meaning(CRITICAL.meaning())
    assert made.labels == {"cost_center": "analytics"}
    assert dropped == ("replication_config", "labels.9")
    assert AzureBlobConfig.from_meaning(CRITICAL.meaning())[1] == ("replication_config",)


def test_tags_that_become_the_same_label_are_named():
    made, dropped = GCSConfig.from_meaning(StorageMeaning(tags={"Team": "a", "team": "b"}))
    assert (made.labels, dropped) == ({"team": "a"}, ("labels.team",))


def test_a_customers_key_cannot_move():
    meaning = S3Config(encryption="aws:kms", kms_key="alias/data").meaning()
    assert GCSConfig.from_meaning(meaning)[1] == ("customer_key",)
    assert S3Config.from_meaning(meaning)[1] == ("customer_key",)


def test_an_archived_container_gets_a_rule():
    made, dropped = AzureBlobConfig.from_meaning(S3Config(storage_class="DEEP_ARCHIVE").meaning())
    assert [(rule.days, rule.transition) for rule in made.lifecycle_rules] == [(0, "Archive")]
    assert dropped == ()


def test_a_function_moves_between_all_clouds():
    given_ = LambdaConfig(memory=1024, timeout=900, runtime="python3.11", environment_vars={"A1": "x"}, layers=[])
    google, none = CloudFunctionConfig.from_meaning(given_.meaning())
    azure, note = AzureFunctionConfig.from_meaning(google.meaning())
    back, nothing = LambdaConfig.from_meaning(azure.meaning())
    assert (google.runtime, google.memory, none) == ("python311", 1024, ())
    assert (azure.memory, azure.timeout, note) == (2048, 900, ("memory: 1024 becomes 2048",))
    assert (back.replace(memory=1024, layers=()), nothing) == (given_, ())


def test_what_is_too_much_for_a_function_becomes_the_most_and_is_named():
    meaning = FunctionMeaning(memory=20000, timeout=3600, python="2.7", environment_vars={"AWS_REGION": "x", "OK": "y"})
    made, dropped = LambdaConfig.from_meaning(meaning)
    assert made.set_fields() == {"memory": 10240, "timeout": 900, "environment_vars": {"OK": "y"}}
    assert dropped == (
        "memory: 20000 becomes 10240",
        "timeout: 3600 becomes 900",
        "runtime",
        "environment_vars.AWS_REGION",
    )


BUCKETS = (S3Config, GCSConfig, AzureBlobConfig)
meanings = st.builds(
    StorageMeaning,
    versioning=st.none() | st.booleans(),
    customer_key=st.none() | st.booleans(),
    storage_class=st.none()
    | st.sampled_from(["standard", "infrequent", "archive-instant", "archive", "deep-archive", "automatic"]),
    lifecycle_rules=st.lists(
        st.fixed_dictionaries(
            {
                "days": st.integers(-1, 100),
                "transition": st.none() | st.sampled_from(["standard", "infrequent", "archive", "automatic"]),
            },
            optional={"prefix": st.sampled_from(["", "a/"])},
        ),
        max_size=4,
    ),
    tags=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4),
)


@given(st.sampled_from(BUCKETS), meanings)
def test_any_meaning_becomes_a_legal_config_that_means_itself(kind, meaning):
    made, dropped = kind.from_meaning(meaning)
    again, lost = kind.from_meaning(made.meaning())
    assert (again.meaning(), lost) == (made.meaning(), ())
    assert len(made.meaning().tags) + sum("." in name for name in dropped) >= len(meaning.tags)
    assert made.meaning().versioning == meaning.versioning


# Names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "name", "hint"),
    [
        (names.ENVIRONMENT, "my env", "for example 'my-env'"),
        (names.RESOURCE, "Été sales", "for example 'ete_sales'"),
        (names.TASK, "load sales", "for example 'load_sales'"),
        (names.TASK, "class", "the rule: https://docs.python.org"),
    ],
)
def test_a_wrong_name_is_answered_with_a_legal_one(rule, name, hint):
    with pytest.raises(ConfigError) as caught:
        rule.check(name)
    assert caught.value.hint.startswith(hint)


def test_a_name_in_an_error_is_short_and_harmless():
    with pytest.raises(ConfigError) as caught:
        names.ENVIRONMENT.check("\u202e\x1b[31m" + "x" * 5000, where="GlacierEnv")
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_what_is_no_text_is_not_shown():
    with pytest.raises(ConfigError, match="a dict is no legal resource name: it must be a str, not dict"):
        names.RESOURCE.check({"CANARY": 1})


@pytest.mark.parametrize("name", ["sales_analysis", "sales-analysis", "v1.daily", "été"])
def test_pipeline_names(name):
    assert names.PIPELINE.check(name) == name


@pytest.mark.parametrize("name", ["-rf", ".hidden", "a b", "a/b", "class", "é" * 128])
def test_what_is_no_pipeline_name(name):
    assert names.PIPELINE.problem(name)


@pytest.mark.parametrize("key", ["a/b.parquet", "a*", "dir", "été/ü.csv", "...", "ab:c", "%2e%2e/a"])
def test_object_keys(key):
    assert names.OBJECT_KEY.check(key) == key


@pytest.mark.parametrize("key", ["/a", "a//b", "a/", "a/./b", "..", "s3://b/k", "C:x", "a\\b", "a\nb", "\ud800", 7])
def test_what_is_no_object_key(key):
    assert names.OBJECT_KEY.problem(key)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a\\b", "C:", "a\0b", "", "é" * 128])
def test_what_is_no_local_bucket(name):
    assert names.LOCAL_BUCKET.problem(name)


def test_an_entry_point_needs_no_module_and_a_handler_does():
    assert names.ENTRY_POINT.check("main") == "main"
    assert names.HANDLER.problem("main")
    assert names.HANDLER.problem("a.class")


def test_a_handler_may_be_left_open_as_in_a_sketch():
    assert names.HANDLER.check("...") == names.ENTRY_POINT.check("...") == names.PLACEHOLDER
    assert names.HANDLER.problem("....")


# The modules ---------------------------------------------------------------------------------------------------------


def test_the_facade_offers_every_class_and_nothing_else():
    assert dir(config) == sorted(config.__all__)
    assert all(getattr(config, name).__name__ == name for name in config.__all__)
    with pytest.raises(AttributeError, match="NoConfig"):
        _ = config.NoConfig


def test_importing_the_configuration_is_cheap():
    code = (
        "import sys, glacier.config as c, glacier.names; [getattr(c, name) for name in c.__all__];"
        "heavy = 'polars', 'obstore', 'boto3', 'google.cloud.storage', 'azure', 'IPython';"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_examples_of_the_guide_run():
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"), re.DOTALL
    )
    scope = {}
    for block in blocks:
        exec(block, scope)
    assert str(scope["effective"]) in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
