"""What a pipeline's body asks of a task's result that no stand-in can answer: `is`, `type(...)` and patterns.

Python compares identities, and looks into what a `case` matches, without asking the object. There the body meets what
stands for the result, and would go another way than with the value, in silence.
"""

from __future__ import annotations

import ast
import dis
import inspect
import textwrap
import warnings
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from glacier.errors import GlacierWarning
from glacier.graph import Site
from glacier.recording import Approximation
from glacier.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import CodeType

__all__ = ["unheard", "warn"]

_SUSPECTS = ("IS_OP", "_NONE", "MATCH_")
_PATTERNS = (ast.MatchMapping, ast.MatchSequence, ast.MatchSingleton)


class _Question(NamedTuple):
    """A question in the source, and the function whose result it is about."""

    text: str
    line: int
    function: str
    hint: str


def unheard(fn: Callable[..., Any]) -> list[Approximation]:
    """Return what a pipeline's function asks of results of tasks that they cannot answer, with the lines."""
    return [_told(each, fn.__code__) for each in _questions(fn.__code__) if _is_task(fn, each.function)]


def warn(fn: Callable[..., Any]) -> None:
    """Warn of each of these questions, at its line."""
    for each in unheard(fn):
        assert each.site is not None
        known = fn.__globals__.setdefault("__warningregistry__", {})
        warnings.warn_explicit(each.reason, GlacierWarning, each.site.file, each.site.line, registry=known)


def _told(question: _Question, code: CodeType) -> Approximation:
    what = f"`{question.text}` asks what stands for the result of {question.function}(), not the result"
    return Approximation(f"{what}: {question.hint}", Site(code.co_filename, question.line))


def _is_task(fn: Callable[..., Any], name: str) -> bool:
    free = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
    try:
        value = free[name].cell_contents if name in free else fn.__globals__.get(name)
    except ValueError:  # a variable of an outer function that has no value yet
        return False
    return issubclass(type(value), Task)


@lru_cache(maxsize=512)
def _questions(code: CodeType) -> tuple[_Question, ...]:
    operations = {each.opname for each in dis.get_instructions(code)}
    if "type" not in code.co_names and not any(part in each for part in _SUSPECTS for each in operations):
        return ()
    try:
        lines, first = inspect.getsourcelines(code)
        function = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return ()
    found = sorted(_asked(function, _results(function)), key=lambda question: question.line)
    return tuple(each._replace(line=each.line + first - 1) for each in found)


def _results(function: ast.AST) -> dict[str, str]:
    """Return the variables that are given nothing but results of calls, with the first function that is called."""
    nodes = list(ast.walk(function))
    stores = Counter(each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
    stores.update(each.arg for each in nodes if isinstance(each, ast.arg))
    given = [pair for each in nodes for pair in _given(each)]
    calls = Counter(name for name, _ in given)
    return {name: function for name, function in reversed(given) if calls[name] == stores[name]}


def _given(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the variables that a statement gives the result of a call, and the called function."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and (called := _called(node.value, {})):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from ((each.id, called) for each in targets if isinstance(each, ast.Name))


def _called(value: ast.AST | None, results: Mapping[str, str]) -> str | None:
    """Return the function whose result an expression is."""
    if isinstance(value, ast.NamedExpr):
        value = value.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id
    return results.get(value.id) if isinstance(value, ast.Name) else None


def _asked(function: ast.AST, results: Mapping[str, str]) -> Iterator[_Question]:
    for node in ast.walk(function):
        if isinstance(node, ast.Compare):
            yield from _compared(node, results)
        elif isinstance(node, ast.Match):
            yield from _matched(node, results)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "type":
            for called in filter(None, [_called(each, results) for each in node.args[:1]]):
                yield _Question(ast.unparse(node), node.lineno, called, "write isinstance(...), or ask in a task")


def _compared(node: ast.Compare, results: Mapping[str, str]) -> Iterator[_Question]:
    sides = [node.left, *node.comparators]
    for operation, *pair in zip(node.ops, sides, sides[1:], strict=False):
        called = next(filter(None, (_called(side, results) for side in pair)), None)
        if isinstance(operation, ast.Is | ast.IsNot) and called:
            yield _Question(ast.unparse(node), node.lineno, called, "write == or !=, or ask in a task")


def _matched(node: ast.Match, results: Mapping[str, str]) -> Iterator[_Question]:
    called = _called(node.subject, results)
    if called and any(isinstance(part, _PATTERNS) for case in node.cases for part in ast.walk(case.pattern)):
        text = f"match {ast.unparse(node.subject)}"
        yield _Question(text, node.lineno, called, "take it apart by its items, or match in a task")
