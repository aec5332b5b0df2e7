"""Values that no provider schema knows to be wrong are refused by the config classes, before anything is generated."""

from typing import Any

import pytest
from pydantic import ValidationError

from glacier.config import AzureBlobConfig, AzureFunctionConfig, CloudFunctionConfig, GCSConfig

SUBNET = "/subscriptions/s/resourceGroups/g/providers/n/virtualNetworks/v/subnets/s"

REFUSED: list[tuple[type[Any], dict[str, Any]]] = [
    (GCSConfig, {"storage_class": "GLACIER"}),
    (GCSConfig, {"soft_delete_days": 6}),
    (GCSConfig, {"soft_delete_days": 91}),
    (GCSConfig, {"access_log_bucket": "Not A Bucket"}),
    (GCSConfig, {"kms_key": "my-key"}),
    (GCSConfig, {"lifecycle_rules": [{"days": 1, "transition": "STANDARD"}]}),
    (GCSConfig, {"labels": {"Team": "data"}}),
    (CloudFunctionConfig, {"memory": 64}),
    (CloudFunctionConfig, {"timeout": 3601}),
    (CloudFunctionConfig, {"runtime": "python27"}),
    (CloudFunctionConfig, {"ingress": "ALLOW_SOME"}),
    (CloudFunctionConfig, {"min_instances": 5, "max_instances": 4}),
    (CloudFunctionConfig, {"environment_vars": {"PORT": "1"}}),
    (CloudFunctionConfig, {"environment_vars": {"a b": "1"}}),
    (AzureBlobConfig, {"tier": "Archive"}),
    (AzureBlobConfig, {"replication_type": "XRS"}),
    (AzureBlobConfig, {"tier": "Premium", "replication_type": "GRS"}),
    (AzureBlobConfig, {"tier": "Premium", "lifecycle_rules": [{"days": 1, "transition": "Cool"}]}),
    (AzureBlobConfig, {"replication_type": "ZRS", "lifecycle_rules": [{"days": 1, "transition": "Archive"}]}),
    (AzureBlobConfig, {"lifecycle_rules": [{"days": 100_000, "expiration": True}]}),
    (AzureBlobConfig, {"soft_delete_days": 366}),
    (AzureBlobConfig, {"storage_account": "Has-Hyphens"}),
    (AzureBlobConfig, {"kms_key": "https://vault.vault.azure.net/secrets/x"}),
    (AzureBlobConfig, {"private_endpoint_subnet": "subnet-1"}),
    (AzureBlobConfig, {"log_workspace": "logs"}),
    (AzureBlobConfig, {"tags": {"microsoft-x": "y"}}),
    (AzureFunctionConfig, {"memory": 1024}),
    (AzureFunctionConfig, {"max_instances": 39}),
    (AzureFunctionConfig, {"max_instances": 40, "min_instances": 41}),
    (AzureFunctionConfig, {"min_instances": 101}),
    (AzureFunctionConfig, {"log_retention_days": 31}),
    (AzureFunctionConfig, {"environment_vars": {"AzureWebJobsStorage": "x"}}),
    (AzureFunctionConfig, {"environment_vars": {"AzureWebJobsStorage__accountName": "x"}}),
    (AzureFunctionConfig, {"environment_vars": {"GLACIER_SCHEDULE": "x"}}),
    (AzureFunctionConfig, {"environment_vars": {"AZURE_CLIENT_ID": "x"}}),
]
TAKEN: list[tuple[type[Any], dict[str, Any]]] = [
    (GCSConfig, {"soft_delete_days": 0}),
    (GCSConfig, {"soft_delete_days": 7, "access_log_bucket": "logs-1"}),
    (CloudFunctionConfig, {"min_instances": 4, "max_instances": 4}),
    (AzureBlobConfig, {"tier": "Premium", "replication_type": "ZRS"}),
    (AzureBlobConfig, {"tier": "Premium", "lifecycle_rules": [{"days": 1, "expiration": True}]}),
    (AzureBlobConfig, {"replication_type": "ZRS", "lifecycle_rules": [{"days": 1, "transition": "Cold"}]}),
    (AzureBlobConfig, {"private_endpoint_subnet": SUBNET, "soft_delete_days": 365}),
    (AzureFunctionConfig, {"log_retention_days": 730, "zone_redundant": False}),
]


@pytest.mark.parametrize(("kind", "fields"), REFUSED)
def test_what_a_cloud_would_refuse_is_refused(kind: type[Any], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind(**fields)


@pytest.mark.parametrize(("kind", "fields"), TAKEN)
def test_the_bounds_themselves_are_taken(kind: type[Any], fields: dict[str, Any]) -> None:
    assert kind(**fields).set_fields()
