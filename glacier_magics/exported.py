"""Generated infrastructure as a notebook shows it: the files to unfold, and who may do what."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier import tables
from glacier.safe import printable
from glacier_magics.cells import cell_of
from glacier_magics.views import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Exported"]

_LARGEST = 60_000
"""Characters of a file that are shown."""
_PAPER = "background:#f8f8f8;color:#222;padding:8px;overflow:auto;max-height:28em;margin:4px 0 4px 1em"


class Exported:
    """What an export came to: a mapping as `Pipeline.run(mode="generate")` returns it, and how it looks."""

    def __init__(self, generated: Mapping[str, Any]) -> None:
        self.generated = generated

    def __getitem__(self, key: str) -> Any:
        return self.generated[key]

    def plain(self) -> dict[str, Any]:
        """Return the mapping."""
        return dict(self.generated)

    @property
    def permissions(self) -> Table:
        """Who may do what, and which tasks need it."""
        rows = list(dict.fromkeys(_statement(each) for each in self.generated["permissions"]))
        return Table("permissions", ("principal", "may", "on", "because of"), rows)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/plain": str(self), "text/html": self._html()}

    def _html(self) -> str:
        folder = Path(self.generated["output_dir"])
        there = {_name(path, folder): path for path in map(Path, self.generated["files"]) if path.exists()}
        changes = {name: kind for kind, names in self.generated.get("changes", {}).items() for name in names}
        files = "".join(_file(name, path, changes.get(name, "")) for name, path in there.items())
        beside = {f"  {kind} {name}" for name, kind in changes.items() if name in there}
        said = [line for line in str(self.generated).splitlines() if line not in beside]
        title, rest = tables.line(said[0], "b"), tables.line("\n".join(said[1:]), "pre") if said[1:] else ""
        return tables.block(title, rest, files, self.permissions.html())

    def __str__(self) -> str:
        return f"{self.generated}\n\n{self.permissions}" if self.generated["permissions"] else str(self.generated)

    __repr__ = __str__


def _statement(each: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(each["principal"]),
        ", ".join(map(str, each["actions"])),
        ", ".join(map(str, each["resources"])),
        ", ".join(_use(use) for use in each["uses"]),
    )


def _use(use: Any) -> str:
    """Return a use as the task and, where it is known, the line that says so."""
    file, _, line = str(use["line"] or "").rpartition(":")
    cell = cell_of(file) if file else None
    where = f"{cell}, line {line}" if cell else use["line"]
    return f"{use['task']} ({where})" if where else use["task"]


def _name(path: Path, folder: Path) -> str:
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _file(name: str, path: Path, change: str) -> str:
    """Return a file to unfold, with what became of it: new, changed or the same."""
    head = f"{tables.line(name, 'code')} {tables.line(change, 'small')}"
    return f"<details><summary>{head}</summary>{_text(path)}</details>"


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")[:_LARGEST]
    except (OSError, UnicodeDecodeError):
        return tables.line(f"{path.name} is no text, or not there", "pre")
    code = _coloured(printable(text, keep="\n\t"), path.name)
    return f'<pre style="{_PAPER}">{code}</pre>'


def _coloured(text: str, name: str) -> str:
    """Return a text as HTML with the colours of its language, all that could be markup escaped."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_for_filename  # pyright: ignore[reportUnknownVariableType]
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_for_filename(name)
    except ClassNotFound:
        return escape(text)
    return highlight(text, lexer, HtmlFormatter(nowrap=True, noclasses=True))
