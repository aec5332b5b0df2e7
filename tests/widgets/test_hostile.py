"""Hostile names, texts and values in everything the workbench shows: no markup, no control character, no secret."""

import hashlib
import html.parser
import json
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import corpus
import polars as pl
import pytest

from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.execution.events import Event
from glacier.graph import Edge, Graph, Node, Site
from glacier.providers import LocalProvider
from glacier.resources.preview import Preview
from glacier_magics import widgets
from glacier_magics.widgets.board import Board, Live
from glacier_magics.widgets.shown import Shown

RENDER = [case for case in corpus.load("render") if case["family"].startswith("render")]
DATA = [case for case in corpus.load("data") if case["family"] == "data.frame"]
TEXTS = [
    "<script>window.__pwned = 1</script>",
    '<img src=x onerror="window.__pwned = 1">',
    '"><svg onload=alert(1)>',
    "</table></div><h1>out",
    "javascript:alert(1)",
    "\u202egnp.exe\u2066 \x1b[2J\x07\x00 \ud800",
    "$x^2$ \\(y\\)",
    "&lt;b&gt; &amp;",
    "x" * 100_000,
]
SAFE_TAGS = {"div", "strong", "table", "thead", "tbody", "tr", "th", "td", "span", "br", "small", "em"}
SAFE_ATTRIBUTES = {"class", "scope", "style", "data-glacier"}


class Tags(html.parser.HTMLParser):
    """Collects the elements, attributes and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.depth = 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.depth += tag != "br"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1

    def handle_data(self, data: str) -> None:
        self.text += data


def traits(shown: Shown) -> dict[str, Any]:
    """Return all that the page is told, but for the widget's own code."""
    state = shown._front().get_state()
    return {name: value for name, value in state.items() if name not in ("_esm", "_css")}


def said(shown: Shown) -> Iterator[str]:
    """Yield every text that leaves the kernel: what is saved, and what the page is told."""
    yield from (text for kind, text in shown._bundle().items() if kind != "image/png")
    todo: list[Any] = [traits(shown)]
    while todo:
        match todo.pop():
            case str(text):
                yield text
            case dict() as mapping:
                todo += [*mapping, *mapping.values()]
            case list() as items:
                todo += items


def assert_harmless(shown: Shown) -> None:
    for text in said(shown):
        bad = [
            each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs") and each not in "\n\t\u200c\u200d"
        ]
        assert bad == [], text[:200]
    page = shown._bundle().get("text/html", "")
    tags = Tags(page)
    assert set(tags.tags) <= SAFE_TAGS
    assert tags.attributes <= SAFE_ATTRIBUTES
    assert tags.depth == 0
    json.dumps(traits(shown), allow_nan=False)


def graph_of(text: str) -> Graph:
    """Return a graph in which a text stands wherever foreign text can."""
    site = Site(text, 1)
    nodes = (
        Node("bucket:a", text, "resource", {"kind": text}),
        Node("a", text, config={"executor": text, text: text}, group=(text,), condition=text, site=site, doc=text),
        Node("b", text, "inline", doc=text),
    )
    return Graph(text, nodes, (Edge("bucket:a", "a", text, "read"), Edge("a", "b", text, condition=text)))


def after_a_run(text: str) -> Live:
    """Return a board that has heard a text in every field of an event."""
    live = Live(graph_of(text))
    for kind in ("run_started", "started", "log", "retried", "timed_out", "failed"):
        key = "" if kind == "run_started" else "a"
        live(Event(kind, text, key, text, time.time(), 1, 0.1, 3, 4, text, text))
    live(Event("run_finished", text, "", text, time.time(), error=text, detail=text))
    return live


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS, ids=[text[:24].encode("unicode_escape").decode() for text in TEXTS])
@pytest.mark.parametrize("view", ["graph", "table"])
def test_hostile_text_in_a_graph_and_its_run(text: str, view: str) -> None:
    live = after_a_run(text)
    live.view = view
    assert_harmless(live)
    assert max(map(len, said(live))) < 65_536
    shown = " ".join(said(live))
    assert "javascript:" not in live._bundle().get("image/svg+xml", "")
    assert text[:20].encode("unicode_escape").decode()[:8] in shown.encode("unicode_escape").decode()


@pytest.mark.parametrize("text", TEXTS, ids=[text[:24].encode("unicode_escape").decode() for text in TEXTS])
def test_hostile_text_in_a_preview(text: str) -> None:
    text = text.encode(errors="backslashreplace").decode()
    frame = pl.DataFrame({text: [text], f"{text} list": [[text]], "struct": [{text: text}], "null": [None]})
    preview = Preview(text, text, frame.schema, frame, 1, 1, 1, text)
    assert_harmless(widgets.preview(preview))


