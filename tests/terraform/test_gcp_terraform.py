"""What Google Cloud's Terraform says, block by block."""

import json
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from glacier.config import CloudFunctionConfig, GcpConfig, GCSConfig
from glacier.errors import InfrastructureError
from glacier.infrastructure import Blueprint, Needs, Package
from glacier.providers.gcp.terraform import AT_ONCE, OWN_ROLES, blueprint, expression_of
from glacier.schedules import schedule
from glacier.terraform import Block, hcl
from terraform.made_needs import CODE, bucket, function, needs, write
from terraform.provider_schemas import ends
from terraform.schema_checker import check
from terraform.terraform_cli import MISSING, Terraform, TerraformError

needs_terraform = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

CONFIG = GcpConfig(project_id="glacier-test")
RAW = bucket("raw", GCSConfig())


def draw(made: Needs) -> Blueprint:
    return blueprint(CONFIG, made)


def block(made: Blueprint, address: str) -> Block:
    return next(each for each in made.document if each.address == address)


def inner(made: Block, *kinds: str) -> dict[str, Any]:
    """The arguments of the only nested block of these kinds, outermost first."""
    for kind in kinds:
        (made,) = [each for each in made.blocks if each.kind == kind]
    return dict(made.arguments)


# Buckets -------------------------------------------------------------------------------------------------------------


def test_a_bucket_without_settings_is_private_versioned_and_kept() -> None:
    made = block(draw(needs(RAW)), "google_storage_bucket.raw")
    assert made.arguments["uniform_bucket_level_access"] is True
    assert made.arguments["public_access_prevention"] == "enforced"
    assert inner(made, "versioning") == {"enabled": True}
    assert inner(made, "soft_delete_policy") == {"retention_duration_seconds": 7 * 86400}


def test_a_rule_for_new_objects_says_that_its_age_counts() -> None:
    config = GCSConfig(lifecycle_rules=[{"days": 0, "transition": "NEARLINE", "prefix": "raw/"}])
    rule = next(each for each in block(draw(needs(bucket("a-b", config))), "google_storage_bucket.a_b").blocks[2:])
    assert inner(rule, "condition") == {"age": 0, "send_age_if_zero": True, "matches_prefix": ["raw/"]}
    assert inner(rule, "action") == {"type": "SetStorageClass", "storage_class": "NEARLINE"}


def test_a_key_is_used_after_cloud_storage_may_use_it() -> None:
    key = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
    made = draw(needs(bucket("one", GCSConfig(kms_key=key)), bucket("two", GCSConfig(kms_key=key))))
    members = [each for each in made.document if each.labels[:1] == ("google_kms_crypto_key_iam_member",)]
    assert [each.arguments["crypto_key_id"] for each in members] == [key]
    for name in ("one", "two"):
        found = block(made, f"google_storage_bucket.{name}")
        assert inner(found, "encryption") == {"default_kms_key_name": key}
        assert found.arguments["depends_on"] == [members[0].ref]


@needs_terraform
def test_a_key_of_our_own_is_not_destroyed_by_mistake(tmp_path: Path, mirrors: dict[str, Path]) -> None:
    write(draw(needs(bucket("own", GCSConfig(encryption="customer-managed")))), tmp_path)
    values = ("-var=gcp_project=glacier-test", "-var=gcp_region=us-central1")
    terraform = Terraform(tmp_path, mirrors["newest"])
    terraform.init()
    terraform.apply(*values)
    with pytest.raises(TerraformError, match="prevent_destroy"):
        terraform.destroy(*values)


# Functions -----------------------------------------------------------------------------------------------------------


def test_a_function_has_an_account_of_its_own_and_answers_inside_only() -> None:
    made = draw(needs(function("fn", CloudFunctionConfig())))
    service = inner(block(made, "google_cloudfunctions2_function.fn"), "service_config")
    assert service["ingress_settings"] == "ALLOW_INTERNAL_ONLY"
    assert service["service_account_email"] == block(made, "google_service_account.fn").ref.email


def test_code_goes_where_the_function_says() -> None:
    given = function("given", CloudFunctionConfig(code_bucket="platform-artifacts"))
    made = draw(needs(given))
    assert block(made, "google_storage_bucket_object.given").arguments["bucket"] == "platform-artifacts"
    assert not any(each.labels[:1] == ("google_storage_bucket",) for each in made.document)
    both = draw(needs(given, function("other", CloudFunctionConfig())))
    code = block(both, "google_storage_bucket.code_of_functions").ref
    assert block(both, "google_storage_bucket_object.other").arguments["bucket"] == code.name


def test_an_account_of_the_user_is_used_and_none_is_made() -> None:
    mine = "runner@glacier-test.iam.gserviceaccount.com"
    fn = function("fn", CloudFunctionConfig(service_account=mine))
    made = draw(needs(fn, RAW, grants=[("fn", "read", RAW, "x.parquet")]))
    assert not any(each.labels[:1] == ("google_service_account",) for each in made.document)
    member = block(made, "google_storage_bucket_iam_member.fn_reads_raw").arguments["member"]
    assert mine in hcl([Block("output", ("x",), {"value": member})])


