"""The three stores side by side, a proxy before each, and providers that use them."""

import atexit
from functools import cache
from typing import Any

from servers.azurite import Azurite
from servers.gcs import FakeGCS
from servers.process import Server
from servers.proxy import Proxy
from servers.seaweedfs import SeaweedFS

from glacier.config import AwsConfig, AzureConfig, GcpConfig
from glacier.providers import AWSProvider, AzureProvider, GCPProvider

BUCKET = "tables"
CLOUDS: dict[str, type[Server]] = {"aws": SeaweedFS, "gcp": FakeGCS, "azure": Azurite}


@cache
def stores() -> dict[str, Any]:
    """Start all three, once; they end with the test process."""
    started = {kind: make() for kind, make in CLOUDS.items()}
    for server in started.values():
        atexit.register(server.start().stop)
    for server in started.values():
        server.wait().make_bucket(BUCKET)
    return started


@cache
def proxies() -> dict[str, Proxy]:
    """Start a proxy before each store, once."""
    started = {kind: Proxy(server).start() for kind, server in stores().items()}
    for proxy in started.values():
        atexit.register(proxy.stop)
    return started


def provider(kind: str, endpoint: str | None = None, **fields: Any) -> Any:
    """Make a provider of a running store; that of AWS takes its keys where a user's would, see `KEYS`."""
    server: Any = CLOUDS[kind]
    given = {"endpoint_url": endpoint or stores()[kind].endpoint, **fields}
    if kind == "aws":
        return AWSProvider(config=AwsConfig(**{"region": server.region, **given}))
    if kind == "gcp":
        return GCPProvider(config=GcpConfig(**{"project_id": server.project_id, **given}))
    account = {"storage_account": server.account_name, "account_key": server.account_key}
    group = {"subscription_id": "...", "resource_group": "data", "location": "eastus"}
    return AzureProvider(config=AzureConfig(**{**group, **account, **given}))


KEYS = {
    "AWS_ACCESS_KEY_ID": SeaweedFS.access_key,
    "AWS_SECRET_ACCESS_KEY": SeaweedFS.secret_key,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The environment variables by which SeaweedFS' owner is known, and no machine's role is asked for."""
