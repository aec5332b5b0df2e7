"""The corpus' verdicts on environments, names that collide, graphs and state files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpus
import pytest

from glacier import GlacierEnv, GlacierWarning, read_state
from glacier.config import AwsConfig, LocalConfig
from glacier.errors import ConfigError, PipelineError
from glacier.graph import Edge, Graph, Node
from glacier.providers import AWSProvider, LocalProvider

CASES = {case["id"]: case for case in corpus.load("config", "names", "graph", "state")}

# A proposed case that the project decides otherwise: the verdict and the reason.
DECIDED_OTHERWISE = {
    "names-collision-004": ("accept", "the newest wins with a visible GlacierWarning: cells are run again all the time")
}


def of_family(family: str) -> list[str]:
    return [key for key, case in CASES.items() if case["family"] == family]


def rejected(key: str) -> bool:
    return DECIDED_OTHERWISE.get(key, (CASES[key]["expected"], ""))[0] == "reject"


def local_env(tmp_path: Path, name: str = "test") -> GlacierEnv:
    return GlacierEnv(LocalProvider(config=LocalConfig(base_path=tmp_path)), name)


@pytest.mark.parametrize("key", of_family("config.from_env"))
def test_from_env(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variables = corpus.value(CASES[key])
    if rejected(key):
        with pytest.raises(ConfigError) as caught:
            GlacierEnv.from_env(variables)
        assert any(name in str(caught.value) for name in (*variables, "AWS_REGION")) or "unknown provider" in str(
            caught.value
        )
    else:
        assert GlacierEnv.from_env(variables).provider.get_provider_type() == variables["GLACIER_PROVIDER"]


@pytest.mark.parametrize("key", of_family("names.collision"))
def test_collisions(key: str, tmp_path: Path) -> None:
    first, second = corpus.value(CASES[key])
    env = local_env(tmp_path)

    def register_both() -> None:
        for name in (first, second):
            env.register(name, env.provider.bucket("b", path="x.parquet"))

    if key == "names-collision-004":
        with pytest.warns(GlacierWarning, match="resource 'task' of environment 'test' is replaced"):
            register_both()
    elif rejected(key):
        with pytest.raises(ConfigError):
            register_both()
    else:
        register_both()
        assert env.list_resources() == [first, second]


def test_tasks_whose_names_python_takes_for_one_are_found(tmp_path: Path) -> None:
    env = local_env(tmp_path)
    for names in (("\u00e9tat", "e\u0301tat"), ("\ufb01lter", "filter")):
        env.task(name=names[0])(lambda: 1)

        def other() -> int:
            return 2

        with pytest.warns(GlacierWarning, match="is defined twice"):
            env.task(name=names[1])(other)
    assert env.tasks == ["\u00e9tat", "filter"]


@pytest.mark.parametrize("key", of_family("state.import"))
def test_state_files(key: str, tmp_path: Path) -> None:
    content = corpus.value(CASES[key])
    path = tmp_path / "state.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if rejected(key):
        with pytest.raises(ConfigError, match=r"state\.json is no state"):
            read_state(path)
    else:
        assert read_state(path).version == 1
    assert not Path("/tmp/pwned").exists()


def fan(tmp_path: Path, count: int) -> None:
    env = local_env(tmp_path)

    @env.task()
    def each(n: int) -> int:
        return n

    @env.pipeline()
    def wide() -> list[int]:
        return [each(n) for n in range(count)]

    assert wide.run() == list(range(count))
    assert len(wide.graph.tasks) == count


def self_loop(tmp_path: Path) -> None:
    Graph("loop", (Node("a", "a"),), (Edge("a", "a"),))


def diamond(tmp_path: Path) -> None:
    env = local_env(tmp_path)
    calls: list[int] = []

    @env.task()
    def top() -> int:
        calls.append(1)
        return 1

    @env.task()
    def side(n: int) -> int:
        return n + 1

    @env.pipeline()
    def shape() -> tuple[int, int]:
        n = top()
        return side(n), side(n)

    assert shape.run() == (2, 2)
    assert calls == [1]


def foreign_env_task(tmp_path: Path) -> None:
    here, other = local_env(tmp_path), GlacierEnv(AWSProvider(config=AwsConfig(region="us-east-1")), "other")

    @other.task()
    def foreign() -> int:
        return 1

    @here.pipeline()
    def mixed() -> int:
        return foreign()

    mixed.run()


SHAPES: dict[str, Callable[[Path], Any]] = {
    "graph-shape-002": lambda path: fan(path, 10_000),
    "graph-shape-004": self_loop,
    "graph-shape-005": diamond,
    "graph-shape-009": foreign_env_task,
}


@pytest.mark.parametrize("key", of_family("graph.shape"))
def test_shapes(key: str, tmp_path: Path) -> None:
    if rejected(key):
        with pytest.raises(PipelineError):
            SHAPES[key](tmp_path)
    else:
        SHAPES[key](tmp_path)


def test_a_longer_cycle_is_refused_and_named() -> None:
    nodes = tuple(Node(key, key) for key in "abc")
    with pytest.raises(PipelineError, match="graph 'g' has a cycle among a, b, c"):
        Graph("g", nodes, (Edge("a", "b"), Edge("b", "c"), Edge("c", "a")))
    with pytest.raises(PipelineError, match="two nodes called 'a'"):
        Graph("g", (nodes[0], nodes[0]), ())
    with pytest.raises(PipelineError, match="edge to an unknown node 'z'"):
        Graph("g", nodes, (Edge("a", "z"),))
