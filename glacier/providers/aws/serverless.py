"""AWS: which functions there can be."""

from __future__ import annotations

from glacier.names import HANDLER
from glacier.providers.aws.config import FUNCTION
from glacier.providers.base import RemoteFunctions

__all__ = ["LambdaFunctions"]


class LambdaFunctions(RemoteFunctions):
    """Lambda: a handler is `module.function`."""

    kind = "aws"
    name_rule = FUNCTION
    handler_rule = HANDLER
