"""Tables as text and as HTML."""

from __future__ import annotations

import pytest

from glacier import tables

ROWS = [("name", "size"), ("<b>", "1"), ("line\nbreak", "1,000"), ("\u202eback", "")]


def test_text_is_aligned_and_obeys_nothing() -> None:
    assert tables.text(ROWS[0], ROWS[1:], right={1}).splitlines() == [
        "name          size",
        "<b>              1",
        "line\\nbreak  1,000",
        "\\u202eback",
    ]


def test_html_has_no_markup_of_its_cells() -> None:
    shown = tables.html(ROWS[0], ROWS[1:], right={1})
    assert "&lt;b&gt;" in shown and "<b>" not in shown
    assert "line\nbreak" in shown and "\\u202eback" in shown
    assert '<td style="text-align:right;white-space:pre">1,000</td>' in shown
    assert '<td style="text-align:left;white-space:pre">&lt;b&gt;</td>' in shown


def test_no_rows_are_no_table_and_empty_headings_no_line() -> None:
    assert tables.html(("a", "b"), []) == ""
    assert "<thead>" not in tables.html((), [("a", "b")])


@pytest.mark.parametrize(("number", "expected"), [(0, "0 rows"), (1, "1 row"), (2000, "2,000 rows")])
def test_things_are_counted_in_words(number: int, expected: str) -> None:
    assert tables.counted(number, "row") == expected
