"""A deletion asks the archive's documents: what was altered in the catalog alone deletes nothing."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.holds import Criteria
from recording_archive.ledger import sealing
from recording_archive.settings import read_settings
from recording_archive.store import sidecar
from support.commands import Command
from support.contents import amend, change, files_of, ids, overwrite, row_of
from support.retention_run import EXPIRED, QUARANTINE, at, enforce, quarantined

ALTERED: dict[str, dict[str, Any]] = {
    "date": {"interaction_date": EXPIRED - timedelta(days=4000)},
    "number": {"ani": "+15550100"},
    "agent": {"agent_id": "nobody"},
    "queue": {"queue_id": "nowhere"},
    "media": {"sha256": "0" * 64},
}


@pytest.mark.parametrize("altered", ALTERED)
def test_a_row_that_differs_from_its_sidecar_is_kept_and_said(archived: Archive, altered: str) -> None:
    """Whatever was altered, the recording stays with its reason, and only that one."""
    late, victim = quarantined(archived), ids(archived)[0]
    change(archived, victim, **ALTERED[altered])
    done = enforce(late, "retention__2")
    assert (done.purged, len(files_of(archived, victim))) == (5, 2)
    assert "differs from its sidecar" in done.entries[victim]["why"]


def test_a_young_recording_is_not_purged_by_an_altered_date(archived: Archive) -> None:
    """A recording of two days ago whose row says years is quarantined at the most."""
    victim, now = ids(archived)[0], row_of(archived, ids(archived)[0]).interaction_date + timedelta(days=2)
    change(archived, victim, interaction_date=now - timedelta(days=4000))
    enforce(at(archived, now), "retention__1")
    assert enforce(at(archived, now + QUARANTINE), "retention__2").purged == 0
    assert len(files_of(archived, victim)) == 2


def test_a_hold_that_an_altered_row_escapes_still_keeps_it(archived: Archive) -> None:
    """The hold asks for the number that the sidecar has; the row has another, so the hold does not find it."""
    victim = ids(archived)[0]
    amend(archived, victim, ani="+15550123")
    late = quarantined(archived)
    change(archived, victim, ani="+15550100")
    effect = holds.create(late, matter="M", reason="R", criteria=Criteria(numbers=("+15550123",)), actor="ann")[1]
    assert effect.held == 0
    assert enforce(late, "retention__2").purged == 5
    assert len(files_of(archived, victim)) == 2


@pytest.mark.parametrize("harm", ["rewritten", "missing", "damaged"])
def test_a_sidecar_that_is_not_what_it_was_keeps_its_recording(archived: Archive, harm: str) -> None:
    """Rewritten together with the row, missing or damaged: the sealed ledger has another hash."""
    late, victim = quarantined(archived), ids(archived)[0]
    sealing.seal(late)
    path = archived.settings.root / sidecar.beside(row_of(archived, victim).key)
    if harm == "missing":
        path.unlink()
    elif harm == "damaged":
        overwrite(path, b"{}")
    else:
        content = path.read_bytes().replace(b"  ", b" ") + b" "
        overwrite(path, content)
        change(archived, victim, sidecar_sha256=sha256(content).hexdigest())
    done = enforce(late, "retention__2")
    assert (done.purged, row_of(archived, victim).state) == (5, "quarantined")
    reason = {"rewritten": "the ledger has", "missing": "is not there", "damaged": "is damaged"}[harm]
    assert reason in done.entries[victim]["why"]


def test_the_events_of_the_catalog_are_not_believed_when_they_are_sealed(archived: Archive) -> None:
    """Who alters row, sidecar and event in the catalog is contradicted by the sealed segment."""
    late, victim = quarantined(archived), ids(archived)[0]
    sealing.seal(late)
    amend(archived, victim, ani="+15550100")
    with archived.catalog.write() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE kind = 'repaired'")
    done = enforce(late, "retention__2")
    assert done.purged == 5
    assert "the ledger has" in done.entries[victim]["why"]


def test_erasing_a_number_of_an_altered_row_erases_nothing(
    command: Command, archived: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the command line, too: the row claims the number, the sidecar does not."""
    monkeypatch.setenv("RECORDING_ARCHIVE_ERASE_ALONE", "true")
    read_settings.cache_clear()
    victim = ids(archived)[0]
    change(archived, victim, ani="+49301234567")
    ended = command("erase", "--number", "+49301234567", "--reason", "request 7", "--yes")
    assert ended.code == 1
    assert len(files_of(archived, victim)) == 2
