"""Google Cloud: which functions there can be."""

from __future__ import annotations

from glacier.names import ENTRY_POINT
from glacier.providers.base import RemoteFunctions
from glacier.providers.gcp.config import FUNCTION

__all__ = ["CloudFunctions"]


class CloudFunctions(RemoteFunctions):
    """Cloud Run functions: a handler is the name of a function in `main.py`, or `module.function`."""

    kind = "gcp"
    name_rule = FUNCTION
    handler_rule = ENTRY_POINT
