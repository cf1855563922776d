"""Tombstones and certificates tell a rebuilt catalog what is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.report import Summary
from recording_archive.archiving.request import Request
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.model import State
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from support.contents import change, documents, files_of, ids, rows
from support.retention_run import EXPIRED, QUARANTINE, at, check_gone, enforce, hold, quarantined
from support.runner import DAY

Run = Callable[..., Summary]


def erased(archive: Archive, subject: Subject) -> Any:
    return erase(archive, subject, reason="request 7", actor="ann")


def lose_catalog(archive: Archive) -> None:
    for path in archive.settings.root.parent.glob("catalog.db*"):
        path.unlink()


def test_a_rebuilt_catalog_knows_what_is_gone(archived: Archive, run: Run, cloud: Sandbox) -> None:
    """Purged, erased and never archived alike: state and certificate come back, and a run excludes them."""
    names = ids(archived)
    change(archived, names[0], state=State.DISCOVERED)
    for path in files_of(archived, names[0]):
        (archived.settings.root / path).unlink()
    change(archived, names[0], key=None, sha256=None, stored_sha256=None)
    erased(archived, Subject(ids=tuple(names[:2])))
    soon = at(archived, EXPIRED)
    assert enforce(soon, "retention__1").quarantined == 4
    hold(soon, names[5])
    assert enforce(at(archived, EXPIRED + QUARANTINE), "retention__2").purged == 3
    before = {
        name: (row.state, row.certificate, row.stored_sha256, row.interaction_date)
        for name, row in rows(archived).items()
    }
    archived.catalog.close()
    lose_catalog(archived)
    assert [found for found in reindex(archived.settings) if found.result is IndexResult.BAD] == []
    rebuilt = open_archive(archived.settings)
    after = {
        name: (row.state, row.certificate, row.stored_sha256, row.interaction_date)
        for name, row in rows(rebuilt).items()
    }
    assert after == before
    check_gone(rebuilt)
    cloud.requests.clear()
    summary = run(rebuilt, "manual__1", Request(window=DAY))
    assert (summary.counts["excluded"], summary.counts["alreadyArchived"]) == (5, 1)
    assert cloud.requests.counts["media"] == 0
    assert {found.result for found in reindex(archived.settings)} == {IndexResult.KNOWN}
    rebuilt.catalog.close()


def test_what_lies_there_in_spite_of_its_tombstone_is_bad(archived: Archive) -> None:
    """Somebody put it back from a copy: it is named, and left as it is."""
    victim = ids(archived)[0]
    kept = {path: (archived.settings.root / path).read_bytes() for path in files_of(archived, victim)}
    erased(archived, Subject(ids=(victim,)))
    archived.catalog.close()
    lose_catalog(archived)
    for path, content in kept.items():
        (archived.settings.root / path).write_bytes(content)
    found = [each for each in reindex(archived.settings) if each.result is IndexResult.BAD]
    assert any("find out who put it back" in str(each.problem) for each in found)
    assert {str(path) for path in kept} == set(files_of(archived, victim))


def test_a_tombstone_without_certificate_is_finished_by_the_next_run(archived: Archive) -> None:
    """A crash before the certificate and the loss of the catalog together do not lose it."""
    enforce(quarantined(archived), "retention__2")
    archived.catalog.close()
    lose_catalog(archived)
    (path,) = (archived.settings.root / "certificates").iterdir()
    path.unlink()
    list(reindex(archived.settings))
    rebuilt = open_archive(archived.settings)
    assert {row.deleting_at is not None for row in rows(rebuilt).values()} == {True}
    enforce(at(rebuilt, EXPIRED), "retention__3")
    assert {row.state for row in rows(rebuilt).values()} == {State.PURGED}
    assert {row.certificate for row in rows(rebuilt).values()} == {
        document["certificate"] for document in documents(rebuilt, "certificates").values()
    }
    rebuilt.catalog.close()


@pytest.mark.parametrize("folder", ["tombstones", "certificates"])
def test_a_damaged_document_is_named(archived: Archive, folder: str) -> None:
    """And the rest goes on."""
    enforce(quarantined(archived), "retention__2")
    archived.catalog.close()
    lose_catalog(archived)
    path = next((archived.settings.root / folder).rglob("*.json"))
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:40])
    found = [each for each in reindex(archived.settings) if each.what == folder and each.result is IndexResult.BAD]
    assert found
    assert all(folder in each.key for each in found)
