"""`%glacier` in a real JupyterLab: environments, Tab, the browser, a run that is watched, and one that is stopped."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator

from browser.lab import DARK, LIGHT, Lab, Notebook

PROJECT = """
[env.dev]
provider = "local"
base_path = "data/dev"

[env.dev.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"

[env.dev.resources.sales_report]
bucket = "sales"
path = "report.parquet"

[env.production]
extends = "dev"
base_path = "data/production"
protected = true
"""
TASKS = """
import time
from pathlib import Path
import polars as pl

if not env.get("sales_raw").exists():
    env.get("sales_raw").write(pl.DataFrame({"category": ["toys", "books"] * 50, "amount": range(100)}))

@env.task()
def extract(sales_raw: Bucket) -> pl.DataFrame:
    "The sales as they came."
    while not Path("go").exists():
        time.sleep(0.02)
    return sales_raw.read()

@env.task(retries=1)
def by_category(df: pl.DataFrame) -> pl.DataFrame:
    "What each category brought."
    return df.group_by("category").agg(total=pl.sum("amount")).sort("category")

@env.task()
def save(df: pl.DataFrame, sales_report: Bucket) -> pl.DataFrame:
    sales_report.write(df)
    return df

@env.pipeline()
def report():
    return save(by_category(extract()))
"""


def project(lab: Lab, name: str, *cells: str) -> Path:
    """Write a project with a notebook that loads the workbench; return its folder."""
    folder = lab.root / name
    folder.mkdir()
    (folder / "glacier.toml").write_text(PROJECT)
    lab.write(f"{name}/{name}.ipynb", "%load_ext glacier_magics", *cells)
    return folder


def text_of(notebook: Notebook, cell: int) -> str:
    return notebook.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-OutputArea").inner_text()


def test_environments_are_switched(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    project(lab, "switch", "%glacier", "%glacier env production", "env.name", "%glacier")
    notebook.open("switch/switch.ipynb")
    notebook.run_all()
    assert "dev" in text_of(notebook, 0)
    assert "production" in text_of(notebook, 2)
    assert "'production'" in text_of(notebook, 3)
    assert "protected" in text_of(notebook, 4)
    shoot("switched")


def test_tab_completes_a_resource(lab: Lab, notebook: Notebook, picture: Callable[[str], None]) -> None:
    project(lab, "tab", "")
    notebook.open("tab/tab.ipynb")
    notebook.command("notebook:run-cell-and-select-next")
    notebook.idle()
    page = notebook.page
    editor = page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content")
    editor.click()
    page.keyboard.type("%glacier preview sales")
    offer = page.locator(".jp-Completer-item", has_text="sales_raw")
    # JupyterLab may lose sight of the offers when the theme changes: it is set before.
    for theme, name in ((DARK, "offered-dark"), (LIGHT, "offered-light")):
        page.keyboard.press("Escape")
        notebook.theme(theme)
        editor.click()
        page.keyboard.press("End")
        # Before JupyterLab has seen that there is something to complete, Tab indents.
        page.locator(".jp-mod-completer-enabled").first.wait_for()
        page.keyboard.press("Tab")
        offer.wait_for()
        assert offer.locator(".jp-Completer-typeExtended").inner_text() == "resource"
        picture(name)
    page.keyboard.press("Enter")
    written = "(n) => document.querySelectorAll('.jp-Cell .cm-content')[n].innerText"
    page.wait_for_function(f"(n) => ({written})(n).trim() === '%glacier preview sales_raw'", arg=1)


def test_browse_and_preview(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    project(lab, "browse", TASKS, "%glacier ls", "%glacier preview sales_raw")
    notebook.open("browse/browse.ipynb")
    notebook.run_all()
    page = notebook.page
    page.locator(".gl-resource[data-resource=sales_raw]").click()
    page.locator(".gl-object[data-object='raw.parquet']").click()
    page.locator(".gl-pane[data-previewed='raw.parquet']").wait_for()
    table = page.locator(".gl-table")
    assert table.locator("tbody tr").count() == 20
    table.get_by_role("button", name="amount").click()
    page.locator(".gl-table[data-sort='1']").wait_for()
    shoot("browsed")


def test_a_picture_follows_every_run(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = project(lab, "follow", TASKS, "%glacier dag report --live", "%glacier run report -o result")
    notebook.open("follow/follow.ipynb")
    picture = notebook.page.locator(".jp-Notebook .jp-Cell").nth(2)

    def box(name: str, state: str) -> Locator:
        return picture.locator(f".glacier .box[data-name={name}][data-state={state}]")

    for lap in ("first", "again"):
        notebook.start_all() if lap == "first" else notebook.start(3)
        box("extract", "running").wait_for()
        box("save", "waiting").wait_for()
        shoot(f"{lap}-running")
        (folder / "go").touch()
        box("save", "done").wait_for()
        notebook.idle()
        picture.locator(".glacier[data-run=done]").wait_for()
        assert picture.locator(".glacier").count() == 1
        (folder / "go").unlink()
        outputs = notebook.outputs(2)
        assert [sorted(output["data"]) for output in outputs] == [["image/png", "image/svg+xml", "text/plain"]]
        assert all(f"✓ {name}" in outputs[0]["data"]["text/plain"] for name in ("extract", "by_category", "save"))
        assert "✓ save" in outputs[0]["data"]["image/svg+xml"]
    shoot("done")


def test_a_picture_follows_steps_and_is_drawn_anew(lab: Lab, notebook: Notebook) -> None:
    folder = project(lab, "stepped", TASKS, "%glacier dag report --live", "%glacier step report")
    (folder / "go").touch()
    notebook.open("stepped/stepped.ipynb")
    notebook.run_all()
    picture = notebook.page.locator(".jp-Notebook .jp-Cell").nth(2)
    picture.locator(".box[data-name=extract][data-state=done]").wait_for()
    assert "✓ extract" in notebook.outputs(2)[0]["data"]["text/plain"]
    assert "✓ save" not in notebook.outputs(2)[0]["data"]["text/plain"]
    notebook.type_and_run("@env.pipeline()\ndef report():\n    return by_category(extract())")
    picture.locator(".box[data-name=by_category]").wait_for()
    picture.locator(".box[data-name=save]").wait_for(state="detached")
    notebook.type_and_run("report.run().height")
    picture.locator(".box[data-name=by_category][data-state=done]").wait_for()
    assert "✓ by_category" in notebook.outputs(2)[0]["data"]["text/plain"]
    notebook.type_and_run("%unload_ext glacier_magics")
    (folder / "data" / "dev" / "sales" / "raw.parquet").unlink()
    notebook.type_and_run("try:\n    report.run()\nexcept Exception as error:\n    print('it failed')")
    assert "✓ extract" in notebook.outputs(2)[0]["data"]["text/plain"]


def test_a_run_is_watched(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = project(
        lab, "watch", TASKS, "report", "%glacier run report -o result", "result.height", "%glacier dag report"
    )
    notebook.open("watch/watch.ipynb")
    notebook.start_all()
    page = notebook.page
    page.locator(".glacier[data-run=running] .box[data-name=extract][data-state=running]").wait_for()
    page.locator(".glacier[data-run=running] .box[data-name=save][data-state=waiting]").wait_for()
    shoot("running")
    (folder / "go").touch()
    page.locator(".glacier[data-run=done] .box[data-name=save][data-state=done]").first.wait_for()
    notebook.idle()
    page.locator(".glacier[data-run=done] .box[data-name=by_category]").first.click()
    page.locator(".gl-panel", has_text="def by_category").wait_for()
    assert "2" in text_of(notebook, 4)
    assert page.locator(".glacier").count() == 3
    shoot("done")
    forms = [sorted(output["data"]) for cell in (2, 3, 5) for output in notebook.outputs(cell)]
    assert forms == [["image/png", "image/svg+xml", "text/plain"]] * 3


def test_a_run_is_interrupted(lab: Lab, notebook: Notebook) -> None:
    project(lab, "stop", TASKS, "%glacier run report", "1 + 1")
    notebook.open("stop/stop.ipynb")
    notebook.start_all()
    page = notebook.page
    page.locator(".glacier .box[data-name=extract][data-state=running]").wait_for()
    notebook.command("notebook:interrupt-kernel")
    page.locator(".glacier[data-run=cancelled]").wait_for()
    notebook.idle()
    assert [output["output_type"] for output in notebook.outputs(2)] == ["display_data", "error"]
    notebook.type_and_run("6 * 7")
    page.locator(".jp-RenderedText.jp-OutputArea-output", has_text=re.compile("^42$")).wait_for()


def test_stepping_through(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = project(lab, "step", TASKS, *["%glacier step report"] * 4)
    (folder / "go").touch()
    notebook.open("step/step.ipynb")
    notebook.run_all()
    page = notebook.page
    cells = page.locator(".jp-Notebook .jp-Cell")
    for cell, done in ((2, 1), (3, 2), (4, 3)):
        cells.nth(cell).locator(".gl-board").wait_for()
        assert cells.nth(cell).locator(".gl-board .box[data-state=done]").count() == done
    assert cells.nth(2).locator(".gl-table tbody tr").count() == 20
    assert cells.nth(3).locator(".gl-table tbody tr").count() == 2
    assert "books" in text_of(notebook, 5)
    shoot("stepped")


CLOUD = """
from glacier.config import AwsConfig
from glacier.providers import AWSProvider

cloud = GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1", account_id="123456789012")), name="cloud")
cloud.register("sales_raw", cloud.provider.bucket("glacier-sales", path="raw.parquet"))
cloud.register("sales_report", cloud.provider.bucket("glacier-sales", path="report.parquet"))
"""


def test_an_export_shows_its_files(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = project(lab, "export", TASKS, CLOUD, "%glacier env cloud", "%glacier export report -o infra")
    notebook.open("export/export.ipynb")
    notebook.run_all()
    shown = notebook.page.locator(".jp-Notebook .jp-Cell").nth(4).locator(".jp-OutputArea")
    file = shown.locator("details", has=notebook.page.locator("summary", has_text="storage.tf"))
    assert not file.locator("pre").is_visible()
    file.locator("summary").click()
    file.locator("pre", has_text='resource "aws_s3_bucket" "sales_raw"').wait_for()
    assert "s3:GetObject" in shown.inner_text()
    assert 'bucket = "glacier-sales"' in (folder / "infra" / "storage.tf").read_text()
    shoot("exported")
