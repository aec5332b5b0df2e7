"""Environments of different shapes in one module: what only some have, and what it comes to for each of them.

`test_different_environments_planned.py` asks Terraform itself; this takes no Terraform but for its formatter.
"""

import json
import re
from collections.abc import Callable, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from glacier import GlacierEnv
from glacier.config import AwsConfig
from glacier.errors import GlacierError, InfrastructureError
from glacier.infrastructure.unify import Module, unified
from glacier.providers import AWSProvider
from glacier.terraform import (
    Block,
    Call,
    Choice,
    Document,
    Ref,
    Text,
    data,
    hcl,
    json_form,
    nested,
    output,
    resource,
    variable,
)
from terraform.configuration import read
from terraform.evaluation import Evaluation
from terraform.examples import CLOUDS
from terraform.options import SUBNET, SUBSCRIPTION
from terraform.provider_schemas import ENDS, ends
from terraform.schema_checker import check
from terraform.setups import BUCKETS, FUNCTIONS, PROVIDERS, SHARED, Setup, drawn, environment, exported
from terraform.terraform_cli import MISSING, fmt

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")

CASES = [(cloud, case) for cloud, cases in SHARED.items() for case in cases]
each_case = pytest.mark.parametrize(("cloud", "case"), CASES)


def shared(cloud: str, case: str, folder: Path, **options: Any) -> Any:
    environments = [environment(cloud, name, setup) for name, setup in SHARED[cloud][case].items()]
    return exported(environments, folder, **options)


@each_case
@pytest.mark.parametrize("format", ["hcl", "json"])
def test_the_module_passes_the_schema_checker_at_both_ends(cloud: str, case: str, format: str, tmp_path: Path) -> None:
    made = shared(cloud, case, tmp_path, format=format)
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    assert MISSING or fmt(tmp_path) == ""
    for name in SHARED[cloud][case]:
        values = (tmp_path / "environments" / f"{name}.tfvars").read_text("utf-8")
        on = {switch for switch, names in made["switches"].items() if name in names}
        said = {switch: bool(re.search(rf"^{switch} +?= true$", values, re.MULTILINE)) for switch in made["switches"]}
        assert said == {switch: switch in on for switch in made["switches"]}
    assert made["switches"]


SWITCHES = {
    ("aws", "settings"): {
        "sales_lifecycle_rule",
        "sales_logging",
        "sales_notification",
        "sales_monitoring",
        "use_cleaner_api_token",
        "cleaner_ephemeral_storage",
        "cleaner_vpc_config",
        "cleaner_network",
        "cleaner_use_key_of_failed_events",
        "totals_runner_use_key_of_sales",
    },
    ("aws", "copies"): {"sales_replication"},
    ("aws", "schedule"): {"function_nightly_runner"},
    ("aws", "bucket"): {"bucket_archive"},
    ("aws", "existing"): {"bucket_sales", "bucket_sales_existing"},
    ("aws", "function"): {"code_of_functions", "function_cleaner", "function_totals_score"},
    ("aws", "production"): {
        "use_aws_kms_key_arn",
        "use_aws_access_log_bucket",
        "use_aws_code_signing_config_arn",
        "use_aws_security_group_ids",
        "cleaner_network",
        *(f"{label}_notification" for label in ("report", "sales", "code_of_functions")),
        *(f"{label}_monitoring" for label in ("report", "sales", "cleaner")),
    },
    ("gcp", "production"): {"cleaner_monitoring"},
    ("gcp", "existing"): {"bucket_sales", "bucket_sales_existing"},
    ("azure", "existing"): {"bucket_sales", "bucket_sales_existing"},
    ("azure", "bucket"): {"bucket_archive"},
}


@pytest.mark.parametrize(("cloud", "case"), SWITCHES)
def test_switches_are_few_and_called_after_what_they_switch(cloud: str, case: str, tmp_path: Path) -> None:
    assert shared(cloud, case, tmp_path)["switches"].keys() == SWITCHES[cloud, case]


# What it comes to ----------------------------------------------------------------------------------------------------


