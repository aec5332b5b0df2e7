"""A notebook that was run and saved, opened without a kernel and converted: everything is there."""

import base64
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Route

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


@pytest.fixture(scope="module")
def saved(lab: Lab) -> Path:
    """A notebook that was run without any page, with the state of its widgets as nbclient stores it."""
    folder = story.write(lab, "saved", *CELLS)
    story.open_gates(folder)
    file = lab.root / "saved.ipynb"
    made = nbformat.read(file, as_version=4)
    NotebookClient(made, timeout=120, resources={"metadata": {"path": str(lab.root)}}).execute()
    nbformat.write(made, file)
    return file


def test_outputs_are_static(saved: Path) -> None:
    made = nbformat.read(saved, as_version=4)
    forms = [sorted(output["data"]) for cell in made.cells[1:] for output in cell.outputs]
    picture, page = ["image/png", "image/svg+xml", "text/plain"], ["text/html", "text/plain"]
    assert forms == [picture, picture, page, page, page]


def test_opened_without_a_kernel(saved: Path, lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    shutil.copy(saved, lab.root / "trusted.ipynb")
    lab.trust("trusted.ipynb")
    page = notebook.page
    page.route("**/api/sessions?*", _no_new_one)
    notebook.open("trusted.ipynb", kernel=False)
    page.locator(".jp-Dialog", has_text="Kernel").get_by_role("button").last.click()
    pictures = page.locator(".jp-RenderedSVG img")
    pictures.nth(1).wait_for()
    last = page.evaluate("(n) => decodeURIComponent(document.querySelectorAll('.jp-RenderedSVG img')[n].src)", 1)
    assert 'class="box task done"' in last and 'class="box task skipped"' in last and "✓ save" in last
    tables = page.locator(".jp-RenderedHTML table")
    assert tables.count() == 3
    assert tables.nth(0).locator("tbody tr").count() == 5
    assert tables.nth(1).locator("tbody tr").count() == 5
    assert "sales" in tables.nth(2).inner_text()
    assert "model not found" not in page.locator(".jp-Notebook").inner_text()
    shoot("trusted")
    notebook.errors.clear()


def _no_new_one(route: Route) -> None:
    if route.request.method == "POST":
        route.fulfill(status=503, json={"message": "there is no kernel"})
    else:
        route.continue_()


def test_opened_untrusted(saved: Path, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    made = nbformat.read(saved, as_version=4)
    # A signature is of the content: this one is no copy of what the other test has signed.
    made.metadata["from"] = "elsewhere"
    nbformat.write(made, saved.with_name("untrusted.ipynb"))
    notebook.open("untrusted.ipynb")
    page = notebook.page
    page.locator(".jp-RenderedImage img").nth(1).wait_for()
    assert page.locator(".jp-RenderedSVG").count() == 0
    assert page.locator(".jp-RenderedHTML table").count() == 3
    shoot("untrusted")


def test_converted_to_html(saved: Path, notebook: Notebook, tmp_path: Path, picture: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path), str(saved)]
    subprocess.run(command, check=True, capture_output=True)
    page = notebook.page
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.goto((tmp_path / "saved.html").as_uri())
    svgs = page.locator(".jp-RenderedSVG img")
    assert svgs.count() == 2
    assert page.locator(".glacier-static table").count() == 3
    last = _picture(svgs.nth(1).get_attribute("src") or "")
    assert (last.count('class="box task done"'), last.count('class="box task skipped"')) == (5, 1)
    picture("converted")
    notebook.errors.clear()


def test_the_quickstart_saved_and_converted(lab: Lab, notebook: Notebook, picture: Callable[[str], None]) -> None:
    folder = lab.root / "quickstart"
    folder.mkdir()
    made = nbformat.read(NOTEBOOKS / "quickstart.ipynb", as_version=4)
    NotebookClient(made, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(made, folder / "quickstart.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(folder / "quickstart.ipynb")]
    subprocess.run(command, check=True, capture_output=True)
    page = notebook.page
    page.route("**/*", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort())
    page.goto((folder / "quickstart.html").as_uri())
    drawn = [_picture(each.get_attribute("src") or "") for each in page.locator(".jp-RenderedSVG img").all()]
    assert any('class="box task done"' in each and "✓ by_carrier" in each for each in drawn)
    shown = page.locator(".jp-RenderedHTML")
    assert shown.filter(has=page.locator("table"), has_text="raw_flights").count() >= 1
    assert shown.filter(has=page.locator("table"), has_text="flights.csv").count() >= 1
    picture("quickstart")
    notebook.errors.clear()


def _picture(address: str) -> str:
    return base64.b64decode(address.partition("base64,")[2]).decode()
