"""Values that no provider schema knows to be wrong are refused by the config classes, before anything is generated."""

from typing import Any

import pytest
from pydantic import ValidationError

from glacier.config import (
    AzureBlobConfig,
    AzureConfig,
    AzureFunctionConfig,
    CloudFunctionConfig,
    GCSConfig,
    LambdaConfig,
    S3Config,
)
from terraform.options import SUBNET, SUBSCRIPTION, WORKSPACE

AZURE = {"subscription_id": SUBSCRIPTION, "resource_group": "data", "location": "eastus"}
COPY = {"destination_bucket": "copies", "destination_region": "eu-central-1"}

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
    (AzureFunctionConfig, {"environment_vars": {"WEBSITE_RUN_FROM_PACKAGE": "0"}}),
    (AzureFunctionConfig, {"plan": "EP1"}),
    (AzureFunctionConfig, {"plan": "P1v3", "memory": 2048}),
    (AzureFunctionConfig, {"plan": "P1v3", "max_instances": 40}),
    (AzureFunctionConfig, {"plan": "P1v3", "concurrency": 8}),
    (AzureFunctionConfig, {"plan": "P1v3", "min_instances": 0}),
    (AzureFunctionConfig, {"plan": "P1v3", "min_instances": 31}),
    (AzureFunctionConfig, {"plan": "P1v3", "min_instances": 1, "zone_redundant": True}),
    (AzureFunctionConfig, {"private_endpoint_subnet": SUBNET}),
    (AzureFunctionConfig, {"storage_insights": True}),
    (AzureFunctionConfig, {"kms_key": "key"}),
    (AzureBlobConfig, {"storage_insights": True}),
    (AzureBlobConfig, {"log_workspace": WORKSPACE.replace("/resourceGroups/g", "")}),
    (AzureConfig, {**AZURE, "private_dns_zones": "dns"}),
    (CloudFunctionConfig, {"code_bucket": "Not A Bucket"}),
    (LambdaConfig, {"code_bucket": "Not A Bucket"}),
    (S3Config, {"replication_config": {**COPY, "access_log_bucket": "Not A Bucket"}}),
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
    (AzureFunctionConfig, {"plan": "FC1", "memory": 512, "max_instances": 40, "min_instances": 0, "concurrency": 1}),
    (AzureFunctionConfig, {"plan": "P0v3", "min_instances": 1, "zone_redundant": False}),
    (AzureFunctionConfig, {"plan": "P3v3", "min_instances": 30, "zone_redundant": True}),
    (AzureFunctionConfig, {"private_endpoint_subnet": SUBNET, "subnet_id": SUBNET}),
    (AzureFunctionConfig, {"storage_insights": True, "log_workspace": WORKSPACE}),
    (AzureBlobConfig, {"log_workspace": WORKSPACE.lower()}),
    (AzureConfig, {**AZURE, "private_dns_zones": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dns"}),
    (CloudFunctionConfig, {"code_bucket": "platform-artifacts"}),
    (LambdaConfig, {"code_bucket": "platform-artifacts"}),
]


@pytest.mark.parametrize(("kind", "fields"), REFUSED)
def test_what_a_cloud_would_refuse_is_refused(kind: type[Any], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind(**fields)


@pytest.mark.parametrize(("kind", "fields"), TAKEN)
def test_the_bounds_themselves_are_taken(kind: type[Any], fields: dict[str, Any]) -> None:
    assert kind(**fields).set_fields()


def test_what_a_plan_cannot_have_is_refused_with_the_reason() -> None:
    with pytest.raises(ValidationError) as found:
        AzureFunctionConfig(plan="P1v3", memory=512, max_instances=40, concurrency=8)
    said = str(found.value)
    assert "memory\n  must not go with plan='P1v3': the plan's own size is what its instances have" in said
    assert "max_instances\n  must not go with plan='P1v3': the plan always has min_instances" in said
    assert "extensions.http.maxConcurrentRequests" in said
