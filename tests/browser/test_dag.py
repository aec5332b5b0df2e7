"""The graph in a real page: it follows a run, answers clicks and keys, and leaves a static picture behind."""

from collections.abc import Callable

from browser.lab import Lab, Notebook

SETUP = """
import polars as pl, threading
from pathlib import Path
from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider
from glacier_magics.widgets import browser, dag, live, monitor, preview

env = GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path="FOLDER")), name="dev")
sales = env.register("sales", env.provider.bucket("sales", path="raw/transactions.parquet"))
sales.write(pl.DataFrame({"id": range(1200), "category": ["toys", "books", None] * 400, "amount": [1.5, 20.25, -3.0] * 400}))
report = env.register("report", env.provider.bucket("sales", path="by_category.parquet"))

def gate(name):
    "Hold a task until the test opens it from a file, so that every state can be looked at."
    import time
    while not Path("FOLDER", name).exists():
        time.sleep(0.02)

@env.task()
def extract(sales: Bucket) -> pl.DataFrame:
    "The transactions as they came."
    gate("extract")
    return sales.read()

@env.task(retries=2, retry_delay=0.01)
def by_category(df: pl.DataFrame) -> pl.DataFrame:
    "What each category brought."
    gate("by_category")
    return df.group_by("category").agg(total=pl.sum("amount")).sort("category")

@env.task()
def largest(df: pl.DataFrame) -> pl.DataFrame:
    "The ten largest transactions."
    return df.top_k(10, by="amount")

@env.task()
def check(df: pl.DataFrame) -> bool:
    "Whether there is enough to tell."
    return df.height > 1_000_000

@env.task()
def alert(df: pl.DataFrame) -> pl.DataFrame:
    "Somebody should look at this."
    return df

@env.task()
def save(df: pl.DataFrame, report: Bucket) -> pl.DataFrame:
    "The report."
    report.write(df)
    return df

@env.pipeline()
def sales_report():
    "Sales by category."
    raw = extract()
    largest(raw)
    result = by_category(raw)
    if check(raw):
        result = alert(result)
    return save(result)
"""
RUN = """
values = {}
with live(sales_report.graph, env=env, values=values.get) as shown:
    value = sales_report.run(listeners=[shown])
"""


def written(lab: Lab, name: str, *cells: str) -> Notebook:
    """Write a notebook with the pipeline above in its first cell, its data beside it."""
    folder = lab.root / name
    folder.mkdir()
    lab.write(f"{name}.ipynb", SETUP.replace("FOLDER", str(folder)), *cells)
    return folder


def box(notebook: Notebook, name: str, state: str = ""):
    """Return the box of a step, in a state."""
    wanted = f"[data-state={state}]" if state else ""
    return notebook.page.locator(f".glacier .box[data-name={name}]{wanted}").first


def test_nodes_change_colour_while_a_run_goes_on(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = written(lab, "live", RUN)
    notebook.open("live.ipynb")
    notebook.start_all()
    box(notebook, "extract", "running").wait_for()
    box(notebook, "save", "waiting").wait_for()
    shoot("running")
    (folder / "extract").touch()
    box(notebook, "extract", "done").wait_for()
    box(notebook, "by_category", "running").wait_for()
    shoot("halfway")
    (folder / "by_category").touch()
    box(notebook, "save", "done").wait_for()
    notebook.idle()
    notebook.page.locator(".glacier[data-run=done]").wait_for()
    box(notebook, "alert", "skipped").wait_for()
    shoot("done")
    outputs = notebook.save()["cells"][1]["outputs"]
    assert [sorted(output["data"]) for output in outputs] == [["image/png", "image/svg+xml", "text/plain"]]
    assert "save" in outputs[0]["data"]["text/plain"] and "✓" in outputs[0]["data"]["image/svg+xml"]
