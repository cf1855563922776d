"""The ledger alone tells a rebuilt catalog what was deleted, where tombstones and certificates are gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.archiving.report import Summary
from recording_archive.archiving.request import Request
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.model import State
from recording_archive.recovery.from_deletions import reindex_deletions
from support.contents import change, ids, row_of, rows
from support.rebuilding import rebuilt
from support.retention_run import enforce, quarantined
from support.runner import DAY

Run = Callable[..., Summary]


@pytest.fixture
def told(archived: Archive) -> Archive:
    """An archive of which all was deleted, the first recording by an erasure, and only the ledger tells."""
    soon = quarantined(archived)
    erase(soon, Subject(ids=(ids(archived)[0],)), reason="request 7", actor="ann")
    enforce(soon, "retention__2")
    for folder in ("tombstones", "certificates"):
        shutil.rmtree(archived.settings.root / folder)
    return archived


def test_what_only_the_ledger_tells_does_not_come_back(told: Archive, run: Run, cloud: Sandbox) -> None:
    """Every row is made from its events, each loss is named, and a backfill excludes all of it."""
    names = ("state", "certificate", "key", "sha256", "stored_sha256", "sidecar_sha256", "deleting_at")
    before = {name: [getattr(row, each) for each in names] for name, row in rows(told).items()}
    again, bad = rebuilt(told)
    assert {name: [getattr(row, each) for each in names] for name, row in rows(again).items()} == before
    assert [each.what for each in bad] == ["deletions"] * 6
    assert {str(each.problem) for each in bad} == {
        "its tombstone and certificate are gone: it counts as deleted; restore them from a copy"
    }
    assert row_of(again, ids(again)[0]).state == State.ERASED
    cloud.requests.clear()
    assert run(again, "backfill__1", Request(window=DAY)).counts["excluded"] == 6
    assert cloud.requests.counts["media"] == 0
    assert list(reindex_deletions(again.store, again.catalog)) == []
    again.catalog.close()


def test_a_recording_seen_again_is_deleted_by_the_ledger_s_word(told: Archive) -> None:
    """A catalog from a backup may know it as one to be archived."""
    victim = ids(told)[1]
    change(told, victim, state=State.DISCOVERED, certificate=None, failures=3)
    (found,) = reindex_deletions(told.store, told.catalog)
    assert victim in found.key
    row = row_of(told, victim)
    assert (row.state, row.failures, row.deletion["run"]) == (State.PURGED, 0, "retention__2")


def test_an_erased_recording_loses_its_person_again(told: Archive) -> None:
    """A catalog from a backup still knows who it was."""
    victim = ids(told)[0]
    change(told, victim, state=State.ARCHIVED, certificate=None, ani="+15550100", agent_name="Ann")
    assert len(list(reindex_deletions(told.store, told.catalog))) == 1
    row = row_of(told, victim)
    assert (row.state, row.ani, row.agent_name) == (State.ERASED, None, None)


def test_what_lies_there_in_spite_of_the_ledger_is_named(told: Archive) -> None:
    """Somebody put it back: it is left as it is."""
    victim = ids(told)[1]
    path = told.settings.root / str(row_of(told, victim).key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"back")
    change(told, victim, state=State.ARCHIVED, certificate=None)
    (found,) = reindex_deletions(told.store, told.catalog)
    assert "The ledger says that" in str(found.problem)
    assert "find out who put it back" in str(found.problem)
    assert row_of(told, victim).state == State.ARCHIVED
