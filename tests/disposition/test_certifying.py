"""Certifying: parts share certificates, and rows are closed with them."""

from __future__ import annotations

import threading

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import work
from recording_archive.disposition.quarantine import purge
from support.contents import documents
from support.retention_run import check_gone, enforce, plan_approved, quarantined

STOP = threading.Event()


def test_many_parts_share_one_certificate_and_more_get_another(archived: Archive) -> None:
    """A certificate lists so many parts at most."""
    soon = quarantined(archived)
    plan_approved(soon, "retention__2")
    assert purge(soon, "retention__2", STOP, certificate_parts=4) == 6
    certificates = documents(archived, "certificates").values()
    assert sorted(len(document["parts"]) for document in certificates) == [2, 4]
    check_gone(archived)


def test_work_rows_forget_the_listing(archived: Archive) -> None:
    """What the source said of a recording is not kept in the catalog longer than its sidecar."""
    enforce(quarantined(archived), "retention__2")
    with archived.catalog.read() as connection:
        assert set(connection.execute(select(work.c.listing)).scalars()) == {None}
