"""How long `import glacier` takes, beside `import pydantic` (which the settings need anyway).

Every measurement is a fresh process; the statements take turns, so that a busy moment hits all of them alike.

    python benchmarks/import_time.py [runs]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import NamedTuple

STATEMENTS = ("import pydantic", "import glacier", "from pydantic import BaseModel", "from glacier import GlacierEnv")
BASELINE = STATEMENTS[0]
FORBIDDEN = ("boto3", "google.cloud", "azure", "IPython", "polars", "obstore", "graphviz")

CHILD = """
import json, sys, time
start = time.perf_counter()
exec(sys.argv[1])
took = time.perf_counter() - start
print(json.dumps([took * 1000, [name for name in sys.argv[2:] if name in sys.modules]]))
"""


class Sample(NamedTuple):
    """One import in one process: milliseconds, and the heavy modules it loaded."""

    ms: float
    loaded: list[str]


def sample(statement: str) -> Sample:
    """Time one statement in a fresh process that may keep bytecode."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", CHILD, statement, *FORBIDDEN]
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True)
    return Sample(*json.loads(done.stdout))


def measure(runs: int) -> dict[str, list[Sample]]:
    """Take `runs` samples of each statement, in turns, after one that writes the bytecode."""
    for statement in STATEMENTS:
        sample(statement)
    rounds = [{statement: sample(statement) for statement in STATEMENTS} for _ in range(runs)]
    return {statement: [one[statement] for one in rounds] for statement in STATEMENTS}


def report(samples: dict[str, list[Sample]]) -> str:
    """Lay the medians out as a table, with difference and ratio to the baseline."""
    medians = {statement: statistics.median(one.ms for one in taken) for statement, taken in samples.items()}
    base = medians[BASELINE]
    lines = [f"{'statement':32} {'ms':>8} {'more ms':>8} {'ratio':>6}  heavy modules loaded"]
    for statement, ms in medians.items():
        heavy = ", ".join(samples[statement][0].loaded) or "none"
        lines.append(f"{statement:32} {ms:8.1f} {ms - base:+8.1f} {ms / base:6.2f}  {heavy}")
    return "\n".join(lines)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    print(f"medians of {runs} fresh processes each\n{report(measure(runs))}")


if __name__ == "__main__":
    main()
