"""The rules for names and paths that hold on every cloud, and the form in which a cloud states its own."""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glacier.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ENTRY_POINT",
    "ENVIRONMENT",
    "HANDLER",
    "LOCAL_BUCKET",
    "LOCAL_KEY",
    "OBJECT_KEY",
    "PIPELINE",
    "PLACEHOLDER",
    "RESOURCE",
    "TASK",
    "NameRule",
]

PLACEHOLDER = "..."
"""What a sketch writes for a handler or path it leaves open: it is taken, and refused where a real one is needed."""


@dataclass(frozen=True)
class NameRule:
    """What a kind of name must look like.

    Attributes:
        what: what the rule names, such as `"S3 bucket name"`.
        says: the rule in words, as it completes "must be".
        pattern: a regular expression for the whole name.
        shortest: fewest characters.
        longest: most characters.
        begins: reserved beginnings.
        ends: reserved endings.
        also: says what else is wrong with a name, or None: for what a pattern cannot express.
        normal: brings a name into the form that is compared and kept.
        joint: what a suggestion puts in the place of characters that are not allowed; None makes no suggestions.
        source: where the rule is written.
    """

    what: str
    says: str
    pattern: str = r"(?s:.*)"
    shortest: int = 1
    longest: int = 255
    begins: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    also: Callable[[str], str | None] | None = None
    normal: Callable[[str], str] = str
    joint: str | None = "-"
    source: str = ""

    def check(self, value: object, *, where: str = "") -> str:
        """Return the name in its normal form.

        Args:
            value: the name to check.
            where: what the name was given to, such as `"env.register"`: it begins the message.

        Raises:
            ConfigError: the name breaks the rule.
        """
        said = self.problem(value)
        if said is None and isinstance(value, str):
            return self.normal(value)
        place = f"{where}: " if where else ""
        raise ConfigError(f"{place}{_shown(value)} is no legal {self.what}: it {said}", hint=self._hint(value))

    def problem(self, value: object) -> str | None:
        """Say what is wrong with a name without repeating it, or None: `"must be ..."`."""
        if not isinstance(value, str):
            return f"must be a str, not {type(value).__name__}"
        name = self.normal(value)
        if not self.shortest <= len(name) <= self.longest:
            return f"must have {self.shortest} to {self.longest} characters, not {len(name)}"
        if not re.fullmatch(self.pattern, name):
            return f"must be {self.says}"
        return self._reserved(name) or (self.also(name) if self.also else None)

    def _reserved(self, name: str) -> str | None:
        for beginning in self.begins:
            if name.startswith(beginning):
                return f"must not begin with {beginning!r}, which is reserved"
        for ending in self.ends:
            if name.endswith(ending):
                return f"must not end with {ending!r}, which is reserved"
        return None

    def suggest(self, value: object) -> str | None:
        """Return a legal name that is near to `value`, or None where none is obvious."""
        if not isinstance(value, str) or self.joint is None:
            return None
        plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower()
        near = re.sub(r"[^a-z0-9]+", self.joint, plain)[: self.longest].strip(self.joint)
        return near if near != value and self.problem(near) is None else None

    def _hint(self, value: object) -> str | None:
        near = self.suggest(value)
        return f"for example {near!r}" if near else (f"the rule: {self.source}" if self.source else None)


def _shown(value: object) -> str:
    """Repeat a value so that it can do no harm: escaped, on one line and short."""
    text = repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def _nfkc(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def _task_problem(name: str) -> str | None:
    if not name.isidentifier() or keyword.iskeyword(name):
        return "must be a Python identifier and no keyword"
    return _bytes_problem(name)


def _pipeline_problem(name: str) -> str | None:
    return _task_problem(re.sub(r"(?<!^)[-.]", "_", name))


def _bytes_problem(name: str) -> str | None:
    # 255 bytes is the longest name of a file on common file systems: NAME_MAX in Linux' limits.h.
    return "must have at most 255 bytes in UTF-8" if len(_utf8(name)) > 255 else None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _folder_problem(name: str) -> str | None:
    if name in {".", ".."} or any(mark in name for mark in "/\\:"):
        return "must be the name of one folder: no path, no '.' or '..', no '/', '\\' or ':'"
    return _text_problem(name) or _bytes_problem(name)


def _text_problem(name: str) -> str | None:
    kinds = {unicodedata.category(character) for character in name}
    if "Cc" in kinds or "Cs" in kinds:
        return "must have no control characters and no half surrogates"
    return None


def _key_problem(key: str) -> str | None:
    """Say why a key does not mean the same object on every provider.

    S3 takes most of these literally while SDKs, browsers and file systems resolve them.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://|[A-Za-z]:", key) or "\\" in key:
        return "must be a path inside the bucket: no URL, no drive, no backslash"
    if key.startswith("/"):
        return "must be relative to the bucket: without a '/' at its beginning"
    if key.endswith("/"):
        return "must name an object, or a folder of objects without the '/' at its end"
    if {"", ".", ".."} & set(key.split("/")):
        return "must have no empty, '.' or '..' segments"
    if len(_utf8(key)) > 1024:
        return "must have at most 1024 bytes in UTF-8"
    return _text_problem(key)


def _local_key_problem(key: str) -> str | None:
    if any(_bytes_problem(segment) for segment in key.split("/")):
        return "must have at most 255 bytes in UTF-8 in each segment"
    return _key_problem(key)


def _dotted_problem(name: str) -> str | None:
    if name == PLACEHOLDER:
        return None
    parts = name.split(".")
    good = all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
    return None if good else "must be made of Python identifiers: 'module.function'"


ENVIRONMENT = NameRule(
    what="environment name",
    says="letters, digits, '_' and '-', with a letter first",
    pattern=r"[A-Za-z][A-Za-z0-9_-]*",
    longest=63,
    source="Glacier: it becomes part of file names, resource names and magics",
)
RESOURCE = NameRule(
    what="resource name",
    says="letters, digits, '_', '.' and '-', with a letter first",
    pattern=r"[A-Za-z][A-Za-z0-9_.-]*",
    longest=63,
    joint="_",
    source="Glacier: it becomes a Terraform label, https://developer.hashicorp.com/terraform/language/syntax/configuration",
)
TASK = NameRule(
    what="task name",
    says="a Python identifier",
    also=_task_problem,
    normal=_nfkc,
    joint="_",
    source="https://docs.python.org/3/reference/lexical_analysis.html#identifiers",
)
PIPELINE = NameRule(
    what="pipeline name",
    says="a Python identifier, in which '-' and '.' are allowed too",
    also=_pipeline_problem,
    normal=_nfkc,
    joint="_",
    source="https://docs.python.org/3/reference/lexical_analysis.html#identifiers",
)
LOCAL_BUCKET = NameRule(what="local bucket name", says="the name of one folder", also=_folder_problem)
OBJECT_KEY = NameRule(
    what="path in a bucket",
    says="a relative path",
    longest=1024,
    also=_key_problem,
    joint=None,
    source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html",
)
LOCAL_KEY = NameRule(
    what="path in a local bucket", says="a relative path", longest=1024, also=_local_key_problem, joint=None
)
HANDLER = NameRule(
    what="handler",
    says="'module.function'",
    pattern=r"\S+\.\S+",
    longest=128,
    also=_dotted_problem,
    joint=None,
    source="https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html",
)
ENTRY_POINT = NameRule(
    what="entry point",
    says="'function' or 'module.function'",
    pattern=r"\S+",
    longest=128,
    also=_dotted_problem,
    joint=None,
    source="https://cloud.google.com/functions/docs/writing",
)
