"""Asked interactions are found, or missing."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.archiving import entering
from recording_archive.archiving.discover import discover
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import work
from recording_archive.model import Listing, Outcome, PartId
from support.crasher import SCHEDULED, Lines
from support.retention_run import at
from support.spellings import GUID
from support.whole_run import (
    Tasks,
    check_books,
)


def test_asked_ids_that_the_source_does_not_have_are_missing(tasks: Tasks, archive: Archive) -> None:
    """They are listed and fail the run; the others are archived; an id given twice counts once."""
    real = tasks.cloud.library[2].id
    ended = tasks(archive, "manual__1", Request(ids=(real, "nobody", "it's-me")))
    check_books(archive, ended)
    assert ended.report["missing"] == ["nobody", "it's-me"]
    assert (ended.report["asked"], ended.statuses) == (3, {"success": 1})
    assert ended.summary.problems == ("2 asked interactions are not at the source",)


def test_a_guid_that_the_source_lists_in_capitals_is_not_missing(archive: Archive) -> None:
    """It was asked for in lower case, in which it is read; the row keeps the source's spelling."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    listing = Listing(PartId(GUID.upper(), GUID.upper()), now, None, None)
    with archive.catalog.write() as connection:
        entering.begin(connection, "manual__1", at=now, source="s", kind="asked")
        entering.enter(connection, "manual__1", [listing], scheduled=False, at=now, region="US")
        entering.enter_missing(connection, "manual__1", [GUID, "nobody"])
        missing = select(work.c.interaction_id).where(work.c.outcome == Outcome.MISSING)
        assert connection.execute(missing).scalars().all() == ["nobody"]
        assert connection.execute(select(work.c.interaction_id)).scalars().all() == [GUID.upper(), "nobody"]


def test_many_recordings_make_larger_batches(archive: Archive) -> None:
    """Below 5,000 a task has 250, from there on 1,000, as a task takes long to start; or as set."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    few = discover(archive, Lines(600), SCHEDULED, "scheduled__1")
    assert [batch.parts for batch in few] == [250, 250, 100]
    many = discover(archive, Lines(5_000), SCHEDULED, "scheduled__2")
    assert [batch.parts for batch in many] == [1000] * 5
    as_set = discover(at(archive, now, batch_parts=500), Lines(5_000), SCHEDULED, "scheduled__3")
    assert [batch.parts for batch in as_set] == [500] * 10
