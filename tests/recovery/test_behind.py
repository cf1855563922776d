"""Runs with a catalog from a backup that is older than the archive: what was purged since does not come back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.report import Summary
from recording_archive.archiving.request import Request
from recording_archive.recovery.behind import learn_deletions
from recording_archive.settings import Settings
from support.retention_run import enforce, quarantined
from support.runner import DAY, Runner

Run = Callable[..., Summary]


@pytest.fixture
def behind(archive: Archive, run: Run) -> Archive:
    """An archive of which all was archived and purged, with its catalog as it was before."""
    catalog = archive.settings.root.parent / "catalog.db"
    archive.catalog.close()
    shutil.copy(catalog, catalog.with_suffix(".backup"))
    again = open_archive(archive.settings)
    assert not run(again, "scheduled__1").failed
    assert enforce(quarantined(again), "retention__2").purged == 6
    again.catalog.close()
    for left in catalog.parent.glob("catalog.db*"):
        left.unlink()
    shutil.copy(catalog.with_suffix(".backup"), catalog)
    return open_archive(archive.settings)


def test_what_was_purged_since_the_backup_stays_purged(behind: Archive, run: Run, cloud: Sandbox) -> None:
    """Its tombstones and certificates are read first; the problem names the remedy."""
    problem = learn_deletions(behind)
    assert problem is not None
    assert "older than the archive; run `recording-archive reindex`" in problem
    cloud.requests.clear()
    again = run(behind, "backfill__1", Request(window=DAY))
    assert (again.counts["excluded"], again.counts["successful"], cloud.requests.counts["media"]) == (6, 0, 0)


def test_a_catalog_that_is_up_to_date_has_nothing_to_learn(archived: Archive) -> None:
    """No tombstone is read for it."""
    assert learn_deletions(archived) is None


def test_the_task_that_lists_learns_before_it_asks(
    behind: Archive, configured: Settings, cloud: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run has no batch to fetch, and the problem in its report."""
    from recording_archive.archiving.report import report  # noqa: PLC0415  # Airflow is slow to import
    from recording_archive.tasks import archiving  # noqa: PLC0415

    class Hook:
        """Gives the source of the sandbox."""

        def source(self, *_: Any) -> Any:
            return Runner(cloud).source()

    assert configured.url == behind.settings.url
    monkeypatch.setattr(archiving, "GenesysCloudHook", Hook)
    interval = (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    assert archiving.list_recordings(run_id="scheduled__2", conf=None, interval=interval, scheduled=True) == []
    summary = report(behind, "scheduled__2")
    assert summary.counts["excluded"] == 6
    assert any("older than the archive" in problem for problem in summary.problems)
