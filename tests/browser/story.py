"""The pipeline that the browser tests run, written beside each test's notebook as a module of its own."""

from pathlib import Path

from browser.lab import Lab

SOURCE = """import logging
import time
from pathlib import Path


import polars as pl

from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider
from glacier_magics.widgets import browser, dag, live, monitor, preview

log = logging.getLogger("story")
log.setLevel("INFO")
env = GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path="FOLDER")), name="dev")
sales = env.register("sales", env.provider.bucket("sales", path="raw/transactions.parquet"))
rows = {"id": range(1200), "category": ["toys", "books", None] * 400, "amount": [1.5, 20.25, -3.0] * 400}
sales.write(pl.DataFrame(rows))
report = env.register("report", env.provider.bucket("sales", path="by_category.parquet"))

def gate(name):
    "Hold a task until the test opens it from a file, so that every state can be looked at."
    while not Path("FOLDER", name).exists():
        time.sleep(0.02)

@env.task()
def extract(sales: Bucket) -> pl.DataFrame:
    "The transactions as they came."
    log.info("reading the sales")
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
with live(sales_report.graph, env=env) as shown:
    sales_report.run(listeners=[shown], progress=False)
"""
RUN_WITH_VALUES = """
values = {}
graph = sales_report.graph
with live(graph, env=env, values=values.get) as shown:
    result = sales_report.run(listeners=[shown], progress=False)
values.update({node.key: result for node in graph.tasks if node.name == "by_category"})
"""
FAILING = """
@env.task()
def explode(df):
    return 1 / 0

@env.task()
def after(df):
    return df

@env.pipeline()
def failing():
    return after(explode(extract()))

with live(failing.graph, env=env) as shown:
    failing.run(listeners=[shown], progress=False)
"""


def write(lab: Lab, name: str, *cells: str) -> Path:
    """Write a notebook whose first cell brings the pipeline; return the folder of its data and gates."""
    folder = lab.root / name
    folder.mkdir()
    (lab.root / f"story_{name}.py").write_text(SOURCE.replace("FOLDER", str(folder)))
    lab.write(f"{name}.ipynb", f"from story_{name} import *", *cells)
    return folder


def open_gates(folder: Path) -> None:
    """Let every task go on."""
    for name in ("extract", "by_category"):
        (folder / name).touch()
