"""How near a run comes to the longest path on 8 threads: 8 tasks of 0.2 s and a join, 200 tasks of 10 ms in layers.

python benchmarks/critical_path.py [rounds]
"""

from __future__ import annotations

import random
import time
from typing import Any

from rounds import argument, environment, machine, seconds

WORKERS = 8
Layered = list[tuple[str, tuple[str, ...]]]


def layered(n: int = 200, seed: int = 7) -> Layered:
    """Make layers of 5 to 35 tasks, each of which needs 1 to 3 of an earlier layer."""
    chance = random.Random(seed)
    layers: list[list[str]] = []
    tasks: Layered = []
    while len(tasks) < n:
        layer: list[str] = []
        for _ in range(min(n - len(tasks), chance.randint(5, 35))):
            nearest = bool(layers) and (chance.random() < 0.8 or len(layers) < 2)
            above = (layers[-1] if nearest else chance.choice(layers[:-1])) if layers else []
            needs = tuple(sorted(chance.sample(above, min(chance.randint(1, 3), len(above)))))
            name = f"t{len(tasks)}"
            layer.append(name)
            tasks.append((name, needs))
        layers.append(layer)
    return tasks


def bound(tasks: Layered, length: float) -> float:
    """Return the seconds that no scheduler can beat: the longest path, or all the work on all the threads."""
    ends: dict[str, float] = {}
    for name, needs in tasks:
        ends[name] = length + max((ends[need] for need in needs), default=0.0)
    return max(*ends.values(), length * len(tasks) / WORKERS)


def main() -> None:
    print(machine())
    with environment(max_workers=WORKERS) as env:

        @env.task()
        def sleep(length: float, *_: Any) -> int:
            time.sleep(length)
            return 1

        @env.task()
        def join(values: list[int]) -> int:
            return len(values)

        @env.pipeline()
        def wide() -> int:
            return join([sleep(0.2) for _ in range(WORKERS)])

        tasks = layered()

        @env.pipeline()
        def layers() -> int:
            values: dict[str, Any] = {}
            for name, needs in tasks:
                values[name] = sleep(0.01, *[values[need] for need in needs])
            return join(list(values.values()))

        for pipeline, least in ((wide, 0.2), (layers, bound(tasks, 0.01))):
            taken = sorted(seconds(pipeline.run) / least for _ in range(argument(1, 7)))
            print(f"{pipeline.name:8} bound {least:.3f} s: {taken[len(taken) // 2]:.3f}x (best {taken[0]:.3f}x)")


if __name__ == "__main__":
    main()
