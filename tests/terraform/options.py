"""What satisfies each policy check that the defaults decline: the settings that a user gives."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["OPTIONS", "SUBNET", "SUBSCRIPTION", "WORKSPACE", "Option", "merged"]

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
SUBNET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
WORKSPACE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/logs"

_KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
_CODE = {"code_bucket": "platform-artifacts"}


@dataclass(frozen=True)
class Option:
    """Settings of the provider, of buckets and of functions, and the checks that pass with them.

    `together` says whether they go with the other options and with every version of the provider.
    """

    checks: tuple[str, ...]
    bucket: dict[str, Any] = field(default_factory=dict[str, Any])
    function: dict[str, Any] = field(default_factory=dict[str, Any])
    provider: dict[str, Any] = field(default_factory=dict[str, Any])
    together: bool = True


OPTIONS: dict[str, tuple[Option, ...]] = {
    "aws": (
        Option(("CKV_AWS_18", "AWS-0089"), {"access_log_bucket": "central-logs"}, _CODE),
        Option(
            ("CKV_AWS_144",),
            {
                "replication_config": {
                    "destination_bucket": "glacier-test-copies",
                    "destination_region": "eu-central-1",
                    "kms_key": _KMS_KEY.replace("us-east-1", "eu-central-1"),
                    "access_log_bucket": "central-logs-eu",
                }
            },
            _CODE,
        ),
        Option(("CKV2_AWS_62",), {"event_notifications": True}, _CODE),
        Option(("AWS-0132",), {"encryption": "aws:kms", "kms_key": _KMS_KEY}, _CODE),
        Option(("CKV_AWS_158", "CKV_AWS_173", "CKV_AWS_297", "AWS-0017"), function={"kms_key": _KMS_KEY}),
        Option(("CKV_AWS_117",), function={"vpc_config": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}}),
        Option(
            ("CKV_AWS_272",),
            function={
                "code_signing_config": "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"
            },
        ),
    ),
    "gcp": (
        Option(("CKV_GCP_62", "GCP-0077"), {"access_log_bucket": "central-logs"}, _CODE),
        Option(("GCP-0066",), {"encryption": "customer-managed"}, _CODE),
    ),
    "azure": (
        Option(
            ("CKV2_AZURE_1", "AZU-0060"),
            {"kms_key": "https://vault.vault.azure.net/keys/key"},
            {"kms_key": "https://vault.vault.azure.net/keys/key"},
        ),
        Option(
            ("CKV_AZURE_59", "CKV2_AZURE_33", "AZU-0012"),
            {"private_endpoint_subnet": SUBNET},
            {"private_endpoint_subnet": SUBNET, "subnet_id": f"{SUBNET}-out"},
        ),
        Option(("CKV_AZURE_212",), function={"plan": "P1v3"}),
        Option(("CKV_AZURE_33", "AZU-0057"), provider={"queue_logging": True}, together=False),
        Option(
            ("CKV2_AZURE_21",),
            {"log_workspace": WORKSPACE, "storage_insights": True},
            {"log_workspace": WORKSPACE, "storage_insights": True},
        ),
    ),
}
"""For each cloud every check that its defaults decline, in one option each."""


def merged(options: Iterable[Option]) -> Option:
    """Return all of some options at once."""
    options = tuple(options)
    return Option(
        checks=tuple(check for each in options for check in each.checks),
        bucket={name: value for each in options for name, value in each.bucket.items()},
        function={name: value for each in options for name, value in each.function.items()},
        provider={name: value for each in options for name, value in each.provider.items()},
        together=all(each.together for each in options),
    )
