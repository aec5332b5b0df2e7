"""`%glacier` and `%%glacier`: find the command, read its words, let it make its one call, show what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from glacier_magics import commands
from glacier_magics.errors_shown import tidied
from glacier_magics.parsing import CommandError, Help, Parser, shortened, split
from glacier_magics.views import Json, Text, plain

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from glacier_magics.session import Session

__all__ = ["GlacierMagics", "parser_of"]


@magics_class
class GlacierMagics(Magics):
    """The front door of the workbench."""

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        super().__init__(cast("Any", shell))
        self.session = session

    @no_var_expand
    @line_cell_magic
    def glacier(self, line: str, cell: str | None = None) -> Any:
        """The workbench: `%glacier COMMAND ...`; `%glacier?` lists the commands, `%glacier COMMAND?` shows its help."""
        try:
            return self._call(split(line), cell)
        except Help as asked:
            return Text(str(asked).strip())
        except BaseException as error:
            self.session.last_error = error
        # Outside of the handler, so that what is raised has no other context than its own.
        raise tidied(self.session.last_error, self.shell)

    def _call(self, words: list[str], cell: str | None) -> Any:
        if words[:1] in (["help"], ["-h"], ["--help"]):
            raise Help(commands.overview())
        name = words[0] if words and not words[0].startswith("-") else "status"
        command = commands.find(name)
        given = parser_of(name, command).read(words[1:] if words and name == words[0] else words)
        if cell is None:
            self._no_body_needed(name, command)
            result = command.run(self.session, given)
        elif not hasattr(command, "cell"):
            raise CommandError(f"%%glacier {name} takes no cell", hint=f"write %glacier {name}, with one percent sign")
        else:
            result = command.cell(self.session, given, cell)
        return Json(plain(result)) if given.json else result

    def _no_body_needed(self, name: str, command: Any) -> None:
        if not hasattr(command, "run"):
            raise CommandError(
                f"%glacier {shortened(name)} needs a cell", hint=f"write %%glacier {name} as the first line of a cell"
            )


def parser_of(name: str, command: Any) -> Parser:
    """Return the parser of a command."""
    parser = Parser(name, (command.__doc__ or "").strip())
    command.arguments(parser)
    parser.add("--json", action="store_true", help="the machine form of the result")
    return parser