@pytest.mark.parametrize("text", [text for text in TEXTS if "\x00" not in text and len(text) < 200])
def test_hostile_object_names_in_the_browser(text: str, tmp_path: Path) -> None:
    env = GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path=str(tmp_path))), name="dev")
    name = text.replace("/", "_")
    (tmp_path / "b" / "folder").mkdir(parents=True)
    (tmp_path / "b" / "folder" / f"{name}.csv").write_text(f"{name}\n1\n")
    env.register("r", env.provider.bucket("b", path="folder"))
    shelves = widgets.browser(env)
    assert len(shelves.shelves[0].found) == 1
    assert_harmless(shelves)
    assert_plain(shelves.shelves[0].preview(0))


def assert_plain(value: object) -> None:
    assert not any(unicodedata.category(each) in ("Cc", "Cf") for each in json.dumps(value, ensure_ascii=False))


# --- the corpus -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", RENDER, ids=[case["id"] for case in RENDER])
def test_render_corpus(case: dict[str, Any]) -> None:
    text = corpus.value(case)
    live = after_a_run(text)
    assert_harmless(live)
    picture = live._bundle()["image/svg+xml"]
    live.view = "table"
    page = live._bundle()["text/html"]
    for must in case["must"]:
        oracle, _, wanted = must.partition(":")
        match oracle:
            case "dag_renders":
                assert "<svg " in picture
            case "html_not_contains":
                assert wanted not in page
                assert wanted not in picture
            case "svg_not_contains":
                assert wanted not in picture
            case "dag_shows":
                assert wanted in picture
            case "no_control_chars":
                assert not any(unicodedata.category(each) == "Cc" and each not in "\n\t" for each in page + picture)
            case "output_max":
                assert max(len(page), len(picture), *map(len, said(live))) <= int(wanted)
            case _:
                pytest.fail(f"nobody knows the oracle {must!r}")


@pytest.mark.parametrize("case", DATA, ids=[case["id"] for case in DATA])
def test_data_corpus(case: dict[str, Any]) -> None:
    frame = corpus.value(case)
    started = time.perf_counter()
    if isinstance(frame, pl.LazyFrame):
        # A lazy frame is never computed for its looks, so that its error belongs to whoever computes it.
        shown = Board(graph_of("x"), values=lambda key: frame)
        assert shown._behind(shown.sheet.graph["a"])["text"].startswith("a lazy plan")
        return
    table = widgets.preview(Preview("u", "parquet", frame.schema, frame, frame.height, 0))
    assert_harmless(table)
    page = table._bundle()["text/html"]
    for must in case["must"]:
        oracle, _, wanted = must.partition(":")
        match oracle:
            case "html_max":
                assert len(page) <= int(wanted)
            case "time_max":
                assert time.perf_counter() - started < float(wanted) * 5
            case "html_not_contains":
                assert wanted not in page
            case "json_valid":
                json.dumps(traits(table), allow_nan=False)
            case "shows":
                assert page.count("<th ") == int(wanted)
            case "no_traceback":
                assert "Traceback" not in page
            case "no_mathjax":
                assert 'class="glacier-static tex2jax_ignore mathjax_ignore"' in page
            case "no_js_href":
                assert "href" not in page
            case "roundtrip" | "clear_error_on_cache":
                pass  # the cache's own
            case _:
                pytest.fail(f"nobody knows the oracle {must!r}")


def test_values_that_look_alike_stay_apart() -> None:
    frame = pl.DataFrame({"f": [float("nan"), float("inf"), -float("inf"), None, -0.0, 0.0]})
    page = widgets.preview(Preview("u", "parquet", frame.schema, frame, 6, 0)).page()
    assert [row[0] for row in page["rows"]] == ["nan", "inf", "-inf", None, "-0.0", "0.0"]


# --- size -------------------------------------------------------------------------------------------------------------


def test_outputs_stay_small() -> None:
    wide = pl.DataFrame({f"{'long name ' * 20}{n}": ["v" * 10_000] * 200 for n in range(300)})
    table = widgets.preview(Preview("u", "parquet", wide.schema, wide, 200, 0))
    bundle = table._bundle()
    assert len(bundle["text/html"]) < 262_144
    assert len(bundle["text/plain"]) < 262_144
    assert len(json.dumps(traits(table))) < 400_000
    assert "200 more columns" in table.page()["note"]


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_is_told_or_saved(tmp_path: Path) -> None:
    canary = hashlib.sha256(b"widgets").hexdigest()[:24]
    address = f"https://user:{canary}@host/path?sig={canary}&x=1 password={canary}"
    env = GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path=str(tmp_path))), name="dev")
    env.register("sales", env.provider.bucket("sales", path="raw.parquet")).write(pl.DataFrame({"a": [1]}))

    @env.task()
    def load(sales: Bucket) -> pl.DataFrame:
        return sales.read()

    @env.pipeline()
    def report() -> pl.DataFrame:
        return load()

    live = Live(report.graph, env=env)
    (key,) = [node.key for node in report.graph.tasks]
    for kind in ("started", "log", "failed"):
        live(Event(kind, "r", key, "load", time.time(), error=f"ConnectionError: {address}", detail=f"GET {address}"))
    live(Event("run_finished", "r", "", "report", time.time(), error=address, detail="failed"))
    for text in said(live):
        assert canary not in text
    live.view = "table"
    assert canary not in " ".join(live._bundle().values())
