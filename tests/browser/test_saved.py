"""A notebook that was run and saved, opened without a kernel and converted: everything is there."""

import base64
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Locator, Page, Route

from browser import story
from browser.lab import Lab, Notebook

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CELLS = (
    "dag(sales_report.graph, env=env)",
    story.RUN,
    "monitor(sales_report.last_run)",
    "preview(sales.preview(5))",
    "browser(env)",
)
PICTURES = [
    {"task": 6},
    {"task done": 6},
    {"task done": 4, "task stale": 2},
    {"task done": 6},
    {"task done": 6},
]
"""How many tasks of the quickstart are in which state, in each of its pictures from the first to the last."""


def execute(file: Path) -> None:
    """Run a notebook without any page and save it, with the state of its widgets as nbclient stores it."""
    made = nbformat.read(file, as_version=4)
    NotebookClient(made, timeout=120, resources={"metadata": {"path": str(file.parent)}}).execute()
    nbformat.write(made, file)


def test_outputs_are_static(lab: Lab) -> None:
    story.open_gates(story.write(lab, "saved", *CELLS))
    execute(lab.root / "saved.ipynb")
    made = nbformat.read(lab.root / "saved.ipynb", as_version=4)
    bundles = [output["data"] for cell in made.cells[1:] for output in cell.outputs]
    picture, page = ["image/png", "image/svg+xml", "text/plain"], ["text/html", "text/plain"]
    assert [sorted(each) for each in bundles] == [picture, picture, page, page, page]
    assert states(bundles[1]["image/svg+xml"]) == {"task done": 5, "task skipped": 1}


# --- the quickstart ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quickstart(lab: Lab) -> Path:
    """The quickstart, run and saved."""
    file = lab.root / "quickstart" / "quickstart.ipynb"
    file.parent.mkdir()
    shutil.copy(NOTEBOOKS / file.name, file)
    execute(file)
    return file


def test_opened_without_a_kernel(quickstart: Path, lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    lab.trust("quickstart/quickstart.ipynb")
    open_without_kernel(notebook, "quickstart/quickstart.ipynb")
    assert_pictures(notebook.page)
    assert_tables(notebook.page)
    shoot("trusted")


def test_opened_untrusted(quickstart: Path, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    made = nbformat.read(quickstart, as_version=4)
    # A signature is of the content: this one is no copy of what the other test has signed.
    made.metadata["from"] = "elsewhere"
    nbformat.write(made, quickstart.with_name("untrusted.ipynb"))
    open_without_kernel(notebook, "quickstart/untrusted.ipynb")
    pictures = notebook.page.locator(".jp-RenderedImage img[src^='data:image/png']")
    pictures.nth(len(PICTURES) - 1).wait_for()
    assert pictures.count() == len(PICTURES)
    assert all(width > 300 for width in pictures.evaluate_all("all => all.map((each) => each.naturalWidth)"))
    assert notebook.page.locator(".jp-RenderedSVG").count() == 0
    assert_tables(notebook.page)
    shoot("untrusted")


def test_converted_to_html(quickstart: Path, notebook: Notebook, picture: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(quickstart)]
    subprocess.run(command, check=True, capture_output=True)
    page = notebook.page
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.goto(quickstart.with_suffix(".html").as_uri())
    assert_pictures(page)
    assert_tables(page)
    picture("converted")
    notebook.errors.clear()


def open_without_kernel(notebook: Notebook, name: str) -> None:
    """Open a notebook where no kernel can be started, and decline to choose one."""
    page = notebook.page
    page.route("**/api/sessions?*", _no_new_one)
    notebook.open(name, kernel=False)
    page.locator(".jp-Dialog", has_text="there is no kernel").get_by_role("button").click()
    page.locator(".jp-Dialog", has_text="Select Kernel").get_by_role("button", name="No Kernel").click()
    page.locator(".jp-Dialog").wait_for(state="detached")
    assert page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session") is None
    notebook.errors.clear()


def _no_new_one(route: Route) -> None:
    if route.request.method == "POST":
        route.fulfill(status=503, json={"message": "there is no kernel"})
    else:
        route.continue_()


def assert_pictures(page: Page) -> None:
    """The graph is there as often as it was shown, each time with the states that it had last."""
    drawn = page.locator(".jp-RenderedSVG img")
    drawn.nth(len(PICTURES) - 1).wait_for()
    pictures = [_picture(each.get_attribute("src") or "") for each in drawn.all()]
    assert list(map(states, pictures)) == PICTURES
    assert "✓ by_carrier" in pictures[-1]
    assert all(width > 300 for width in drawn.evaluate_all("all => all.map((each) => each.naturalWidth)"))


def assert_tables(page: Page) -> None:
    """Previews and cards are there as tables of plain text, and nothing waits for a kernel."""
    assert [card(page, "raw_flights", row).count() for row in ("flights.csv", "raw_weather", "31 MB")] == [1, 1, 1]
    preview = card(page, "4 rows · 19 columns", "dep_delay")
    assert preview.locator("tbody tr").count() == 4
    assert preview.locator("thead th").count() == 19
    assert card(page, "report/weather.parquet", "mean_delay").locator("tbody tr").count() == 4
    for words in (("laptop", "LocalProvider"), ("punctuality", "done"), ("versioning", "template Production")):
        assert card(page, *words, kind=".jp-RenderedHTMLCommon:has(table)").count() >= 1, words
    shown = page.locator("body").inner_text()
    for trouble in ("model not found", "Loading widget", "Error displaying widget"):
        assert trouble not in shown


def card(page: Page, *words: str, kind: str = ".glacier-static") -> Locator:
    """Return the outputs that have all the words."""
    found = page.locator(kind)
    for word in words:
        found = found.filter(has_text=word)
    return found


def _picture(address: str) -> str:
    head, _, data = address.partition(",")
    return base64.b64decode(data).decode() if head.endswith("base64") else unquote(data)


def states(picture: str) -> dict[str, int]:
    """Count the boxes of tasks in a picture by what they say of themselves."""
    return dict(Counter(re.findall(r'class="box (task[^"]*)"', picture)))
