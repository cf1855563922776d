"""Failures of a lost catalog, counted once from compliance reports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.report import Summary
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import recordings
from support.rebuilding import (
    NIGHT,
    at,
    dump,
    lose_catalog,
    rebuild,
)

Run = Callable[..., Summary]


def test_a_restored_backup_catches_up_without_counting_twice(archive: Archive, run: Run, cloud: Sandbox) -> None:
    """Failures that the backup has counted stay counted once; those of later reports are added."""
    cloud.faults.add(Fault("wrong_bytes", recording=cloud.library[0].id))
    run(at(archive, NIGHT), "scheduled__1")
    file = archive.settings.root.parent / "catalog.db"
    archive.catalog.close()
    backup = file.read_bytes()
    reopened = open_archive(archive.settings)
    run(at(reopened, NIGHT + timedelta(days=1)), "scheduled__2")
    before = dump(reopened.catalog, recordings)
    reopened.catalog.close()
    lose_catalog(archive.settings)
    file.write_bytes(backup)
    counts = rebuild(archive.settings)
    assert counts["runs", "added"] == counts["runs", "known"] == counts["failures", "added"] == 1
    assert dump(Catalog(archive.settings.catalog), recordings) == before


def test_a_failure_of_an_archived_part_stays_a_line_of_the_report(archived: Archive, run: Run, cloud: Sandbox) -> None:
    """A source that changes its mind about a checksum fails its run, but the archived recording is no failure."""
    cloud.faults.add(Fault("set_fields", "query", recording=cloud.library[0].id, values={"checksum": "0" * 64}))
    summary = run(archived, "scheduled__second")
    assert summary.counts["failed"] == 1
    before = dump(archived.catalog, recordings)
    archived.catalog.close()
    lose_catalog(archived.settings)
    assert rebuild(archived.settings)["failures", "added"] == 0
    assert dump(Catalog(archived.settings.catalog), recordings) == before
