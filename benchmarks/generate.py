"""How long it takes to generate the Terraform of a pipeline of 200 tasks and 100 buckets, for each cloud.

Run it with `python benchmarks/generate.py`; the target is one second.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from typing import TYPE_CHECKING, Any

from glacier import Bucket, GlacierEnv
from glacier.config import AwsConfig, AzureConfig, GcpConfig
from glacier.providers import AWSProvider, AzureProvider, GCPProvider

if TYPE_CHECKING:
    import polars as pl

TASKS, BUCKETS, TARGET = 200, 100, 1.0

PROVIDERS: dict[str, Any] = {
    "aws": lambda: AWSProvider(config=AwsConfig(region="us-east-1")),
    "gcp": lambda: GCPProvider(config=GcpConfig(project_id="benchmark")),
    "azure": lambda: AzureProvider(
        config=AzureConfig(
            subscription_id="00000000-0000-0000-0000-000000000000", resource_group="data", location="eastus"
        )
    ),
}


def pipeline(provider: Any) -> Any:
    """Return a pipeline whose every task reads one bucket and writes another."""
    env = GlacierEnv(provider, "benchmark")
    buckets = [provider.bucket(f"bucket-{place}", path="data.parquet") for place in range(BUCKETS)]
    for place, bucket in enumerate(buckets):
        env.register(f"data_{place}", bucket)

    @env.task()
    def step(before: Any, source: Bucket, target: Bucket) -> pl.DataFrame:
        target.write(source.read())
        return before

    @env.pipeline()
    def wide() -> Any:
        value = None
        for place in range(TASKS):
            value = step(value, buckets[place % BUCKETS], buckets[(place * 7 + 1) % BUCKETS])
        return value

    return wide


def main() -> None:
    warnings.simplefilter("ignore")
    for name, provider in PROVIDERS.items():
        made = pipeline(provider())
        times: list[float] = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                found = made.run(mode="generate", output_dir=folder)
                times.append(time.perf_counter() - start)
        verdict = "within" if min(times) <= TARGET else "OVER"
        print(f"{name:<6} {min(times):6.2f} s  {len(found['resources'])} resources  {verdict} {TARGET:g} s")


if __name__ == "__main__":
    main()
