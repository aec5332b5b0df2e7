"""Azure: which functions there can be."""

from __future__ import annotations

from glacier.names import ENTRY_POINT
from glacier.providers.azure.config import FUNCTION
from glacier.providers.base import RemoteFunctions

__all__ = ["AzureFunctions"]


class AzureFunctions(RemoteFunctions):
    """Azure Functions: a handler is the name of a function in `function_app.py`, or `module.function`."""

    kind = "azure"
    name_rule = FUNCTION
    handler_rule = ENTRY_POINT
