"""Tab after `%glacier`."""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pytest
from IPython.core.completer import provisionalcompleter
from notebook import Notebook, notebook

from glacier.resources import Bucket
from glacier_magics.workbench import _loaded

PROJECT = """
[env.dev]
provider = "local"
base_path = "data"

[env.dev.resources.sales_raw]
bucket = "sales"
path = "raw"

[env.dev.resources.scores]
bucket = "sales"
path = "scores.parquet"

[env.dev.resources.odd]
bucket = "sales"
path = "odd"

[env.production]
extends = "dev"
"""
PIPELINE = """
from typing import Literal

@env.task()
def clean(sales_raw: Bucket):
    return sales_raw.read()

@env.task()
def count(df):
    return df.height

@env.pipeline()
def counting():
    return count(clean())

@env.pipeline()
def choosing(sales_raw: Bucket, least: int = 3, whole: bool = True, how: Literal["up", "down"] = "down"):
    return count(clean())
"""


@pytest.fixture
def nb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glacier.toml").write_text(PROJECT)
    (tmp_path / "data" / "sales" / "raw" / "2024").mkdir(parents=True)
    frame = pl.DataFrame({"order": [1], "amount": [1.0], "region": ["eu"]})
    frame.write_parquet(tmp_path / "data" / "sales" / "raw" / "2024" / "a.parquet")
    frame.write_parquet(tmp_path / "data" / "sales" / "scores.parquet")
    (tmp_path / "data" / "sales" / "odd").mkdir()
    pl.DataFrame({"unit price": [1]}).write_parquet(tmp_path / "data" / "sales" / "odd" / "unit prices.parquet")
    with notebook(tmp_path / "ipython") as made:
        made.run("%load_ext glacier_magics")
        made.run(PIPELINE)
        yield made


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("%glacier ru", {"run", "runs"}),
        ("%glacier ex", {"explain", "export"}),
        ("%%glacier ta", {"task", "tasks"}),
        ("x = %glacier en", {"env"}),
        ("    %glacier en", {"env"}),
        ("y = 1\n%glacier en", {"env"}),
        ("%glacier env ", {"dev", "production"}),
        ("%glacier env p", {"production"}),
        ("%glacier env x --provider a", {"aws", "azure"}),
        ("%glacier diff dev ", {"dev", "production"}),
        ("%glacier preview s", {"sales_raw", "scores"}),
        ("%glacier preview sales_raw/", {"sales_raw/raw/2024/a.parquet"}),
        ("%glacier preview ./da", {"./data/"}),
        ("%glacier ls ./data/sales/s", {"./data/sales/scores.parquet"}),
        ("%glacier preview scores --columns ", {"order", "amount", "region"}),
        ("%glacier preview scores --columns order,r", {"order,region"}),
        ("%glacier preview scores --columns order,", {"order,amount", "order,region"}),
        ("%glacier preview scores --l", {"--limit"}),
        ("%glacier preview scores --env p", {"production"}),
        ("%glacier run c", {"clean", "count", "counting", "choosing"}),
        ("%glacier run counting --only c", {"clean", "count"}),
        ("%glacier run counting --mode ", {"local", "analyze", "generate"}),
        ("%glacier run counting --f", {"--from", "--force"}),
        ("%glacier dag counting -o da", {"data/"}),
        ("%glacier dag counting -o data/sales/s", {"data/sales/scores.parquet"}),
        ("%glacier explain sc", {"scores"}),
        ("%%glacier task --executor pro", {"process"}),
        ("%%glacier task --ex", {"--executor"}),
        ("%glacier --j", {"--json"}),
        ("%glacier preview scores --env=p", {"--env=production"}),
        ("%glacier preview scores --columns=order,r", {"--columns=order,region"}),
        ("%glacier ls sales_raw/raw/2024/", {"sales_raw/raw/2024/a.parquet"}),
        ("%glacier ls odd/", {"'odd/odd/unit prices.parquet'"}),
        ("%glacier preview 'odd/odd/uni", {"'odd/odd/unit prices.parquet"}),
        ("%glacier preview scores --where am", {"amount"}),
        ("%glacier preview scores --where 'amount > 1 and re", {"region"}),
        ("%glacier preview odd --columns 'unit p", {"'unit price"}),
        ("%glacier preview odd --columns uni", {"'unit price'"}),
        ("%glacier preview odd --where 'uni", {'"unit price"'}),
        ("%glacier run choosing -p ", {"least=", "whole=", "how="}),
        ("%glacier run choosing -p l", {"least="}),
        ("%glacier run choosing -p least=", {"least=3"}),
        ("%glacier plan choosing -p whole=", {"whole=true", "whole=false"}),
        ("%glacier step choosing -p how=", {"how=up", "how=down"}),
        ("%glacier run counting \\\n  --on", {"--only"}),
        ("x = 1\ny = %glacier env pr", {"production"}),
    ],
)
def test_tab_offers_what_fits(nb, text, wanted):
    assert set(nb.complete(text)) == wanted


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("%glacier ru", {"command"}),
        ("%glacier run counting --", {"flag"}),
        ("%glacier env ", {"environment"}),
        ("%glacier preview s", {"resource"}),
        ("%glacier preview sales_raw/", {"object"}),
        ("%glacier preview f", {"frame"}),
        ("%glacier preview scores --columns ", {"column"}),
        ("%glacier run ", {"pipeline", "task"}),
        ("%glacier runs ", {"run"}),
        ("%glacier run counting --mode ", {"choice"}),
        ("%glacier run choosing -p ", {"parameter"}),
        ("%glacier run choosing -p least=", {"value"}),
        ("%glacier dag counting -o ", {"file", "folder"}),
        ("%glacier env x --provider ", {"provider"}),
        ("%%glacier task --executor ", {"executor"}),
    ],
)
def test_each_offer_says_what_it_is(nb, text, types):
    nb.run("import polars as pl\nframe = pl.DataFrame({'one': [1]})")
    nb.run("%glacier run counting")
    with provisionalcompleter():
        assert {each.type for each in nb.shell.Completer.completions(text, len(text))} == types


