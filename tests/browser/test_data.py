"""Previews and the resource browser in a real page."""

from collections.abc import Callable

from browser import story
from browser.lab import Lab, Notebook

PREVIEW = """
frame = pl.DataFrame({
    "id": range(1000),
    "when": [datetime.datetime(2026, 1, 1) + datetime.timedelta(hours=h) for h in range(1000)],
    "category": ["toys", "books", None, "a rather long text that goes on and on, well past what a cell can show"] * 250,
    "amount": [1.5, -20.25, None, float("nan")] * 250,
    "tags": [["new", "sale"], [], None, ["old"]] * 250,
    **{f"measure_{n}": [n * 1000.0] * 1000 for n in range(12)},
})
sales.write(frame)
preview(sales.preview(60))
"""


def test_a_preview_sorts_and_turns_its_pages(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    story.write(lab, "preview", "import datetime", PREVIEW)
    notebook.open("preview.ipynb")
    notebook.run_all()
    page = notebook.page
    table = page.locator(".gl-table")
    table.wait_for()
    assert table.locator("tbody tr").count() == 25
    assert "60 of 1,000 rows" in table.locator(".gl-facts").inner_text()
    shoot("first")
    table.get_by_role("button", name="next rows").click()
    page.locator(".gl-table[data-offset='25']").wait_for()
    table.get_by_role("button", name="amount").click()
    page.locator(".gl-table[data-sort='3'][data-offset='0']").wait_for()
    assert table.locator("tbody tr").first.locator("td").nth(3).inner_text() == "-20.25"
    table.get_by_role("button", name="amount").click()
    page.locator(".gl-table[data-sort='3 descending']").wait_for()
    assert table.locator("th[aria-sort=descending]").inner_text().startswith("amount")
    shoot("sorted")
    saved = notebook.outputs(2)[0]["data"]
    assert sorted(saved) == ["text/html", "text/plain"]
    assert len(saved["text/html"]) < 256_000


def test_the_browser_lists_opens_and_previews(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    story.write(
        lab,
        "shelves",
        "for n in range(250):\n"
        "    env.provider.bucket('lake', path=f'events/2026/{n:04}.csv').write(pl.DataFrame({'n': [n]}))\n"
        "env.register('events', env.provider.bucket('lake', path='events'))\n"
        "env.register('nothing', env.provider.bucket('lake', path='gone.csv'))\n"
        "browser(env)",
    )
    notebook.open("shelves.ipynb")
    notebook.run_all()
    page = notebook.page
    page.locator(".gl-resource[data-resource=events]").click()
    page.locator(".gl-object[data-object='events/2026/0000.csv']").wait_for()
    assert page.locator(".gl-object").count() == 100
    page.locator("[data-more=events]").click()
    page.locator(".gl-object[data-object='events/2026/0150.csv']").wait_for()
    page.get_by_label("filter resources and objects").fill("0249")
    page.locator(".gl-object[data-object='events/2026/0249.csv']").wait_for()
    assert page.locator(".gl-object").count() == 1
    page.locator(".gl-object").click()
    page.locator(".gl-pane[data-previewed='events/2026/0249.csv'] tbody td", has_text="249").wait_for()
    shoot("previewed")
    page.get_by_label("filter resources and objects").fill("")
    page.locator(".gl-resource[data-resource=sales]").click()
    page.locator(".gl-object[data-object='raw/transactions.parquet']").wait_for()
    shoot("all")
