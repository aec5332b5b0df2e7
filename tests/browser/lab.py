"""A JupyterLab of the tests' own on a free port, and a Chromium that drives it.

Everything is driven by JupyterLab's commands and by what the page's elements say of themselves (`data-*`), never by
menus, and nothing waits for a time to pass.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from servers.process import LEASH

CHROMIUM = os.environ.get("GLACIER_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
TOKEN = "t0ken"
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
KERNEL = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"
PATIENCE = 90_000
"""Milliseconds after which a state that never came fails a test: far more than a busy machine needs."""

# A news pop-up would cover a corner of the page.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # On Tab, JupyterLab gives a kernel a second: one that is busier would offer nothing.
    "completer-extension/manager": {"providerTimeout": 60_000},
    # Every cell stays in the page, so that a test finds what is far below.
    "notebook-extension/tracker": {"windowingMode": "none"},
}
SERVER = {
    "ip": "127.0.0.1",
    "ServerApp.port": "0",
    "IdentityProvider.token": TOKEN,
    "LabApp.expose_app_in_browser": "True",
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
    "ServerApp.terminals_enabled": "False",
}


class Lab:
    """A running JupyterLab whose files, settings and kernels are in a temporary folder.

    `environment` has the variables that it, and every kernel, sees beside this process's own.
    """

    def __init__(self, root: Path, environment: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.url = ""
        self._home = tempfile.TemporaryDirectory(prefix="lab-")
        self.home = Path(self._home.name)
        self.environment = {**_environment(self.home), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Lab":
        home = self.home
        for name, settings in SETTINGS.items():
            file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(settings))
        # On a leash: it dies with the tests, and its kernels with it.
        command = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid())]
        command += [sys.executable, "-P", "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--{name}={value}" for name, value in {**SERVER, "ServerApp.root_dir": str(self.root)}.items()]
        with (home / "lab.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)
        self._wait(home)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._home.cleanup()

    def _wait(self, home: Path) -> None:
        assert self._process is not None
        said = home / "runtime" / f"jpserver-{self._process.pid}.json"
        ends = time.monotonic() + 90
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                self.url = json.loads(said.read_text())["url"].rstrip("/")
                urllib.request.urlopen(f"{self.url}/api/status?token={TOKEN}", timeout=5).read()
                return
            except (OSError, ValueError, KeyError):
                time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{(home / 'lab.log').read_text()[-3000:]}")

    def trust(self, name: str) -> None:
        """Sign a notebook as if this user had run it."""
        command = [str(Path(sys.executable).with_name("jupyter-trust")), str(self.root / name)]
        subprocess.run(command, check=True, capture_output=True, env=self.environment)

    def write(self, name: str, *cells: str, tags: Sequence[str] = ()) -> Path:
        """Write a notebook of code cells, each with these tags."""
        common = {"cell_type": "code", "metadata": {"tags": [*tags]}, "execution_count": None, "outputs": []}
        made = [{"id": f"cell{number}", "source": source, **common} for number, source in enumerate(cells)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        file = self.root / name
        file.write_text(json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
        return file


def _environment(home: Path) -> dict[str, str]:
    foreign = ("JUPYTER", "IPYTHON", "PYTEST", "COV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    ours = {f"JUPYTER_{name}_DIR": str(home / folder) for name, folder in folders.items()}
    ours |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    return {**kept, **ours, "IPYTHONDIR": str(home / "ipython"), "JUPYTER_PLATFORM_DIRS": "1"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium; Playwright's own is not needed."""
    with sync_playwright() as playwright:
        switches = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-prefers-reduced-motion"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=switches)
        try:
            yield browser
        finally:
            browser.close()


class Notebook:
    """One notebook, open in a page."""

    def __init__(self, lab: Lab, page: Page) -> None:
        self.lab = lab
        self.page = page
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    def open(self, name: str, *, kernel: bool = True) -> None:
        """Open a notebook, and wait until its kernel is there."""
        self.page.goto(f"{self.lab.url}/lab/tree/{name}?token={TOKEN}&reset")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.evaluate("() => jupyterapp.restored")
        self.page.evaluate("() => jupyterapp.shell.collapseLeft()")
        if kernel:
            self.idle()

    def idle(self) -> None:
        """Wait until the kernel is connected, has nothing to do, and no cell waits for it.

        A kernel calls itself idle also after a message of a widget, while a cell still runs.
        """
        self.page.wait_for_function(
            f"""() => {{
              const kernel = {KERNEL};
              const prompts = [...document.querySelectorAll(".jp-InputPrompt")];
              const waiting = prompts.some((each) => each.innerText.includes("*"));
              return kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle' && !waiting;
            }}"""
        )

    def command(self, name: str, **arguments: Any) -> None:
        """Execute one of JupyterLab's commands and wait for its answer."""
        self.page.evaluate("([name, args]) => jupyterapp.commands.execute(name, args)", [name, arguments])

    def run_all(self) -> None:
        """Run every cell, and wait until the last has answered."""
        self.command("notebook:run-all-cells")
        self.idle()

    def start_all(self) -> None:
        """Run every cell, and wait for nothing."""
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def ran(self, cell: int) -> None:
        """Wait until a cell has run, also where one before it fails and is tagged `raises-exception`."""
        prompt = "document.querySelectorAll('.jp-InputPrompt')[cell].innerText"
        self.page.wait_for_function(f"(cell) => /[0-9]/.test({prompt})", arg=cell)
        self.idle()

    def start(self, cell: int) -> None:
        """Run one cell again, and wait for nothing."""
        self.page.evaluate("(cell) => { jupyterapp.shell.currentWidget.content.activeCellIndex = cell; }", cell)
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell'); }")

    def type_and_run(self, source: str) -> None:
        """Put a new cell below the last one, run it, and wait until the kernel is idle."""
        self.page.evaluate(
            "(source) => { const n = jupyterapp.shell.currentWidget.content;"
            " n.activeCellIndex = n.widgets.length - 1; }",
            source,
        )
        self.command("notebook:insert-cell-below")
        self.page.evaluate(
            "(source) => { jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(source); }",
            source,
        )
        self.command("notebook:run-cell")
        self.idle()

    def save(self) -> dict[str, Any]:
        """Save the notebook and return what is in the file."""
        self.command("docmanager:save")
        path = self.page.evaluate("() => jupyterapp.shell.currentWidget.context.path")
        return json.loads((self.lab.root / path).read_text())

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        """Save the notebook and return the outputs of a cell, each text in one piece."""
        return self.all_outputs()[cell]

    def all_outputs(self) -> list[list[dict[str, Any]]]:
        """Save the notebook and return the outputs of every cell, each text in one piece."""
        return [list(map(_in_one_piece, cell["outputs"])) for cell in self.save()["cells"]]

    def theme(self, name: str) -> None:
        """Change the theme."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def close(self) -> None:
        """End the kernel."""
        self.page.evaluate("() => globalThis.jupyterapp?.shell.currentWidget?.sessionContext.shutdown()")


def _in_one_piece(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output whose texts are no lists of lines; what a stream said or a traceback is under `text`."""
    data = {
        kind: _joined(text) if kind != "application/json" else text for kind, text in output.get("data", {}).items()
    }
    return {**output, "data": data, "text": _joined(output.get("text") or "\n".join(output.get("traceback", "")))}


def _joined(text: str | list[str]) -> str:
    return "".join(text)
