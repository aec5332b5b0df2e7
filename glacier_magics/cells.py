"""Cells: the body of a `%%glacier` cell, run as the cell's own code; and what a place in a cell is called."""

from __future__ import annotations

import ast
import linecache
import sys
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import did_you_mean
from glacier_magics.parsing import CommandError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["cell_of", "function_in", "placed"]


def function_in(shell: InteractiveShell, body: str, name: str | None, what: str) -> tuple[str, Any]:
    """Run a cell's body in the notebook's names; return name and function of what becomes a task or pipeline.

    It is the only one of the cell, or the one of the name. Errors have the cell's own lines.

    Raises:
        CommandError: the cell defines none, or several of which none has the name.
        SyntaxError: the body is no Python.
        Exception: what the body raises.
    """
    compiler, names = cast("Any", shell.compile), cast("dict[str, Any]", shell.user_ns)
    source = _source(shell, body)
    cell = compiler.cache(source, _number(shell), raw_code=source)
    tree = compiler.ast_parse(source, cell)
    chosen = _chosen(tree, name, what)
    exec(compiler(tree, cell, "exec"), names)  # noqa: S102 - it is the user's own cell
    return chosen, names[chosen]


def cell_of(file: str) -> str | None:
    """Return the name of the cell whose code is said to stand in a file, such as `Cell In[2]`; None for a real file.

    `file` may be the name alone. Nobody knows a cell by it.
    """
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    compiler: Any = getattr(shell, "compile", None)
    if not hasattr(compiler, "format_code_name"):
        return None
    known = [each for each in list(linecache.cache) if each == file or Path(each).name == file]
    names: list[Any] = [compiler.format_code_name(each) for each in known]
    return next((" ".join(name) for name in names if name), None)


def placed(file: str, line: int) -> str:
    """Return a line of the user's code in a few words."""
    return f"{cell_of(file) or Path(file).name}, line {line}"


def _source(shell: InteractiveShell, body: str) -> str:
    """Return a cell's body as Python, each line where it stands in the cell, of which the first one is the magic."""
    above = 1 + len(list(takewhile(str.isspace, body.splitlines(keepends=True))))  # IPython drops empty lines
    try:
        return "\n" * above + shell.transform_cell(body)
    except SyntaxError as error:
        error.lineno = (error.lineno or 0) + above
        error.filename = cast("Any", shell.compile).cache("\n" + body, _number(shell))
        raise


def _number(shell: InteractiveShell) -> int:
    """Return the number of the cell that runs: some versions of IPython count on before they run it."""
    running = getattr(shell.displayhook, "exec_result", None)
    return getattr(running, "execution_count", None) or shell.execution_count


def _chosen(tree: ast.Module, name: str | None, what: str) -> str:
    found = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if name is not None and name in found:
        return name
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"%%glacier {what}: the cell defines no function", hint="write def ... below the first line")
    hint = f"say which: %%glacier {what} {found[-1]}" if name is None else did_you_mean(name, found)
    raise CommandError(f"%%glacier {what}: the cell defines {len(found)} functions", hint=hint)
