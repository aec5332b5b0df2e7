"""Reading the words after `%glacier`: argparse that raises, and never leaves, abbreviates or takes a secret."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import Any, NoReturn

from glacier.errors import ConfigError, did_you_mean
from glacier.redaction import names_secret

__all__ = ["CommandError", "Help", "Parser", "shortened", "split"]

_LONGEST = 400
_SAS = re.compile(r"sas\b", re.IGNORECASE)
_HIDDEN = re.compile(r"://[^/@\s]*:[^/@\s]*@|\bAKIA[0-9A-Z]{16}\b|[?&](sig|X-Amz-Signature)=")
_TYPESET = "\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb"
_DASHES = ("\u2013", "\u2014", "\u2212")


class CommandError(ConfigError):
    """A `%glacier` line that cannot be understood."""


class Help(Exception):
    """Somebody asked for help, which is the message."""


class Parser(argparse.ArgumentParser):
    """The words of one command."""

    def __init__(self, name: str, about: str) -> None:
        super().__init__(prog=f"%glacier {name}", description=about, allow_abbrev=False, formatter_class=_Wide)

    def add(self, *flags: str, names: str = "", **options: Any) -> None:
        """Add an argument; `names` says what completes it: environments, resources, tasks, pipelines, files ..."""
        action: Any = self.add_argument(*flags, **options)
        action.names = names

    def add_parameters(self) -> None:
        """Add `-p`, which gives the pipeline its own parameters."""
        about = "a parameter of the pipeline"
        self.add("-p", "--param", action="append", default=[], metavar="KEY=VALUE", names="parameters", help=about)

    def read(self, words: list[str]) -> argparse.Namespace:
        """Return what the words say.

        Raises:
            CommandError: they are no words of this command.
            Help: they ask for help.
        """
        _refuse_secrets(words)
        found, unknown = self.parse_known_args(words)
        if unknown:
            self._complain(unknown)
        return found

    def _complain(self, unknown: list[str]) -> NoReturn:
        flag = next((word.partition("=")[0] for word in unknown if word.startswith("-")), None)
        if any(word.startswith("#") for word in unknown):
            raise CommandError(f"{self.prog}: a line of it takes no comment", hint="write the comment on a line above")
        if flag is None or flag == "--":
            self.error(f"too many arguments: {shortened(unknown[-1])!r}")
        flags = [each for action in self._actions for each in action.option_strings]
        raise CommandError(f"{self.prog} has no option {shortened(flag)!r}", hint=did_you_mean(flag, flags))

    def error(self, message: str) -> NoReturn:
        """Raise instead of leaving."""
        usage = " ".join(self.format_usage().split()).removeprefix("usage: ")
        raise CommandError(f"{self.prog}: {shortened(message)}", hint=usage)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Raise instead of leaving."""
        raise Help(message or "")

    def print_help(self, file: Any = None) -> None:
        """Raise the help instead of printing it."""
        raise Help(self.format_help())


class _Wide(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=110)


def split(line: str) -> list[str]:
    """Split a line into words, as a shell does and without a shell's expansions.

    Raises:
        CommandError: a quote is not closed, or it is typeset like a document.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        hint = "close the quote, or escape it with a backslash"
        raise CommandError(f"%glacier: {str(error).lower()}", hint=hint) from None
    for word in words:
        if word.startswith(_DASHES) or any(mark in word[:1] + word[-1:] for mark in _TYPESET):
            raise CommandError(
                f"%glacier: {shortened(word)!r} has the quotes or dashes of a typeset document",
                hint="type plain ones: \" ' -",
            )
    return words


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Return a text that is short enough for a message."""
    return text if len(text) <= longest else f"{text[: longest // 2]} ... {text[-longest // 4 :]}"


def _refuse_secrets(words: list[str]) -> None:
    for before, word in zip(["", *words], words, strict=False):
        if before != "--where" and (_HIDDEN.search(word) or _names_secret(word)):
            raise CommandError(
                "%glacier takes no secrets: a line stays in the notebook and in the history",
                hint="set an environment variable, and name it in glacier.toml as ${NAME}",
            )


def _names_secret(word: str) -> bool:
    name, equals, _ = word.partition("=")
    named = (equals or word.startswith("-")) and re.fullmatch(r"[\w.-]+", name)
    return bool(named and (names_secret(name) or _SAS.search(name)))
