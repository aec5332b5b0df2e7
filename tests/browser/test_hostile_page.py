"""Hostile names, values, docstrings and errors in a real page: whatever they say, no script runs."""

import unicodedata
from collections.abc import Callable
from typing import Any

from browser.lab import Lab, Notebook

PROJECT = """
[env.dev]
provider = "local"
base_path = "hostile"

[env.cloud]
provider = "aws"
region = "us-east-1"
account_id = "123456789012"

[env.cloud.resources.rows]
bucket = "acme-rows"
path = "rows.parquet"

[env.cloud.resources.enrich]
handler = "enrich.handler"

[env.cloud.resources.enrich.config.environment_vars]
GREETING = '''<script>window.__pwned = 1</script>"><img src=x onerror="window.__pwned = 2">$x^2$'''
"""
HOSTILE = r"""
import logging, time
import polars as pl
from glacier.execution.events import Event
from glacier.graph import Edge, Graph, Node, Site
from glacier.resources.preview import Preview
from glacier_magics.widgets import live, preview

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
for text in ATTACKS[:4]:
    path = "folder/" + text.replace("/", "_").replace('"', "'") + ".csv"
    env.provider.bucket("b", path=path).write(pl.DataFrame({text: [text]}))
env.register("folder", env.provider.bucket("b", path="folder"))
nested = {"nested": [[text] for text in ATTACKS], "fields": [{"k": text} for text in ATTACKS]}
frame = pl.DataFrame({**{text: [*ATTACKS] for text in ATTACKS}, **nested})
env.register("rows", env.provider.bucket("b", path="rows.parquet")).write(frame)

def told(about):
    def described(function):
        function.__doc__ = about
        return function
    return described

@env.task()
@told(ATTACKS[1])
def read(rows: Bucket) -> pl.DataFrame:
    for text in ATTACKS:
        print(text)
        logging.getLogger("app").warning(text)
    return rows.read()

@env.task(retries=1, retry_delay=0.01)
@told(ATTACKS[0])
def explode(df: pl.DataFrame, text: str = "<script>window.__pwned = 8</script>") -> pl.DataFrame:
    failure = ConnectionError("\n".join(ATTACKS))
    failure.add_note(ATTACKS[7])
    raise failure

@env.pipeline()
@told(ATTACKS[2])
def broken(text: str = ATTACKS[1]):
    df = read()
    if df.columns[0] == text:
        return df
    return explode(df)

logging.disable(logging.CRITICAL)
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
ROWS = "preview(Preview(ATTACKS[1], 'csv', frame.schema, frame, 8, 0, 0, ATTACKS[2]))"
SHELVES = "%glacier ls folder"
SAYS = "get_ipython().run_line_magic('glacier', "
FAILS = "# it fails\n"
COMMANDS = (
    "%glacier",
    "%glacier env",
    "env",
    """%glacier env other --provider local --option 'base_path=<img src=x onerror="window.__pwned = 9">' --as other""",
    "%glacier ls",
    "%glacier ls folder/*",
    "%glacier preview rows",
    "%glacier preview rows --json",
    "%glacier tasks",
    "%glacier pipelines",
    "%glacier dag broken --live",
    "%glacier plan broken",
    "broken.run(mode='analyze')",
    "%glacier step broken",
    f"{FAILS}%glacier run broken",
    f"{FAILS}%glacier run broken --keep-going",
    "%glacier debug",
    "%glacier runs",
    "%glacier runs --json",
    f"{SAYS}f'runs {{env.runs[0].id}}')",
    f"{SAYS}f'logs {{env.runs[0].id}}')",
    "env.runs",
    "env.runs[0]",
    "broken.last_run",
    "print(*env.runs[0].logs(), env.runs[0], broken.last_run, broken.plan(), broken.run(mode='analyze'), sep='\\n')",
    "%glacier dag broken",
    "%glacier explain enrich --env cloud",
    "%glacier explain explode",
    "%glacier diff dev cloud",
    """%glacier export --env cloud -o 'infra"><img src=x onerror="window.__pwned = 10">'""",
    """%glacier export --env cloud -o 'infra"><img src=x onerror="window.__pwned = 10">' --check""",
    FAILS + "%glacier deploy '<img src=x onerror=\"window.__pwned = 11\">' --plan",
    "%glacier load explode --json",
    f"{FAILS}%glacier run '<script>window.__pwned = 12</script>'",
    f"{FAILS}%glacier env '<script>window.__pwned = 12</script>'",
    f"{FAILS}%glacier preview '<script>window.__pwned = 12</script>'",
    f"{FAILS}%glacier preview rows --where '<script>window.__pwned = 12</script>'",
    f"{FAILS}%glacier preview rows --columns '<script>window.__pwned = 12</script>'",
    f"{FAILS}%glacier '<script>window.__pwned = 12</script>'",
    f"{FAILS}%glacier runs '\u202egnp.exe \x1b[2J'",
    "%glacier ls '<script>window.__pwned = 12</script>*'",
    "%glacier run?",
    f"{FAILS}%glacier '<script>window.__pwned = 12</script>'?",
    "print(env.get('rows').preview(), env.get('folder').list(), env.describe(), repr(env))",
    "from IPython.display import HTML\nHTML(env.get('rows').preview()._repr_html_())",
    "broken",
    "env.get('rows')",
)
COUNT = 8
ATTEMPTS = 2
"""How often the task that fails is tried; the logs say why each attempt failed."""
KEPT = "\n\t\u200c\u200d"
"""What a text may hold beside what is printed: lines, tabs, and what some scripts are misspelt without."""
OBEYED = {"Cc", "Cf", "Cs"}
"""Kinds of characters that a terminal obeys or that move other text."""
USERS = "\x1b]8;;http://evil\x07click"
"""What the user's own code has printed or raised, which is as it is."""
FORMS = ("text/html", "image/svg+xml")