def test_what_is_offered_can_be_run(nb):
    (target,), (columns,), (name,) = (
        ours(nb, text) for text in ("preview odd/", "preview odd --columns uni", "preview odd --where '")
    )
    line = f"%glacier preview {target} --columns {columns} --where '{name} > 0' --json"
    assert nb.run(line).value.value["rows"] == [{"unit price": 1}]


@pytest.mark.parametrize("text", ["rnu ", "rnu x", "env 'unclosed", "env dev more ", "preview sales_raw --limit "])
def test_where_nothing_fits_nothing_is_offered(nb, text):
    assert [each for each in ours(nb, text) if not each.startswith("-")] == []


def ours(nb: Notebook, text: str) -> list[str]:
    """What the workbench itself offers: IPython adds its own where that is nothing."""
    matcher = _loaded[id(nb.shell)].matcher
    return [each.text for each in matcher.complete(text)[0]]


def test_a_flag_that_was_given_is_not_offered_again_unless_it_repeats(nb):
    assert "--limit" not in nb.complete("%glacier preview scores --limit 3 --")
    assert "--only" in nb.complete("%glacier run counting --only clean --")


def test_frames_of_the_notebook_are_offered_with_their_columns(nb):
    nb.run("import polars as pl\nframe = pl.LazyFrame({'one': [1], 'two': [2]})")
    assert "frame" in nb.complete("%glacier preview f")
    assert set(nb.complete("%glacier preview frame --columns ")) == {"one", "two"}


def test_other_lines_are_left_to_ipython(nb):
    nb.run("sales_total = 1")
    assert "sales_total" in nb.complete("sales_to")
    assert "sales_total" in nb.complete("%timeit sales_to")


def test_runs_are_offered_by_their_ids(nb):
    nb.run("%glacier run counting")
    assert nb.complete("%glacier logs ") == [nb["env"].runs[0].id]


def test_a_slow_store_holds_nobody_up_and_its_answer_is_kept(nb, monkeypatch):
    release, asked = threading.Event(), []

    def slow(bucket: Bucket) -> pl.Schema:
        asked.append(bucket)
        assert release.wait(30)
        return pl.Schema({"late": pl.Int64})

    monkeypatch.setattr(Bucket, "schema", slow)
    assert ours(nb, "preview scores --columns ") == []
    assert ours(nb, "preview scores --columns ") == []
    release.set()
    for thread in threading.enumerate():
        if thread.name == "glacier-completion":
            thread.join(30)
    assert ours(nb, "preview scores --columns ") == ["late"]
    assert len(asked) == 1


def test_a_store_that_fails_offers_nothing_and_raises_nothing(nb, monkeypatch):
    monkeypatch.setattr(Bucket, "schema", lambda self: 1 / 0)
    assert ours(nb, "preview scores --columns ") == []


def test_a_preview_has_seen_the_columns_already(nb, monkeypatch):
    nb.run("%glacier preview scores")
    monkeypatch.setattr(Bucket, "schema", lambda self: pytest.fail("the store was asked"))
    assert "amount" in nb.complete("%glacier preview scores --columns ")


def test_tab_asks_no_store_for_names_alone(nb, monkeypatch):
    monkeypatch.setattr(Bucket, "list", lambda self: pytest.fail("the store was asked"))
    monkeypatch.setattr(Bucket, "schema", lambda self: pytest.fail("the store was asked"))
    for text in ("", "env ", "run choosing -p least=", "preview ", "run ", "ls ", "dag ", "explain "):
        assert ours(nb, text)
    assert not [thread for thread in threading.enumerate() if thread.name == "glacier-completion"]
