"""One JupyterLab and one Chromium for all browser tests; a page, a notebook and screenshots for each."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from servers.azurite import Azurite
from servers.gcs import FakeGCS
from servers.moto import Moto

from browser import planted
from browser.contrast import poor_contrasts
from browser.lab import DARK, LIGHT, Lab, Notebook, chromium

SHOTS = Path(__file__).parents[2] / "test-output" / "browser"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder: it runs by itself, so that Lab and browser are started once."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def clouds() -> Iterator[dict[str, Any]]:
    """The clouds that the lab's environment names. Few tests need them: all but one are started there."""
    with FakeGCS() as gcs:
        yield {"aws": Moto(), "azure": Azurite(), "gcp": gcs}


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, clouds: dict[str, Any]) -> Iterator[Lab]:
    """The JupyterLab, with secrets in its environment."""
    endpoints = {kind: cloud.endpoint for kind, cloud in clouds.items()}
    environment = planted.plant(tmp_path_factory.mktemp("planted"), endpoints)
    with Lab(tmp_path_factory.mktemp("notebooks"), environment) as lab:
        yield lab


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; a missing one is an error, never a skip."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def notebook(lab: Lab, browser: Browser) -> Iterator[Notebook]:
    """A page for a notebook; whatever goes wrong in it fails the test."""
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    notebook = Notebook(lab, page)
    yield notebook
    notebook.close()
    page.close()
    assert [error for error in notebook.errors if not _expected(error)] == []


def _expected(error: str) -> bool:
    """Whether a message comes from JupyterLab itself: it asks for files that a new folder does not have."""
    return bool(
        re.search(r"Failed to load resource|favicon|plugin '.*' failed|WebSocket|debugger state|Canceled future", error)
    )


@pytest.fixture
def picture(request: pytest.FixtureRequest, notebook: Notebook) -> Callable[[str], None]:
    """Take a picture of the page."""

    def take(name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        notebook.page.screenshot(path=SHOTS / f"{request.node.originalname}-{name}.png")

    return take


@pytest.fixture
def shoot(notebook: Notebook, picture: Callable[[str], None]) -> Callable[[str], None]:
    """Take a picture of the notebook in the dark theme and in the light one; in both everything can be made out."""

    def take(name: str) -> None:
        for theme, suffix in ((DARK, "dark"), (LIGHT, "light")):
            notebook.theme(theme)
            notebook.page.locator(".glacier, .jp-OutputArea-output").last.scroll_into_view_if_needed()
            picture(f"{name}-{suffix}")
            assert poor_contrasts(notebook) == {}, theme

    return take


@pytest.fixture(scope="session", autouse=True)
def _empty_folder() -> None:
    shutil.rmtree(SHOTS, ignore_errors=True)
