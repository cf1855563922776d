"""Tombstones: no personal data, and a part with one is never archived again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive
from recording_archive.archiving.report import Summary
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import work
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.tombstone import to_recording
from support.contents import documents, ids, rows
from support.retention_run import check_gone, enforce, quarantined
from support.runner import DAY

Run = Callable[..., Summary]


def erased(archive: Archive, subject: Subject) -> Any:
    return erase(archive, subject, reason="request 7", actor="ann")


def test_tombstones_hold_nothing_personal(archived: Archive) -> None:
    """No agent, number or other attribute of the recording is in tombstone or certificate."""
    before = rows(archived)
    enforce(quarantined(archived), "retention__2")
    written = "".join(json.dumps(documents(archived, folder)) for folder in ("tombstones", "certificates"))
    for row in before.values():
        for value in (row.agent_name, row.agent_id, row.ani, row.dnis, row.contact_id):
            assert value is None or value not in written


def test_the_tombstone_of_an_erased_one_has_its_day(archived: Archive) -> None:
    """Not a time of day that nobody knows; one of an older version has the midnight of that day, and is read alike."""
    erased(archived, Subject(ids=(ids(archived)[0],)))
    ((key, document),) = documents(archived, "tombstones").items()
    assert document["interactionDate"] == "2026-11-20"
    for date in ("2026-11-20", "2026-11-20T00:00:00+00:00"):
        columns = to_recording(json.dumps(document | {"interactionDate": date}).encode(), key)
        assert columns["interaction_date"] == datetime(2026, 11, 20, tzinfo=UTC)


class TestNeverBack:
    """Deleted recordings are not archived again by any run."""

    def test_no_run_archives_it_again(self, archived: Archive, run: Run, cloud: Sandbox) -> None:
        """By interval or by id: excluded with the certificate, and never fetched."""
        enforce(quarantined(archived), "retention__2")
        cloud.requests.clear()
        for run_id, request, excluded in (
            ("manual__1", Request(window=DAY), 6),
            ("manual__2", Request(ids=(ids(archived)[0],)), 1),
            ("scheduled__2", Request(window=DAY, scheduled=True), 6),
        ):
            summary = run(archived, run_id, request)
            assert (summary.counts["excluded"], summary.problems) == (excluded, ())
            with archived.catalog.read() as connection:
                said = set(connection.execute(select(work.c.error).where(work.c.run_id == run_id)).scalars())
            (certificate,) = {row.certificate for row in rows(archived).values()}
            assert said == {f"purged, certificate {certificate}"}
        assert cloud.requests.counts["media"] == 0
        check_gone(archived)

    def test_a_cleared_run_does_not_fetch_what_went_since_it_failed(
        self, archive: Archive, run: Run, cloud: Sandbox
    ) -> None:
        """It had failed in that run, was archived by another, and erased: the books of the first exclude it now."""
        victim = cloud.library[0].id
        cloud.faults.add(Fault("status", recording=victim, status=404))
        assert run(archive, "manual__1", Request(window=DAY)).counts["failed"] == 1
        cloud.faults.clear()
        assert run(archive, "manual__2", Request(ids=(victim,))).counts["successful"] == 1
        assert erased(archive, Subject(ids=(victim,))).erased == 1
        again = run(archive, "manual__1", Request(window=DAY))
        assert (again.counts["excluded"], again.counts["successful"], again.problems) == (1, 5, ())
        check_gone(archive)
