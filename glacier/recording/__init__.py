"""A pipeline body is recorded: live (`LiveRecorder`, `Deferred`) or traced without data (`trace`, `Symbol`)."""

from __future__ import annotations

from glacier.recording.live import Deferred, LiveRecorder
from glacier.recording.recorder import Recorder, nest
from glacier.recording.steps import Input, RecordedPipeline, RecordedTask, Step, nested, replaced
from glacier.recording.trace import Approximation, Trace, trace

__all__ = [
    "Approximation",
    "Deferred",
    "Input",
    "LiveRecorder",
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
