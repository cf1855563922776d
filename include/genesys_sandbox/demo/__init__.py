"""`recording-archive demo`: a sandbox, an Airflow, three archived days, and what to look at; start with `run`."""

from __future__ import annotations

from genesys_sandbox.demo.run import Demo

__all__ = ["Demo"]
