"""The last line in the log of a batch."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import update

from recording_archive.archive import Archive
from recording_archive.archiving.batch_summary import Step, summarized
from recording_archive.catalog.tables import work


def test_a_batch_says_how_far_it_is_and_names_what_failed(archived: Archive, caplog: pytest.LogCaptureFixture) -> None:
    """Recordings, megabytes of this attempt alone, and failures with their reasons."""
    caplog.set_level(logging.INFO, "recording_archive.archiving.batch_summary")
    with archived.catalog.read() as connection:
        run_id, number = connection.execute(work.select().with_only_columns(work.c.run_id, work.c.batch)).first() or ()
        of = len(connection.execute(work.select().where(work.c.run_id == run_id, work.c.batch == number)).all())
    with summarized(archived, run_id, number, Step.ARCHIVED), archived.catalog.write() as connection:
        first = work.select().with_only_columns(work.c.id).where(work.c.batch == number).limit(1)
        gone = {"outcome": "failed", "error": "HTTP 404 for good", "size_bytes": work.c.size_bytes + 3_000_000}
        connection.execute(update(work).where(work.c.id == first.scalar_subquery()).values(gone))
    said = caplog.messages
    assert said[0].startswith(f"batch {number}: {of} of {of} recordings archived; 3.0 MB in ")
    assert said[0].endswith("MB/s; 1 failed")
    assert said[1].endswith(": HTTP 404 for good")
