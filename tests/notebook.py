"""A notebook in this process: IPython's shell, with what its cells show."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config


@dataclass
class Shown:
    """What a cell came to."""

    value: Any
    printed: str
    displayed: list[dict[str, Any]]
    error: BaseException | None
    traceback: str
    bundle: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All text that the cell shows, its traceback too."""
        plain = [str(each.get("text/plain", "")) for each in [*self.displayed, self.bundle]]
        return "\n".join([self.printed, *plain, self.traceback])

    @property
    def everything(self) -> str:
        """Every form of every output."""
        bundles = [*self.displayed, self.bundle]
        return "\n".join([self.printed, self.traceback, *(str(form) for each in bundles for form in each.values())])


class Notebook:
    """Runs cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self._tracebacks: list[str] = []
        shell._showtraceback = lambda etype, evalue, stb: self._tracebacks.append("\n".join(stb))  # type: ignore

    def cell(self, source: str) -> Shown:
        """Run a cell, whatever comes of it."""
        self._tracebacks.clear()
        with capture_output() as captured:
            result = self.shell.run_cell(source, store_history=True)
        bundle = {} if result.result is None else self.shell.display_formatter.format(result.result)[0]
        error = result.error_before_exec or result.error_in_exec
        outputs = [each.data for each in captured.outputs]
        said = captured.stdout + captured.stderr
        return Shown(result.result, said, outputs, error, "\n".join(self._tracebacks), bundle)

    def run(self, source: str) -> Shown:
        """Run a cell that must succeed."""
        shown = self.cell(source)
        assert shown.error is None, shown.traceback or repr(shown.error)
        return shown

    def fail(self, source: str) -> Shown:
        """Run a cell that must fail."""
        shown = self.cell(source)
        assert shown.error is not None, shown.text
        return shown

    def complete(self, source: str) -> list[str]:
        """Return what Tab offers at the end of a source."""
        with provisionalcompleter():
            return [each.text for each in self.shell.Completer.completions(source, len(source))]

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


@contextmanager
def notebook(folder: Path) -> Iterator[Notebook]:
    """A shell whose own files lie in a folder; it leaves nothing behind in this process."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.cache_size = 0
    config.Completer.use_jedi = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config, ipython_dir=str(folder))
    try:
        yield Notebook(shell)
    finally:
        if "glacier_magics" in shell.extension_manager.loaded:
            shell.extension_manager.unload_extension("glacier_magics")
        shell.reset(new_session=False)
        InteractiveShell.clear_instance()
        gc.collect()
        gc.freeze()
