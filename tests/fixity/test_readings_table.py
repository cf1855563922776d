"""The record of fixity runs: one is open at a time, and rows of sound recordings do not stay."""

from __future__ import annotations

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import fixity_runs
from recording_archive.fixity import reading
from support.contents import all_rows, change
from support.fixity_run import ALL, Verifying, found


def test_books_that_a_stopped_run_left_open_are_closed(archived: Archive, verifying: Verifying) -> None:
    """One run is open at a time; what a stopped one left is closed as failed, and its rows go."""
    reading.plan(archived, "stopped", ALL)
    verifying(archived, run_id="next")
    with archived.catalog.read() as connection:
        status = dict(connection.execute(select(fixity_runs.c.run_id, fixity_runs.c.status)).all())
    assert status == {"stopped": "failed", "next": "success"}
    assert found(archived, "stopped") == {}


def test_no_row_of_a_sound_recording_stays(archived: Archive, verifying: Verifying) -> None:
    """The books do not grow with the archive: bad rows stay for people to look at, the others go."""
    row = all_rows(archived)[0]
    change(archived, row.interaction_id, queue_name="another")
    verifying(archived, ALL, "r")
    assert found(archived, "r") == {row.interaction_id: "bad"}
