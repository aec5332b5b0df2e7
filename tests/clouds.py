"""The three clouds' servers, started once for all the tests of a process that ask for them."""

import atexit
import functools
from typing import Any

from servers.azurite import Azurite
from servers.gcs import FakeGCS
from servers.seaweedfs import SeaweedFS

BUCKET = "tables"
OTHERS_BUCKET = "other-data"
"""The one that SeaweedFS' second user may use."""


@functools.cache
def running() -> dict[str, Any]:
    """Start a server for each cloud, by its provider's name, with an empty `BUCKET`; they stop with the process."""
    servers: dict[str, Any] = {"aws": SeaweedFS(), "gcp": FakeGCS(), "azure": Azurite()}
    for server in servers.values():
        atexit.register(server.start().stop)
    for server in servers.values():
        server.wait().make_bucket(BUCKET)
    servers["aws"].make_bucket(OTHERS_BUCKET)
    return servers
