"""The graph in a real page: it follows a run, answers clicks and keys, and leaves a static picture behind."""

from collections.abc import Callable

from browser import story
from browser.lab import KERNEL, Lab, Notebook


def box(notebook: Notebook, name: str, state: str = ""):
    """Return the box of a step, in a state."""
    wanted = f"[data-state={state}]" if state else ""
    return notebook.page.locator(f".glacier .box[data-name='{name}']{wanted}").first


def test_nodes_change_colour_while_a_run_goes_on(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = story.write(lab, "live", story.RUN)
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
    outputs = notebook.outputs(1)
    assert [sorted(output["data"]) for output in outputs] == [["image/png", "image/svg+xml", "text/plain"]]
    assert "✓ save" in outputs[0]["data"]["text/plain"]
    assert "✓ save" in outputs[0]["data"]["image/svg+xml"]


def test_a_click_shows_what_is_behind_a_node(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = story.write(lab, "click", story.RUN_WITH_VALUES)
    story.open_gates(folder)
    notebook.open("click.ipynb")
    notebook.run_all()
    box(notebook, "by_category", "done").click()
    panel = notebook.page.locator(".gl-panel[data-shown=rows]")
    panel.wait_for()
    told = panel.inner_text()
    assert "What each category brought." in told
    assert "def by_category" in told
    assert "retries" in told
    assert panel.locator("tbody tr").count() == 3
    shoot("task")
    box(notebook, "sales").click()
    notebook.page.locator(".gl-panel[data-shown=rows]", has_text="1,200 rows").wait_for()
    shoot("resource")
    panel.get_by_role("button", name="close").click()
    panel.wait_for(state="hidden")


def test_logs_and_previews_are_there_while_a_run_goes_on(lab: Lab, notebook: Notebook) -> None:
    folder = story.write(lab, "logs", story.RUN)
    notebook.open("logs.ipynb")
    notebook.start_all()
    box(notebook, "extract", "running").click()
    notebook.page.locator(".gl-panel .gl-log", has_text="reading the sales").wait_for()
    box(notebook, "sales").click()
    notebook.page.locator(".gl-panel[data-shown=rows]", has_text="1,200 rows").wait_for()
    box(notebook, "extract", "running").wait_for()
    story.open_gates(folder)
    notebook.idle()
    box(notebook, "save", "done").wait_for()


def test_a_click_before_the_kernel_has_a_thread_for_it_is_answered_too(lab: Lab, notebook: Notebook) -> None:
    folder = story.write(lab, "early", story.RUN)
    notebook.open("early.ipynb")
    notebook.start_all()
    box(notebook, "extract", "running").wait_for()
    # As JupyterLab does until the kernel has started the thread: the message waits for the running cell.
    notebook.page.evaluate(
        f"""() => {{
          const kernel = {KERNEL};
          const send = kernel.sendShellMessage;
          kernel.sendShellMessage = function (message, ...others) {{
            if (message.header.msg_type === "comm_msg") {{
              kernel.sendShellMessage = send;
              message.header.subshell_id = null;
              document.body.dataset.early = JSON.stringify(message.content.data);
            }}
            return send.call(this, message, ...others);
          }};
        }}"""
    )
    box(notebook, "sales").click()
    notebook.page.locator("body[data-early*=look]").wait_for(state="attached")
    notebook.page.locator(".gl-panel[data-shown=rows]", has_text="1,200 rows").wait_for()
    box(notebook, "extract", "running").wait_for()
    story.open_gates(folder)
    box(notebook, "save", "done").wait_for()


def test_the_graph_is_reachable_by_keyboard(lab: Lab, notebook: Notebook) -> None:
    folder = story.write(lab, "keys", story.RUN)
    story.open_gates(folder)
    notebook.open("keys.ipynb")
    notebook.run_all()
    box(notebook, "save", "done").wait_for()
    page = notebook.page
    page.locator(".glacier .box[tabindex='0']").focus()
    fitted = page.locator(".gl-canvas").get_attribute("data-zoom")
    zoomed = "(zoom) => document.querySelector('.gl-canvas').dataset.zoom === zoom"
    focused = "() => document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused).startswith("extract, done, 1,200 rows")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused).startswith("largest, done, 10 rows")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.locator(".gl-panel").wait_for()
    page.keyboard.press("Escape")
    page.locator(".gl-panel").wait_for(state="hidden")
    assert page.evaluate(focused).startswith("extract")
    page.wait_for_function(zoomed, arg=fitted)  # the panel had taken some of the width
    page.keyboard.press("+")
    page.wait_for_function("(zoom) => document.querySelector('.gl-canvas').dataset.zoom > zoom", arg=fitted)
    page.keyboard.press("0")
    page.wait_for_function(zoomed, arg=fitted)
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    page.keyboard.type("bdd")  # elsewhere these insert a cell and delete one
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells
    page.keyboard.press("/")
    page.keyboard.type("cat")
    page.locator(".gl-count", has_text="1 of 8").wait_for()
    named = "all => all.map(box => box.dataset.name)"
    assert page.locator(".box:not([data-aside])").evaluate_all(named) == ["by_category"]
    page.keyboard.press("Enter")
    page.locator(".gl-panel", has_text="What each category brought.").wait_for()
    page.keyboard.press("Escape")
    on_its_way = {"sales", "extract", "by_category", "alert", "save", "report"}
    assert set(page.locator(".box:not([data-aside])").evaluate_all(named)) == on_its_way
    page.keyboard.press("Escape")
    page.locator(".gl-panel").wait_for(state="hidden")
    assert page.locator("[data-aside]").count() == 0
    assert page.locator(".glacier [role=status][aria-live=polite]").inner_text().startswith("run done")


def test_an_answer_that_comes_late_leaves_what_was_found(lab: Lab, notebook: Notebook) -> None:
    late = "def late(key):\n    gate('answer')\n    return values.get(key)\n"
    folder = story.write(lab, "late", late + story.RUN_WITH_VALUES.replace("values.get)", "late)"))
    story.open_gates(folder)
    notebook.open("late.ipynb")
    notebook.run_all()
    box(notebook, "by_category", "done").click()
    notebook.page.locator(".gl-board[data-busy] .gl-note", has_text="the kernel is busy").wait_for()
    notebook.page.get_by_label("find a step").fill("cat")
    notebook.page.locator(".gl-count", has_text="1 of 8").wait_for()
    (folder / "answer").touch()
    notebook.page.locator(".gl-panel[data-shown=rows]").wait_for()
    notebook.page.locator(".gl-board:not([data-busy])").wait_for()
    assert notebook.page.locator(".gl-board .gl-note").all_inner_texts() == ["", "1 of 8"]


def test_the_table_follows_the_run_too(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = story.write(
        lab, "table", story.RUN.replace("env=env", "env=env, view='table'"), "monitor(sales_report.last_run)"
    )
    notebook.open("table.ipynb")
    notebook.start_all()
    row = notebook.page.locator("tr[data-row]", has_text="extract")
    notebook.page.locator("tr[data-row][data-state=running]", has_text="extract").wait_for()
    story.open_gates(folder)
    notebook.page.locator("tr[data-row][data-state=done]", has_text="save").first.wait_for()
    notebook.idle()
    assert row.first.inner_text().split("\t")[1:3] == ["✓ done", "1,200"]
    row.first.click()
    notebook.page.locator(".gl-panel", has_text="The transactions as they came.").first.wait_for()
    shoot("table")
    assert [sorted(output["data"]) for output in notebook.outputs(1)] == [["text/html", "text/plain"]]


def test_a_failure_shows_its_error_and_fails_the_cell(
    lab: Lab, notebook: Notebook, shoot: Callable[[str], None]
) -> None:
    story.open_gates(story.write(lab, "failing", story.FAILING))
    notebook.open("failing.ipynb")
    notebook.run_all()
    box(notebook, "explode", "failed").click()
    panel = notebook.page.locator(".gl-panel .gl-error")
    panel.wait_for()
    assert "ZeroDivisionError: division by zero" in panel.inner_text()
    box(notebook, "after", "cancelled").wait_for()
    shoot("failed")
    kinds = [output["output_type"] for output in notebook.outputs(1)]
    assert kinds == ["display_data", "error"]


def test_interrupting_a_run_gives_the_prompt_back(lab: Lab, notebook: Notebook, shoot: Callable[[str], None]) -> None:
    folder = story.write(lab, "interrupted", story.RUN, "print('on we go')")
    notebook.open("interrupted.ipynb")
    notebook.start_all()
    box(notebook, "extract", "running").wait_for()
    notebook.command("notebook:interrupt-kernel")
    notebook.page.locator(".glacier[data-run=cancelled]").wait_for()
    box(notebook, "save", "cancelled").wait_for()
    notebook.idle()
    shoot("interrupted")
    story.open_gates(folder)
    outputs = notebook.outputs(1)
    assert [output["output_type"] for output in outputs] == ["display_data", "error"]
    assert outputs[1]["ename"] == "KeyboardInterrupt"


def test_a_reloaded_page_comes_alive_again(lab: Lab, notebook: Notebook) -> None:
    story.open_gates(story.write(lab, "reloaded", story.RUN))
    notebook.open("reloaded.ipynb")
    notebook.run_all()
    box(notebook, "save", "done").wait_for()
    notebook.save()
    notebook.open("reloaded.ipynb")
    box(notebook, "save", "done").click()
    notebook.page.locator(".gl-panel", has_text="The report.").wait_for()
    assert notebook.page.locator(".glacier").count() == 1
