"""What a live graph costs the kernel, and whether the page keeps up: a real JupyterLab and a real Chromium.

1. A pipeline of 500 tasks runs unobserved and with its graph on the page, in turns: 1,000 changes of nodes, at three
   paces. Printed is what the observed run takes longer in all, that is, for how long the kernel is kept from its work
   (by the processor's time and by the clock, both of which a busy machine disturbs), and what of that the threads take
   that tell the page; the time until the page shows the last state; and what is in the way of the kernel before and
   after the run (drawing the graph, making it static). Garbage is collected before each of these, which takes a kernel
   about 70 ms whenever it comes.
2. A graph of 300 nodes is panned, zoomed and recoloured for three seconds each: milliseconds between two frames.

    python benchmarks/live_updates.py [runs]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser.lab import Lab, Notebook, chromium
from rounds import argument, load, machine

RUN = """
import gc, json, time, threading
from IPython.display import display
from glacier import GlacierEnv
from glacier.config import LocalConfig
from glacier.graph import Graph
from glacier.providers import LocalProvider
from glacier_magics.widgets import live

env = GlacierEnv(provider=LocalProvider(config=LocalConfig(base_path=".")), name="bench")

@env.task()
def step(number: int) -> int:
    return number

@env.pipeline()
def wide() -> None:
    for number in range(500):
        step(number)

@env.task()
def paced_step(number: int) -> int:
    time.sleep(0.02)
    return number

@env.pipeline()
def paced() -> None:
    for number in range(500):
        paced_step(number)

@env.task()
def slow_step(number: int) -> int:
    time.sleep(0.1)
    return number

@env.pipeline()
def slow() -> None:
    for number in range(500):
        slow_step(number)

def timed(work):
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return [1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - wall)]

def telling():
    # The processor's time of the threads that tell the page, so far.
    threads = [each.ident for each in threading.enumerate() if each.name in ("glacier-live", "IOPub")]
    return 1000 * sum(time.clock_gettime(time.pthread_getcpuclockid(each)) for each in threads)

def observed(pipeline, name):
    found = {}
    shown = live(Graph(name, pipeline.graph.nodes, pipeline.graph.edges), env=env)
    found["drawn"] = timed(shown.show)
    before = telling()
    found["run"] = timed(lambda: pipeline.run(listeners=[shown], progress=False))
    found["telling"] = telling() - before
    found["ended"] = time.time()
    found["static"] = timed(shown.finish)
    return found

wide.run()
"""
MEASURE = """
before = timed(PIPELINE.run)
found = {**observed(PIPELINE, "PIPELINENUMBER"), "plain": before, "again": timed(PIPELINE.run)}
print(json.dumps(found))
"""
GRAPH = """
import time
from glacier.execution.events import Event
from glacier.graph import Edge, Graph, Node
from glacier_magics.widgets import live

nodes = tuple(Node(f"n{n}", f"task_{n}") for n in range(300))
edges = tuple(Edge(f"n{max(0, n - 1 - (n * 7) % 9)}", f"n{n}", "x") for n in range(1, 300))
shown = live(Graph("three_hundred", nodes, edges))
shown.show()
"""
RECOLOUR = """
ends = time.monotonic() + 3
kinds = ("started", "succeeded", "retried", "failed")
turn = 0
while time.monotonic() < ends:
    turn += 1
    for n in range(0, 300, 3):
        shown(Event(kinds[(turn + n) % 4], "r", f"n{n}", "x", time.time(), seconds=1.0, rows=turn))
    time.sleep(0.01)
