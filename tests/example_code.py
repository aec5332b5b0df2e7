"""Code that the example pipelines run as functions: a module of its own, as a user's project has."""

import polars as pl

from glacier import Bucket, GlacierEnv, task
from glacier.config import LocalConfig
from glacier.providers import LocalProvider

dev = GlacierEnv(LocalProvider(config=LocalConfig(base_path="data", create_dirs=False)), name="dev")


@task(executor="serverless", timeout=120)
def score(events: Bucket) -> pl.DataFrame:
    return events.read().with_columns(score=pl.lit(1))


@dev.task(timeout=100)
def fetch(feed: Bucket, copy: Bucket) -> None:
    copy.write(feed.read())


@dev.pipeline(schedule="cron(0 6 * * 1-5)")
def nightly() -> None:
    fetch()
