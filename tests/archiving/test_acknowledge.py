"""Acknowledged failures are left alone."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.archiving.acknowledge import acknowledge
from support.night_runs import fail, nightly, with_settings
from support.whole_run import (
    Tasks,
)


def test_an_acknowledged_failure_is_left_alone(tasks: Tasks, archive: Archive) -> None:
    """A person has decided: no scheduled run takes it up again."""
    archive = with_settings(archive, look_back_days=1)
    victim = tasks.cloud.library[0]
    fail(tasks.cloud, victim)
    nightly(tasks, archive, 0)
    (decision,) = acknowledge(archive, victim.id, reason="case 17", actor="test")
    assert decision.refused is None
    assert nightly(tasks, archive, 1).report["totalProcessed"] == 0
