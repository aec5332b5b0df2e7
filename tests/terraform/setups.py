"""Environments that differ as those of a real project do, on every cloud: what each of them asks for is a `Setup`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import example_code

from glacier import Bucket, GlacierEnv, Serverless, modes
from glacier.config import AwsConfig, AzureConfig, GcpConfig
from glacier.environment import Defaults
from glacier.infrastructure.collect import collect
from glacier.providers import AWSProvider, AzureProvider, GCPProvider
from glacier.templates import ProductionAWSEnvironment, ProductionAzureEnvironment, ProductionGCPEnvironment
from glacier.terraform import Document, Value, variable
from terraform.examples import CLOUDS, SUBSCRIPTION, WORKSPACE

__all__ = ["BUCKETS", "FUNCTIONS", "PROVIDERS", "SHARED", "Setup", "drawn", "environment", "exported"]

KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-00000000000{}"
GCP_KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k{}"
VAULT = "https://vault.vault.azure.net/keys/key{}"
SUBNET = "/subscriptions/s/resourceGroups/g/providers/n/virtualNetworks/v/subnets/{}"
SIGNING = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:pandas:{}"

_RULES = {
    "aws": ({"days": 30, "transition": "GLACIER"}, {"days": 1, "expiration": True, "prefix": "tmp/"}),
    "gcp": ({"days": 30, "transition": "ARCHIVE"}, {"days": 1, "expiration": True, "prefix": "tmp/"}),
    "azure": ({"days": 30, "transition": "Archive"}, {"days": 1, "expiration": True, "prefix": "tmp/"}),
}


def _rules(cloud: str) -> list[dict[str, Any]]:
    move, expire = _RULES[cloud]
    several = ([], [move], [{**move, "days": 60}], [expire], [move, expire], [expire, move])
    return [{"lifecycle_rules": rules} for rules in several]


BUCKETS: dict[str, list[list[dict[str, Any]]]] = {
    "aws": [
        [
            {},
            {"encryption": "AES256"},
            {"encryption": "aws:kms:dsse"},
            *({"encryption": "aws:kms", "kms_key": KEY.format(place)} for place in (0, 1)),
        ],
        [{}, {"versioning": False}],
        [{}, {"storage_class": "INTELLIGENT_TIERING"}, {"storage_class": "STANDARD_IA"}],
        _rules("aws"),
        [
            {},
            *(
                {"replication_config": {"destination_bucket": f"glacier-copy-{region}", "destination_region": region}}
                for region in ("us-west-2", "eu-west-1")
            ),
            {
                "replication_config": {
                    "destination_bucket": "glacier-copy-keyed",
                    "destination_region": "us-west-2",
                    "kms_key": KEY.format(3).replace("us-east-1", "us-west-2"),
                    "role": "arn:aws:iam::123456789012:role/copies",
                }
            },
        ],
        [{}, {"access_log_bucket": "glacier-logs"}, {"access_log_bucket": "glacier-other-logs"}],
        [{}, {"event_notifications": True}],
        [{}, {"public_access_block": False}],
        [{}, {"tags": {"owner": "data"}}, {"tags": {"monitoring": "enabled"}}],
        [{}, {}, {"platform": True}],
        [{}, {}, {}, {"existing": True}],
    ],
    "gcp": [
        [
            {},
            {"encryption": "customer-managed"},
            *({"encryption": "customer-managed", "kms_key": GCP_KEY.format(place)} for place in (0, 1)),
        ],
        [{}, {"versioning": False}],
        [{}, {"storage_class": "NEARLINE"}, {"autoclass": True}],
        _rules("gcp"),
        [{}, {"soft_delete_days": 0}, {"soft_delete_days": 30}],
        [{}, {"access_log_bucket": "glacier-logs"}, {"access_log_bucket": "glacier-other-logs"}],
        [{}, {"public_access_prevention": False}],
        [{}, {"labels": {"owner": "data"}}],
        [{}, {}, {}, {"existing": True}],
    ],
    "azure": [
        [{}, *({"encryption": "Microsoft.Keyvault", "kms_key": VAULT.format(place)} for place in (0, 1))],
        [{}, {"versioning": False}],
        [{}, {"tier": "Cool"}, {"tier": "Premium"}],
        _rules("azure"),
        [{}, {"replication_type": "LRS"}],
        [{}, {"soft_delete_days": 0}, {"soft_delete_days": 30}],
        [{}, {"private_endpoint_subnet": SUBNET.format("a")}],
        [{}, {"log_workspace": WORKSPACE}, {"log_workspace": WORKSPACE, "storage_insights": True}],
        [{}, {"public_access_block": False}],
        [{}, {"tags": {"owner": "data"}}],
        [{}, {}, {}, {"existing": True}],
        [{}, {}, {"storage_account": "glacierother"}],
    ],
}
"""For each cloud the settings of a bucket that go together, of which a config has one of each list."""

_VARIABLES = [
    {"environment_vars": values}
    for values in ({}, {"LEVEL": "info"}, {"LEVEL": "debug", "API_TOKEN": "s3cr3t"}, {"PASSWORD": "x", "MODE": "fast"})
]

FUNCTIONS: dict[str, list[list[dict[str, Any]]]] = {
    "aws": [
        _VARIABLES,
        [{}, {"memory": 512}, {"memory": 1024}],
        [{}, {"timeout": 60}],
        [
            {},
            *(
                {"vpc_config": {"subnet_ids": [each], "security_group_ids": ["sg-1"]}}
                for each in ("subnet-1", "subnet-2")
            ),
        ],
        [{}, {"reserved_concurrent_executions": 5}],
        [{}, {"ephemeral_storage": 1024}],
        [{}, {"architecture": "arm64"}],
        [{}, *({"kms_key": KEY.format(place)} for place in (0, 1))],
        [{}, {"code_signing_config": SIGNING}],
        [{}, {"layers": [LAYER.format(1)]}, {"layers": [LAYER.format(1), LAYER.format(2)]}],
        [{}, {"log_retention_days": 30}],
        [{}, {"tags": {"owner": "data"}}, {"tags": {"monitoring": "enabled"}}],
        [{}, {}, {"code_bucket": "glacier-artifacts"}],
        [{}, {}, {"platform": True}],
    ],
    "gcp": [
        _VARIABLES,
        [{}, {"memory": 512}, {"memory": 4096}],
        [{}, {"timeout": 60}],
        [{}, *({"vpc_connector": f"projects/p/locations/us-central1/connectors/{each}"} for each in "ab")],
        [{}, {"concurrency": 8}],
        [{}, {"min_instances": 1, "max_instances": 5}],
        [{}, {"ingress": "ALLOW_ALL"}],
        [{}, {"service_account": "runs@glacier-test.iam.gserviceaccount.com"}],
        [{}, {}, {"code_bucket": "glacier-artifacts"}],
        [{}, {"labels": {"owner": "data"}}, {"labels": {"monitoring": "enabled"}}],
    ],
    "azure": [
        _VARIABLES,
        [{}, {"memory": 512}, {"memory": 4096}],
        [{}, {"timeout": 60}],
        [{}, *({"subnet_id": SUBNET.format(each)} for each in "ab")],
        [{}, {"concurrency": 8}],
        [{}, {"min_instances": 2}],
        [{}, {"zone_redundant": False}],
        [{}, {"log_retention_days": 30}],
        [{}, {"log_workspace": WORKSPACE}, {"log_workspace": WORKSPACE, "storage_insights": True}],
        [{}, {}, {"private_endpoint_subnet": SUBNET.format("c"), "subnet_id": SUBNET.format("a")}],
        [{}, {"kms_key": VAULT.format(1)}],
        [{}, {}, {"plan": "P1v3", "memory": None, "concurrency": None}],
        [{}, {"tags": {"owner": "data"}}, {"tags": {"monitoring": "enabled"}}],
    ],
}
"""The same for a function."""

PROVIDERS: dict[str, list[list[dict[str, Any]]]] = {
    "aws": [
        [{}, {"profile": "deploys"}],
        [{}, {"account_id": "123456789012"}],
        [{}, {"assume_role_arn": "arn:aws:iam::123456789012:role/deploys"}],
        [{}, {"tags": {"team": "data"}}],
    ],
    "gcp": [[{}, {"labels": {"team": "data"}}]],
    "azure": [
        [{}, {"queue_logging": True}],
        [{}, {"tags": {"team": "data"}}],
    ],
}
"""The same for a provider."""


@dataclass(frozen=True)
class Setup:
    """What an environment asks for.

    Attributes:
        sales: settings of a bucket that all have.
        cleaner: settings of a function; None for no function.
        archive: settings of a second bucket; None for none.
        scheduled: whether a pipeline runs by itself.
        apart: whether a task runs as a function of its own.
        production: whether it is the ready-made environment for production.
        elsewhere: whether it has another region.
        provider: settings of its provider, if it is not the ready-made environment.
    """

    sales: Mapping[str, Any] = field(default_factory=dict)
    cleaner: Mapping[str, Any] | None = None
    archive: Mapping[str, Any] | None = None
    scheduled: bool = False
    apart: bool = False
    production: bool = False
    elsewhere: bool = False
    provider: Mapping[str, Any] = field(default_factory=dict)


def environment(cloud: str, name: str, setup: Setup) -> GlacierEnv:
    """Make an environment with its pipelines; each calls its buckets and functions as it likes."""
    env = _bare(cloud, name, setup)
    rig = CLOUDS[cloud]
    configs = {"sales": setup.sales, "report": {}, "archive": setup.archive}
    for label, wanted in configs.items():
        if wanted is not None:
            config = rig.bucket(**_settled(cloud, name, label, wanted)) if wanted else None
            env.register(
                label, env.provider.bucket(f"glacier-{label}-{name}", path=f"{name}/{label}.parquet", config=config)
            )
    if setup.cleaner is not None:
        config = type(rig.function({}))(**setup.cleaner) if setup.cleaner else None
        env.register(
            "cleaner", env.provider.serverless(f"glacier-clean-{name}", handler="handlers.clean", config=config)
        )
    _pipeline(env, setup)
    return env


def exported(environments: Sequence[GlacierEnv], folder: Path, **options: Any) -> Any:
    """Export the module that environments share, each with its own pipelines and with none of another's."""
    return CLOUDS["aws"].env("nobody").export(folder, environments=environments, **options)


