"""The rig of Azure: Azurite, which checks shared keys and SAS signatures."""

from typing import Any

from servers.azurite import Azurite

from glacier.config import AzureConfig
from glacier.providers import AzureProvider
from rigs.base import CloudRig


class AzureRig(CloudRig):
    """The provider has the account's key in its config.

    Azure has no request that gives up an upload: blocks that nobody commits are not listed, and gone after a week
    (https://learn.microsoft.com/rest/api/storageservices/put-block).
    """

    supports = frozenset({"buckets", "credentials", "keys", "web", "signatures"})
    never = {"users": "an account's key may do everything, and Azurite knows no roles"}
    address = f"az://{CloudRig.bucket_name}/"
    secrets = (Azurite.account_key,)

    def another(self, **fields: Any) -> AzureProvider:
        account = {"storage_account": self.server.account_name, "account_key": self.server.account_key}
        where = {"subscription_id": "...", "resource_group": "contract", "location": "eastus"}
        given = {**where, **account, "endpoint_url": self.server.endpoint, **fields}
        return AzureProvider(config=AzureConfig(**given))

    def stranger(self) -> AzureProvider:
        """Return a provider whose key is wrong."""
        return self.another(account_key=self.server.account_key.replace("Eby8", "Eby9"))