def module_of(several: Mapping[str, tuple[Document, Mapping[str, Any], Mapping[str, str]]]) -> Module:
    documents = {name: document for name, (document, _, _) in several.items()}
    values = {name: values for name, (_, values, _) in several.items()}
    about = {address: said for _, _, found in several.values() for address, said in found.items()}
    return unified(documents, values, about)


def held_against_its_own(module: Module, name: str, own: Document, values: Mapping[str, Any]) -> None:
    """Check that a module is, with an environment's values, what the environment's own module is."""
    declared = [block for block in own if block.kind == "variable" and "default" not in block.arguments]
    open_ = {b.labels[0]: f"given {b.labels[0]}" for b in declared if b.labels[0] not in values}
    alone, together = (
        Evaluation(own, {**values, **open_}),
        Evaluation(module.document, {**module.values[name], **open_}),
    )
    assert together.module() == alone.module()
    assert together.outputs() == alone.outputs()
    assert all(provider in together.providers() for provider in alone.providers())
    usual = [without_region(provider) for provider in alone.providers()]
    assert all(without_region(provider) in usual for provider in together.providers())
    assert all(alone.after(key) <= together.after(key) for key in alone.module())
    assert together.checks() == []


def without_region(provider: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provider without its region, of which is known that it has one if its cloud knows regions."""
    return {name: "" if name == "region" else value for name, value in provider.items()}


@each_case
def test_each_environment_gets_what_its_own_module_has(cloud: str, case: str) -> None:
    several = {name: drawn(environment(cloud, name, setup)) for name, setup in SHARED[cloud][case].items()}
    module = module_of(several)
    for name, (own, values, _) in several.items():
        held_against_its_own(module, name, own, values)


def choices(of: list[list[dict[str, Any]]]) -> st.SearchStrategy[dict[str, Any]]:
    """Choose one of each list of settings; what is there already has no others."""
    merged = st.tuples(*map(st.sampled_from, of)).map(lambda some: {k: v for each in some for k, v in each.items()})
    return merged.map(lambda found: {"existing": True} if found.get("existing") else found)


def setups(cloud: str) -> st.SearchStrategy[Setup]:
    buckets, functions = choices(BUCKETS[cloud]), choices(FUNCTIONS[cloud])
    return st.builds(
        Setup,
        sales=buckets,
        cleaner=st.none() | functions,
        archive=st.none() | buckets,
        scheduled=st.booleans(),
        apart=st.booleans(),
        production=st.booleans(),
        elsewhere=st.booleans(),
        provider=choices(PROVIDERS[cloud]),
    )


def several_of(cloud: str, chosen: Mapping[str, Setup]) -> list[GlacierEnv]:
    """Make environments; none where settings do not go together, in one environment alone."""
    try:
        environments = [environment(cloud, name, setup) for name, setup in chosen.items()]
        assert all(drawn(env) for env in environments)
    except (ValidationError, GlacierError):
        return []
    return environments


def chosen_for(cloud: str) -> st.SearchStrategy[dict[str, Setup]]:
    names = [("staging", "production"), ("dev", "staging", "production")]
    return st.sampled_from(names).flatmap(lambda some: st.fixed_dictionaries({name: setups(cloud) for name in some}))


quickly = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.parametrize("cloud", CLOUDS)
@settings(quickly, max_examples=200)
@given(st.data())
def test_any_environments_share_a_module(cloud: str, data: st.DataObject) -> None:
    environments = several_of(cloud, data.draw(chosen_for(cloud)))
    several = {env.name: drawn(env) for env in environments}
    module = module_of(several) if several else None
    for name, (own, values, _) in several.items():
        assert module
        held_against_its_own(module, name, own, values)


@pytest.mark.slow
@pytest.mark.parametrize("cloud", CLOUDS)
@settings(quickly, max_examples=15, phases=[Phase.reuse, Phase.generate])
@given(st.data())
def test_any_module_of_several_passes_the_schema_checker(
    cloud: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    chosen = data.draw(chosen_for(cloud))
    environments = several_of(cloud, chosen)
    # azurerm 5 has no logs of queues, and a module that has them asks for azurerm 4.
    known = ENDS[:1] if any(setup.provider.get("queue_logging") for setup in chosen.values()) else ENDS
    for format in ("hcl", "json") if environments else ():
        folder = tmp_path_factory.mktemp(format)
        exported(environments, folder, format=format)
        assert {end: check(folder, ends(end)) for end in known} == {end: [] for end in known}


def plain(document: Document) -> list[str]:
    """Return a document's lines without descriptions and comments, which tell of environments in the order given."""
    lines = [line for blocks in document.files.values() for line in hcl(blocks).splitlines()]
    return [line for line in lines if not re.match(r" *(#|description )", line)]


@each_case
def test_the_order_of_environments_changes_no_more_than_descriptions_and_comments(cloud: str, case: str) -> None:
    several = {name: drawn(environment(cloud, name, setup)) for name, setup in SHARED[cloud][case].items()}
    first, *others = [module_of({name: several[name] for name in names}) for names in permutations(several)]
    assert all(plain(other.document) == plain(first.document) for other in others)
    assert all(other.values == first.values and other.switches == first.switches for other in others)


def test_environments_of_one_shape_differ_in_values_only(tmp_path: Path) -> None:
    environments = [environment("aws", name, Setup(cleaner={}, scheduled=True)) for name in ("staging", "production")]
    made = exported(environments, tmp_path)
    text = "".join(path.read_text("utf-8") for path in sorted(tmp_path.glob("*.tf")))
    assert made["switches"] == {}
    assert not re.search(r"\bcount +=|dynamic|var\.\w+ \?|validation", text)
    assert "| in |" not in (tmp_path / "README.md").read_text("utf-8")


# Names and shapes that are easily mistaken ---------------------------------------------------------------------------


def with_pipeline(env: GlacierEnv, body: Callable[[], Any], name: str = "only") -> GlacierEnv:
    env.pipeline(name=name)(body)
    return env


def strangers(cloud: str) -> list[GlacierEnv]:
    """Make environments that have nothing in common but the names `sales` and `report`, each for something else."""
    staging, production, dev = (CLOUDS[cloud].env(name) for name in ("staging", "production", "dev"))
    staging.register("sales", staging.provider.bucket("glacier-raw", path="raw.parquet"))
    production.register("sales", production.provider.serverless("glacier-run", handler="handlers.clean"))
    production.register("report", production.provider.bucket("glacier-out", path="x.parquet"))
    dev.register("report", dev.provider.serverless("glacier-tell", handler="handlers.clean"))
    with_pipeline(staging, lambda: staging.get("sales").delete(), "sales")
    with_pipeline(production, lambda: production.get("sales").invoke({}), "report")
    return [staging, production, dev]


def namesakes(cloud: str) -> list[GlacierEnv]:
    """Make environments of which one has secrets that are called as the switches of its buckets and functions."""
    staging, production = (CLOUDS[cloud].env(name) for name in ("staging", "production"))
    for env in (staging, production):
        secrets = {"ARCHIVE_TOKEN": "s3cr3t"} if env is production else {}
        for label in ("bucket", "function", "use_bucket"):
            config = CLOUDS[cloud].function(secrets) if secrets else None
            env.register(
                label, env.provider.serverless(f"glacier-{label.replace('_', '-')}", "handlers.clean", config=config)
            )
    bucket = production.provider.bucket("glacier-token", path="x.parquet")
    production.register("archive_token", bucket)
    production.register("ARCHIVE-TOKEN", production.provider.serverless("glacier-token", handler="handlers.clean"))
    with_pipeline(production, lambda: production.get("archive_token").delete())
    return [staging, production]


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("make", [strangers, namesakes])
def test_names_that_are_easily_mistaken_are_kept_apart(
    make: Callable[[str], list[GlacierEnv]], cloud: str, tmp_path: Path
) -> None:
    environments = make(cloud)
    several = {env.name: drawn(env) for env in environments}
    module = module_of(several)
    for name, (own, values, _) in several.items():
        held_against_its_own(module, name, own, values)
    names = [block.labels for block in module.document if block.kind == "variable"]
    assert len(names) == len(set(names))
    for format in ("hcl", "json"):
        exported(environments, tmp_path / format, format=format)
        assert {end: check(tmp_path / format, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    assert MISSING or fmt(tmp_path) == ""


def test_a_switch_whose_name_is_taken_gets_a_number() -> None:
    several = {env.name: drawn(env) for env in namesakes("aws")}
    switches = {switch.name: switch.presence for switch in module_of(several).switches}
    assert "bucket_archive_token_2" in switches
    assert "bucket_archive_token" not in switches


# Rule by rule --------------------------------------------------------------------------------------------------------


def laid_over(staging: list[Block], production: list[Block], **values: Any) -> Module:
    """Lay blocks of one file over each other."""
    documents = {
        name: Document({"main.tf": tuple(block for block in blocks if block.kind not in ("variable", "output")),
                        "variables.tf": tuple(block for block in blocks if block.kind == "variable"),
                        "outputs.tf": tuple(block for block in blocks if block.kind == "output")})
        for name, blocks in (("staging", staging), ("production", production))
    }  # fmt: skip
    return unified(documents, {"staging": {}, "production": values})


def only(module: Module, *address: str) -> Block:
    (block,) = [block for block in module.document if (block.kind, *block.labels) == address]
    return block


BUCKET = resource("aws_s3_bucket", "sales", bucket="sales")
LOGGING = resource("aws_s3_bucket_logging", "sales", bucket=BUCKET.ref.id, target_bucket="logs")


def test_a_block_that_only_some_have_gets_a_count_and_references_know_it() -> None:
    metric = resource("aws_s3_bucket_metric", "sales", bucket=BUCKET.ref.id, name="all")
    alarm = resource("aws_cloudwatch_metric_alarm", "sales", name=metric.ref.name)
    module = laid_over([BUCKET], [BUCKET, metric, alarm, output("metric", "The metric.", metric.ref.name)])
    assert [switch.name for switch in module.switches] == ["metric"]
    assert only(module, "resource", *metric.labels).arguments["count"] == Choice(Ref("var", "metric"), 1, 0)
    assert only(module, "resource", *alarm.labels).arguments["name"] == metric.ref[0].name
    assert only(module, "output", "metric").arguments["value"] == Call("one", metric.ref[...].name)
    assert module.values == {"staging": {"metric": False}, "production": {"metric": True}}
    assert only(module, "variable", "metric").arguments["type"] == Ref("bool")


def test_a_nested_block_that_only_some_have_is_dynamic_and_keeps_its_place() -> None:
    rules = {name: nested("rule", id=name, status="Enabled") for name in ("first", "second", "third")}
    one = resource("aws_s3_bucket_lifecycle_configuration", "sales", rules["first"], rules["third"], bucket="b")
    other = resource("aws_s3_bucket_lifecycle_configuration", "sales", *rules.values(), bucket="b")
    made = only(laid_over([one, BUCKET], [other, BUCKET]), "resource", *one.labels)
    asked = Choice(Ref("var", "sales_lifecycle_second"), [1], [])
    content = Block("content", (), rules["second"].arguments)
    assert made.blocks == (
        rules["first"],
        Block("dynamic", ("rule",), {"for_each": asked}, (content,)),
        rules["third"],
    )


def test_json_keeps_the_order_of_plain_and_dynamic_blocks() -> None:
    dynamic = Block("dynamic", ("rule",), {"for_each": Choice(Ref("var", "x"), [1], [])}, (nested("content", id="b"),))
    made = resource("a_b", "c", nested("rule", id="a"), dynamic, nested("rule", id="c"), nested("other", d=1))
    body = json.loads(json_form([made]))["resource"]["a_b"]["c"]
    assert [each["content"][0]["id"] for each in body["dynamic"]["rule"]] == ["a", "b", "c"]
    assert [each["for_each"] for each in body["dynamic"]["rule"]] == [[1], "${var.x ? [1] : []}", [1]]
    assert body["other"] == [{"d": 1}]
    assert "rule" not in body


def test_variables_are_called_by_label_and_argument_or_by_as_much_more_as_tells_them_apart() -> None:
    sides: list[list[Block]] = []
    for name in ("staging", "production"):
        inner = nested("rule", nested("default", bucket=f"rule-{name}"))
        topics = [resource(kind, "sales", bucket=f"{kind}-{name}") for kind in ("a_topic", "b_topic")]
        sides.append([resource("a_bucket", "sales", inner, bucket=name), *topics, data("a_bucket", "old", name=name)])
    assert laid_over(*sides).values["production"] == {
        "sales_bucket": "production",
        "sales_default_bucket": "rule-production",
        "a_topic_sales_bucket": "a_topic-production",
        "b_topic_sales_bucket": "b_topic-production",
        "old_name": "production",
    }


def test_code_that_differs_becomes_a_condition_and_literals_in_it_variables() -> None:
    key, topic = variable("key", "string", "A key."), Ref("aws_sns_topic", "t").arn
    ones = [resource("a_b", "c", key=None, path=Text(topic, "/x"), where=topic, hash=Call("filemd5", "a.zip"))]
    others = [
        resource("a_b", "c", key=key.ref, path=Text(topic, "/y"), where="there", hash=Call("filemd5", "b.zip")),
        key,
    ]
    made = only(laid_over(ones, others), "resource", "a_b", "c").arguments
    assert made == {
        "key": Choice(Ref("var", "use_key"), key.ref, None),
        "path": Text(topic, Ref("var", "c_path_2")),
        "where": Choice(Ref("var", "c_where"), topic, "there"),
        "hash": Call("filemd5", Ref("var", "c_hash")),
    }


def test_a_variable_that_only_some_declare_is_null_elsewhere_and_checked_where_it_is_used() -> None:
    key, profile = variable("key", "string", "A key."), variable("profile", "string", "A profile.")
    lone = [resource("a_b", "c", key=None, profile=None)]
    module = laid_over(lone, [resource("a_b", "c", key=key.ref, profile=profile.ref), key, profile], profile="prod")
    made = only(module, "variable", "key")
    assert made.arguments["default"] is None
    (asked,) = made.blocks
    given_ = Call("can", Call("coalesce", key.ref))
    assert (asked.kind, asked.arguments["condition"]) == ("validation", Choice(Ref("var", "use_key"), given_, True))
    # A variable whose value is in the environment's file needs no switch: it is null in the others.
    assert only(module, "resource", "a_b", "c").arguments["profile"] == profile.ref
    assert only(module, "variable", "profile").blocks == ()


def test_objects_are_merged_with_what_only_some_have() -> None:
    token, arn = variable("token", "string", "A secret.", sensitive=True), Ref("aws_sns_topic", "t").arn
    ones = [resource("a_b", "c", values={"ARN": arn, "LEVEL": "info"})]
    others = [resource("a_b", "c", values={"ARN": arn, "TOKEN": token.ref, "MODE": "fast"}), token]
    module = laid_over(ones, others)
    assert only(module, "resource", "a_b", "c").arguments["values"] == Call(
        "merge", {"ARN": arn}, Ref("var", "c_values"), Choice(Ref("var", "use_token"), {"TOKEN": token.ref}, {})
    )
    assert [module.values[name]["c_values"] for name in ("staging", "production")] == [
        {"LEVEL": "info"},
        {"MODE": "fast"},
    ]


def test_what_is_made_here_and_found_there_has_a_local() -> None:
    found = data("aws_s3_bucket", "sales", bucket="sales")
    uses = [resource("a_b", "c", arn=bucket.ref.arn) for bucket in (BUCKET, found)]
    outputs_ = [output("bucket_sales", "The bucket.", bucket.ref.bucket) for bucket in (BUCKET, found)]
    module = laid_over([BUCKET, uses[0], outputs_[0]], [found, uses[1], outputs_[1]])
    local = Ref("local", "bucket_sales")
    made, there = (Ref("var", name) for name in ("bucket_sales", "bucket_sales_existing"))
    assert [module.values[name] for name in ("staging", "production")] == [
        {"bucket_sales": True, "bucket_sales_existing": False},
        {"bucket_sales": False, "bucket_sales_existing": True},
    ]
    assert only(module, "resource", "aws_s3_bucket", "sales").arguments["count"] == Choice(made, 1, 0)
    assert only(module, "data", "aws_s3_bucket", "sales").arguments["count"] == Choice(there, 1, 0)
    assert only(module, "resource", "a_b", "c").arguments["arn"] == local.arn
    assert only(module, "output", "bucket_sales").arguments["value"] == local.bucket
    assert only(module, "locals").arguments == {"bucket_sales": Call("one", Call("concat", BUCKET.ref, found.ref))}


def test_what_one_environment_makes_and_finds_is_two_things() -> None:
    found = data("aws_s3_bucket", "sales", bucket="logs")
    uses = resource("a_b", "c", made=BUCKET.ref.arn, found=found.ref.arn)
    module = laid_over([BUCKET, found, uses], [BUCKET, resource("a_b", "c", made=BUCKET.ref.arn, found=None)])
    made = only(module, "resource", "a_b", "c").arguments
    assert made["made"] == BUCKET.ref.arn
    assert made["found"] == Choice(Ref("var", "sales_s3_bucket"), found.ref[0].arn, None)


def test_providers_of_other_regions_become_one_whose_region_is_a_variable() -> None:
    sides = {}
    for region in ("us-west-2", "eu-west-1"):
        alias = region.replace("-", "_")
        provider = Block("provider", ("aws",), {"alias": alias, "region": region})
        sides[region] = [provider, resource("aws_s3_bucket", "copy", provider=Ref("aws", alias), bucket="copy")]
    module = laid_over(*sides.values())
    alias = "eu_west_1_or_us_west_2"
    made = [block for block in module.document if block.kind == "provider"]
    assert [block.arguments for block in made] == [{"alias": alias, "region": Ref("var", f"aws_{alias}_region")}]
    assert only(module, "resource", "aws_s3_bucket", "copy").arguments["provider"] == Ref("aws", alias)
    assert module.values["staging"][f"aws_{alias}_region"] == "us-west-2"


def test_providers_are_shared_only_by_what_has_the_same_regions_in_each_environment() -> None:
    regions = {"us_west_2": "us-west-2", "eu_west_1": "eu-west-1"}
    providers = [Block("provider", ("aws",), {"alias": alias, "region": name}) for alias, name in regions.items()]

    def copies(*aliases: str) -> list[Block]:
        made = [resource("aws_s3_bucket", f"c{place}", provider=Ref("aws", a)) for place, a in enumerate(aliases)]
        return [*providers, *made]

    module = laid_over(copies("us_west_2", "us_west_2", "eu_west_1"), copies("eu_west_1", "us_west_2", "us_west_2"))
    aliases = [only(module, "resource", "aws_s3_bucket", f"c{place}").arguments["provider"] for place in range(3)]
    assert aliases == [
        Ref("aws", "eu_west_1_or_us_west_2"),
        Ref("aws", "us_west_2"),
        Ref("aws", "us_west_2_or_eu_west_1"),
    ]
    made = {block.arguments["alias"]: block for block in module.document if block.kind == "provider"}
    regions_of = {
        name: {alias: Evaluation(module.document, values).value(b.arguments["region"]) for alias, b in made.items()}
        for name, values in module.values.items()
    }
    assert regions_of == {
        "staging": {
            "us_west_2": "us-west-2",
            "eu_west_1_or_us_west_2": "us-west-2",
            "us_west_2_or_eu_west_1": "eu-west-1",
        },
        "production": {
            "us_west_2": "us-west-2",
            "eu_west_1_or_us_west_2": "eu-west-1",
            "us_west_2_or_eu_west_1": "us-west-2",
        },
    }


def test_a_provider_has_to_be_of_a_version_that_all_take() -> None:
    def requirements(version: str) -> Block:
        azurerm = {"source": "hashicorp/azurerm", "version": version}
        return Block("terraform", (), {"required_version": ">= 1.10"}, (nested("required_providers", azurerm=azurerm),))

    made = only(laid_over([requirements(">= 4.55, < 6.0")], [requirements(">= 4.55, < 5.0")]), "terraform")
    azurerm: Any = made.blocks[0].arguments["azurerm"]
    assert azurerm["version"] == ">= 4.55, < 5.0, < 6.0"


def test_things_of_different_types_with_one_output_are_told_apart() -> None:
    apps = [resource(f"azurerm_{kind}_app", "cleaner", name="c") for kind in ("flex", "linux")]
    sides = [[app, output("function_cleaner", "The app.", app.ref.id)] for app in apps]
    module = laid_over(*sides)
    assert [switch.name for switch in module.switches] == ["cleaner_linux_app", "cleaner_flex_app"]
    value = Choice(Ref("var", "cleaner_linux_app"), apps[1].ref[0].id, Call("one", apps[0].ref[...].id))
    assert only(module, "output", "function_cleaner").arguments["value"] == value


def test_what_a_check_declines_in_any_environment_is_declined_for_all() -> None:
    declining = Block(BUCKET.kind, BUCKET.labels, {"bucket": "other"}, skips=(("CKV_AWS_18", "no log"),))
    assert only(laid_over([BUCKET], [declining]), "resource", *BUCKET.labels).skips == declining.skips


def test_what_has_to_be_made_before_is_what_any_environment_says() -> None:
    before = [resource("a_b", f"c{place}", depends_on=[Ref("x", "y"), Ref("x", "z")][:place]) for place in (1, 2)]
    ones, others = ([resource("a_b", "c", **each.arguments)] for each in before)
    assert only(laid_over(ones, others), "resource", "a_b", "c").arguments["depends_on"] == [
        Ref("x", "y"),
        Ref("x", "z"),
    ]


# What is refused -----------------------------------------------------------------------------------------------------


def test_one_resource_in_two_clouds_is_refused(tmp_path: Path) -> None:
    several = [environment(cloud, name, Setup()) for cloud, name in (("aws", "staging"), ("gcp", "production"))]
    with pytest.raises(InfrastructureError, match="bucket_report is of aws in staging and google in production"):
        exported(several, tmp_path)


def test_states_of_two_kinds_are_refused(tmp_path: Path) -> None:
    several = [
        GlacierEnv(CLOUDS[cloud].provider(), name) for cloud, name in (("aws", "staging"), ("gcp", "production"))
    ]
    for env in several:
        env.register(env.name, env.provider.bucket(f"glacier-{env.name}", path="x"))
    with pytest.raises(InfrastructureError, match="state is kept in s3 in staging and gcs in production"):
        exported(several, tmp_path)


def test_endpoints_whose_zones_only_some_environments_name_are_refused(tmp_path: Path) -> None:
    """Without zones of its own an endpoint ignores those that a policy gives it: there is no switch for that."""
    subnet = {"private_endpoint_subnet": SUBNET}
    zones = {"private_dns_zones": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dns"}
    setups = {"staging": Setup(sales=subnet), "production": Setup(sales=subnet, provider=zones)}
    several = [environment("azure", name, setup) for name, setup in setups.items()]
    with pytest.raises(InfrastructureError, match=r"azurerm_private_endpoint\.main\.lifecycle is only in staging"):
        exported(several, tmp_path)


def test_what_terraform_takes_no_condition_for_is_refused() -> None:
    kept = resource("a_b", "c", nested("lifecycle", prevent_destroy=True))
    with pytest.raises(InfrastructureError, match=r"a_b\.c\.lifecycle is only in production, and Terraform takes no"):
        laid_over([resource("a_b", "c")], [kept])
    alone = resource("a_b", "c", provider=Ref("aws", "there"))
    with pytest.raises(InfrastructureError, match=r"a_b\.c has a provider of its own in production only"):
        laid_over([resource("a_b", "c")], [alone])
    with pytest.raises(InfrastructureError, match="var.x is not the same in staging and production"):
        laid_over([variable("x", "string", "X.")], [variable("x", "number", "X.")])


# What else is generated ----------------------------------------------------------------------------------------------


def test_the_readme_says_which_environment_has_what(tmp_path: Path) -> None:
    made = shared("aws", "three", tmp_path)
    readme = (tmp_path / "README.md").read_text("utf-8")
    assert "| `bucket_archive_existing` | `staging` | `data.aws_s3_bucket.archive` |" in readme
    assert "| `aws_s3_bucket.archive` | bucket glacier-archive-production | `production` |" in readme
    assert "| `aws_s3_bucket.sales` | bucket glacier-sales-production | all |" in readme
    assert re.search(r"^\| totals_runner \| `lambda:InvokeFunction` .* \| `production` \|$", readme, re.MULTILINE)
    assert made["switches"]["bucket_archive"] == ["production"]
    callers = {each["environment"] for each in made["permissions"] if "lambda:InvokeFunction" in each["actions"]}
    assert callers == {"production"}


def test_the_values_of_switches_stand_apart(tmp_path: Path) -> None:
    shared("aws", "copies", tmp_path)
    for name, on in (("dev", "false"), ("staging", "true"), ("production", "true")):
        values = (tmp_path / "environments" / f"{name}.tfvars").read_text("utf-8")
        assert values.endswith(f"\n\n# What only some environments have.\nsales_replication = {on}\n")


def test_functions_of_one_name_keep_the_code_of_each_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    several = [CLOUDS["aws"].env(name) for name in ("staging", "production")]
    for env in several:
        Path(f"code_of_{env.name}.py").write_text("def clean(event, context): ...\n", "utf-8")
        handler = f"code_of_{env.name}.clean"
        env.register("cleaner", env.provider.serverless("glacier-clean", handler=handler))
    exported(several, tmp_path)
    zips = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.zip")}
    assert zips == {"packages/staging/glacier-clean.zip", "packages/production/glacier-clean.zip"}
    for env in several:
        values = (tmp_path / "environments" / f"{env.name}.tfvars").read_text("utf-8")
        assert values.count(f'"/packages/{env.name}/glacier-clean.zip"') == 3
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}


def test_a_provider_that_only_one_needs_is_there_for_all(tmp_path: Path) -> None:
    staging = CLOUDS["aws"].env("staging")
    production = GlacierEnv.compose(
        storage=CLOUDS["aws"].provider(), compute=CLOUDS["gcp"].provider(), name="production"
    )
    for env in (staging, production):
        env.register("sales", env.provider.bucket(f"glacier-{env.name}", path="x.parquet"))
    production.register("cleaner", production.provider.serverless("glacier-clean", handler="handlers.clean"))
    made = staging.export(tmp_path, environments=[staging, production])
    assert made["switches"] == {"function_cleaner": ["production"]}
    assert {end: check(tmp_path, ends(end)) for end in ENDS} == {end: [] for end in ENDS}
    providers = [block.labels[0] for block in read(tmp_path / "providers.tf", pytest.fail)]
    assert sorted(providers) == ["aws", "google"]
    assert "gcp_project " in (tmp_path / "environments" / "staging.tfvars").read_text("utf-8")


def test_a_profile_that_only_one_has_is_not_lent(tmp_path: Path) -> None:
    """A second provider, which only production has, takes the profile that the first has there; staging has none."""
    copied = {"replication_config": {"destination_bucket": "glacier-copy", "destination_region": "us-west-2"}}
    several = []
    for name, profile, config in (("staging", None, {}), ("production", "prod", copied)):
        env = GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1", profile=profile)), name)
        env.register("sales", env.provider.bucket(f"glacier-{name}", path="x", config=CLOUDS["aws"].bucket(**config)))
        several.append(env)
    exported(several, tmp_path)
    values = [(tmp_path / "environments" / f"{env.name}.tfvars").read_text("utf-8") for env in several]
    assert ["aws_profile" in text for text in values] == [False, True]