def drawn(env: GlacierEnv) -> tuple[Document, dict[str, Value], dict[str, str]]:
    """Return an environment's module as data: its document, the values of its variables, and what each block is for."""
    pipelines = [env.find_pipeline(name) for name in env.pipelines]
    recorded = [modes.recorded(each, env, each.body) for each in pipelines]
    document = Document({"variables.tf": (variable("environment", "string", "Name of the environment."),)})
    values: dict[str, Value] = {"environment": env.name}
    about: dict[str, str] = {}
    for provider, needs in collect(env, recorded, whole=True).parts:
        blueprint = provider.terraform(needs)
        document += blueprint.document
        values.update(blueprint.values)
        about.update(blueprint.resources)
    return document, values, about


def _settled(cloud: str, name: str, label: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Give an existing container an account of its own: the module finds all of an account, or makes all of it."""
    found = dict(wanted)
    if cloud == "azure" and found.get("existing"):
        found["storage_account"] = f"glacier{label}{name}"
    return found


def _bare(cloud: str, name: str, setup: Setup) -> GlacierEnv:
    if setup.production:
        made = {
            "aws": lambda: ProductionAWSEnvironment(region="us-east-1", name=name),
            "gcp": lambda: ProductionGCPEnvironment(project_id="glacier-test", name=name),
            "azure": lambda: ProductionAzureEnvironment(SUBSCRIPTION, "data", name=name),
        }
        return made[cloud]()
    own = {
        "aws": {"region": "eu-west-1" if setup.elsewhere else "us-east-1"},
        "gcp": {"project_id": "glacier-test", "region": "europe-west1" if setup.elsewhere else "us-central1"},
        "azure": {
            "subscription_id": SUBSCRIPTION,
            "resource_group": "data",
            "location": "westeurope" if setup.elsewhere else "eastus",
        },
    }
    provider, config = _PROVIDERS[cloud]
    made = provider(config=config(**own[cloud], **setup.provider))
    return GlacierEnv(made, name, defaults=Defaults(tags={"stage": name}))


_PROVIDERS: dict[str, tuple[Any, Any]] = {
    "aws": (AWSProvider, AwsConfig),
    "gcp": (GCPProvider, GcpConfig),
    "azure": (AzureProvider, AzureConfig),
}


def _pipeline(env: GlacierEnv, setup: Setup) -> None:
    @env.task()
    def total(sales: Bucket, report: Bucket) -> None:
        report.write(sales.read())

    @env.task()
    def keep(report: Bucket, archive: Bucket) -> None:
        archive.write(report.read())

    @env.task()
    def clean(cleaner: Serverless) -> Any:
        return cleaner.invoke({})

    @env.pipeline()
    def totals() -> None:
        total()
        if setup.archive is not None:
            keep()
        if setup.cleaner is not None:
            clean()
        if setup.apart:
            score(env.get("sales"))

    score = env.bind(example_code.score)
    if setup.scheduled:
        env.register("feed", env.get("sales"))
        env.register("copy", env.get("report"))
        env.bind(example_code.nightly)


PLAIN = Setup(cleaner={})
SHARED: dict[str, dict[str, dict[str, Setup]]] = {
    cloud: {
        "production": {"staging": PLAIN, "production": Setup(cleaner={}, production=True)},
        "template with more": {
            "staging": PLAIN,
            "production": Setup(
                cleaner={
                    "memory": 1024 if cloud == "aws" else 4096,
                    "environment_vars": {"API_TOKEN": "s3cr3t", "AREA": "eu"},
                },
                archive={},
                scheduled=True,
                production=True,
            ),
        },
        "schedule": {"staging": Setup(), "production": Setup(scheduled=True)},
        "function": {"staging": Setup(), "production": Setup(cleaner={}, apart=True)},
        "bucket": {"staging": PLAIN, "production": Setup(cleaner={}, archive={})},
        "existing": {"staging": Setup(), "production": Setup(sales={"existing": True})},
        "three": {
            "dev": Setup(),
            "staging": Setup(sales=_rules(cloud)[1], archive={"existing": True}, elsewhere=True),
            "production": Setup(sales=_rules(cloud)[4], archive={}, cleaner=_VARIABLES[2], scheduled=True),
        },
    }
    for cloud in CLOUDS
}
"""Environments that share a module, by what they differ in, for each cloud."""

SHARED["aws"]["settings"] = {
    "staging": Setup(sales={"encryption": "AES256"}, cleaner=_VARIABLES[1]),
    "production": Setup(
        sales={
            "encryption": "aws:kms",
            "kms_key": KEY.format(0),
            "storage_class": "STANDARD_IA",
            "access_log_bucket": "glacier-logs",
            "event_notifications": True,
            "tags": {"monitoring": "enabled"},
            **_rules("aws")[4],
        },
        cleaner={
            **_VARIABLES[2],
            "vpc_config": {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]},
            "kms_key": KEY.format(0),
            "layers": [LAYER.format(1)],
            "ephemeral_storage": 1024,
        },
    ),
}
for _cloud, _logs in (("aws", {"encryption": "AES256"}), ("gcp", {})):
    SHARED[_cloud]["logs"] = {
        "staging": PLAIN,
        "production": Setup(sales={"access_log_bucket": "glacier-archive-production"}, archive=_logs, cleaner={}),
    }
SHARED["aws"]["copies"] = {
    "dev": Setup(sales={"versioning": False}),
    **{
        name: Setup(sales={"replication_config": {"destination_bucket": f"copy-{name}", "destination_region": region}})
        for name, region in (("staging", "us-west-2"), ("production", "eu-west-1"))
    },
}
SHARED["gcp"]["settings"] = {
    "staging": Setup(cleaner=_VARIABLES[1]),
    "production": Setup(
        sales={
            "encryption": "customer-managed",
            "access_log_bucket": "glacier-logs",
            "storage_class": "NEARLINE",
            **_rules("gcp")[4],
        },
        cleaner={
            **_VARIABLES[2],
            "vpc_connector": "projects/p/locations/us-central1/connectors/c",
            "labels": {"monitoring": "enabled"},
            "concurrency": 8,
        },
    ),
}
SHARED["azure"]["settings"] = {
    "staging": Setup(cleaner=_VARIABLES[1]),
    "production": Setup(
        sales={
            "encryption": "Microsoft.Keyvault",
            "kms_key": VAULT.format(0),
            "private_endpoint_subnet": SUBNET.format("a"),
            "log_workspace": WORKSPACE,
            "tier": "Cool",
            **_rules("azure")[4],
        },
        cleaner={
            **_VARIABLES[2],
            "subnet_id": SUBNET.format("a"),
            "min_instances": 2,
            "log_retention_days": 30,
            "tags": {"monitoring": "enabled"},
        },
    ),
}
