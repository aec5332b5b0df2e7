"""The `%glacier` language, in a real shell."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path

import polars as pl
import pytest
from notebook import Notebook, notebook

import glacier_magics
from glacier import GlacierEnv
from glacier.errors import ConfigError, GlacierWarning, ProtectedError, ResourceNotFoundError
from glacier_magics.parsing import CommandError

PROJECT = """
[env.dev]
provider = "local"
base_path = "dev"

[env.dev.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"

[env.dev.resources.report]
bucket = "sales"
path = "report.parquet"

[env.staging]
extends = "dev"
base_path = "staging"

[env.production]
extends = "dev"
base_path = "production"
protected = true
task = { retries = 1 }
"""
PIPELINE = '''
import polars as pl

@env.task()
def clean(sales_raw: Bucket) -> pl.DataFrame:
    """The sales that count."""
    return sales_raw.read().filter(pl.col("amount") > 0)

@env.task()
def count(df: pl.DataFrame) -> int:
    return df.height

@env.task()
def save(df: pl.DataFrame, report: Bucket) -> None:
    report.write(df)

@env.pipeline()
def counting():
    """Count them."""
    return count(clean())

@env.pipeline()
def reporting(least: int = 0):
    save(clean())
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "glacier.toml").write_text(PROJECT)
    for number, name in enumerate(("dev", "staging", "production")):
        (tmp_path / name / "sales").mkdir(parents=True)
        frame = pl.DataFrame({"order": range(-1, 4 + number), "amount": [float(n) for n in range(-1, 4 + number)]})
        frame.write_parquet(tmp_path / name / "sales" / "raw.parquet")
    return tmp_path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with notebook(tmp_path / "ipython") as made:
        yield made


@pytest.fixture
def nb(project: Path, bare: Notebook) -> Notebook:
    bare.run("%load_ext glacier_magics")
    return bare


@pytest.fixture
def working(nb: Notebook) -> Notebook:
    nb.run(PIPELINE)
    return nb


# --- loading ----------------------------------------------------------------------------------------------------------


def test_loading_opens_the_project_and_says_so_in_one_line(project, bare):
    shown = bare.run("%load_ext glacier_magics")
    assert shown.printed.strip() == (
        "Glacier environments: dev, staging, production | current: dev | next: %glacier ls"
    )
    assert isinstance(bare["env"], GlacierEnv)
    assert bare["env"].name == "dev"
    assert {"GlacierEnv", "Bucket", "Serverless", "Inject", "task"} <= set(bare.shell.user_ns)


def test_loading_keeps_names_that_are_taken(project, bare):
    bare.run("task = 'mine'; env = 'mine too'")
    shown = bare.run("%load_ext glacier_magics")
    assert "none is current" in shown.printed
    assert (bare["task"], bare["env"]) == ("mine", "mine too")


def test_loading_without_a_project_says_how_to_begin(bare):
    assert "next: %glacier env dev --provider local" in bare.run("%load_ext glacier_magics").printed
    assert "env" not in bare.shell.user_ns
    said = bare.fail("%glacier ls").traceback
    assert said.splitlines() == [
        "ConfigError: no environment is current",
        "hint: make one: %glacier env dev --provider local",
    ]
    assert bare.run("%glacier").text.strip().splitlines()[:2] == [
        "environments",
        "none yet: %glacier env dev --provider local, or write a glacier.toml",
    ]
    bare.run("%glacier env dev --provider local --as kept")
    assert "hint: switch to one: %glacier env NAME (known: dev)" in bare.fail("%glacier tasks").traceback
    assert "local" in bare.run("%glacier").text


def test_loading_with_a_broken_project_says_what_is_wrong(bare, tmp_path):
    (tmp_path / "glacier.toml").write_text("[env.dev]\nprovider = 'lokal'\n")
    shown = bare.run("%load_ext glacier_magics")
    assert "glacier.toml:2: env.dev.provider: unknown provider 'lokal'" in shown.printed


def test_unloading_takes_everything_back(project, bare):
    before = set(bare.shell.user_ns) | {"_exit_code"}
    matchers, transformers = list(bare.shell.Completer.custom_matchers), list(bare.shell.input_transformers_cleanup)
    hooks = {name: list(bare.shell.events.callbacks[name]) for name in ("pre_run_cell", "post_run_cell")}
    bare.run("%load_ext glacier_magics")
    bare.run("%unload_ext glacier_magics")
    assert set(bare.shell.user_ns) - before <= {"_", "__", "___", "_i", "_ii", "_iii", "_i1", "_i2"}
    assert bare.shell.Completer.custom_matchers == matchers
    assert bare.shell.input_transformers_cleanup == transformers
    assert {name: bare.shell.events.callbacks[name] for name in hooks} == hooks
    assert "glacier" not in bare.shell.magics_manager.magics["line"]
    assert "glacier" not in bare.shell.magics_manager.magics["cell"]


def test_unloading_brings_back_a_magic_of_the_same_name(project, bare):
    bare.run(
        "from IPython.core.magic import register_line_magic\n@register_line_magic\ndef glacier(line):\n    return line"
    )
    bare.run("%load_ext glacier_magics")
    bare.run("%reload_ext glacier_magics")
    assert bare.run("%glacier env").value != "env"
    bare.run("%unload_ext glacier_magics")
    assert bare.run("%glacier env").value == "env"
    assert bare.shell.display_formatter.mimebundle_formatter.type_printers == {}
    assert bare.shell.display_formatter.mimebundle_formatter.deferred_printers == {}


def test_unloading_keeps_what_the_user_has_made_of_the_names(nb):
    nb.run("task = 'mine'")
    nb.run("%unload_ext glacier_magics")
    assert nb["task"] == "mine"


def test_reloading_doubles_nothing(nb):
    nb.run("%reload_ext glacier_magics")
    assert len([each for each in nb.shell.Completer.custom_matchers if each.matcher_identifier == "glacier"]) == 1
    nb.run(PIPELINE)
    nb.run("%reload_ext glacier_magics")
    assert nb["counting"].env is nb["env"]
    glacier_magics.load_ipython_extension(nb.shell)
    assert len([each for each in nb.shell.Completer.custom_matchers if each.matcher_identifier == "glacier"]) == 1


# --- environments -----------------------------------------------------------------------------------------------------


def test_a_beginning_of_a_name_switches(nb):
    value = nb.run("x = %glacier env prod\nx").value
    assert value is nb["env"]
    assert value.name == "production"
    assert value.protected


def test_tasks_and_pipelines_follow_and_come_back(working):
    dev, clean = working["env"], working["clean"]
    working.run("%glacier env staging")
    staging = working["env"]
    assert working["clean"].env is staging
    assert working["counting"].env is staging
    assert staging.tasks == ["clean", "count", "save"]
    assert clean.env is dev
    assert working.run("%glacier run counting").value == 4
    working.run("%glacier env dev")
    assert working["env"] is dev
    assert working["clean"] is clean
    assert working.run("%glacier run counting").value == 3


def test_the_newest_definition_follows(working):
    working.run("%glacier env staging")
    working.run("@env.task()\ndef count(df: pl.DataFrame) -> int:\n    return -df.height")
    working.run("%glacier env dev")
    assert working.run("%glacier run counting").value == -3


SEVERAL = """
@env.task(name="least")
def first(n: int = 0) -> int:
    return 1

@env.task(name="least")
def second(n: int = 0) -> int:
    return 2

@env.pipeline()
def old_and_new():
    return first(), second()
"""


def test_of_several_tasks_of_a_name_the_listed_one_stays_listed(working):
    with pytest.warns(GlacierWarning, match="'least' of environment 'dev' is defined twice"):
        working.run(SEVERAL)
        working.run('@env.task(name="least")\ndef first(n: int = 0) -> int:\n    return 1')
    assert working.run("%glacier run least").value == 1
    for name in ("staging", "dev", "staging"):
        assert "twice" not in working.run(f"%glacier env {name}").text
        assert working.run("%glacier run least").value == 1
        assert working.run("%glacier run old_and_new").value == (1, 2)
        assert working["second"].env is working["env"]


def test_several_environments_live_side_by_side(working):
    working.run("%glacier env staging --as other")
    assert working["env"].name == "dev"
    assert working["other"].name == "staging"
    assert working.run("%glacier run counting --env staging").value == 4
    assert working.run("%glacier run counting").value == 3


def test_an_environment_is_made_of_flags(nb, tmp_path):
    nb.run(f"%glacier env scratch --provider local --option base_path={tmp_path}/scratch --protect")
    assert nb["env"].name == "scratch"
    assert nb["env"].protected
    assert nb["env"].provider.config.base_path == tmp_path / "scratch"
    assert "scratch" in nb.run("%glacier env").text


def test_flags_refine_an_environment_of_the_project(nb, tmp_path):
    nb.run(f"%glacier env dev --option base_path={tmp_path}/elsewhere")
    assert nb["env"].provider.config.base_path == tmp_path / "elsewhere"
    assert nb["env"].list_resources() == ["sales_raw", "report"]


def test_an_environment_of_the_notebook_is_known(nb):
    nb.run("from glacier.providers import LocalProvider\nmine = GlacierEnv(LocalProvider(), 'own')\n%glacier env own")
    assert nb["env"] is nb["mine"]


def test_the_list_marks_the_current_one(nb):
    rows = nb.run("x = %glacier env --json\nx").value.value
    assert [(row[""], row["environment"], row["protected"]) for row in rows] == [
        ("*", "dev", ""),
        ("", "staging", ""),
        ("", "production", "protected"),
    ]


def test_the_status_card_tells_where_one_is(working):
    card = working.run("%glacier --json").value.value
    assert card["environment"] == "dev"
    assert card["resources"] == ["sales_raw", "report"]
    assert card["pipelines"] == ["counting", "reporting"]
    assert (card["protected"], card["stale"], card["last run"]) == (False, {}, "none")
    working.run("%glacier run counting")
    assert "counting" in working.run("%glacier --json").value.value["last run"]
    assert "<table" in working.run("%glacier").bundle["text/html"]


def test_every_form_of_a_card_tells_whether_it_is_protected(nb):
    switched = nb.run("%glacier env prod")
    assert "GlacierEnv 'production' (protected)" in switched.bundle["text/plain"]
    assert ">yes: a run that writes here asks first</td>" in switched.bundle["text/html"]
    assert nb.run("%glacier env prod --json").value.value["protected"] is True
    assert nb.run("%glacier --json").value.value["protected"] is True
    for form in ("text/plain", "text/html"):
        assert "protected" in nb.run("%glacier ls").bundle[form]
    assert nb.run("%reload_ext glacier_magics").printed.startswith(
        "Glacier environments: dev, staging, production | current: "
    )
    assert nb.run("%glacier env dev --json").value.value["protected"] is False
    assert "(protected)" not in nb.run("%glacier env dev").everything


def test_loading_says_that_the_current_one_is_protected(project, bare):
    (project / "glacier.toml").write_text(f'default = "production"\n{PROJECT}')
    assert "current: production (protected)" in bare.run("%load_ext glacier_magics").printed


# --- looking ----------------------------------------------------------------------------------------------------------


def test_the_status_card_stays_small(nb):
    nb.run("for n in range(1000): env.register(f'r{n}', env.provider.bucket('b', path=f'{n}.csv'))")
    assert "and 990 more" in nb.run("%glacier").text
    assert len(nb.run("%glacier").text) < 2000


def test_resources_and_objects_are_listed(nb):
    shown = nb.run("%glacier ls --json").value.value
    found = {each["name"]: each for each in shown["resources"]}
    assert found["sales_raw"]["objects"][0]["path"] == "raw.parquet"
    assert found["report"]["problem"] == "nothing there yet"
    assert [each["name"] for each in nb.run("%glacier ls sales* --json").value.value["resources"]] == ["sales_raw"]


def test_a_pattern_finds_objects_behind_the_first_ones(nb, project):
    folder = project / "dev" / "lake" / "events"
    folder.mkdir(parents=True)
    for number in range(150):
        (folder / f"{number:03}.csv").touch()
    nb.run("env.register('lake', env.provider.bucket('lake', path='events'))")
    assert "events/149.csv" in nb.run("%glacier ls lake/*149* --limit 3").text
    assert "no object matches 'nope*'" in nb.run("%glacier ls lake/nope*").text
    assert "nothing" in nb.fail("%glacier ls --limit 0").traceback


def test_a_preview_shows_rows_and_schema(nb):
    shown = nb.run("%glacier preview sales_raw -n 2 --columns amount --where 'amount > 1' --json").value.value
    assert shown["rows"] == [{"amount": 2.0}, {"amount": 3.0}]
    assert shown["schema"] == {"order": "Int64", "amount": "Float64"}


def test_a_path_on_this_machine_is_listed_and_previewed(nb, tmp_path):
    pl.DataFrame({"a": [1, 2]}).write_csv(tmp_path / "own.csv")
    for path in ("./own.csv", tmp_path / "own.csv", tmp_path / "o*.csv"):
        assert nb.run(f"%glacier preview {path} --json").value.value["total"] == 2
    (listed,) = nb.run(f"%glacier ls {tmp_path} --json").value.value["resources"]
    assert f"{tmp_path.name}/own.csv" in {each["path"] for each in listed["objects"]}
    (tmp_path / "below").mkdir()
    (tmp_path / "own.csv").rename(tmp_path / "below" / "own.csv")
    assert "begins with ./ here: ./below/own.csv" in nb.fail("%glacier preview below/own.csv").traceback
    assert "has no resource" in nb.fail(f"%glacier preview {'x' * 300}").traceback  # longer than a file's name can be
    assert "dev: no resource matches 'sales_rew/x'" in nb.run("%glacier ls sales_rew/x").text


def test_a_preview_of_another_environment_and_of_a_frame(nb):
    assert nb.run("%glacier preview sales_raw --env staging --json").value.value["total"] == 6
    nb.run("import polars as pl\nframe = pl.DataFrame({'a': [1, 2, 3]})")
    assert nb.run("%glacier preview frame -n 1 --json").value.value["rows"] == [{"a": 1}]


def test_a_picture_is_drawn_and_written(working, tmp_path):
    assert "image/svg+xml" in working.run("%glacier dag counting").bundle
    working.run("%glacier dag counting -o pictures/counting.svg")
    assert "<svg" in (tmp_path / "pictures" / "counting.svg").read_text()


def test_a_terminal_says_that_it_cannot_follow(working, tmp_path):
    shown = working.run("%glacier dag counting --live")
    assert shown.printed.splitlines()[0] == (
        "a terminal cannot follow a run; %glacier run counting shows its picture when it is over"
    )
    assert "count ← clean" in shown.text
    assert "a file cannot follow a run" in working.fail("%glacier dag counting --live -o x.svg").traceback
    assert working.run("%glacier dag counting --live --json").value.value["name"] == "counting"


def test_environments_are_compared_and_settings_explained(working):
    found = working.run("%glacier diff dev prod --json").value.value
    changed = {(row["section"], row["setting"]) for row in found["differences"]}
    assert ("environment", "protected") in changed
    assert ("environment", "base_path") in changed
    rows = working.run("%glacier explain clean --json").value.value
    assert {"setting": "retries", "value": "0", "from": "default"} in rows


# --- running ----------------------------------------------------------------------------------------------------------


def test_a_run_shows_its_picture_and_binds_the_value(working):
    shown = working.run("%glacier run counting -o found")
    assert working["found"] == 3
    assert shown.value is None
    assert "✓ clean" in shown.printed
    assert working.run("x = %glacier run counting\nx").value == 3


def test_a_single_task_runs(working):
    assert working.run("%glacier run clean").value.height == 3


def test_parameters_are_passed(nb):
    nb.run("@env.pipeline()\ndef adding(a: int, b: int = 1):\n    return a + b")
    assert nb.run("%glacier run adding -p a=2 -p b=3").value == 5


def test_another_mode_touches_nothing(working, project):
    analysis = working.run("%glacier run reporting --mode analyze").value
    assert analysis["tasks"] == ["clean", "save"]
    assert not (project / "dev" / "sales" / "report.parquet").exists()


def test_an_error_of_the_user_shows_the_users_frames_and_debug_the_rest(working):
    working.run("@env.task()\ndef broken(sales_raw: Bucket):\n    return helper(0)\n\ndef helper(x):\n    return 1 / x")
    shown = working.fail("%glacier run broken")
    assert isinstance(shown.error, ZeroDivisionError)
    assert "return 1 / x" in shown.traceback
    assert "return helper(0)" in shown.traceback
    assert "glacier_magics" not in shown.traceback
    assert "execution/" not in shown.traceback
    assert "✗ broken" in shown.printed
    rest = working.run("%glacier debug").text
    assert "glacier_magics" in rest
    assert "return 1 / x" in rest


def test_an_error_of_ours_is_one_line_and_a_hint(nb):
    shown = nb.fail("%glacier run conting")
    assert isinstance(shown.error, ResourceNotFoundError)
    assert shown.traceback.splitlines() == [
        "ResourceNotFoundError: environment 'dev' has no pipeline 'conting'",
        "hint: none is known yet",
    ]


def test_without_a_pipeline_the_next_step_is_said(nb):
    assert "define one: a function below @env.pipeline()" in nb.fail("%glacier run").traceback
    assert nb.run("%glacier tasks").text.strip().splitlines()[1] == "none yet: write a function below @env.task()"


def test_several_pipelines_and_none_named_is_refused(working):
    assert "name one: counting, reporting" in working.fail("%glacier run").traceback


def test_runs_are_kept_with_their_logs_and_resumed(working):
    working.run("%glacier run counting")
    working.run(
        "ready = False\n@env.task()\ndef picky(df: pl.DataFrame):\n    print('looking')\n    assert ready\n    return 7"
    )
    working.run("@env.pipeline()\ndef careful():\n    return picky(clean())")
    working.fail("%glacier run careful")
    runs = working.run("%glacier runs --json").value.value
    assert [(run["pipeline"], run["state"]) for run in runs] == [("careful", "failed"), ("counting", "done")]
    failed = runs[0]["id"]
    lines = [line["line"] for line in working.run(f"%glacier logs {failed} picky --json").value.value]
    assert lines == ["looking", "failed in attempt 1: AssertionError: "]
    assert working.run("%glacier logs --json").value.value == working.run(f"%glacier logs {failed} --json").value.value
    assert "careful" in working.run(f"%glacier runs {failed}").text
    working.fail("%glacier resume")
    working.run("ready = True")
    assert working.run(f"%glacier resume {failed[:6]}").value == 7
    states = {task["name"]: task["state"] for task in working.run("%glacier runs --json").value.value[0]["tasks"]}
    assert states["clean"] == "cached"
    assert "no run 'zzz'" in working.fail("%glacier resume zzz").traceback
    assert "is done" in working.fail("%glacier resume").traceback


def test_an_environment_that_a_cell_makes_anew_takes_the_place_of_the_old_one(nb):
    made = 'env = GlacierEnv.from_env(provider="local", name="lab", base_path="{0}")\n%glacier ls\n'
    made += 'side = GlacierEnv.from_env(provider="local", name="side", base_path="{0}")'
    nb.run(made.format("first"))
    nb.run("@env.task()\ndef one():\n    return 1\n@env.task()\ndef more(n: int):\n    return n + 1")
    nb.run("@env.pipeline()\ndef adding():\n    return more(one())")
    nb.run("%glacier env side\n%glacier env lab")
    again = nb.run(made.format("second") + "\n@env.task()\ndef one():\n    return 10")
    assert "lab was made anew; what was bound to the old one follows: more, adding" in again.printed
    assert nb.run("%glacier run adding").value == nb.run("adding.run()").value == 11
    assert nb["more"].env is nb["one"].env is nb["adding"].env is nb["env"]
    assert "lab" not in nb.run("1").printed
    for name in ("side", "lab"):
        nb.run(f"%glacier env {name}")
        assert nb["env"].provider.config.base_path == Path("second")


def test_a_variable_that_says_nothing_of_its_class_is_left_alone(nb):
    nb.run("class Sly:\n    @property\n    def __class__(self):\n        raise RuntimeError('not here')")
    assert nb.run("sly = Sly()").printed == ""
    assert "sly" not in nb.run("%glacier env").text
    nb.run("%glacier env prod\n%glacier env dev")


def test_a_run_that_is_resumed_reads_from_where_it_read(working):
    working.run(
        "ready = False\n@env.task()\ndef rows(df: pl.DataFrame, sales_raw: Bucket):\n"
        "    assert ready\n    return sales_raw.read().height"
    )
    working.run("@env.pipeline()\ndef careful():\n    return rows(clean())")
    working.fail("%glacier run careful --read staging")
    working.run("ready = True")
    assert working.run("%glacier resume").value == 6
    assert working.run("%glacier run careful").value == 5


def test_a_protected_environment_is_not_written_through_what_the_source_does_not_name(working, project):
    written = project / "production" / "sales" / "report.parquet"
    working.run("%glacier env production")
    working.run("kept, data = env.get('report'), env.get('sales_raw')\ndef helper(df):\n    kept.write(df)")
    bodies = {"direct": "kept.write(data.read())", "hidden": "helper(data.read())", "seen": "return data.read().height"}
    working.run("\n".join(f"@env.task()\ndef {name}():\n    {body}" for name, body in bodies.items()))
    working.run("\n".join(f"@env.pipeline()\ndef {name}_flow():\n    return {name}()" for name in bodies))
    assert "writes report" in working.fail("%glacier run direct_flow").traceback
    lines = ("run hidden_flow", "run hidden", "step hidden_flow")
    hidden = ["hidden()", "hidden.run()", *(f"%glacier {line}" for line in lines)]
    for line in hidden:
        assert "nobody was asked about writing" in working.fail(line).traceback
    assert not written.exists()
    assert working.run("%glacier run seen_flow").value == 7
    for line in ("%glacier run hidden_flow", "%glacier step hidden_flow --restart", "%glacier run direct_flow"):
        working.run(f"{line} --yes")
        assert written.exists()
        written.unlink()


def test_a_run_elsewhere_does_not_write_to_a_protected_environment(working, project):
    working.run("%glacier env production --as prod")
    working.run("kept, own = prod.get('report'), env.get('report')\ndef helper(df, to):\n    to.write(df)")
    working.run("@env.task()\ndef copying(df: pl.DataFrame):\n    helper(df, own)\n    helper(df, kept)")
    working.run("@env.pipeline()\ndef copy():\n    copying(clean())")
    assert "'production' is protected, and nobody was asked" in working.fail("%glacier run copy").traceback
    assert (project / "dev" / "sales" / "report.parquet").exists()
    working.run("%glacier env production")
    working.run("@env.task()\ndef late(df: pl.DataFrame):\n    helper(df, kept)")
    working.run("@env.pipeline()\ndef lately():\n    late(clean())\n\nimport warnings\nwarnings.simplefilter('ignore')")
    assert "'production' is protected, and nobody was asked" in working.fail("%glacier run lately --env dev").traceback
    assert not (project / "production" / "sales" / "report.parquet").exists()


def test_before_the_first_run_there_is_none_to_look_at_or_to_resume(working):
    for command in ("logs", "resume"):
        assert "has no run of environment 'dev' yet" in working.fail(f"%glacier {command}").traceback


def test_a_plan_says_what_would_run_and_why(working):
    rows = working.run("%glacier plan counting --json").value.value
    assert [(row["name"], row["action"]) for row in rows] == [("clean", "run"), ("count", "run")]
    assert rows[0]["reads"] > 0
    assert [row["action"] for row in working.run("%glacier plan counting --until clean --json").value.value] == [
        "run",
        "skip",
    ]
    working.run("%glacier run counting")
    working.run("@env.task()\ndef count(df: pl.DataFrame) -> int:\n    return 0")
    assert "stale: code" in working.run("%glacier plan counting").text
    assert "did you mean 'clean'" in working.fail("%glacier plan counting --only claen").traceback


def test_a_part_of_a_pipeline_runs(working):
    assert working.run("%glacier run counting --until clean").value.height == 3
    assert working.run("%glacier run counting --only count").value == 3


def test_a_run_reads_from_another_environment(working, project):
    working.run("%glacier run reporting --read production --env dev")
    assert pl.read_parquet(project / "dev" / "sales" / "report.parquet").height == 5
    assert not (project / "production" / "sales" / "report.parquet").exists()


def test_a_pipeline_goes_step_by_step(working):
    shown = working.run("%glacier step counting")
    assert working["clean_result"].height == 3
    assert "<table" in shown.bundle["text/html"]
    assert "✓ clean" in shown.text
    assert working.run("%glacier step counting").value == 3
    assert working["count_result"] == 3
    assert working.run("%glacier step counting -o again").value == 3
    working.run("%glacier step counting -o first")
    assert working["first"].height == 3
    assert "ends here" in working.run("%glacier step counting --end").text


def test_what_goes_step_by_step_is_resumed_as_a_whole(working):
    working.run("%glacier step counting\n%glacier step reporting\n%glacier resume")
    reporting, counting = ([*working["env"].runs.of(name)] for name in ("reporting", "counting"))
    assert [run.state for run in [*reporting, *counting]] == ["done", "cancelled", "running"]
    assert sorted((each.name, each.state) for each in reporting[0].tasks) == [("clean", "cached"), ("save", "done")]
    assert working.run(f"%glacier resume {counting[0].id}").value == 3
    assert "✓ clean" in working.run("%glacier step reporting").text


def test_a_step_that_fails_fails_its_cell(working):
    working.run("@env.task()\ndef broken(df: pl.DataFrame):\n    return 1 / 0")
    working.run("@env.pipeline()\ndef halting():\n    return broken(clean())")
    working.run("%glacier step halting")
    assert isinstance(working.fail("%glacier step halting").error, ZeroDivisionError)


def test_a_failed_step_is_drawn_and_tried_again(working):
    working.run("ready = False\n@env.task()\ndef picky(df: pl.DataFrame):\n    assert ready\n    return 7")
    working.run("@env.pipeline()\ndef careful():\n    return picky(clean())")
    working.run("%glacier step careful")
    assert "✗ picky" in working.fail("%glacier step careful").text
    working.run("ready = True")
    assert working.run("%glacier step careful").value == 7
    assert [run.state for run in working["env"].runs] == ["done", "failed"]
    assert "nothing of counting is under way" in working.run("%glacier step counting --end").text


def test_a_step_of_a_pipeline_that_is_broken_says_so(working):
    working.run("%glacier step counting")
    working.run("%glacier step counting --end")
    working.run("del count")
    shown = working.fail("%glacier step counting")
    assert isinstance(shown.error, NameError)


def test_a_step_into_a_protected_environment_asks(working, answers, project):
    answers("n")
    working.run("%glacier env prod")
    assert isinstance(working.fail("%glacier step reporting").error, ProtectedError)
    working.run("%glacier step reporting --yes")
    working.run("%glacier step reporting --yes")
    assert (project / "production" / "sales" / "report.parquet").exists()


def test_a_task_is_loaded_with_its_real_inputs(working, monkeypatch):
    filled: list[str] = []
    monkeypatch.setattr(working.shell, "set_next_input", lambda text, replace=False: filled.append(text))
    working.run("%glacier load count")
    assert filled[0].splitlines() == [
        "# task count, as counting runs it, in environment dev",
        "df = env.find_pipeline('counting').run(until=['clean'])",
        "",
        "count_result = df.height",
        "count_result",
    ]
    assert working.run(filled[0]).value == 3
    working.run("%glacier load clean")
    assert "sales_raw = env.get('sales_raw')" in filled[1]
    assert working.run(filled[1]).value.height == 3
    working.run("%glacier load save")
    working.run(filled[2])
    assert working["env"].get("report").read().height == 3


def test_a_task_is_loaded_beside_pipelines_with_parameters(working, monkeypatch):
    filled: list[str] = []
    monkeypatch.setattr(working.shell, "set_next_input", lambda text, replace=False: filled.append(text))
    working.run("@env.pipeline()\ndef strict(day):\n    return count(clean() if day.year else None)")
    working.run("@env.task()\ndef tail(df: pl.DataFrame, n: int) -> pl.DataFrame:\n    return df.tail(n)")
    working.run("@env.pipeline()\ndef ending(n: int):\n    return tail(clean(), n)")
    working.run("%glacier load tail")
    assert filled[0].splitlines()[:3] == [
        "# task tail, as ending runs it, in environment dev",
        "df = env.find_pipeline('ending').run(until=['clean'], n=...)",
        "n = ...  # whatever the pipeline's body passes",
    ]
    working.run("%glacier load count --pipeline strict")
    assert filled[1].startswith("# task count, in environment dev\ndf = ...")


def test_a_task_with_several_ends_is_loaded_as_a_function(working, monkeypatch):
    filled: list[str] = []
    monkeypatch.setattr(working.shell, "set_next_input", lambda text, replace=False: filled.append(text))
    working.run("@env.task()\ndef sign(n: int = -3):\n    if n < 0:\n        return 'minus'\n    return 'plus'")
    working.run("%glacier load sign")
    assert working.run(filled[0]).value == "minus"
    assert working["sign"].name == "sign"


def test_infrastructure_is_exported_and_shown(working, project):
    with (project / "glacier.toml").open("a") as file:
        file.write('\n[env.cloud]\nextends = "dev"\nprovider = "aws"\nregion = "us-east-1"\n')
        for name in ("sales_raw", "report"):
            file.write(f'[env.cloud.resources.{name}]\nbucket = "acme-sales"\n')
    working.run("%reload_ext glacier_magics")
    shown = working.run("%glacier export reporting --env cloud -o infra")
    assert (project / "infra" / "storage.tf").exists()
    assert "<code>storage.tf</code> <small>new</small>" in shown.bundle["text/html"]
    assert shown.bundle["text/html"].count("storage.tf") == 1
    assert "aws_s3_bucket" in shown.bundle["text/html"]
    assert "clean (Cell In[2], line " in shown.bundle["text/html"]
    again = working.run("%glacier terraform reporting --env cloud -o infra --check --json").value.value
    assert not any(again["changes"].values())
    assert "nothing of it is in a cloud" in working.fail("%glacier export reporting -o other").traceback


# --- cells ------------------------------------------------------------------------------------------------------------


def test_a_cell_defines_a_task_with_settings(nb):
    nb.run("%%glacier task --retries 2 --timeout 30\ndef load(sales_raw):\n    return sales_raw.scan()")
    assert nb["load"].env is nb["env"]
    assert (nb["load"].config.retries, nb["load"].config.timeout) == (2, 30)
    assert nb["load"].usage.parameters == {"sales_raw": "read"}


def test_a_cell_shows_its_task_at_once(nb):
    shown = nb.run("%%glacier task --show\ndef load(sales_raw):\n    return sales_raw.read().head(2)")
    assert nb["load_result"].height == 2
    assert "<table" in shown.bundle["text/html"]
    nb.run("%%glacier task --show -o least\ndef smallest(load_result):\n    return load_result['amount'].min()")
    assert nb["least"] == -1


def test_a_failing_task_cell_fails_with_the_cells_own_lines(nb):
    shown = nb.fail("%%glacier task --show\ndef load(sales_raw):\n    raise KeyError('of the user')")
    assert isinstance(shown.error, KeyError)
    assert "3     raise KeyError('of the user')" in shown.traceback
    assert nb.cell("%%glacier task\ndef load(:\n").error is not None
    assert nb.cell("%%glacier task\n1 / 0\ndef load():\n    pass").error is not None


def test_a_cell_defines_a_pipeline_and_draws_it(working):
    shown = working.run("%%glacier pipeline --show\ndef other():\n    return count(clean())")
    assert "image/svg+xml" in shown.bundle
    assert working.run("%glacier run other").value == 3


def test_a_cell_with_several_functions_must_say_which(nb):
    body = "def a():\n    return 1\ndef b():\n    return a() + 1"
    assert "defines 2 functions" in nb.fail(f"%%glacier task\n{body}").traceback
    nb.run(f"%%glacier task b\n{body}")
    assert nb["env"].tasks == ["b"]


def test_the_line_form_of_a_cell_command_and_the_reverse_are_refused(nb):
    assert "needs a cell" in nb.fail("%glacier task x").traceback
    assert "takes no cell" in nb.fail("%%glacier ls\nx").traceback


# --- stale ------------------------------------------------------------------------------------------------------------


def test_what_depends_on_a_changed_task_is_stale_and_says_why(working):
    working.run("%glacier run counting")
    shown = working.run(PIPELINE.partition("@env.task()\ndef count")[0].replace("> 0", "> 1"))
    assert shown.printed.strip() == "stale in counting: clean (code), count (upstream clean)"
    assert working.cell("x = 1").printed == ""
    stale = {row["task"]: row["stale"] for row in working.run("%glacier tasks --json").value.value}
    assert stale == {"clean": "code", "count": "upstream clean", "save": ""}
    assert "△ clean" in working.run("%glacier dag counting").text
    assert "stale · code" in working.run("%glacier dag counting").text
    assert {node["state"] for node in working.run("%glacier dag counting --json").value.value["nodes"]} >= {"stale"}
    working.run("%glacier run counting")
    assert {row["stale"] for row in working.run("%glacier tasks --json").value.value} == {""}


def test_changed_settings_and_objects_make_stale(working, project):
    working.run("%glacier run counting")
    shown = working.run("@env.task(retries=3)\ndef count(df: pl.DataFrame) -> int:\n    return df.height")
    assert "count (c" in shown.printed
    working.run("%glacier run counting")
    pl.DataFrame({"order": [1], "amount": [5.0]}).write_parquet(project / "dev" / "sales" / "raw.parquet")
    stale = {row["task"]: row["stale"] for row in working.run("%glacier tasks --json").value.value}
    assert stale["clean"] == "object changed: sales/raw.parquet"
    assert stale["count"] == "upstream clean"


HELPED = """
import polars as pl
RATE = 2

def rounded(x):
    return round(x * RATE)

def clean_name(x):
    return rounded(x)

@env.task({settings})
def clean(sales_raw: Bucket) -> pl.DataFrame:
    return sales_raw.read().with_columns(factor=clean_name(1))

@env.task({settings})
def count(df: pl.DataFrame) -> int:
    return df.height

@env.pipeline()
def counting():
    return count(clean())
"""


@pytest.mark.parametrize("source", [PIPELINE, HELPED.format(settings=""), HELPED.format(settings="cache=True")])
def test_running_an_unchanged_cell_again_makes_nothing_stale(nb, source):
    nb.run(source)
    nb.run("%glacier run counting")
    assert nb.run(source).printed == ""
    assert {row["stale"] for row in nb.run("%glacier tasks --json").value.value} == {""}


def test_a_comment_makes_nothing_stale(working):
    working.run("%glacier run counting")
    assert working.run(PIPELINE.replace("    return df.height", "    # how many\n    return df.height")).printed == ""


@pytest.mark.parametrize("settings", ["", "cache=True"])
@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("def clean_name(x):\n    return rounded(x) + 1", "code: clean_name"),
        ("def rounded(x):\n    return x", "code: rounded"),
        ("def rounded(x):\n    return x\ndef clean_name(x):\n    return rounded(-x)", "code: clean_name, rounded"),
        ("RATE = 3", "global RATE"),
    ],
)
def test_what_a_task_reaches_makes_it_stale_and_plan_agrees(nb, settings, cell, reason):
    nb.run(HELPED.format(settings=settings))
    nb.run("%glacier run counting")
    assert nb.run(cell).printed.strip() == f"stale in counting: clean ({reason}), count (upstream clean)"
    tasks = {row["task"]: row["stale"] for row in nb.run("%glacier tasks --json").value.value}
    assert tasks == {"clean": reason, "count": "upstream clean"}
    plan = {row["name"]: row["action"] for row in nb.run("%glacier plan counting --json").value.value}
    assert plan == {"clean": "run", "count": "run"}
    assert f"stale: {reason}" in nb.run("%glacier plan counting").text
    nb.run("%glacier run counting")
    assert {row["stale"] for row in nb.run("%glacier tasks --json").value.value} == {""}


def test_settings_on_which_a_kept_result_cannot_depend_make_nothing_stale(nb):
    nb.run(HELPED.format(settings="cache=True"))
    nb.run("%glacier run counting")
    assert nb.run(HELPED.format(settings="cache=True, retries=2")).printed == ""
    assert [row["action"] for row in nb.run("%glacier plan counting --json").value.value] == ["cached", "cached"]
    assert "stale" not in nb.run("%glacier plan counting").text


def test_a_file_that_a_kept_task_names_makes_it_stale(nb, project):
    (project / "limits.json").write_text("[1]")
    nb.run(
        "from pathlib import Path\n"
        "@env.task(cache=True)\ndef limits():\n    return Path('limits.json').read_text()\n"
        "@env.pipeline()\ndef limiting():\n    return limits()"
    )
    nb.run("%glacier run limiting")
    (project / "limits.json").write_text("[2]")
    assert nb.run("%glacier tasks --json").value.value[0]["stale"] == "file limits.json"
    assert "file limits.json changed" in nb.run("%glacier plan limiting").text


def test_a_module_that_is_loaded_anew_makes_stale(nb, project, monkeypatch):
    monkeypatch.syspath_prepend(project)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (project / "cleaning_of_names.py").write_text("def clean_name(x):\n    return x\n")
    nb.run("import importlib\nimport cleaning_of_names")
    nb.run(
        "@env.task()\ndef name():\n    return cleaning_of_names.clean_name('x')\n"
        "@env.pipeline()\ndef naming():\n    return name()"
    )
    nb.run("%glacier run naming")
    assert nb.run("importlib.reload(cleaning_of_names);").printed == ""
    (project / "cleaning_of_names.py").write_text("def clean_name(x):\n    return x.upper()\n")
    assert nb.run("importlib.reload(cleaning_of_names);").printed == "stale in naming: name (code: clean_name)\n"


def test_what_a_run_leaves_out_stays_stale(nb):
    nb.run(HELPED.format(settings=""))
    nb.run("%glacier run counting")
    nb.run("@env.task()\ndef count(df: pl.DataFrame) -> int:\n    return -df.height")
    assert nb.run("x = %glacier run counting --until clean").printed.count("stale") == 0
    assert {row["task"]: row["stale"] for row in nb.run("%glacier tasks --json").value.value} == {
        "clean": "",
        "count": "code",
    }
    assert nb.run("RATE = 3").printed.strip() == "stale in counting: clean (global RATE)"
    assert nb.run("%glacier run counting").value == -5
    assert {row["stale"] for row in nb.run("%glacier tasks --json").value.value} == {""}


def test_what_a_resumed_run_takes_over_stays_stale(nb):
    nb.run(HELPED.format(settings=""))
    nb.run("ready = False\n@env.task()\ndef count(df: pl.DataFrame) -> int:\n    assert ready\n    return df.height")
    nb.fail("%glacier run counting")
    assert "clean (global RATE)" in nb.run("RATE = 3\nready = True").printed
    run = nb["env"].runs[0].id
    assert "of earlier: clean (global RATE)" in nb.run(f"%glacier resume {run}").printed
    assert {row["task"]: row["stale"] for row in nb.run("%glacier tasks --json").value.value} == {
        "clean": "global RATE",
        "count": "upstream clean",
    }


def test_each_step_is_seen_as_it_runs(nb):
    nb.run(HELPED.format(settings=""))
    nb.run("%glacier step counting")
    nb.run("%glacier step counting")
    assert nb.run("@env.task()\ndef count(df: pl.DataFrame) -> int:\n    return 1").printed.strip() == (
        "stale in counting: count (code)"
    )


def test_the_line_after_a_cell_stays_short(nb):
    tasks = "".join(f"@env.task()\ndef task_{n}():\n    return helper()\n" for n in range(9))
    nb.run(f"def helper():\n    return 1\n{tasks}")
    nb.run("@env.pipeline()\ndef all_of_them():\n    return [" + ", ".join(f"task_{n}()" for n in range(9)) + "]")
    nb.run("x = %glacier run all_of_them")
    said = nb.run("def helper():\n    return 2").printed.strip()
    assert said.startswith("stale in all_of_them: task_0 (code: helper), ")
    assert said.endswith("task_4 (code: helper) and 4 more: %glacier tasks")


# --- protection -------------------------------------------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def answer(what: str | None):
        def ask(question: str = "") -> str:
            asked.append(question)
            if what is None:
                raise EOFError
            return what

        monkeypatch.setattr(builtins, "input", ask)
        return asked

    return answer


def test_a_protected_environment_asks_before_a_run_writes(working, answers, project):
    target = project / "production" / "sales" / "report.parquet"
    working.run("%glacier env prod")
    asked = answers("n")
    shown = working.fail("%glacier run reporting")
    assert isinstance(shown.error, ProtectedError)
    assert asked == ["production is protected: run pipeline reporting, which writes report? [y/N] "]
    assert not target.exists()
    answers("y")
    working.run("%glacier run reporting")
    assert target.exists()


def test_where_nobody_can_be_asked_it_refuses_unless_told(working, answers, project):
    answers(None)
    assert isinstance(working.fail("%glacier run reporting --env prod").error, ProtectedError)
    assert isinstance(working.fail("%glacier env prod\nreporting.run()").error, ProtectedError)
    assert isinstance(working.fail("save(pl.DataFrame({'a': [1]}))").error, ProtectedError)
    assert not (project / "production" / "sales" / "report.parquet").exists()
    working.run("%glacier run reporting --yes")
    assert (project / "production" / "sales" / "report.parquet").exists()
    assert isinstance(working.fail("%glacier run reporting").error, ProtectedError)


def test_writing_in_the_body_itself_counts(working, answers):
    working.run("@env.pipeline()\ndef direct():\n    env.get('report').write(clean())")
    asked = answers("n")
    assert isinstance(working.fail("%glacier run direct --env prod").error, ProtectedError)
    assert "which writes report?" in asked[0]


def test_a_task_that_is_called_asks_for_what_it_writes_and_not_for_its_data(working, answers):
    answers("n")
    working.run("%glacier env production")
    shown = working.fail("save(clean())")
    assert "task 'save' writes report" in shown.traceback


def test_reading_asks_nobody(working, answers):
    asked = answers("n")
    assert working.run("%glacier run counting --env prod").value == 5
    assert asked == []


# --- the line ---------------------------------------------------------------------------------------------------------


def test_help_is_a_question_mark_away(nb):
    assert "%glacier COMMAND" in nb.run("%glacier?").text
    assert "usage: %glacier run" in nb.run("%glacier run?").text
    assert "usage: %glacier env" in nb.run("%glacier env --help").text
    for name in glacier_magics.commands.known():
        assert f"  {name} " in nb.run("%glacier help").text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%glacier rnu", "did you mean 'run'?"),
        ("%glacier run counting  # all of them", "write the comment on a line above"),
        ("%glacier ls --lmit 3", "did you mean '--limit'?"),
        ("%glacier ls --limi 3", "%glacier ls has no option '--limi'"),
        ("%glacier ls --limit three", "invalid int value: 'three'"),
        ("%glacier env produktion", "did you mean 'production'?"),
        ("%glacier env ''", "there is no environment ''"),
        ("%glacier preview 'sales raw'", "has no resource 'sales raw'"),
        ("%glacier dag 'count ing'", "did you mean 'counting'?"),
        ("%glacier step rporting", "did you mean 'reporting'?"),
        ("%glacier load clen", "did you mean 'clean'?"),
        ("%glacier load clean --pipeline conting", "did you mean 'counting'?"),
        ("%glacier logs nope", "has no run 'nope'"),
        ("%glacier runs --pipeline conting", "did you mean 'counting'?"),
        ("%glacier tasks --env stging", "did you mean 'staging'?"),
        ("%glacier preview sale_raw", "did you mean 'sales_raw'?"),
        ("%glacier preview sales_raw --columns amont", "amount"),
        ("%glacier explain sales_rw", "did you mean 'sales_raw'?"),
        ("%glacier diff dev", "the following arguments are required: right"),
        ("%glacier run counting -p least", "write key=value"),
        ("%glacier run counting -o 1x", "is no name of a variable"),
        ("%glacier env dev --provider lokal", "did you mean 'local'?"),
        ("%glacier env dev --option base_pth=x", "did you mean 'base_path'?"),
    ],
)
def test_what_is_mistyped_is_named_with_the_nearest(working, line, says):
    shown = working.fail(line)
    assert isinstance(shown.error, ConfigError | KeyError)
    assert says in shown.traceback
    assert len(shown.traceback.splitlines()) <= 2


@pytest.mark.parametrize(
    "line",
    [
        "%glacier env prod --token CANARY-1",
        "%glacier env prod --password=CANARY-1",
        "%glacier env prod --option account_key=CANARY-1",
        "%glacier run counting -p api_key=CANARY-1",
        "%glacier run counting -p url=https://user:CANARY-1@host/x",
        "%glacier preview https://host/x?sig=CANARY-1",
        "%glacier env prod AKIAIOSFODNN7CANARY1",
    ],
)
def test_no_secret_is_taken_and_none_is_repeated(working, line):
    shown = working.fail(line)
    assert isinstance(shown.error, CommandError)
    assert "takes no secrets" in shown.traceback
    assert "CANARY" not in shown.traceback


def test_variables_of_the_notebook_are_not_put_into_the_line(nb):
    nb.run("secret = 'CANARY-2'; sales_raw = 'x'")
    for line in ("%glacier preview {secret}", "%glacier preview $secret", "%glacier run {secret}"):
        assert "CANARY-2" not in nb.fail(line).everything
    assert nb.run("%glacier preview sales_raw --json").value.value["total"] == 5


def test_a_flag_that_holds_json_arrives_unchanged(nb):
    nb.run("@env.pipeline()\ndef echo(tags):\n    return tags")
    assert nb.run('%glacier run echo -p tags=\'{"a": [1, {"b": 2}]}\'').value == {"a": [1, {"b": 2}]}


def test_a_command_of_another_package_is_found(nb, tmp_path, monkeypatch):
    from importlib.metadata import EntryPoint

    from glacier_magics import commands

    (tmp_path / "their_command.py").write_text(
        '"""`%glacier hello`: greet."""\n'
        "def arguments(parser):\n    parser.add('who')\n"
        "def run(session, given):\n    return f'hello {given.who}'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("hello", "their_command", "glacier.commands")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [point])
    commands._theirs.cache_clear()
    try:
        assert nb.run("%glacier hello world").value == "hello world"
        assert "hello" in nb.run("%glacier help").text
    finally:
        commands._theirs.cache_clear()


def test_the_machine_form_is_json(working):
    for line in (
        "%glacier",
        "%glacier env",
        "%glacier ls",
        "%glacier tasks",
        "%glacier pipelines",
        "%glacier dag counting",
    ):
        bundle = working.run(f"{line} --json").bundle
        assert json.loads(bundle["text/plain"]) == bundle["application/json"]


# --- what is given on a line ------------------------------------------------------------------------------------------

TYPED = """
import datetime

@env.pipeline()
def typed(
    day: datetime.date = None, code: str = "", days: list[int] = (), share: float = 0, quick: bool = False, any=0
):
    return [day, code, days, share, quick, any]
"""


def test_parameters_are_what_their_annotations_say(nb):
    nb.run(TYPED)
    nb.run("%glacier run typed -p day=2026-01-31 -p code=007 -p days='[1, 2]' -p share=3 -p quick=yes -o given")
    import datetime

    assert nb["given"] == [datetime.date(2026, 1, 31), "007", [1, 2], 3.0, True, 0]
    nb.run("%glacier run typed -p code=7 -p any=7 -p any=text -o given")
    assert nb["given"][1] == "7"
    assert nb["given"][-1] == "text"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("day=tomorrow", "parameter 'day' of 'typed' is of type date, which 'tomorrow' is not"),
        ("days=1,2", "parameter 'days' of 'typed' is of type list[int], which '1,2' is not"),
        ("dya=1", "'typed' has no parameter 'dya'"),
        ("mode=generate", "'typed' has no parameter 'mode'"),
        ("listeners=1", "'typed' has no parameter 'listeners'"),
        ("self=1", "'typed' has no parameter 'self'"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan", "step"])
def test_a_parameter_of_the_wrong_type_or_name_is_refused_at_once(nb, command, given, says):
    nb.run(TYPED)
    shown = nb.fail(f"%glacier {command} typed -p {given}")
    assert shown.traceback.splitlines()[0] == f"ConfigError: {says}"
    assert shown.printed == ""


@pytest.mark.parametrize("name", ["1x", "'a b'", "class", "env"])
def test_a_name_that_nothing_can_be_bound_to_is_refused_before_anything_runs(working, name):
    for command in ("run counting", "step counting"):
        assert working.fail(f"%glacier {command} -o {name}").printed == ""
    assert isinstance(working["env"], GlacierEnv)


def test_a_task_that_is_not_there_cannot_be_forced(working):
    assert "no task 'cuont'" in working.fail("%glacier run counting --force cuont").traceback
    working.run("%glacier run counting --force save")


@pytest.mark.parametrize("flag", ["only", "from", "until", "force"])
def test_a_misspelt_task_is_refused_before_anything_runs(working, flag):
    working.run("@env.pipeline()\ndef branching():\n    found = count(clean())\n    return save(found) if found else 0")
    for line in ("run branching", "plan branching"):
        assert "did you mean 'save'?" in working.fail(f"%glacier {line} --{flag} savee").traceback
    assert working["branching"].last_run is None
    assert len(working["env"].runs) == 0


def test_a_body_that_cannot_be_followed_is_run_all_the_same(nb):
    nb.run(
        "from pathlib import Path\n@env.task()\ndef made() -> int:\n    return Path('made.txt').write_text('7')\n\n"
        "@env.pipeline()\ndef reading_back():\n    made().bit_length()\n    return Path('made.txt').read_text()"
    )
    shown = nb.run("%glacier run reading_back")
    assert shown.value == "7"
    assert "✓ made" in shown.text


def test_what_a_body_prints_is_printed_once(nb):
    nb.run(
        "@env.task()\ndef one() -> int:\n    return 1\n\n@env.pipeline()\ndef saying():\n    print('hello')\n    one()"
    )
    assert nb.run("%glacier run saying").printed.count("hello") == 1
    assert "hello" not in nb.run("%glacier plan saying").printed


def test_a_pipeline_that_cannot_be_drawn_is_shown_in_words(nb):
    nb.run("@env.pipeline()\ndef broken():\n    return 1 / 0\n\n@env.pipeline()\ndef wanting(day):\n    pass")
    assert nb.run("broken").text.strip().endswith("no picture: ZeroDivisionError: division by zero")
    shown = nb.run("wanting")
    assert "no picture: MissingDependencyError" in shown.text
    assert "Traceback" not in shown.text


def test_a_plain_call_shows_the_users_lines_too(nb):
    nb.run("@env.pipeline()\ndef broken():\n    return 1 / 0")
    for call in ("broken()", "broken.run()"):
        shown = nb.fail(call)
        assert "return 1 / 0" in shown.traceback
        assert "tasks.py" not in shown.traceback


# --- step by step -----------------------------------------------------------------------------------------------------

STEPS = """
@env.task()
def begin():
    print("begin runs")
    return 1

@env.task()
def go_on(x):
    raise ValueError("not yet")

@env.task()
def end(x):
    return x + 1

@env.pipeline()
def stepwise():
    return end(go_on(begin()))
"""


def test_after_a_failure_a_step_goes_on_with_what_is_done(nb):
    nb.run(STEPS)
    assert "● go_on" in nb.run("%glacier step stepwise").text
    shown = nb.fail("%glacier step stepwise")
    assert "✗ go_on" in shown.text
    nb.fail("%glacier step stepwise")
    nb.run("@env.task()\ndef go_on(x):\n    return x")
    shown = nb.run("%glacier step stepwise")
    assert "begin runs" not in shown.text
    assert "≡ begin" in shown.text
    assert nb.run("%glacier step stepwise").value == 2
    assert nb.run("%glacier step stepwise").value == 2


def test_a_task_that_was_defined_again_is_the_one_that_steps(nb):
    nb.run(STEPS)
    nb.run("%glacier step stepwise")
    nb.run("@env.task()\ndef go_on(x):\n    return 10")
    shown = nb.run("%glacier step stepwise")
    assert shown.value == 10
    assert "begin runs" not in shown.text
    assert "begin runs" in nb.run("%glacier step stepwise --restart").text


# --- a session that things go wrong for -------------------------------------------------------------------------------


def test_without_an_environment_the_projects_trouble_is_told(bare, tmp_path):
    (tmp_path / "glacier.toml").write_text("[env.dev]\nprovider = 'lokal'\n")
    bare.run("%load_ext glacier_magics")
    for command in ("", "ls", "run"):
        said = bare.fail(f"%glacier {command}").traceback
        assert "glacier.toml:2: env.dev.provider: unknown provider 'lokal'" in said
        assert "hint: did you mean 'local'?; mend it, then %reload_ext glacier_magics" in said


def test_trouble_after_a_cell_is_one_line_and_fails_no_cell(working, monkeypatch):
    working.run("%glacier run counting -o counted")

    def failing(*_, **__):
        raise OSError("out of order")

    monkeypatch.setattr("glacier_magics.staleness.snapshot", failing)
    shown = working.run("1 + 1")
    assert shown.printed.count("Glacier cannot tell what is stale: OSError: out of order") == 1
    assert "Error in callback" not in shown.text
    assert "out of order" in working.run("%glacier debug").text


def test_unloading_lets_go_of_every_environment_it_guarded(nb):
    nb.run("%glacier env production")
    nb.run("other = GlacierEnv(env.provider, 'production', protected=True)\nenv = other")
    nb.run("%glacier")
    assert nb["other"].guard is not None
    nb.run("%unload_ext glacier_magics")
    assert nb["other"].guard is None


# --- another environment than the current one -------------------------------------------------------------------------


def test_a_pipeline_runs_in_any_environment_whichever_is_current(working, project):
    working.run("@env.pipeline()\ndef direct():\n    return env.get('sales_raw').read().height")
    heights = {"dev": (3, 5), "staging": (4, 6), "production": (5, 7)}
    for current in ("dev", "staging", "production", "dev"):
        working.run(f"%glacier env {current}")
        for name, (counted, read) in heights.items():
            assert working.run(f"%glacier run counting --env {name}").value == counted
            assert working.run(f"%glacier run direct --env {name}").value == read
            assert working.run(f"%glacier run clean --env {name}").value.height == counted
            assert "clean" in working.run(f"%glacier plan counting --env {name}").text
        assert working["counting"].env.name == current


def test_environments_are_compared_and_exported_whichever_is_current(working, project):
    with (project / "glacier.toml").open("a") as file:
        for cloud, region in (("one", "eu-west-1"), ("two", "us-east-1")):
            file.write(f'\n[env.{cloud}]\nextends = "dev"\nprovider = "aws"\nregion = "{region}"\n')
            for name in ("sales_raw", "report"):
                file.write(f'[env.{cloud}.resources.{name}]\nbucket = "acme-{cloud}"\n')
    working.run("%reload_ext glacier_magics")
    for current in ("one", "two", "dev"):
        working.run(f"%glacier env {current}")
        assert "not known" not in working.run("%glacier diff one two").text
        working.run("%glacier export --env one --env two -o infra --force")
