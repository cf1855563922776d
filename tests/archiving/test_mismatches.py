"""Wrong checksums, healed or not: every one leaves a trace."""

from __future__ import annotations

from sqlalchemy import select

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from support.whole_run import LIMITS, Tasks


def test_every_wrong_checksum_is_told_with_both_hashes(tasks: Tasks, archive: Archive) -> None:
    """One that heals is counted in the report; both have an event for each time, and their hashes in their entry."""
    healed, lost, *_ = tasks.cloud.library
    tasks.cloud.faults.add(Fault("wrong_bytes", recording=healed.id, times=2))
    tasks.cloud.faults.add(Fault("wrong_bytes", recording=lost.id))
    ended = tasks(archive, "scheduled__1")
    assert (ended.report["healedMismatches"], ended.report["checksumErrors"]) == (1, 1)
    statuses = {recording.id: ended.entries[recording.id]["status"] for recording in (healed, lost)}
    assert statuses == {healed.id: "success", lost.id: "checksum_mismatch"}
    for recording, times in ((healed, 2), (lost, LIMITS.attempts)):
        found = ended.entries[recording.id]["mismatches"]
        assert len(found) == times
        assert {mismatch["expectedSha256"] for mismatch in found} == {recording.sha256}
        assert recording.sha256 not in {mismatch["sha256"] for mismatch in found}
        with archive.catalog.read() as connection:
            wanted = (events.c.kind == "mismatched", events.c.interaction_id == recording.id)
            told = connection.execute(select(events.c.detail).where(*wanted).order_by(events.c.id)).scalars().all()
        assert told == found
    assert not any("mismatches" in ended.entries[other.id] for other in tasks.cloud.library[2:])


def test_the_next_run_tells_of_its_own_only(tasks: Tasks, archive: Archive) -> None:
    """A report that finds everything well counts no mismatch of an earlier night."""
    tasks.cloud.faults.add(Fault("wrong_bytes", recording=tasks.cloud.library[0].id, times=1))
    assert tasks(archive, "scheduled__1").report["healedMismatches"] == 1
    assert tasks(archive, "scheduled__2").report["healedMismatches"] == 0
