"""Hostile names, values, docstrings and errors in a real page: whatever they say, no script runs."""

from collections.abc import Callable

from browser.lab import Lab, Notebook

HOSTILE = r"""
import polars as pl, time
from glacier import Bucket, GlacierEnv
from glacier.config import LocalConfig
from glacier.providers import LocalProvider
from glacier.execution.events import Event
from glacier.graph import Edge, Graph, Node, Site
from glacier.resources.preview import Preview
from glacier_magics.widgets import browser, live, preview

ATTACKS = [
    "<script>window.__pwned = 1</script>",
    '<img src=x onerror="window.__pwned = 2">',
    '"><svg onload="window.__pwned = 3">',
    "</table></div></script><script>window.__pwned = 4</script>",
    "<<TABLE HREF=\"javascript:window.__pwned = 5\"><TR><TD>x</TD></TR></TABLE>>",
    "javascript:window.__pwned = 6",
    "<a href='javascript:window.__pwned = 7'>click</a> $x^2$ \\(y\\)",
    "\u202egnp.exe\u2066 \x1b]8;;http://evil\x07click\x1b]8;;\x07",
]
env = GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path="hostile")), name="dev")
"""
GRAPH = r"""
nodes, edges = [], []
for n, text in enumerate(ATTACKS):
    nodes.append(Node(f"bucket:{n}", text, "resource", {"kind": text}))
    about = {"group": (text,), "condition": text, "site": Site(text, 1), "doc": text}
    nodes.append(Node(f"a{n}", text, config={"executor": text, text: text}, **about))
    edges.append(Edge(f"bucket:{n}", f"a{n}", text, "read", text))
value = pl.DataFrame({text: [text] for text in ATTACKS})
with live(Graph(ATTACKS[0], tuple(nodes), tuple(edges)), env=env, values=lambda key: value) as shown:
    shown(Event("run_started", "r", "", "p", time.time()))
    for n, text in enumerate(ATTACKS):
        for kind in ("started", "log", "failed"):
            shown(Event(kind, text, f"a{n}", text, time.time(), 1, 0.1, 3, 4, text, text))
    shown(Event("run_finished", "r", "", "p", time.time(), error=ATTACKS[1], detail="failed"))
"""
ROWS = r"""
nested = {"nested": [[text] for text in ATTACKS], "fields": [{"k": text} for text in ATTACKS]}
frame = pl.DataFrame({**{text: [*ATTACKS] for text in ATTACKS}, **nested})
preview(Preview(ATTACKS[1], "csv", frame.schema, frame, 8, 0, 0, ATTACKS[2]))
"""
SHELVES = r"""
for text in ATTACKS[:4]:
    path = "folder/" + text.replace("/", "_").replace('"', "'") + ".csv"
    env.provider.bucket("b", path=path).write(pl.DataFrame({text: [text]}))
env.register("folder", env.provider.bucket("b", path="folder"))
browser(env)
"""
COUNT = 8


def pwned(notebook: Notebook) -> object:
    return notebook.page.evaluate("() => window.__pwned")


def test_no_script_runs(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    lab.write("hostile.ipynb", HOSTILE, GRAPH, ROWS, SHELVES)
    notebook.open("hostile.ipynb")
    notebook.run_all()
    page = notebook.page
    page.locator(".gl-board[data-run=failed]").wait_for()
    boxes = page.locator(".gl-board .box.task")
    assert boxes.count() == COUNT
    for number in range(COUNT):
        boxes.nth(number).focus()
        page.keyboard.press("Enter")
        page.locator(
            f".gl-panel[data-panel='{boxes.nth(number).get_attribute('data-box')}'][data-shown=rows]"
        ).wait_for()
    shoot("graph")
    table = page.locator(".gl-table")
    assert (table.locator("tbody tr").count(), table.locator("thead th").count()) == (COUNT, COUNT + 2)
    table.get_by_role("button").nth(4).click()
    page.locator(".gl-table[data-sort]:not([data-sort=''])").wait_for()
    for place in range(4):
        page.locator(".gl-shelves .gl-object").nth(place).click()
        page.locator(".gl-pane[data-previewed] tbody td").first.wait_for()
    shoot("rows")
    assert page.locator(".glacier :is(script, img, iframe, object, a, mjx-container)").count() == 0
    assert page.locator(".glacier [onerror], .glacier [onload], .glacier [href]").count() == 0
    assert pwned(notebook) is None


def test_no_script_runs_in_the_static_forms(lab: Lab, notebook: Notebook) -> None:
    lab.write("hostile_static.ipynb", HOSTILE, GRAPH, ROWS, SHELVES)
    notebook.open("hostile_static.ipynb")
    notebook.run_all()
    saved = [output for cell in (1, 2, 3) for output in notebook.outputs(cell)]
    bundles = [output["data"] for output in saved if output["output_type"] in ("display_data", "execute_result")]
    assert [sorted(each) for each in bundles][1:] == [["text/html", "text/plain"]] * 2
    for form in ("text/html", "image/svg+xml"):
        for bundle in bundles:
            if form in bundle:
                notebook.page.set_content(f"<!doctype html><body>{bundle[form]}</body>")
                notebook.page.wait_for_load_state("networkidle")
                assert notebook.page.locator("body :is(script, img, iframe, object, a)").count() == 0
                assert notebook.page.locator("[onerror], [onload], [href]").count() == 0
                assert pwned(notebook) is None
    notebook.open("hostile_static.ipynb")


def test_a_planted_script_would_be_seen(lab: Lab, notebook: Notebook) -> None:
    """The other tests look for a variable that an attack sets: this one shows that an attack does set it."""
    lab.write("planted.ipynb", "from IPython.display import HTML\nHTML('<img src=x onerror=\"window.__pwned = 9\">')")
    notebook.open("planted.ipynb")
    notebook.run_all()
    notebook.page.wait_for_function("() => window.__pwned === 9")
