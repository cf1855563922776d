"""Certificates tell a rebuilt catalog what was deleted, also where the tombstones are gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.report import Summary
from recording_archive.archiving.request import Request
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.model import State
from recording_archive.recovery.from_certificates import reindex_certificates
from recording_archive.recovery.result import IndexResult
from support.contents import events_of, ids, overwrite, row_of, rows
from support.rebuilding import rebuilt
from support.retention_run import enforce, quarantined
from support.runner import DAY

Run = Callable[..., Summary]


@pytest.fixture
def purged(archived: Archive) -> Archive:
    """An archive of which five recordings were purged and the first was erased."""
    first = ids(archived)[0]
    soon = quarantined(archived)
    erase(soon, Subject(ids=(first,)), reason="request 7", actor="ann")
    enforce(soon, "retention__2")
    assert {row.state for name, row in rows(archived).items() if name != first} == {State.PURGED}
    return archived


def test_a_lost_tombstone_brings_nothing_back(purged: Archive, run: Run, cloud: Sandbox) -> None:
    """State, hashes and certificate come back from the certificate, the loss is named, and a backfill excludes all."""
    names = ("state", "certificate", "key", "sha256", "stored_sha256", "sidecar_sha256", "deleting_at")
    before = {name: [getattr(row, each) for each in names] for name, row in rows(purged).items()}
    shutil.rmtree(purged.settings.root / "tombstones")
    again, bad = rebuilt(purged)
    assert {name: [getattr(row, each) for each in names] for name, row in rows(again).items()} == before
    assert [each.what for each in bad] == ["certificates", "certificates"]
    assert "whose tombstones are gone: they count as deleted" in str(bad[0].problem)
    assert row_of(again, ids(again)[1]).deletion["run"] == "retention__2"
    assert len(events_of(again, "purged")) == 5
    cloud.requests.clear()
    summary = run(again, "backfill__1", Request(window=DAY))
    assert (summary.counts["excluded"], summary.counts["successful"]) == (6, 0)
    assert cloud.requests.counts["media"] == 0
    again.catalog.close()


def test_without_a_rebuild_nothing_comes_back_either(purged: Archive, run: Run, cloud: Sandbox) -> None:
    """The catalog alone excludes what went, whatever became of the documents."""
    for folder in ("tombstones", "certificates"):
        shutil.rmtree(purged.settings.root / folder)
    cloud.requests.clear()
    assert run(purged, "backfill__1", Request(window=DAY)).counts["excluded"] == 6
    assert cloud.requests.counts["media"] == 0


def test_a_certificate_of_what_lies_in_the_archive_is_bad(purged: Archive) -> None:
    """Somebody put it back: the certificate is named, and no row is made of it; the others count as deleted."""
    again, _ = rebuilt(purged)
    victim = ids(again)[1]
    path = again.settings.root / str(row_of(again, victim).key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"back")
    shutil.rmtree(again.settings.root / "tombstones")
    again, bad = rebuilt(again)
    assert any("find out who put it back" in str(each.problem) for each in bad)
    assert victim not in rows(again)
    assert {row.state for row in rows(again).values()} == {State.PURGED, State.ERASED}
    assert len(rows(again)) == 5
    again.catalog.close()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"rule": "default"', '"rule": "other"', "was changed: its SHA-256"),
        ('"archiveId": "', '"archiveId": "x', "not this archive's"),
    ],
)
def test_a_changed_certificate_makes_no_rows(purged: Archive, old: str, new: str, message: str) -> None:
    """The hash that the ledger has of it counts."""
    number = row_of(purged, ids(purged)[1]).certificate
    path = purged.settings.root / f"certificates/{number}.json"
    shutil.rmtree(purged.settings.root / "tombstones")
    content = path.read_text()
    assert old in content
    overwrite(path, content.replace(old, new).encode())
    purged.catalog.close()
    again, bad = rebuilt(purged)
    assert message in str(next(each for each in bad if each.key.endswith(path.name)).problem)
    again.catalog.close()


def test_a_certificate_that_names_no_key_of_ours_makes_no_row(archive: Archive) -> None:
    """What keys are made of must be safe: an unsound part is damage."""
    part = {"interactionId": "../x", "recordingId": "y", "part": 0, "key": None, "deletedAt": "2026-01-01T00:00:00Z"}
    hashes = dict.fromkeys(("sha256", "storedSha256", "storedBytes", "sidecarSha256", "rule", "due"))
    facts = dict.fromkeys(("run", "plan", "policy", "by", "approvedBy", "approvedAt"))
    tombstone = {"key": "tombstones/2026/../x~y~0.json", "sha256": "0" * 64}
    document = {
        **facts,
        "archiveId": archive.id,
        "action": "erase",
        "parts": [{**part, **hashes, "tombstone": tombstone}],
    }
    archive.store.put("certificates/C-20260101-000000.json", json.dumps(document).encode())
    (found,) = reindex_certificates(archive.store, archive.catalog)
    assert found.result is IndexResult.BAD
    assert "is damaged" in str(found.problem)
    assert rows(archive) == {}


def test_a_second_rebuild_knows_it_all(purged: Archive) -> None:
    """What was made from a certificate stands."""
    shutil.rmtree(purged.settings.root / "tombstones")
    again, _ = rebuilt(purged)
    found = {each.result for each in reindex_certificates(again.store, again.catalog)}
    assert found == {IndexResult.KNOWN}
    again.catalog.close()
    open_archive(purged.settings).catalog.close()
