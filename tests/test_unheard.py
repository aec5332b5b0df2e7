"""What a body asks of results that no stand-in can answer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from glacier import GlacierEnv, GlacierWarning
from glacier.config import LocalConfig
from glacier.providers import LocalProvider


@pytest.fixture
def env(tmp_path: Path) -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), "test")


def asking(env: GlacierEnv, tmp_path: Path, lines: str) -> Any:
    """Return a pipeline of a file, in whose body these lines are; its tasks are `find` and `config`."""

    def find(n: int = 0) -> None:
        return None

    def config() -> dict[str, int]:
        return {"a": 1}

    body = ["found = find()", "given = config()", "plain = str(1)", *lines.split("\n"), "return 0"]
    file = tmp_path / "bodies.py"
    file.write_text("\n    ".join(["def body(limit=None):", *body]) + "\n")
    scope: dict[str, Any] = {"find": env.task()(find), "config": env.task()(config)}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    return env.pipeline(name="asking")(scope["body"])


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("if found is None: find(1)", "found is None"),
        ("if found is not None: find(1)", "found is not None"),
        ("x = 1 if None is found else 2", "None is found"),
        ("if find(3) is None: find(1)", "find(3) is None"),
        ("if (late := find(2)) is None: find(1)", "(late := find(2)) is None"),
        ("kind = type(found)", "type(found)"),
        ("match given:\n    case {'a': a}: find(a)", "match given"),
        ("match found:\n    case None: find(1)", "match found"),
        ("match given:\n    case [a, *_]: find(a)", "match given"),
    ],
)
def test_a_question_that_nothing_answers_is_warned_of_at_its_line(
    env: GlacierEnv, tmp_path: Path, lines: str, text: str
) -> None:
    pipeline = asking(env, tmp_path, lines)
    with pytest.warns(GlacierWarning, match="asks what stands for the result of") as seen:
        pipeline.run()
    assert [(str(each.message).startswith(f"`{text}` "), each.filename, each.lineno) for each in seen] == [
        (True, str(tmp_path / "bodies.py"), 5)
    ]
    notes = pipeline.run("analyze")["approximations"]
    assert [str(each.message) for each in seen] == [each.reason for each in notes]


@pytest.mark.parametrize(
    "lines",
    [
        "if limit is None: find(1)",
        "if found == None: find(1)",
        "if plain is None: find(1)",
        "kind = type(plain)",
        "found = plain\nif found is None: find(1)",
        "match plain:\n    case None: find(1)",
        "match found:\n    case str(): find(1)",
        "x = isinstance(found, int)",
    ],
)
def test_what_can_be_answered_is_not_warned_of(env: GlacierEnv, tmp_path: Path, lines: str) -> None:
    pipeline = asking(env, tmp_path, lines)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pipeline.run() == 0
    assert pipeline.run("analyze")["approximations"] == []
