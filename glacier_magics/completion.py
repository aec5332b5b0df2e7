"""Tab after `%glacier`: commands, flags, and the names that fit; stores are asked in the background."""

from __future__ import annotations

import argparse
import re
import shlex
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glacier import Bucket, registry
from glacier_magics import commands
from glacier_magics.magic import parser_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from glacier_magics.session import Session

__all__ = ["Matcher"]

_PATIENCE = 0.4
"""Seconds that Tab waits for a store; what comes later is there at the next Tab."""
_FRESH = 60.0
"""Seconds that an answer of a store is taken for true."""
_RUNS = 50
_LINE = re.compile(r"^\s*(?:[\w.\[\], ]+=\s*)?%{1,2}glacier\s+(.*)$", re.DOTALL)


class Matcher:
    """Completes `%glacier` lines for one session."""

    def __init__(self, session: Session) -> None:
        from IPython.core.completer import context_matcher  # pyright: ignore[reportUnknownVariableType]

        self._session = session
        self._answers: dict[Any, tuple[float, list[str]]] = {}

        def match(context: Any) -> Any:
            return self._match(context)

        self.match: Any = context_matcher(identifier="glacier", priority=200)(match)

    def _match(self, context: Any) -> dict[str, Any]:
        from IPython.core.completer import SimpleCompletion

        line = _LINE.match((context.text_until_cursor.splitlines() or [""])[-1])
        if line is None:
            return {"completions": [], "suppress": False}
        found, fragment = self.complete(line[1])
        return {
            "completions": [SimpleCompletion(text=each, type="keyword") for each in found],
            "suppress": True,
            "matched_fragment": fragment,
            "ordered": True,
        }

    def complete(self, text: str) -> tuple[list[str], str]:
        """Return what may stand at the end of the text behind `%glacier`, and the part of it that it replaces."""
        words, fragment = _words(text)
        if not words:
            return [each for each in commands.known() if each.startswith(fragment)], fragment
        if words[0] not in commands.known():
            return [], fragment
        parser: Any = parser_of(words[0], commands.find(words[0]))
        return self._for(parser, words[1:], fragment)

    def _for(self, parser: Any, words: list[str], fragment: str) -> tuple[list[str], str]:
        action = _open_flag(parser, words) or _positional(parser, words)
        if fragment.startswith("-") or action is None:
            return _starting(_flags(parser, words), fragment), fragment
        if action.choices is not None:
            return _starting(action.choices, fragment), fragment
        kind = getattr(action, "names", "")
        if kind == "columns":
            before, comma, last = fragment.rpartition(",")
            done = {*before.split(",")}
            columns = [each for each in self._columns(words) if each not in done]
            return [f"{before}{comma}{each}" for each in _starting(columns, last)], fragment
        found = _starting(self._names(kind, fragment), fragment)
        return found or (_starting(_flags(parser, words), fragment) if not fragment else []), fragment

    # --- names --------------------------------------------------------------------------------------------------

    def _names(self, kind: str, fragment: str) -> Iterable[str]:
        session, env = self._session, self._session.current
        if kind == "environments":
            return session.known()
        if kind in {"providers", "executors"}:
            return registry.known("providers" if kind == "providers" else "executors")
        if kind == "files":
            return _files(fragment)
        return [] if env is None else self._of_environment(kind, env, fragment)

    def _of_environment(self, kind: str, env: Any, fragment: str) -> Iterable[str]:
        kinds: dict[str, Callable[[], list[str]]] = {
            "tasks": lambda: env.tasks,
            "pipelines": lambda: env.pipelines,
            "runnable": lambda: [*env.pipelines, *env.tasks],
            "runs": lambda: [run.id for run in env.runs[:_RUNS]],
            "settings": lambda: [*env.list_resources(), *env.tasks],
            "resources": lambda: [*env.list_resources(), *self._objects(env, fragment)],
            "previewable": lambda: [*env.list_resources(), *self._objects(env, fragment), *self._frames()],
        }
        return kinds[kind]() if kind in kinds else []

    def _frames(self) -> list[str]:
        names = [name for name in list(self._session.names) if not name.startswith("_")]
        return [name for name in names if self._session.frame(name) is not None]

    def _objects(self, env: Any, fragment: str) -> list[str]:
        name, slash, _ = fragment.partition("/")
        bucket = env.resources.get(name)
        if not slash or not isinstance(bucket, Bucket):
            return []
        found = self._in_time((env.name, name, "objects"), lambda: _paths(bucket))
        return [f"{name}/{path}" for path in found]

    def _columns(self, words: list[str]) -> list[str]:
        env = self._session.current
        target = next((word for word in words if not word.startswith("-")), "")
        frame = self._session.frame(target)
        if frame is not None and not self._session.has_resource(target):
            return self._in_time((id(frame), "columns"), lambda: list(frame.collect_schema()))
        if env is None or not isinstance(env.resources.get(target), Bucket):
            return []
        seen = self._session.schemas.get((env.name, target))
        bucket = env.resources[target]
        return seen or self._in_time((env.name, target, "columns"), lambda: list(bucket.schema()))

    def _in_time(self, key: Any, ask: Callable[[], list[str]]) -> list[str]:
        """Return an answer that is fresh, or that comes in time; a late one is kept for the next Tab."""
        at, known = self._answers.get(key, (0.0, []))
        if time.monotonic() - at < _FRESH and at:
            return known
        self._answers[key] = time.monotonic(), known

        def work() -> None:
            try:
                self._answers[key] = time.monotonic(), ask()
            except Exception:
                self._answers.pop(key, None)

        thread = threading.Thread(target=work, name="glacier-completion", daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        return self._answers.get(key, (0.0, []))[1]


def _words(text: str) -> tuple[list[str], str]:
    """Split the text into the words that are done and the one that is being typed."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return (words, "") if not text or text[-1].isspace() else (words[:-1], words[-1] if words else "")


def _starting(names: Iterable[str], fragment: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(fragment)]


def _flags(parser: Any, words: list[str]) -> list[str]:
    """Return the flags that may still be given: all, but those that are there and do not repeat."""
    found: list[str] = []
    for action in parser._actions:
        repeats = isinstance(action, argparse._AppendAction)  # pyright: ignore[reportPrivateUsage]
        if action.option_strings and (repeats or not set(action.option_strings) & set(words)):
            found.append(action.option_strings[-1])
    return found


def _open_flag(parser: Any, words: list[str]) -> Any:
    """Return the action of a flag that waits for its value."""
    flag = parser._option_string_actions.get(words[-1]) if words else None
    return flag if flag is not None and flag.nargs != 0 else None


def _positional(parser: Any, words: list[str]) -> Any:
    """Return the positional argument that comes next, None where all are there."""
    count, waiting = 0, False
    for word in words:
        action = parser._option_string_actions.get(word)
        count += not (word.startswith("-") or waiting)
        waiting = action is not None and action.nargs != 0
    positionals = [each for each in parser._actions if not each.option_strings]
    return positionals[count] if count < len(positionals) else None


def _paths(bucket: Bucket) -> list[str]:
    from glacier.addresses import first_entries

    return [each.path for each in first_entries(bucket, 200)[0]]


def _files(fragment: str) -> list[str]:
    head, slash, _ = fragment.rpartition("/")
    folder = Path(head or ("/" if slash else "."))
    try:
        found = sorted(folder.iterdir())[:500]
    except OSError:
        return []
    return [f"{head}{slash}{each.name}{'/' if each.is_dir() else ''}" for each in found]
