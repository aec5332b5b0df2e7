"""The code blocks of the design document: finding them, and running one in a folder of its own.

The text of a block is executed as it stands. What the document leaves to the reader is served from outside: names that
it never imports, and arguments that it writes as `...`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import polars as pl

from glacier import Bucket, GlacierEnv, Inject, Serverless, task
from glacier.config import AwsConfig, GcpConfig, LambdaConfig, LocalConfig, S3Config, ValidationError
from glacier.providers import AWSProvider, AzureProvider, GCPProvider, LocalProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

__all__ = ["POLARS_1", "Block", "Stage", "adapted", "document", "nested_pytest", "read_blocks"]

POLARS_1 = pl.__version__.startswith("1.")


def document() -> Path | None:
    """Where the design document is: GLACIER_SEED, else beside the checkout; None when it is not there."""
    told = os.environ.get("GLACIER_SEED")
    beside = Path(__file__).parents[2] / "shared" / "seed.md"
    return Path(told) if told else beside if beside.is_file() else None


@dataclass(frozen=True)
class Block:
    """One fenced block: the heading above it, its number below that heading, and its text."""

    heading: str
    ordinal: int
    language: str
    line: int
    text: str

    @property
    def key(self) -> tuple[str, int, str]:
        """What the table names a block by."""
        return self.heading, self.ordinal, self.text.split("\n", 1)[0]


def read_blocks(markdown: str) -> Iterator[Block]:
    """Yield every fenced block, also those indented below a list."""
    heading, ordinal, opening, lines = "", 0, None, list[str]()
    for number, line in enumerate(markdown.splitlines(), 1):
        fence = re.fullmatch(r"\s*```(\w*)", line)
        if fence and opening is None:
            opening, lines, ordinal = (fence[1], number + 1), [], ordinal + 1
        elif fence and opening is not None:
            yield Block(heading, ordinal, *opening, textwrap.dedent("\n".join(lines)) + "\n")
            opening = None
        elif opening is not None:
            lines.append(line)
        elif line.startswith("#"):
            heading, ordinal = line.lstrip("# "), 0


def adapted(text: str) -> str:
    """Return the text as it is executed: verbatim under Polars 1; Polars 2 has no bare `pl.count()` any more."""
    return text if POLARS_1 else text.replace("pl.count()", "pl.len()")


@dataclass(frozen=True)
class Stage:
    """A block, and an empty folder (the working directory) to run it in."""

    block: Block
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def run(self, run_name: str = "design_document", **more: Any) -> Any:
        """Execute the block and return its names as attributes; `more` are names that it takes for granted."""
        return self.run_into(self.names(**more), run_name)

    def run_into(self, names: SimpleNamespace, run_name: str = "design_document") -> Any:
        """Execute the block in a namespace, which keeps what was defined when the block raises."""
        file = self.folder / "block.py"
        file.write_text(adapted(self.block.text), encoding="utf-8")
        names.__name__ = run_name
        exec(compile(file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True), names.__dict__)
        return names

    def names(self, **more: Any) -> SimpleNamespace:
        """Return the names that a block finds, before it runs."""
        return SimpleNamespace(**{**_names(), **more})

    def write(self, path: str, frame: pl.DataFrame) -> Path:
        """Write a frame below the folder in the format of its suffix."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        getattr(frame, {".json": "write_json", ".csv": "write_csv"}.get(target.suffix, "write_parquet"))(target)
        return target

    def read(self, path: str) -> pl.DataFrame:
        """Read a parquet file below the folder."""
        return pl.read_parquet(self.folder / path)

    def provider(self) -> LocalProvider:
        """Make the provider that a block does not make itself."""
        return LocalProvider(config=LocalConfig(base_path=Path("data")))

    def local(self, **resources: tuple[str, str]) -> GlacierEnv:
        """Make the local environment that pipelines written for a cloud are bound to; resources are (bucket, path)."""
        provider = self.provider()
        made = {name: provider.bucket(bucket, path=path) for name, (bucket, path) in resources.items()}
        return GlacierEnv(provider, "local", resources=made)

    def pytest(self) -> dict[str, int]:
        """Run the block as a test file; return how many tests ended in each way."""
        (self.folder / "conftest.py").write_text(_PREAMBLE, encoding="utf-8")
        return nested_pytest(adapted(self.block.text), self.folder)


def nested_pytest(text: str, folder: Path) -> dict[str, int]:
    """Run a text as a test file in a pytest of its own, none of which may fail; count the tests by how they ended."""
    (folder / "test_block.py").write_text(text, encoding="utf-8")
    options = ["-q", "-p", "no:cacheprovider", "-W", "error", "-W", "ignore:`pl.count()`:DeprecationWarning"]
    command = [sys.executable, "-m", "pytest", *options, "test_block.py"]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {what: int(count) for count, what in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}


_PREAMBLE = """\
import builtins

import polars

from glacier import Bucket

builtins.Bucket, builtins.pl = Bucket, polars
"""


def _names() -> dict[str, Any]:
    """What blocks use without importing it; where one writes `Name(...)`, the dots stand for what is said here."""
    aws = AwsConfig(region="us-east-1")
    return {
        "pl": pl,
        "task": task,
        "Bucket": Bucket,
        "Serverless": Serverless,
        "Inject": Inject,
        "GlacierEnv": GlacierEnv,
        "ValidationError": ValidationError,
        "GCPProvider": GCPProvider,
        "AzureProvider": AzureProvider,
        "GcpConfig": GcpConfig,
        "LocalConfig": LocalConfig,
        "AWSProvider": _elided(AWSProvider, config=aws),
        "LocalProvider": _elided(LocalProvider, config=LocalConfig(base_path=Path("data"))),
        "AwsConfig": _elided(AwsConfig, region="us-east-1"),
        "S3Config": _elided(S3Config, versioning=True),
        "LambdaConfig": _elided(LambdaConfig, memory=512),
    }


def _elided(make: Callable[..., Any], **meant: Any) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return make(**meant) if args == (...,) else make(*args, **kwargs)

    return call
