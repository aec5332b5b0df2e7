"""Every case of the corpus that concerns paths on this machine has its verdict, with the links that it asks for."""

from pathlib import Path

import corpus
import polars as pl
import pytest

from glacier.config import LocalConfig
from glacier.errors import ConfigError
from glacier.providers import LocalProvider

CASES = [case for case in corpus.load("paths") if case["family"] in {"paths.local", "paths.local_bucket"}]
SECRET = pl.DataFrame({"secret": [1]})
OWN = pl.DataFrame({"own": [2]})


def _base(tmp_path: Path, case: dict) -> Path:
    """Make a base folder with a secret beside it, the neighbours that a wrong glob finds, and the case's links."""
    base = tmp_path / "base"
    (base / "ok").mkdir(parents=True)
    for place in (tmp_path, base):
        SECRET.write_csv(place / "secret.txt")
    SECRET.write_parquet(base / "ok" / "a1.parquet")
    if case.get("setup") == "symlink base/ok/link -> ..":
        (base / "ok" / "link").symlink_to("../..")
    return base


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
@pytest.mark.parametrize("layout", ["auto", "bucket", "flat"])
def test_verdict(case: dict, layout: str, tmp_path: Path) -> None:
    base = _base(tmp_path, case)
    if case.get("setup") and layout == "flat":
        (base / "link").symlink_to("..")
    before = sorted(tmp_path.rglob("*"))
    provider = LocalProvider(config=LocalConfig(base_path=base, layout=layout))
    given = corpus.value(case)
    name, path = ("ok", given) if case["family"] == "paths.local" else (given, "x.parquet")
    if case["expected"] == "reject":
        with pytest.raises(ConfigError) as caught:
            provider.bucket(name, path, format="csv")
        assert str(caught.value)
        assert sorted(tmp_path.rglob("*")) == before
    else:
        _round_trip(provider, name, path, tmp_path, before)


def _round_trip(provider: LocalProvider, name: str, path: str, tmp_path: Path, before: list[Path]) -> None:
    bucket = provider.bucket(name, path)
    bucket.write(OWN)
    assert bucket.read().equals(OWN)
    new = [place for place in sorted(tmp_path.rglob("*")) if place not in before and place.is_file()]
    assert [str(place) for place in new] == [bucket.get_uri()]
    assert new[0].is_relative_to(provider.config.base_path)


def test_the_cases_are_there() -> None:
    assert len(CASES) >= 17
    assert {case.get("setup") for case in CASES} == {None, "symlink base/ok/link -> .."}
