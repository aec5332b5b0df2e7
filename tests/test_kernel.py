"""The workbench in a real kernel, and what a notebook that was run there keeps."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
from nbclient import NotebookClient

PROJECT = """
[env.dev]
provider = "local"
base_path = "data"

[env.dev.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"

[env.cloud]
provider = "azure"
subscription_id = "..."
resource_group = "rg"
location = "westeurope"
storage_account = "acmedata"
account_key = "${W1_CANARY}"

[env.cloud.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"

[env.production]
extends = "dev"
protected = true
"""
CANARY = "Q0FOQVJZLVcxLVNFQ1JFVA=="
CELLS = [
    "%load_ext glacier_magics",
    "import polars as pl\n\n@env.task()\ndef clean(sales_raw: Bucket) -> pl.DataFrame:\n    return sales_raw.read()",
    "@env.task()\ndef boom(df: pl.DataFrame):\n    raise ValueError('of the user')",
    "@env.pipeline()\ndef good():\n    return clean()",
    "@env.pipeline()\ndef bad():\n    return boom(clean())",
    "%glacier dag good --live",
    "%glacier run good",
    "%glacier run bad",
    "%glacier rnu",
    "%%glacier task --show\ndef broken(sales_raw):\n    raise KeyError('in the cell')",
    "%%glacier task --show\ndef firsts(sales_raw):\n    return sales_raw.scan().head(1)",
    "%glacier ls",
    "%glacier runs",
    "%glacier dag good",
    "%glacier env cloud",
    "%glacier\n",
    "env.provider.config",
    "%glacier explain sales_raw",
    "%glacier diff dev cloud",
    "%glacier env",
    "%glacier env production",
    "@env.pipeline()\ndef writing():\n    env.get('sales_raw').write(clean())",
    "%glacier run writing",
    "x = %glacier env dev\nx is env",
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The outputs of each cell, by its source."""
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "glacier.toml").write_text(PROJECT)
    (folder / "data" / "sales").mkdir(parents=True)
    pl.DataFrame({"order": [1, 2]}).write_parquet(folder / "data" / "sales" / "raw.parquet")
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in CELLS])
    return _run(made, folder)


def _run(made: Any, folder: Path) -> dict[str, list[Any]]:
    import os

    client = NotebookClient(made, timeout=120, allow_errors=True, resources={"metadata": {"path": str(folder)}})
    # The kernel gets the variable, this process does not: threads of Polars may read the environment meanwhile.
    asyncio.run(client.async_execute(env={**os.environ, "W1_CANARY": CANARY}))
    return {"": [json.loads(nbformat.writes(made))], **{each.source: each.outputs for each in made.cells}}


def errors(found: list[Any]) -> list[Any]:
    return [each for each in found if each.output_type == "error"]


@pytest.mark.slow
def test_a_run_leaves_a_picture_that_needs_no_kernel(outputs):
    shown = next(each for each in outputs["%glacier run good"] if each.output_type == "display_data")
    assert set(shown.data) == {"image/svg+xml", "image/png", "text/plain"}
    assert "✓ clean" in shown.data["text/plain"]
    result = next(each for each in outputs["%glacier run good"] if each.output_type == "execute_result")
    assert "order" in result.data["text/plain"]


@pytest.mark.slow
def test_a_picture_that_followed_a_run_is_saved_with_its_states(outputs):
    (shown,) = outputs["%glacier dag good --live"]
    assert set(shown.data) == {"image/svg+xml", "image/png", "text/plain"}
    assert "✓ clean" in shown.data["text/plain"]
    assert "✓ clean" in shown.data["image/svg+xml"]


@pytest.mark.slow
def test_an_error_is_saved_as_one_and_reads_well(outputs):
    users = errors(outputs["%glacier run bad"])[0]
    assert users.ename == "ValueError"
    text = "\n".join(users.traceback)
    assert "of the user" in text
    assert "glacier_magics" not in text
    assert "execution" not in text
    ours = errors(outputs["%glacier rnu"])[0]
    assert ours.traceback == ["CommandError: %glacier has no command 'rnu'", "hint: did you mean 'run'?"]
    assert errors(outputs[CELLS[9]])[0].ename == "KeyError"
    pictures = [each for each in outputs["%glacier run bad"] if each.output_type == "display_data"]
    assert "✗ boom" in pictures[0].data["text/plain"]


@pytest.mark.slow
def test_what_is_looked_at_is_saved_as_tables(outputs):
    for source in (
        CELLS[10],
        "%glacier ls",
        "%glacier runs",
        "%glacier\n",
        "%glacier explain sales_raw",
        "%glacier diff dev cloud",
    ):
        shown = [each for each in outputs[source] if each.output_type == "execute_result"]
        assert "<t" in shown[0].data["text/html"], source
        assert "application/vnd.jupyter.widget-view+json" not in shown[0].data
    assert "image/svg+xml" in outputs["%glacier dag good"][0].data


@pytest.mark.slow
def test_without_a_front_end_a_protected_environment_refuses(outputs):
    refused = errors(outputs["%glacier run writing"])[0]
    assert refused.ename == "ProtectedError"
    assert "--yes" in refused.traceback[-1] or "--yes" in refused.traceback[1]


@pytest.mark.slow
def test_an_assignment_switches(outputs):
    assert outputs[CELLS[-1]][-1].data["text/plain"] == "True"


@pytest.mark.slow
def test_no_secret_is_in_the_saved_notebook(outputs):
    saved = json.dumps(outputs[""])
    assert "acmedata" in saved
    assert CANARY not in saved
    assert not [each for each in outputs["%glacier env cloud"] if each.output_type == "error"]
