"""Closing a run: its report, a second one, and those that other runs left open."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.archiving.report import close_left_open
from recording_archive.archiving.request import Request
from support.night_runs import fail
from support.whole_run import (
    DAY,
    Tasks,
    check_archive,
    check_books,
)


def test_a_run_that_reports_again_never_overwrites_a_report(tasks: Tasks, archive: Archive) -> None:
    """The number counts up, and the earlier report stays as it was."""
    first = tasks(archive, "scheduled__1")
    path = archive.settings.root / first.summary.report_key
    content = path.read_bytes()
    second, third = tasks.report(archive, "scheduled__1"), tasks.report(archive, "scheduled__1")
    keys = [ended.summary.report_key for ended in (first, second, third)]
    assert [key.split("/")[-2] for key in keys] == ["1", "2", "3"]
    assert path.read_bytes() == content
    assert third.statuses == {"success": 6}


def test_runs_whose_names_look_alike_as_paths_keep_their_reports_apart(tasks: Tasks, archive: Archive) -> None:
    """Two run ids may become one folder name; each still has its own report."""
    both = [tasks(archive, run_id, Request(window=DAY)) for run_id in ("manual__a:b", "manual__a b")]
    assert [ended.summary.report_key.split("/")[-3:-1] for ended in both] == [
        ["manual__a-b", "1"],
        ["manual__a-b", "2"],
    ]
    assert [ended.report["runId"] for ended in both] == ["manual__a:b", "manual__a b"]


def test_a_cleared_run_archives_only_what_is_left_and_its_books_close(tasks: Tasks, archive: Archive) -> None:
    """Run again under its own id, it fetches what had failed, and its second report tells of all six."""
    fail(tasks.cloud, tasks.cloud.library[0])
    assert tasks(archive, "scheduled__1").statuses == {"success": 5, "failed": 1}
    tasks.cloud.faults.clear()
    tasks.cloud.requests.clear()
    again = tasks(archive, "scheduled__1")
    check_books(archive, again)
    check_archive(archive, tasks.cloud.library)
    assert (again.report["asked"], again.statuses, again.summary.problems) == (6, {"success": 6}, ())
    assert tasks.cloud.requests.counts["media"] == 1


def test_books_that_a_stopped_run_left_open_are_closed_by_the_next(tasks: Tasks, archive: Archive) -> None:
    """A run that is over gets its report, with what it left as failures; one that goes on is let alone."""
    for run_id in ("manual__1", "manual__2"):
        (batch,) = tasks.query(archive, run_id, Request(window=DAY))
        tasks.download(archive, run_id, batch.number)
    (summary,) = close_left_open(archive, lambda run_id: run_id == "manual__1")
    assert summary.run_id == "manual__1"
    assert "the run ended before its report" in summary.problems
    assert (summary.counts["failed"], summary.counts["successful"]) == (6, 0)
    tasks.gzip(archive, "manual__2", 1)
    ended = tasks.report(archive, "manual__2")
    assert (ended.statuses, ended.summary.problems) == ({"success": 6}, ())
    assert close_left_open(archive, lambda _: True) == []
    check_archive(archive, tasks.cloud.library)
