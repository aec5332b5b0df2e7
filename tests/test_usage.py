"""What a task's source says it does with its resources."""

from typing import Any

import polars as pl
import pytest

from glacier import Bucket, GlacierEnv, Serverless
from glacier.usage import DEEDS, UNKNOWN, source_usage


def looks(a: Bucket, b: Bucket, c: Bucket) -> Any:
    return a.exists(), b.stat(), c.list()


def reads(a: Bucket, b: Bucket, c: Bucket) -> Any:
    a.preview()
    b.url()
    return pl.scan_parquet(c.get_uri())


def writes(a: Bucket, b: Bucket, c: pl.DataFrame) -> None:
    a.write(c)
    c.write_parquet(b.get_uri())


def does_several(a: Bucket, b: Bucket) -> None:
    a.write(b.read())
    a.delete()
    b.exists()


def calls(a: Serverless, b: Serverless, c: Serverless) -> Any:
    return a.invoke({}), b.invoke_async(), b.logs(), c.exists()


def assigns(env: GlacierEnv) -> None:
    old = env.get("old")
    old.delete()


def hands_over(a: Bucket, b: Bucket) -> None:
    does_several(a, b)


def ignores(a: Bucket, b: Bucket) -> None:
    b.read()


def takes_any(*all_of_them: Bucket) -> None:
    all_of_them[0].read()


@pytest.mark.parametrize(
    ("fn", "deeds"),
    [
        (looks, {"a": {"look"}, "b": {"look"}, "c": {"look"}}),
        (reads, {"a": {"read"}, "b": {"read"}, "c": {"read"}}),
        (writes, {"a": {"write"}, "b": {"write"}}),
        (does_several, {"a": {"write", "delete"}, "b": {"read", "look"}}),
        (calls, {"a": {"call"}, "b": {"call", "log"}, "c": {"look"}}),
        (assigns, {"old": {"delete"}}),
        (hands_over, {"a": UNKNOWN, "b": UNKNOWN}),
        (ignores, {"a": set(), "b": {"read"}}),
    ],
)
def test_a_source_says_what_is_done(fn: Any, deeds: dict[str, set[str]]) -> None:
    found = source_usage(fn).deeds
    assert {name: found[name] for name in deeds} == deeds


def test_what_is_not_in_the_answer_may_be_used_in_any_way_but_one() -> None:
    assert "all_of_them" not in source_usage(takes_any).deeds
    assert source_usage(eval("lambda a: a.read()")).deeds == {}
    assert set(DEEDS.values()) - UNKNOWN == {"delete"}
