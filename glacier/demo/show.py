"""The demo on a terminal: the DAG, the run, the result and where the files are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console

from glacier.console import print_run
from glacier.demo.flights import build, load_tables
from glacier.templates import DevelopmentLocalEnvironment

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["show"]


def show(folder: Path) -> None:
    """Load the tables into Local buckets below `folder`, run the flights pipeline and print what happened."""
    console = Console()
    env = DevelopmentLocalEnvironment(folder)
    load_tables(env)
    pipeline = build(env)
    console.print("[bold]The pipeline[/bold]")
    console.print(pipeline.graph.text(), markup=False, highlight=False)
    result = pipeline.run()
    record = pipeline.last_run
    assert record is not None
    print_run(console, record)
    console.print("[bold]The most punctual carriers of 2013[/bold]")
    with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        console.print(str(result), markup=False, highlight=False)
    picture = pipeline.graph.save(folder / "flight_delays.svg", record.states(), record.notes())
    console.print("[bold]The files[/bold]")
    for path in (env.get("report_carriers").get_uri(), env.get("report_weather").get_uri(), str(picture)):
        console.print(f"  {path}", markup=False, highlight=False, soft_wrap=True)
