"""The graphviz program of this machine: found, tried before it is trusted, and run with a time limit.

The first that works is taken:

1. `$GLACIER_DOT`, a program; "none" or "builtin" stands for our own layout
2. `dot` on the PATH
3. `graphviz-pure` beside this Python, then on the PATH; `pip install glacier-workbench` brings it
4. our own layout, without any program
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glacier.errors import GlacierWarning, RenderError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BUILTIN", "engine", "engine_name", "plot", "raster", "trusted"]

BUILTIN = "builtin"
SECONDS = 5.0
_OURS = ("none", BUILTIN)
_TRIAL = "digraph { a -> b }"


def engine() -> str:
    """Return the name of the program that draws here, such as "dot" or "graphviz-pure"; "builtin" for our own layout.

    A single picture may still be drawn by our own layout, because it is large or the program failed on it: its SVG
    says so in the attribute `data-engine`.
    """
    return next((engine_name(program) for program in trusted()), BUILTIN)


def engine_name(program: str) -> str:
    """Return the short name of a program."""
    return Path(program).stem


def trusted() -> Iterator[str]:
    """Yield the programs that work, in the order of the chain."""
    wanted = os.environ.get("GLACIER_DOT", "")
    if wanted.lower() in _OURS:
        return
    if wanted and not _works(wanted):
        message = f"GLACIER_DOT={wanted!r} cannot draw and is passed over; set it to a graphviz program or to 'none'"
        warnings.warn(message, GlacierWarning, stacklevel=2)
    yield from (program for program in _candidates(wanted) if _works(program))


def _candidates(wanted: str) -> list[str]:
    beside = sysconfig.get_path("scripts")
    found = (wanted, shutil.which("dot"), shutil.which("graphviz-pure", path=beside), shutil.which("graphviz-pure"))
    return list(dict.fromkeys(program for program in found if program))


@cache
def _works(program: str) -> bool:
    """Whether the program drew a tiny graph; a Debian `dot` without its plug-ins, for one, is there and cannot."""
    try:
        return len(plot(program, _TRIAL)["objects"]) == 2
    except (RenderError, KeyError):
        return False


def plot(program: str, source: str) -> dict[str, Any]:
    """Lay out a graph in DOT and return graphviz's JSON (https://graphviz.org/docs/outputs/json/).

    Raises:
        RenderError: the program failed, took too long or gave something else.
    """
    try:
        plotted: Any = json.loads(_run(program, "-Tjson0", source))
    except ValueError as error:
        raise RenderError(f"{engine_name(program)} gave no JSON: {error}") from error
    if not isinstance(plotted, dict):
        raise RenderError(f"{engine_name(program)} gave no graph")
    return cast("dict[str, Any]", plotted)


def raster(program: str, source: str) -> bytes:
    """Draw a graph in DOT as a PNG.

    Raises:
        RenderError: the program failed, took too long or knows no PNG.
    """
    drawn = _run(program, "-Tpng", source)
    if not drawn.startswith(b"\x89PNG"):
        raise RenderError(f"{engine_name(program)} gave no PNG")
    return drawn


def _run(program: str, form: str, source: str) -> bytes:
    name = engine_name(program)
    try:
        # The program is the user's own choice or found on the PATH; no shell, and the source goes in by stdin.
        ended = subprocess.run(  # noqa: S603
            [program, form], input=source.encode(), capture_output=True, timeout=SECONDS, check=False
        )
    except OSError as error:
        raise RenderError(f"{name} could not be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise RenderError(f"{name} took longer than {SECONDS:g} s") from error
    if ended.returncode:
        raise RenderError(f"{name} failed: {ended.stderr.decode(errors='replace').strip()[-300:]}")
    return ended.stdout
