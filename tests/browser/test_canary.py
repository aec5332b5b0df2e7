"""Secrets are planted where a user has some: nothing that the workbench saves, logs or tells a page has one of them."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import WebSocket

from browser import planted
from browser.lab import Lab, Notebook

LINKS = 3
SIGNATURES = {"X-Amz-Signature", "X-Goog-Signature", "sig"}


@pytest.fixture(scope="module", autouse=True)
def _stores(clouds: dict[str, Any]) -> Iterator[None]:
    azure = clouds["azure"].start()
    try:
        with clouds["aws"] as aws:
            aws.client("s3").create_bucket(Bucket="sales")
            azure.wait().make_bucket("sales")
            clouds["gcp"].make_bucket("sales")
            yield
    finally:
        azure.stop()


@pytest.fixture
def frames(notebook: Notebook) -> list[bytes]:
    """Every message between the page and the server, both ways."""
    heard: list[bytes] = []

    def note(message: str | bytes) -> None:
        heard.append(message.encode() if isinstance(message, str) else message)

    def listen(socket: WebSocket) -> None:
        socket.on("framesent", note)
        socket.on("framereceived", note)

    notebook.page.on("websocket", listen)
    return heard


def secrets(lab: Lab) -> dict[str, str]:
    """Return the planted secrets, and the signatures of the links that the notebook has signed last."""
    links = Path(lab.environment["PLANTED_LINKS"]).read_text().split()
    signed = [(name, value) for link in links for name, value in parse_qsl(urlsplit(link).query) if name in SIGNATURES]
    assert len(signed) == LINKS
    return {**planted.words(), **dict(signed)}


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield str(file.relative_to(folder)), file.read_bytes()


def leaks(lab: Lab, texts: Iterable[tuple[str, bytes]]) -> dict[str, list[str]]:
    """Return for each text that tells secrets where these come from."""
    words = secrets(lab)
    return {name: found for name, data in texts if (found := planted.found_in(data, words))}


def assert_outcomes(file: Path) -> None:
    """Each cell has failed or not as it should: secrets are looked for where they could be, and were left out there."""
    cells = nbformat.read(file, as_version=4).cells
    errors = [
        [f"{each.ename}: {each.evalue}" for each in cell.outputs if each.output_type == "error"] for cell in cells
    ]
    wrong = [found for found, source in zip(errors, planted.CELLS, strict=True) if bool(found) != planted.fails(source)]
    assert wrong == []
    assert "connecting with ***" in json.dumps(cells)


def test_no_secret_is_saved_or_told_to_a_page(
    lab: Lab, notebook: Notebook, frames: list[bytes], picture: Callable[[str], None]
) -> None:
    file = planted.write(lab, "planted")
    notebook.open("planted/planted.ipynb")
    notebook.start_all()
    notebook.ran(len(planted.CELLS) - 1)
    look(notebook)
    picture("told")
    notebook.save()
    assert_outcomes(file)
    told = [(f"message {number}: {data[:2000]!r}", data) for number, data in enumerate(frames)]
    assert sum(b"comm_msg" in data for _, data in told) > LINKS
    assert leaks(lab, told) == {}
    assert {".glacier/runs.sqlite", "infra/functions.tf", "state.json"} <= {name for name, _ in files(file.parent)}
    assert leaks(lab, files(file.parent)) == {}
    assert {"lab.log", "ipython/profile_default/history.sqlite"} <= {name for name, _ in files(lab.home)}
    assert leaks(lab, files(lab.home)) == {}


def look(notebook: Notebook) -> None:
    """Look behind every task of the pictures of runs, and into an object."""
    page = notebook.page
    for cell, source in enumerate(planted.CELLS):
        if source.endswith(("%glacier run report -o result", "%glacier run broken")):
            boxes = page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".gl-board .box.task")
            for number in range(boxes.count()):
                boxes.nth(number).focus()
                page.keyboard.press("Enter")
                page.locator(f".gl-panel[data-panel='{boxes.nth(number).get_attribute('data-box')}']").wait_for()
    page.locator(".gl-resource[data-resource=sales_raw]").first.click()
    page.locator(".gl-object[data-object='raw.parquet']").first.click()
    page.locator(".gl-pane[data-previewed='raw.parquet']").first.wait_for()


def test_no_secret_is_saved_without_a_page(lab: Lab) -> None:
    file = planted.write(lab, "alone")
    made = nbformat.read(file, as_version=4)
    place = {"metadata": {"path": str(file.parent)}}
    NotebookClient(made, timeout=120, store_widget_state=True, resources=place).execute(env=lab.environment)
    nbformat.write(made, file)
    assert_outcomes(file)
    assert len(made.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]) > LINKS
    assert leaks(lab, files(file.parent)) == {}


def test_a_secret_that_was_told_would_be_found() -> None:
    words = planted.words()
    spellings: list[Callable[[str], str]] = [str, quote, json.dumps, lambda word: word.encode().hex()]
    spellings += [lambda word, n=n: base64.b64encode(b"user:"[:n] + word.encode()).decode() for n in range(3)]
    for name, word in words.items():
        for spell in spellings:
            assert planted.found_in(f"before {spell(word)[:40]} after".encode(), words) == [name]
