"""Runs of `enforce_retention` by the functions that its tasks call, as of a day on which everything has expired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from recording_archive import hooks
from recording_archive.errors import ArchiveError
from recording_archive.settings import read_settings

AS_OF = "2028-01-01"


@dataclass(frozen=True)
class Night:
    """The end of a run: what it deleted, and what made it fail."""

    purged: int
    problems: tuple[str, ...]


def drill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs decide as of a time to come."""
    monkeypatch.setenv("RECORDING_ARCHIVE_DRILL", "true")
    monkeypatch.setenv("RECORDING_ARCHIVE_MAX_DELETE_BYTES", str(2**40))
    read_settings.cache_clear()


def retain(run_id: str) -> Night:
    """A run with all of its tasks; one that fails skips those after it, but not the report."""
    failed: list[str] = []
    try:
        plan = hooks.plan_retention(run_id=run_id, conf={"as_of": AS_OF}, triggered_by="bob")
        if plan["needsApproval"]:
            hooks.record_approval(run_id, plan_sha256=plan["sha256"], approved_by="carol")
        hooks.quarantine_planned(run_id)
        hooks.purge_planned(run_id)
    except ArchiveError:
        failed.append("plan_retention")
    closed: Any = hooks.write_retention_report(run_id, failed_tasks=failed)
    return Night(closed.counts["purged"], closed.problems)
