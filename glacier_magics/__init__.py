"""The workbench in Jupyter: `%load_ext glacier_magics` brings `%glacier` and Glacier's names into the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register `%glacier`, open the project's environment, and put names into the notebook where they are free."""
    from glacier_magics.workbench import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take away all that loading brought."""
    from glacier_magics.workbench import unload

    unload(shell)