@pytest.mark.parametrize(
    ("config", "cpu"),
    [
        (CloudFunctionConfig(), None),
        (CloudFunctionConfig(concurrency=1), None),
        (CloudFunctionConfig(concurrency=8), "1"),
        (CloudFunctionConfig(concurrency=8, memory=2048), None),
    ],
)
def test_several_requests_at_a_time_need_a_whole_processor(config: CloudFunctionConfig, cpu: str | None) -> None:
    made = block(draw(needs(function("fn", config))), "google_cloudfunctions2_function.fn")
    assert inner(made, "service_config").get("available_cpu") == cpu


def test_what_looks_like_a_secret_is_a_sensitive_variable() -> None:
    config = CloudFunctionConfig(environment_vars={"API_KEY": "hidden", "URL": "https://u:p@host", "MODE": "fast"})
    made = draw(needs(function("fn", config)))
    text = "".join(hcl(blocks) for blocks in made.document.files.values())
    assert "hidden" not in text
    assert "u:p@" not in text
    assert block(made, "var.fn_api_key").arguments["sensitive"] is True
    service = inner(block(made, "google_cloudfunctions2_function.fn"), "service_config")
    assert service["environment_variables"]["MODE"] == "fast"


def test_secrets_that_would_share_a_variable_are_refused() -> None:
    one = function("fn", CloudFunctionConfig(environment_vars={"A_KEY": "x"}))
    other = function("fn-a", CloudFunctionConfig(environment_vars={"KEY": "y"}))
    with pytest.raises(InfrastructureError, match=r"'fn_a_key'.*function fn\..*function fn-a"):
        draw(needs(one, other))


def test_a_timeout_beyond_the_clouds_is_cut_and_said() -> None:
    made = draw(needs(function("fn", CloudFunctionConfig(), timeout=5000)))
    assert inner(block(made, "google_cloudfunctions2_function.fn"), "service_config")["timeout_seconds"] == 3600
    assert "5000 s" in made.warnings[0]


def test_requirements_name_our_own_distribution_and_no_guess() -> None:
    fn = function("fn", CloudFunctionConfig(), package=Package(CODE.files, ("glacier", "nobody_has_this", "polars")))
    made = draw(needs(fn))
    with zipfile.ZipFile(BytesIO(made.assets["packages/fn.zip"])) as archive:
        lines = archive.read("requirements.txt").decode().splitlines()
    names = [line.partition("==")[0] for line in lines]
    assert names == ["functions-framework", "glacier-workbench", "polars"]
    assert "nobody_has_this" in made.warnings[0]


def test_the_package_answers_requests(tmp_path: Path) -> None:
    made = draw(needs(function("fn", CloudFunctionConfig())))
    with zipfile.ZipFile(BytesIO(made.assets["packages/fn.zip"])) as archive:
        archive.extractall(tmp_path)
    build = inner(block(made, "google_cloudfunctions2_function.fn"), "build_config")
    assert build["entry_point"] == "glacier_request"
    assert build["environment_variables"] == {"GOOGLE_FUNCTION_SOURCE": "glacier_request.py"}
    # Cloud Run hands a function the request of Flask, which is werkzeug's:
    # https://cloud.google.com/functions/docs/writing/write-http-functions
    code = """
import json
from glacier_request import glacier_request
from werkzeug.test import EnvironBuilder
ask = lambda **given: json.loads(glacier_request(EnvironBuilder(method="POST", **given).get_request())[0])
print(json.dumps([ask(json={"n": 1}), ask()]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert json.loads(done.stdout) == [{"n": 1}, None], done.stderr


def test_a_zip_of_the_user_keeps_its_own_entry() -> None:
    made = draw(needs(function("fn", CloudFunctionConfig(), package=None, handler="jobs.clean.run")))
    build = inner(block(made, "google_cloudfunctions2_function.fn"), "build_config")
    assert build["entry_point"] == "run"
    assert build["environment_variables"] == {"GOOGLE_FUNCTION_SOURCE": "jobs/clean.py"}
    assert block(made, "var.fn_package").arguments["type"]


# Access --------------------------------------------------------------------------------------------------------------


def expressions(made: Blueprint) -> list[str]:
    """The conditions of all bindings on buckets, with their bucket's name; "" where there is none."""
    members = [each for each in made.document if each.labels[:1] == ("google_storage_bucket_iam_member",)]
    texts = [inner(each, "condition")["expression"].parts if each.blocks else () for each in members]
    return ["".join(part if isinstance(part, str) else "raw" for part in parts) for parts in texts]