"""
FRAMES = """
async (action) => {
  const canvas = document.querySelector('.gl-canvas');
  const area = canvas.getBoundingClientRect();
  const at = (x, y, more) => ({clientX: area.left + x, clientY: area.top + y, bubbles: true, pointerId: 1, ...more});
  const gaps = [];
  let last = performance.now();
  const ends = last + 3000;
  if (action === 'pan') canvas.dispatchEvent(new PointerEvent('pointerdown', at(200, 100, {button: 0})));
  for (let n = 0; performance.now() < ends; n++) {
    const moved = at(200 + 150 * Math.sin(n / 20), 100 + n % 40);
    if (action === 'pan') canvas.dispatchEvent(new PointerEvent('pointermove', moved));
    const wheel = {deltaY: 20 * Math.sin(n / 15), ctrlKey: true, cancelable: true};
    if (action === 'zoom') canvas.dispatchEvent(new WheelEvent('wheel', at(300, 100, wheel)));
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  if (action === 'pan') canvas.dispatchEvent(new PointerEvent('pointerup', at(200, 100)));
  return gaps;
}
"""


def updates(notebook: Notebook, runs: int, pipeline: str) -> None:
    """Measure the cost of 1,000 changes, in a pipeline that is as fast as it can be or in ones that take their time."""
    cells = [MEASURE.replace("NUMBER", str(run)).replace("PIPELINE", pipeline) for run in range(runs)]
    notebook.lab.write(f"{pipeline}.ipynb", RUN, *cells)
    notebook.open(f"{pipeline}.ipynb")
    notebook.page.evaluate(
        """() => {
          window.seen = {};
          new MutationObserver(() => {
            for (const board of document.querySelectorAll('.gl-board[data-run=done]'))
              window.seen[board.querySelector('.gl-title').textContent] ??= Date.now() / 1000;
          }).observe(document.body, {subtree: true, attributes: true, attributeFilter: ['data-run']});
        }"""
    )
    notebook.run_all()
    notebook.page.wait_for_function("(runs) => Object.keys(window.seen).length >= runs", arg=runs)
    seen: dict[str, float] = notebook.page.evaluate("() => window.seen")
    boards = notebook.page.locator(".gl-board[data-run=done]")
    assert [each.locator(".box[data-state=done]").count() for each in boards.all()] == [500] * runs
    found = [json.loads(_printed(notebook, cell)) for cell in range(1, runs + 1)]
    print(f"1,000 changes of 500 nodes, pipeline {pipeline!r}, {runs} pairs of runs, {load()}")
    print("milliseconds: median (least, most)")
    for clock, place in (("processor", 0), ("clock", 1)):
        plain = [(each["plain"][place] + each["again"][place]) / 2 for each in found]
        seconds = {
            "the run, unobserved": plain,
            "the run with its graph on the page": [each["run"][place] for each in found],
            "what that is more, in all": [each["run"][place] - other for each, other in zip(found, plain, strict=True)],
            "before the run: laid out and shown": [each["drawn"][place] for each in found],
            "after the run: made static": [each["static"][place] for each in found],
        }
        for label, values in seconds.items():
            _line(f"{label} ({clock})", values)
    _line("of the more: the threads that tell the page (processor)", [each["telling"] for each in found])
    late = [1000 * (seen[f"{pipeline}{number}"] - each["ended"]) for number, each in enumerate(found)]
    _line("end of the run -> last state on the page", late)


def _line(label: str, values: list[float]) -> None:
    print(f"  {label:<56} {statistics.median(values):8.1f} ({min(values):.1f}, {max(values):.1f})")


def _printed(notebook: Notebook, cell: int) -> str:
    return next("".join(output["text"]) for output in notebook.outputs(cell) if output["output_type"] == "stream")


def frames(notebook: Notebook) -> None:
    """Measure the smoothness of 300 nodes."""
    notebook.lab.write("frames.ipynb", GRAPH, RECOLOUR)
    notebook.open("frames.ipynb")
    notebook.command("notebook:run-cell")
    notebook.page.locator(".gl-board .box").nth(299).wait_for(state="attached")
    notebook.idle()
    print(f"300 nodes, {load()}, milliseconds between two frames: median, 95th of 100, most")
    for action in ("rest", "pan", "zoom"):
        _report(action, notebook.page.evaluate(FRAMES, action))
    notebook.start_all()
    notebook.page.locator(".gl-board .box[data-state=failed]").first.wait_for(state="attached")
    _report("recolour", notebook.page.evaluate(FRAMES, "recolour"))
    notebook.idle()


def _report(action: str, gaps: list[float]) -> None:
    ordered = sorted(gaps[1:])
    tail = ordered[int(len(ordered) * 0.95)]
    print(f"  {action:<10} {statistics.median(ordered):6.1f} {tail:6.1f} {ordered[-1]:6.1f}   ({len(ordered)} frames)")


def main() -> None:
    runs = argument(1, 7)
    print(machine())
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, chromium() as browser:
        measures: list[Any] = [
            lambda each: updates(each, runs, "wide"),
            lambda each: updates(each, runs, "paced"),
            lambda each: updates(each, min(runs, 3), "slow"),
            frames,
        ]
        for measure in measures:
            page = browser.new_page(viewport={"width": 1280, "height": 1100})
            notebook = Notebook(lab, page)
            measure(notebook)
            notebook.close()
            page.close()


if __name__ == "__main__":
    main()
