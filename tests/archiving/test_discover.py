"""Asked interactions are found, or missing."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
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
