"""No string of the user becomes code in the Terraform of AWS: it comes back as it went in."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from glacier.config import AwsConfig, LambdaConfig, S3Config
from glacier.infrastructure import Blueprint
from glacier.providers.aws.terraform import blueprint, object_patterns
from terraform.configuration import Expression, Template, read
from terraform.made_needs import bucket, function, needs, write
from terraform.policies import Call, Statement
from terraform.provider_schemas import ends
from terraform.schema_checker import check
from terraform.test_hostile_strings import paths, texts

names = st.from_regex(r"[A-Z][A-Z_]{0,8}X", fullmatch=True)


def draw(variables: dict[str, str], path: str, prefix: str) -> Blueprint:
    rules = [{"days": 3, "expiration": True, "prefix": prefix}]
    raw = bucket("raw", S3Config(lifecycle_rules=rules))
    fn = function("fn", LambdaConfig(environment_vars=variables))
    return blueprint(AwsConfig(region="us-east-1"), needs(raw, fn, grants=[("fn", "write", raw, path)]))


def blocks(folder: Path) -> dict[tuple[str, ...], Any]:
    found = [block for path in sorted(folder.glob("*.tf")) for block in read(path, pytest.fail)]
    return {(block.kind, *block.labels): block.body for block in found}


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(variables=st.dictionaries(names, texts, max_size=6), path=paths, prefix=texts)
def test_strings_come_back_as_they_went_in(
    variables: dict[str, str], path: str, prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = write(draw(variables, path, prefix), tmp_path_factory.mktemp("hostile"))
    assert check(folder, ends("newest")) == []
    found = blocks(folder)
    (environment,) = [
        block.body.attributes["variables"]
        for block in found["resource", "aws_lambda_function", "fn"].blocks
        if block.kind == "environment"
    ] or [{}]
    # A value that looks like a secret stands in no file: its name refers to a variable.
    shown = {name: text for name, text in variables.items() if not isinstance(environment[name], Expression | Template)}
    assert {name: environment[name] for name in shown} == shown
    rule = found["resource", "aws_s3_bucket_lifecycle_configuration", "raw"].blocks[1].body
    (where,) = [block.body.attributes for block in rule.blocks if block.kind == "filter"]
    assert where.get("prefix", "") == prefix
    assert set(found) - {key for key in found if key[0] == "variable"} == {
        key for key in blocks(write(draw({}, "x", ""), tmp_path_factory.mktemp("plain"))) if key[0] != "variable"
    }


@given(path=paths, other=paths)
def test_a_path_allows_itself_and_no_other(path: str, other: str) -> None:
    assume("*" not in path and "?" not in path and not other.startswith(f"{path}/") and other != path)
    statement = Statement(
        "Read", ("s3:GetObject",), tuple(f"arn:aws:s3:::raw/{each}" for each in object_patterns(path))
    )
    assert statement.allows(Call("s3:GetObject", f"arn:aws:s3:::raw/{path}"))
    assert not statement.allows(Call("s3:GetObject", f"arn:aws:s3:::raw/{other}"))
