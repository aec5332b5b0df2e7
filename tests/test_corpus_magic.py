"""Every case of the corpus that a notebook meets has its verdict: lines, frames and texts.

The corpus assumes a grammar of its own. Where ours differs, `OURS` has the line that means the same, and why.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import corpus
import polars as pl
import pytest
from notebook import Notebook, notebook

from glacier.errors import GlacierError

LINES = {case["id"]: case for case in corpus.load("magic")}
FRAMES = {case["id"]: case for case in corpus.load("data") if case["family"] == "data.frame"}
TEXTS = {case["id"]: case for case in corpus.load("render") if case["family"] == "render.text"}

OURS = {
    # `env NAME` switches and makes; there is no `env create`, and fields are given as KEY=VALUE.
    "magic-line-017": "%glacier run echo -p tags='{\"a\": 1}'",
    # There is no command `query`: the nearest that takes any text is a preview, which names what it cannot find.
    "magic-line-018": "%glacier preview {secret}",
}
REFUSED = {"magic-line-018"}

PROJECT = """
[env.dev]
provider = "local"
base_path = "data"

[env.dev.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"
"""
PIPELINES = """
@env.task()
def données(sales_raw: Bucket):
    return sales_raw.read().height

@env.task()
def load(sales_raw: Bucket):
    return sales_raw.read()

@env.pipeline()
def sales_analysis():
    return load()

@env.pipeline()
def echo(tags):
    return tags

@env.task()
def failing(message):
    raise ValueError(message)

@env.pipeline()
def risky(message: str = ""):
    failing(message)

secret = "CANARY-18"
"""


@pytest.fixture
def nb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glacier.toml").write_text(PROJECT)
    (tmp_path / "data" / "sales").mkdir(parents=True)
    pl.DataFrame({"order": [1, 2]}).write_parquet(tmp_path / "data" / "sales" / "raw.parquet")
    with notebook(tmp_path / "ipython") as made:
        made.run("%load_ext glacier_magics")
        made.run(PIPELINES)
        yield made


def oracles(case: dict) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for must in case["must"]:
        name, _, argument = must.partition(":")
        found.setdefault(name, []).append(argument)
    return found


def state(nb: Notebook) -> tuple[object, ...]:
    files = sorted(str(path) for path in Path().rglob("*") if path.is_file() and ".glacier" not in path.parts)
    return nb["env"].name, nb["env"].get_state(), files


@pytest.mark.parametrize("name", LINES)
def test_line(nb, name, tmp_path):
    case, must = LINES[name], oracles(LINES[name])
    before = state(nb)
    line = str(OURS.get(name, corpus.value(case))).replace("/tmp/pwned", f"{tmp_path}/pwned")
    shown = nb.cell(line)
    if case["expected"] == "accept" and name not in REFUSED:
        assert shown.error is None, shown.traceback
    else:
        assert isinstance(shown.error, GlacierError)
        assert state(nb) == before
        assert 1 <= len(shown.traceback.splitlines()) <= 2
        assert len(shown.everything) <= 4096
        assert len(str(shown.error)) <= 4096
    assert "CANARY" not in shown.everything
    assert not (tmp_path / "pwned").exists()
    for text in must.get("html_not_contains", ()):
        assert text not in shown.bundle.get("text/html", "")
    if "arg_unchanged" in must:
        assert shown.value == {"a": 1}


@pytest.mark.parametrize("name", FRAMES)
def test_frame(nb, name):
    case, must = FRAMES[name], oracles(FRAMES[name])
    try:
        nb.shell.user_ns["frame"] = corpus.value(case)
    except Exception as error:
        pytest.fail(f"the case cannot be made: {error}")
    started = time.perf_counter()
    shown = nb.cell("%glacier preview frame")
    assert time.perf_counter() - started < 10 * float(must.get("time_max", ["2.0"])[0])
    html, text = shown.bundle.get("text/html", ""), shown.text
    if "no_crash" in must:
        assert "boom CANARY-77" in shown.traceback
        assert nb.run("1 + 1").value == 2
        return
    assert shown.error is None, shown.traceback
    assert "<div" in html
    assert len(html) <= 262_144
    assert len(text) <= 65_536
    for forbidden in must.get("html_not_contains", ()):
        assert forbidden not in html
    if "no_js_href" in must:
        assert "href" not in html.lower()
    if "no_mathjax" in must:
        assert "tex2jax_ignore" in html
    for count in must.get("shows", ()):
        assert len(re.findall(r"<th\b", html)) >= int(count)


@pytest.mark.parametrize("name", [name for name, case in TEXTS.items() if case["slot"].startswith("exception message")])
def test_exception_message_in_a_run(nb, name):
    case, must = TEXTS[name], oracles(TEXTS[name])
    nb.shell.user_ns["message"] = corpus.value(case)
    shown = nb.cell("risky.fn.__defaults__ = (message,)\n%glacier run risky")
    assert isinstance(shown.error, ValueError)
    picture = nb.run("%glacier dag risky")
    for form in ("text/html", "image/svg+xml", "text/plain"):
        output = picture.bundle.get(form, "")
        for forbidden in must.get("html_not_contains", ()):
            assert forbidden not in output
        assert len(output) <= 65_536
        assert not [each for each in output if ord(each) < 32 and each not in "\n\t"]
    assert len(shown.printed) <= 65_536
    assert "\x1b]8" not in shown.printed


def test_the_cases_are_there():
    assert (len(LINES), len(FRAMES), len(TEXTS)) == (19, 18, 10)
    assert set(OURS) <= set(LINES)