def pwned(notebook: Notebook) -> object:
    return notebook.page.evaluate("() => window.__pwned")


def test_no_script_runs(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = lab.root / "hostile"
    folder.mkdir()
    (folder / "glacier.toml").write_text(PROJECT)
    cells = ("%load_ext glacier_magics", HOSTILE, GRAPH, ROWS, SHELVES, *COMMANDS)
    lab.write("hostile/hostile.ipynb", *cells, tags=["raises-exception"])
    notebook.open("hostile/hostile.ipynb")
    notebook.start_all()
    notebook.ran(len(cells) - 1)
    use(notebook)
    shoot("used")
    page = notebook.page
    assert page.locator(".jp-OutputArea :is(script, iframe, object, embed, mjx-container)").count() == 0
    assert page.locator(".jp-OutputArea :is([onerror], [onload], [href^=javascript])").count() == 0
    assert page.locator(".glacier :is(img, a, [href])").count() == 0
    assert pwned(notebook) is None
    saved = notebook.all_outputs()
    assert_outcomes(cells, saved)
    for outputs in saved:
        for output in outputs:
            assert_harmless(notebook, output)
    notebook.open("hostile/hostile.ipynb")


def use(notebook: Notebook) -> None:
    """Look behind every task, sort a table, and preview objects."""
    page = notebook.page
    cells = page.locator(".jp-Notebook .jp-Cell")
    board, table, shelves = (cells.nth(cell) for cell in (2, 3, 4))
    board.locator(".gl-board[data-run=failed]").wait_for()
    boxes = board.locator(".box.task")
    assert boxes.count() == COUNT
    for number in range(COUNT):
        boxes.nth(number).focus()
        page.keyboard.press("Enter")
        panel = f".gl-panel[data-panel='{boxes.nth(number).get_attribute('data-box')}'][data-shown=rows]"
        board.locator(panel).wait_for()
    rows = table.locator(".gl-table")
    assert (rows.locator("tbody tr").count(), rows.locator("thead th").count()) == (COUNT, COUNT + 2)
    rows.get_by_role("button").nth(4).click()
    table.locator(".gl-table[data-sort]:not([data-sort=''])").wait_for()
    for place in range(4):
        shelves.locator(".gl-object").nth(place).click()
        shelves.locator(".gl-pane[data-previewed] tbody td").first.wait_for()


def assert_outcomes(cells: tuple[str, ...], saved: list[list[dict[str, Any]]]) -> None:
    """Each command has shown something or has failed as it should, and of a log no line is lost."""
    said = dict(zip(cells, saved, strict=True))
    failed = [source for source, outputs in said.items() if any(each["output_type"] == "error" for each in outputs)]
    assert failed == [source for source in cells if source.startswith(FAILS)]
    assert [source for source in COMMANDS if not said[source]] == []
    (logs,) = said[f"{SAYS}f'logs {{env.runs[0].id}}')"]
    assert logs["data"]["text/html"].count("</tr>") == 1 + COUNT + ATTEMPTS


def assert_harmless(notebook: Notebook, output: dict[str, Any]) -> None:
    """What is saved runs no script in a page of its own, and no text in it moves other text or is obeyed."""
    page = notebook.page
    said = "" if USERS in output["text"] else output["text"]
    for form, text in {**output["data"], "text": said}.items():
        assert [each for each in str(text) if unicodedata.category(each) in OBEYED and each not in KEPT] == []
        if form in FORMS:
            page.set_content(f"<!doctype html><body>{text}<div id=end></div></body>")
            assert page.locator("body > #end").count() == 1
            assert page.locator("body :is(script, img, iframe, object, a)").count() == 0
            assert page.locator("[onerror], [onload], [href]").count() == 0
            assert pwned(notebook) is None


def test_a_planted_script_would_be_seen(lab: Lab, notebook: Notebook) -> None:
    """The other test looks for a variable that an attack sets: this one shows that an attack does set it."""
    lab.write("planted.ipynb", "from IPython.display import HTML\nHTML('<img src=x onerror=\"window.__pwned = 9\">')")
    notebook.open("planted.ipynb")
    notebook.run_all()
    notebook.page.wait_for_function("() => window.__pwned === 9")
