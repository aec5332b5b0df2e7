"""Whatever names, values, lines and errors say: no text moves another, is obeyed by a terminal, or is markup."""

import html.parser
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from glacier import GlacierEnv, browse, tables
from glacier.config import LocalConfig
from glacier.errors import GlacierError
from glacier.providers import LocalProvider
from glacier.settings import Level, cascade
from glacier_magics.views import Table, Text

TEXTS = [
    "<script>window.__pwned = 1</script>",
    '"><img src=x onerror="window.__pwned = 1">',
    "</td></tr></table></div>",
    "\u202egnp.exe\u2066 \x1b[2J\x1b]8;;http://evil\x07click\x07\x00",
    "two\nlines\tand\rmore",
    "&lt;b&gt; &amp; $x^2$",
]
OBEYED = {"Cc", "Cf", "Cs"}
each_text = pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))


class Tags(html.parser.HTMLParser):
    """Counts the elements of a page, and keeps its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.text = ""
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags[tag] += 1
        self.open.append(tag)
        assert {name for name, _ in attrs} <= {"style", "class"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_plain(text: str, keep: str = "\n") -> None:
    assert [each for each in text if unicodedata.category(each) in OBEYED and each not in keep] == []


def assert_page(page: str, cells: int) -> None:
    found = Tags(page)
    assert found.open == []
    assert found.tags["td"] + found.tags["th"] == cells
    assert set(found.tags) <= {"div", "b", "code", "pre", "table", "thead", "tbody", "tr", "td", "th"}
    assert_plain(page, "\n\t")
    assert 'class="tex2jax_ignore mathjax_ignore"' in page


@each_text
def test_a_table_has_the_cells_that_it_was_given(text: str) -> None:
    head, rows = ("a", text), [(text, "b"), ("c", text)]
    assert len(tables.text(head, rows).splitlines()) == 3
    assert_plain(tables.text(head, rows))
    assert_page(tables.html(head, rows), 6)
    assert_page(tables.block(tables.line(text), tables.html((), rows)), 4)


@each_text
def test_what_commands_show(text: str) -> None:
    table = Table(text, ("a", text), [(text, text)], note=text)
    assert_plain(str(table))
    assert_page(table.html(), 4)
    assert_plain(repr(Text(text)), "\n\t")
    settings = cascade(Level(text, {"tags": {text: text}}))
    assert_plain(str(settings))
    assert_page(settings._repr_html_(), 6)


@each_text
def test_errors(text: str) -> None:
    error = GlacierError(text, hint=text)
    error.add_note(text)
    assert_plain(str(error) + "".join(error._render_traceback_()), "\n\t")


@each_text
def test_runs_and_their_logs(text: str, tmp_path: Path) -> None:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), name="dev")

    @env.task()
    def fail() -> int:
        print(text)
        raise ValueError(text)

    @env.pipeline()
    def report() -> int:
        return fail()

    with pytest.raises(ValueError):
        report.run(progress=False)
    (run,) = env.runs
    shown = [str(env.runs), str(run), str(report.last_run), *map(str, run.logs()), str(report.plan())]
    for each in shown:
        assert_plain(each)
    assert_page(env.runs._repr_html_(), 14)


@each_text
def test_previews_and_listings(text: str, tmp_path: Path) -> None:
    env = GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), name="dev")
    bucket = env.register("rows", env.provider.bucket("b", path="rows.parquet"))
    bucket.write(pl.DataFrame({text: [text], "nested": [[{text: text}]]}))
    preview = bucket.preview()
    assert_plain(str(preview))
    assert_plain(preview._repr_html_(), "\n\t")
    assert "<script>" not in preview._repr_html_()
    assert "<img" not in preview._repr_html_()
    listing = browse(env)
    assert_plain(str(listing))
    assert_page(listing._repr_html_(), 12)
