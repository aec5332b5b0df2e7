"""The `glacier` command: one file a verb, each of which parses, makes one call and shows what came of it."""

from __future__ import annotations

from glacier.cli import (
    analyze,
    cache,
    dag,
    demo,
    deploy,
    diff,
    env,
    explain,
    export,
    logs,
    ls,
    plan,
    preview,
    resume,
    run,
    runs,
    shell,
)
from glacier.cli.app import app, main

__all__ = [
    "analyze",
    "app",
    "cache",
    "dag",
    "demo",
    "deploy",
    "diff",
    "env",
    "explain",
    "export",
    "logs",
    "ls",
    "main",
    "plan",
    "preview",
    "resume",
    "run",
    "runs",
    "shell",
]
