"""Running recorded steps: attempts with retries and timeouts, a scheduler, and the record of a run."""

from __future__ import annotations

from glacier.execution.attempts import attempt
from glacier.execution.run import Run, StepRun, execute

__all__ = ["Run", "StepRun", "attempt", "execute"]