@pytest.mark.parametrize(
    ("path", "passes", "fails"),
    [
        ("raw/x.parquet", ["raw/x.parquet", "raw/x.parquet/part-1"], ["raw/x.parquet2", "raw/y", "raw"]),
        ("raw/*.parquet", ["raw/x.parquet"], ["ra", "other/x.parquet"]),
        ("raw/2024", ["raw/2024", "raw/2024/x"], ["raw/20245"]),
        ('a"b\\', ['a"b\\'], ["a", 'a"b']),
    ],
)
def test_a_binding_reaches_its_paths_and_no_others(path: str, passes: list[str], fails: list[str]) -> None:
    (expression,) = expressions(draw(needs(RAW, grants=[("runner", "read", RAW, path)])))
    assert all(evaluates(expression, name) for name in passes)
    assert not any(evaluates(expression, name) for name in fails)
    assert evaluates(expression, None)


def evaluates(expression: str, name: str | None) -> bool:
    """Evaluate the few forms of CEL that we write, as Python: on an object's name, or on the bucket for None."""

    class Resource:
        type = "storage.googleapis.com/" + ("Bucket" if name is None else "Object")

        class Name(str):
            startsWith = str.startswith

    Resource.name = Resource.Name(f"projects/_/buckets/raw/objects/{name}" if name is not None else "")
    return eval(expression.replace(" || ", " or "), {"resource": Resource})


def test_a_pattern_that_may_match_anything_is_no_condition() -> None:
    assert expressions(draw(needs(RAW, grants=[("runner", "read", RAW, "**/*.csv")]))) == [""]


def test_conditions_keep_to_the_number_of_operators_that_iam_allows() -> None:
    grants = [("runner", "read", RAW, f"a/{number}") for number in range(2 * AT_ONCE + 1)]
    made = draw(needs(RAW, grants=grants))
    assert [expression.count(" || ") <= 12 for expression in expressions(made)] == [True] * 3
    assert sorted(name for each in made.statements for name in each.resources) == [
        f"raw/a/{number}" for number in range(2 * AT_ONCE + 1)
    ]


def test_reading_writing_and_calling_are_roles_of_their_own() -> None:
    fn = function("fn", CloudFunctionConfig())
    grants = [("runner", "read", RAW, "in"), ("runner", "write", RAW, "out"), ("runner", "call", fn)]
    made = draw(needs(RAW, fn, grants=grants))
    reads = block(made, "google_storage_bucket_iam_member.runner_reads_raw")
    writes = block(made, "google_storage_bucket_iam_member.runner_writes_raw")
    calls = block(made, "google_cloud_run_v2_service_iam_member.runner_calls_fn")
    assert reads.arguments["role"] == "roles/storage.objectViewer"
    assert writes.arguments["role"] == block(made, "google_project_iam_custom_role.object_writer").ref.id
    assert calls.arguments["role"] == "roles/run.invoker"
    permissions = block(made, "google_project_iam_custom_role.object_writer").arguments["permissions"]
    assert permissions == list(OWN_ROLES["object_writer"])
    assert not any("*" in each or "setIamPolicy" in each for each in permissions)
    assert [each.address for each in made.statements] == [reads.address, writes.address, calls.address]


def test_account_ids_are_legal_however_long_the_names_are() -> None:
    long = "a-very-long-pipeline-name-that-goes-on-runner".replace("-", "_")
    twin = long.replace("goes_on", "went_on")
    grants = [(label, "read", RAW, "x") for label in (long, twin, "r")]
    made = draw(needs(RAW, grants=grants))
    parts = [
        block(made, f"google_service_account.{label}").arguments["account_id"].parts[0] for label in (long, twin, "r")
    ]
    assert len(set(parts)) == 3
    assert all(6 <= len(part) + 6 <= 30 and part.islower() and part[0].isalpha() for part in parts)


# Schedules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "expression"),
    [
        ("rate(1 minute)", "every 1 minutes"),
        ("rate(15 minutes)", "every 15 minutes"),
        ("rate(7 hours)", "every 7 hours"),
        ("rate(2 days)", "every 48 hours"),
        ("cron(0 6 * * 1-5)", "0 6 * * 1-5"),
        ("cron(*/5 0-6 1,15 * *)", "*/5 0-6 1,15 * *"),
    ],
)
def test_schedules_are_those_of_cloud_scheduler(when: str, expression: str) -> None:
    assert expression_of(schedule(when)) == expression


def test_a_schedule_calls_its_function_with_an_account_that_may_do_nothing_else(tmp_path: Path) -> None:
    made = draw(needs(function("etl-runner", CloudFunctionConfig(), timeout=5), when="rate(1 hour)"))
    job = block(made, "google_cloud_scheduler_job.etl_runner")
    assert job.arguments["attempt_deadline"] == "15s"
    token = inner(job, "http_target", "oidc_token")
    assert (
        token["service_account_email"] == block(made, "google_service_account.etl_runner_starts_by_schedule").ref.email
    )
    roles = [each for each in made.document if "member" in each.arguments]
    assert [each.arguments["role"] for each in roles] == ["roles/run.invoker"]
    assert check(write(made, tmp_path), ends("newest")) == []
