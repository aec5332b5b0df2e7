"""The `glacier` command: one file a verb, each of which parses, makes one call and shows what came of it."""

from __future__ import annotations

from glacier.cli import analyze, dag, demo, deploy, export, logs, ls, preview, resume, run, runs
from glacier.cli.app import app, main

__all__ = [
    "analyze",
    "app",
    "dag",
    "demo",
    "deploy",
    "export",
    "logs",
    "ls",
    "main",
    "preview",
    "resume",
    "run",
    "runs",
]
