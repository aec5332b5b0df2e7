"""Loading and unloading: everything that `%load_ext glacier_magics` changes, and how it is undone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from glacier_magics.completion import Matcher
from glacier_magics.help import asked_for_help
from glacier_magics.magic import GlacierMagics
from glacier_magics.session import Session
from glacier_magics.widgets import formatters

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "session_of", "unload"]

_NAMES = ("GlacierEnv", "Bucket", "Serverless", "Inject", "task")


@dataclass(frozen=True)
class _Loaded:
    """What was brought into a shell, and the magics that had the same name before."""

    session: Session
    matcher: Matcher
    names: dict[str, Any]
    magics: dict[str, dict[str, Any]]


_loaded: dict[int, _Loaded] = {}


def load(shell: InteractiveShell) -> None:
    """Load the workbench into a shell, once."""
    if id(shell) in _loaded:
        return
    session, names = Session(shell), _public()
    matcher = Matcher(session)
    taken = set(cast("dict[str, Any]", shell.user_ns))
    given = {name: value for name, value in names.items() if name not in taken}
    magics = {kind: {"glacier": known["glacier"]} for kind, known in _magics(shell).items() if "glacier" in known}
    _loaded[id(shell)] = _Loaded(session, matcher, given, magics)
    shell.push(given)
    shell.register_magics(GlacierMagics(shell, session))
    shell.input_transformers_cleanup.append(asked_for_help)
    cast("Any", shell).Completer.custom_matchers.append(matcher.match)
    formatters.install(shell)
    session.open()
    print(session.greeting())


def unload(shell: InteractiveShell) -> None:
    """Undo what `load` did; names that the user has changed since are the user's."""
    found = _loaded.pop(id(shell), None)
    if found is None:
        return
    found.session.close()
    shell.drop_by_id(found.names)
    with suppress(ValueError):
        shell.input_transformers_cleanup.remove(asked_for_help)
    with suppress(ValueError):
        cast("Any", shell).Completer.custom_matchers.remove(found.matcher.match)
    formatters.remove(shell)
    for kind, known in _magics(shell).items():
        known.pop("glacier", None)
        known.update(found.magics.get(kind, {}))
    cast("Any", shell.magics_manager).registry.pop("GlacierMagics", None)


def session_of(shell: Any) -> Session:
    """Return the session of a shell that has the workbench loaded."""
    return _loaded[id(shell)].session


def _magics(shell: InteractiveShell) -> dict[str, dict[str, Any]]:
    return cast("Any", shell.magics_manager).magics


def _public() -> dict[str, Any]:
    import glacier

    return {name: getattr(glacier, name) for name in _NAMES}
