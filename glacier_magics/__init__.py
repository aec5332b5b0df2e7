"""The workbench in Jupyter: `%load_ext glacier_magics` puts Glacier's names into the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_NAMES = ("GlacierEnv", "Bucket", "Serverless", "Inject", "task")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Put the public names into the notebook's namespace, where they are free."""
    taken = set(cast("dict[str, Any]", shell.user_ns))
    shell.push({name: value for name, value in _public().items() if name not in taken})


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take those names away again that are still Glacier's own."""
    shell.drop_by_id(_public())


def _public() -> dict[str, Any]:
    import glacier

    return {name: getattr(glacier, name) for name in _NAMES}
