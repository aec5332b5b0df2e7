"""How errors of commands look: the user's with the user's own lines; `%glacier debug` has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from notebook import Notebook, notebook

from glacier_magics.errors_shown import CellFailed

PROJECT = """
[env.dev]
provider = "local"
base_path = "dev"
"""
ERRORS = """
import polars as pl

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")

class Base(BaseException):
    pass

def deep():
    raise ValueError("deep")

def noted():
    error = ValueError("with a note")
    error.add_note("first note")
    raise error

def chained():
    try:
        deep()
    except ValueError as error:
        raise KeyError("outer") from error

def pooled():
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(1) as pool:
        pool.submit(deep).result()

def grouped():
    errors = []
    for each in (deep, chained):
        try:
            each()
        except Exception as error:
            errors.append(error)
    raise ExceptionGroup("both", errors)

def lazily():
    pl.LazyFrame({"a": ["x"]}).select(pl.col("a").cast(pl.Int64)).collect()
"""


@pytest.fixture
def nb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glacier.toml").write_text(PROJECT)
    with notebook(tmp_path / "ipython") as made:
        made.run("%load_ext glacier_magics")
        made.run(ERRORS)
        yield made


def failing(nb: Notebook, statement: str, *, settings: str = ""):
    nb.run(f"@env.task({settings})\ndef failing():\n    {statement}")
    return nb.fail("%glacier run failing")


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("deep()", ["ValueError: deep", "raise ValueError", "task 'failing' of pipeline 'failing'"]),
        ("noted()", ["ValueError: with a note", "first note"]),
        ("chained()", ["ValueError: deep", "direct cause", "KeyError: 'outer'"]),
        ("pooled()", ["ValueError: deep", "pool.submit(deep)"]),
        ("lazily()", ["InvalidOperationError", "pl.LazyFrame"]),
        ("raise ValueError", ["ValueError:"]),
        ("raise Base('b')", ["Base: b", "task 'failing'"]),
        ("raise GeneratorExit", ["GeneratorExit"]),
        ("grouped()", ["ExceptionGroup: both", "ValueError: deep", "KeyError: 'outer'", "each()"]),
        ("raise Mute()", ["raise Mute()", "Mute"]),
        ("import nowhere", ["ModuleNotFoundError: No module named 'nowhere'"]),
    ],
)
def test_whatever_a_task_raises_only_the_users_frames_are_shown(nb, statement, says):
    shown = failing(nb, statement)
    told = f"{shown.traceback} {shown.error}"
    assert [each for each in says if each not in told] == []
    assert "Cell In[3], line 3" in shown.traceback
    assert "glacier/" not in shown.traceback
    assert "glacier_magics" not in shown.traceback
    assert "site-packages" not in shown.traceback
    assert "✗ failing" in shown.printed
    assert "glacier_magics/commands/run.py" in nb.run("%glacier debug").text


def test_a_group_of_errors_is_an_error_of_its_cell(nb):
    """IPython prints groups, and what came of one, with every frame and past the cell's error."""
    assert isinstance(failing(nb, "grouped()").error, CellFailed)
    shown = failing(nb, "\n    try:\n        grouped()\n    except Exception:\n        raise OSError('after it')")
    assert "OSError: after it" in shown.traceback
    assert "glacier_magics" not in shown.everything


def test_a_huge_message_is_cut(nb):
    shown = failing(nb, "raise ValueError('x' * 3_000_000)")
    assert len(shown.everything) < 65_536
    assert "ValueError: xxx" in shown.traceback


def test_an_error_out_of_a_process_has_its_lines_as_a_note(nb):
    shown = failing(nb, "chained()", settings="executor='process'")
    assert "KeyError: 'outer'" in shown.traceback
    assert "Cell In[3], line 3, in failing" in shown.traceback
    assert "glacier/" not in shown.traceback
    assert shown.traceback.endswith("%glacier debug shows where")


def test_an_interrupt_is_one_line(nb):
    shown = failing(nb, "raise KeyboardInterrupt")
    assert isinstance(shown.error, KeyboardInterrupt)
    assert shown.traceback.splitlines()[0] == "KeyboardInterrupt"
    assert "glacier_magics" not in shown.traceback


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("def load(:\n    pass", 2, "invalid syntax"),
        ("\n\ndef load(:\n    pass", 4, "invalid syntax"),
        ("x = 1\ndef load():\n    return 1\n  y = 2", 5, "unindent"),
        ("def load():\n    await x", 3, "'await' outside async function"),
    ],
)
def test_a_syntax_error_in_a_cell_has_the_cells_line(nb, body, line, says):
    shown = nb.fail(f"%%glacier task\n{body}")
    assert f"Cell In[3], line {line}" in shown.traceback
    assert says in shown.traceback
    assert len(shown.traceback.splitlines()) <= 5


def test_a_cell_may_hold_ipythons_own_syntax(nb):
    nb.run("%%glacier task\nwhere = %pwd\ndef here():\n    return where")
    assert nb["here"]() == nb["where"]
