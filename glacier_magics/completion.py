"""Tab after `%glacier`: commands, flags, and the names that fit; stores are asked in the background."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from glacier_magics import commands
from glacier_magics.magic import parser_of
from glacier_magics.offers import Offer, Offers, parameters
from glacier_magics.words import Fragment, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glacier import GlacierEnv, Pipeline, Task
    from glacier_magics.session import Session

__all__ = ["Matcher"]

_LINE = re.compile(r"^\s*(?:[\w.\[\], ]+=\s*)?%{1,2}glacier\s+(.*)$", re.DOTALL)
_CONTINUED = re.compile(r"\\\n\s*")
_NAME = re.compile(r"\w*$")


class Matcher:
    """Completes `%glacier` lines for one session."""

    def __init__(self, session: Session) -> None:
        from IPython.core.completer import context_matcher  # pyright: ignore[reportUnknownVariableType]

        self._session = session
        self._offers = Offers(session)

        def match(context: Any) -> Any:
            return self._match(context)

        self.match: Any = context_matcher(identifier="glacier", priority=200)(match)

    def _match(self, context: Any) -> dict[str, Any]:
        from IPython.core.completer import SimpleCompletion

        line = _LINE.match(_line(context))
        if line is None:
            return {"completions": [], "suppress": False}
        found, replaced = self.complete(line[1])
        return {
            "completions": [SimpleCompletion(text=each.text, type=each.type) for each in found],
            "suppress": True,
            "matched_fragment": replaced,
            "ordered": True,
        }

    def complete(self, text: str) -> tuple[list[Offer], str]:
        """Return what may stand at the end of the text behind `%glacier`, and the part of it that it replaces."""
        words, fragment = words_of(text)
        if not words and not fragment.raw.startswith("-"):
            return _starting([Offer(name, "command") for name in commands.known()], fragment), fragment.raw
        name = words[0] if words else "status"
        if name not in commands.known():
            return [], fragment.raw
        return self._for(_Line(parser_of(name, commands.find(name)), words[1:]), fragment)

    def _for(self, line: _Line, fragment: Fragment) -> tuple[list[Offer], str]:
        action = line.expected(fragment)
        if action is None or (fragment.raw.startswith("-") and not fragment.flag):
            return _starting(line.flags, fragment), fragment.raw
        if action.choices is not None:
            return _starting([Offer(each, "choice") for each in action.choices], fragment), fragment.raw
        env, kind = self._env(line), getattr(action, "names", "")
        if kind == "columns":
            return self._columns(env, line, fragment), fragment.raw
        if kind == "where":
            return self._where(env, line, fragment)
        if kind == "parameters":
            target = _target(env, line.words)
            return _starting([] if target is None else parameters(target, fragment.said), fragment), fragment.raw
        found = _starting(self._offers.of(kind, env, fragment.said), fragment)
        return found or ([] if fragment.raw else line.flags), fragment.raw

    def _env(self, line: _Line) -> GlacierEnv | None:
        """Return the environment that the line is about: one that is not open yet is not opened for a Tab."""
        return self._session.opened(line.given("--env")) or self._session.current

    def _columns(self, env: GlacierEnv | None, line: _Line, fragment: Fragment) -> list[Offer]:
        """Offer a list of columns that ends with one more."""
        before, comma, _ = fragment.said.rpartition(",")
        done = {*before.split(",")}
        columns = [each for each in self._offers.columns(env, line.first) if each.text not in done]
        return _starting([Offer(f"{before}{comma}{each.text}", each.type) for each in columns], fragment)

    def _where(self, env: GlacierEnv | None, line: _Line, fragment: Fragment) -> tuple[list[Offer], str]:
        """Offer the columns that the name at the end of an expression may become; only that name is replaced."""
        begun = _NAME.findall(fragment.raw)[0]
        columns = [each for each in self._offers.columns(env, line.first) if each.text.startswith(begun)]
        named = (each.text if each.text.isidentifier() else f'"{each.text}"' for each in columns)
        return [Offer(name, "column") for name in named if fragment.quote != '"' or '"' not in name], begun


class _Line:
    """The finished words behind a command, as its parser takes them."""

    def __init__(self, parser: Any, words: list[str]) -> None:
        self.parser = parser
        self.words = words

    def expected(self, fragment: Fragment) -> Any:
        """Return the argument that the word at the cursor is for; None where only a flag can follow."""
        if fragment.flag:
            return self._valued(fragment.flag)
        return (self._valued(self.words[-1]) if self.words else None) or self._positional()

    def _valued(self, word: str) -> Any:
        """Return the argument of a flag that takes a value."""
        action = self.parser._option_string_actions.get(word)
        return action if action is not None and action.nargs != 0 else None

    def _positional(self) -> Any:
        """Return the positional argument that comes next, None where all are there."""
        actions = [each for each in self.parser._actions if not each.option_strings]
        count = len(self._positionals())
        return actions[count] if count < len(actions) else None

    def _positionals(self) -> list[str]:
        pairs = zip(["", *self.words], self.words, strict=False)
        return [word for before, word in pairs if not word.startswith("-") and self._valued(before) is None]

    @property
    def first(self) -> str:
        """The first word that is no flag and no value of one, "" where there is none."""
        return next(iter(self._positionals()), "")

    def given(self, flag: str) -> str:
        """Return the value that a flag was given, "" where there is none."""
        joined = next((word.partition("=")[2] for word in self.words if word.startswith(f"{flag}=")), "")
        pairs = zip(self.words, self.words[1:], strict=False)
        return next((word for before, word in pairs if before == flag), joined)

    @property
    def flags(self) -> list[Offer]:
        """The flags that may still be given: all, but those that are there and do not repeat."""
        there = {word.partition("=")[0] for word in self.words}
        return [Offer(each.option_strings[-1], "flag") for each in self.parser._actions if _may_follow(each, there)]


def _may_follow(action: Any, there: set[str]) -> bool:
    repeats = isinstance(action, argparse._AppendAction)  # pyright: ignore[reportPrivateUsage]
    return bool(action.option_strings) and (repeats or not set(action.option_strings) & there)


def _target(env: GlacierEnv | None, words: list[str]) -> Pipeline | Task | None:
    """Return the pipeline or task that a line is about: the one that it names, or the only pipeline."""
    if env is None:
        return None
    for word in words:
        if word in env.pipelines:
            return env.find_pipeline(word)
        if word in env.tasks:
            return env.find_task(word)
    return env.find_pipeline(env.pipelines[0]) if len(env.pipelines) == 1 else None


def _line(context: Any) -> str:
    """Return the line up to the cursor, with those before it that a backslash continues."""
    lines = context.full_text.split("\n")[: context.cursor_line]
    joined = "\n".join([*lines, context.text_until_cursor])
    return _CONTINUED.sub(" ", joined).split("\n")[-1]


def _starting(offers: Iterable[Offer], fragment: Fragment) -> list[Offer]:
    """Return each offer once that begins as the fragment does, written as it has to stand in the line."""
    found = dict.fromkeys(each for each in offers if each.text.startswith(fragment.said))
    return [Offer(fragment.written(each.text), each.type) for each in found]
