"""The body of a `%%glacier` cell: found to define one function, and run as the cell's own code."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import did_you_mean
from glacier_magics.parsing import CommandError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["define", "function_of"]


def function_of(body: str, name: str | None, what: str) -> str:
    """Return the name of the function in a cell that becomes a task or pipeline: the only one, or that of the name.

    Raises:
        CommandError: the cell defines none, or several of which none has the name.
        SyntaxError: the body is no Python.
    """
    found = [node.name for node in ast.parse(body).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if name is not None and name in found:
        return name
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"%%glacier {what}: the cell defines no function", hint="write def ... below the first line")
    hint = f"say which: %%glacier {what} {found[-1]}" if name is None else did_you_mean(name, found)
    raise CommandError(f"%%glacier {what}: the cell defines {len(found)} functions", hint=hint)


def define(shell: InteractiveShell, body: str) -> dict[str, Any]:
    """Run a cell's body in the notebook's names, and return these; its errors are raised, with the cell's own lines."""
    # The first line of the cell is the magic: an empty one in its place keeps the numbers of the lines.
    source = "\n" + shell.transform_cell(body)
    compiler = cast("Any", shell.compile)
    name = compiler.cache(source, shell.execution_count, raw_code=source)
    names = cast("dict[str, Any]", shell.user_ns)
    exec(compiler(source, name, "exec"), names)  # noqa: S102 - it is the user's own cell
    return names
