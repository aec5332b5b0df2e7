"""How long `%load_ext glacier_magics` takes in a running kernel, beyond the import of Glacier's public names.

Every measurement is a fresh process with IPython's shell in a project of one local environment.

    python benchmarks/load_ext.py [runs]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BOUND = 150.0
PROJECT = """
[env.dev]
provider = "local"
base_path = "data"

[env.dev.resources.sales_raw]
bucket = "sales"
path = "raw.parquet"
"""
CHILD = """
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
from glacier import Bucket, GlacierEnv, Inject, Serverless, task
from glacier.providers import LocalProvider
middle = time.perf_counter()
shell.run_line_magic("load_ext", "glacier_magics")
end = time.perf_counter()
assert shell.user_ns["env"].name == "dev"
heavy = [name for name in ("polars", "obstore", "ipywidgets", "anywidget", "graphviz", "boto3") if name in sys.modules]
print(json.dumps([(middle - start) * 1000, (end - middle) * 1000, heavy]))
"""


def sample(folder: str) -> tuple[float, float, list[str]]:
    """Return milliseconds of the import and of the extension, and the heavy modules that are loaded then."""
    done = subprocess.run([sys.executable, "-c", CHILD], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    imported, loaded, heavy = json.loads(done.stdout.splitlines()[-1])
    return imported, loaded, heavy


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "glacier.toml").write_text(PROJECT)
        samples = [sample(folder) for _ in range(runs + 1)][1:]
    imported, loaded = (statistics.median(each[place] for each in samples) for place in (0, 1))
    print(f"medians of {runs} fresh processes")
    print(f"import of the public names  {imported:7.1f} ms")
    print(f"%load_ext beyond them       {loaded:7.1f} ms  (bound {BOUND:.0f} ms)")
    print(f"heavy modules loaded        {', '.join(samples[0][2]) or 'none'}")


if __name__ == "__main__":
    main()
