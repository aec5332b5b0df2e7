"""The demo: New York's flights of 2013, from raw tables to a report, on this machine."""

from __future__ import annotations

from glacier.demo.flights import build, load_tables

__all__ = ["build", "load_tables"]
