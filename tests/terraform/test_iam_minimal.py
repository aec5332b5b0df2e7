"""The generated policies are what a pipeline needs: its own calls pass, and each statement is there for one of them."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from servers.moto import Moto
from servers.proxy import Proxy

from glacier import Bucket, GlacierEnv
from glacier.config import AwsConfig
from glacier.providers import AWSProvider
from terraform.examples import CLOUDS, EXAMPLES
from terraform.policies import Call, Statement, allowed, calls_of, statements_of

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")

FRAME = pl.DataFrame({"id": [1, 2], "amount": [3.5, 4.5]})
NAMES = ("orders/2024/a.parquet", "orders/2024/b.parquet", "old.parquet", "$weird (1).parquet")


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[Moto, Proxy]]:
    with Moto() as server, Proxy(server) as proxy:
        yield server, proxy


def lake(endpoint: str) -> Any:
    """Return a pipeline that reads objects and patterns, writes and deletes."""
    provider = AWSProvider(config=AwsConfig(region="us-east-1", endpoint_url=endpoint))
    env = GlacierEnv(provider, "production")
    paths = {"orders": "orders/2024/*.parquet", "odd": "$weird (1).parquet", "old": "old.parquet"}
    paths |= {"report": "reports/latest.parquet"}
    for name, path in paths.items():
        env.register(name, provider.bucket("lake", path=path))
    env.register("copy", provider.bucket("target", path="copy.csv"))

    @env.task()
    def total(orders: Bucket, odd: Bucket) -> pl.DataFrame:
        return pl.concat([orders.scan(), odd.scan()]).collect().sum()

    @env.task()
    def save(df: pl.DataFrame, report: Bucket, copy: Bucket) -> None:
        report.write(df)
        copy.write(df)

    @env.task()
    def clean(old: Bucket) -> None:
        old.delete()

    @env.pipeline()
    def reports() -> None:
        save(total())
        clean()

    return reports


@pytest.fixture
def calls(store: tuple[Moto, Proxy], monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Run the pipeline on a real server and return what it asked of it."""
    server, proxy = store
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    client = server.client("s3")
    for name in ("lake", "target"):
        client.create_bucket(Bucket=name)
    for key in NAMES:
        client.put_object(Bucket="lake", Key=key, Body=_parquet())
    proxy.reset()
    lake(proxy.endpoint).run()
    asked = (calls_of(each.method, each.path, each.status, "old.parquet") for each in proxy.log)
    return list(dict.fromkeys(call for calls in asked for call in calls))


def _parquet() -> bytes:
    made = io.BytesIO()
    FRAME.write_parquet(made)
    return made.getvalue()


def test_every_call_passes_and_every_statement_is_needed(calls: list[Call], tmp_path: Path) -> None:
    found = lake("http://127.0.0.1:1").run(mode="generate", output_dir=tmp_path)
    statements = statements_of(tmp_path, "reports_runner")
    assert {each.action for each in calls} >= {"s3:GetObject", "s3:ListBucket", "s3:PutObject", "s3:DeleteObject"}
    assert [call for call in calls if not allowed(call, statements)] == []
    for statement in statements:
        rest = [each for each in statements if each is not statement]
        assert [call for call in calls if not allowed(call, rest)], statement.sid
    assert {each["address"].rpartition(".")[2] for each in found["permissions"]} == {each.sid for each in statements}


REFUSED = [
    Call("s3:GetObject", "arn:aws:s3:::lake/secret.parquet"),
    Call("s3:GetObject", "arn:aws:s3:::lake/orders/2023/a.parquet"),
    Call("s3:GetObject", "arn:aws:s3:::lake/xweird (1).parquet"),
    Call("s3:GetObject", "arn:aws:s3:::target/other.csv"),
    Call("s3:GetObject", "arn:aws:s3:::lakes/old.parquet"),
    Call("s3:PutObject", "arn:aws:s3:::lake/orders/2024/a.parquet"),
    Call("s3:PutObject", "arn:aws:s3:::lake/old.parquet"),
    Call("s3:DeleteObject", "arn:aws:s3:::lake/reports/latest.parquet"),
    Call("s3:ListBucket", "arn:aws:s3:::lake", (("s3:prefix", ""),)),
    Call("s3:ListBucket", "arn:aws:s3:::target", (("s3:prefix", "other"),)),
    Call("s3:PutBucketPolicy", "arn:aws:s3:::lake"),
]


@pytest.mark.parametrize("call", REFUSED, ids=str)
def test_nothing_else_passes(call: Call, tmp_path: Path) -> None:
    lake("http://127.0.0.1:1").run(mode="generate", output_dir=tmp_path)
    assert not allowed(call, statements_of(tmp_path, "reports_runner"))


def test_a_task_that_is_a_function_has_a_role_of_its_own(tmp_path: Path) -> None:
    EXAMPLES["functions"](CLOUDS["aws"]).run(mode="generate", output_dir=tmp_path)
    by_principal = {name: _sids(tmp_path, name) for name in ("scoring_runner", "scoring_score", "cleaner")}
    looking = {"ReadEvents", "ListEvents"}
    assert by_principal == {
        "scoring_runner": {*looking, "WriteEvents", "CallCleaner", "CallScoringScore"},
        "scoring_score": {*looking, "WriteLogs", "KeepFailedEvents"},
        "cleaner": {"WriteLogs", "KeepFailedEvents"},
    }


def _sids(folder: Path, principal: str) -> set[str]:
    return {each.sid for each in statements_of(folder, principal)}


def test_the_evaluator_knows_wildcards_and_escapes() -> None:
    statement = Statement("X", ("s3:GetObject",), ("arn/a${*}b/*.c?v", "arn/${$}x"))
    names = ("a*b/x/y.csv", "axb/y.csv", "a*b/y.csvv", "$x", "x", "a*b/.c*v")
    passing = {name for name in names if statement.allows(Call("s3:GetObject", f"arn/{name}"))}
    assert passing == {"a*b/x/y.csv", "$x", "a*b/.c*v"}
