"""A pipeline body is recorded: live (`live.LiveRecorder`) or traced without data (`trace`).

What live runs need is imported by whoever runs: its proxies cost more to import than the rest together.
"""

from __future__ import annotations

from glacier.recording.recorder import Recorder, nest
from glacier.recording.steps import Input, RecordedPipeline, RecordedTask, Step, nested, replaced
from glacier.recording.trace import Approximation, Trace, trace

__all__ = [
    "Approximation",
    "Input",
    "RecordedPipeline",
    "RecordedTask",
    "Recorder",
    "Step",
    "Trace",
    "nest",
    "nested",
    "replaced",
    "trace",
]
