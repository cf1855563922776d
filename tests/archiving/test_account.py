"""What a source listed of what it counted: a run that comes short is red, says so, and asks again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import select

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.archiving.account import ALIKE, KEPT, acknowledge_gaps, add_notes, note, open_gaps
from recording_archive.archiving.coverage import without
from recording_archive.archiving.problems import note_problem
from recording_archive.archiving.report import report
from recording_archive.catalog.tables import coverage, events, runs
from recording_archive.errors import ConfigurationError
from recording_archive.model import Window
from recording_archive.sources import Account, Gap
from support.platform_run import PER_DAY, Start, nights_later, run, start, verified_parts
from support.whole_run import DAY

__all__ = ["start"]  # the fixture

HOUR = (DAY.end - DAY.start) / 24


def covered(archive: Archive) -> list[Window]:
    with archive.catalog.read() as connection:
        rows = connection.execute(select(coverage).order_by(coverage.c.start, coverage.c.end))
        return [Window(row.start, row.end) for row in rows]


def test_a_whole_listing_says_as_many_as_were_counted(start: Start, archive: Archive) -> None:
    """Listed and counted are in the report, and the coverage is closed."""
    ended = run(start(), archive, "scheduled__0")
    assert ended.report["listing"] == {"listed": PER_DAY, "counted": PER_DAY, "gaps": [], "notes": []}
    assert (ended.report["coverage"], ended.report["coverageClosed"]) == ("closed", True)


def test_nothing_listed_of_what_was_counted_is_red(start: Start, archive: Archive) -> None:
    """The halves are asked for, then the run fails; no day is covered, and the next night has all of it."""
    tasks = start()
    tasks.cloud.faults.add(Fault("set_fields", "details", route="POST *", values={"conversations": []}))
    first = run(tasks, archive, "scheduled__0")
    assert first.summary.failed
    assert (first.report["asked"], first.report["coverage"], first.report["coverageClosed"]) == (0, "partial", False)
    listing = first.report["listing"]
    assert (listing["listed"], listing["counted"] >= PER_DAY) == (0, True)
    assert sum(gap["missing"] for gap in listing["gaps"]) >= PER_DAY
    assert "could not be listed" in first.summary.problems[0]
    assert all(window.end <= DAY.start for window in covered(archive))
    tasks.cloud.faults.clear()
    second = nights_later(tasks, archive, 3)
    assert verified_parts(tasks, archive, second) == set(tasks.cloud.world.truth())
    assert second.summary.problems == ()


def test_a_shortfall_that_passes_is_none(start: Start, archive: Archive) -> None:
    """The first page comes short once; its halves do not."""
    tasks = start()
    tasks.cloud.faults.add(Fault("set_fields", "details", route="POST *", values={"totalHits": 25}, after=1, times=2))
    ended = run(tasks, archive, "scheduled__0")
    assert (ended.summary.problems, ended.report["coverage"]) == ((), "closed")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())


def test_only_the_gap_is_left_out_of_the_coverage(start: Start, archive: Archive) -> None:
    """A conversation that cannot be listed leaves the time between its neighbours open."""
    tasks = start()
    bad = tasks.cloud.world.conversations[7]
    tasks.cloud.faults.add(Fault("status", "details", recording=bad.id, route="POST *", status=500))
    ended = run(tasks, archive, "scheduled__0")
    (gap,) = ended.report["listing"]["gaps"]
    begin, end = datetime.fromisoformat(gap["start"]), datetime.fromisoformat(gap["end"])
    assert begin <= bad.start < end
    assert (ended.report["listing"]["listed"], gap["missing"], "500" in gap["reason"]) == (PER_DAY - 1, 1, True)
    before, after = covered(archive)
    assert (before.end, after.start, after.end) == (begin, end, DAY.end)


def test_a_steady_shortfall_can_be_acknowledged(start: Start, archive: Archive) -> None:
    """With a reason, by name; the range counts as covered, and runs that meet it are green again."""
    tasks = start()
    tasks.cloud.faults.add(Fault("set_fields", "details", route="POST *", values={"totalHits": 25}))
    assert run(tasks, archive, "scheduled__0").summary.failed
    with pytest.raises(ConfigurationError, match="--reason"):
        acknowledge_gaps(archive, DAY, reason=" ", actor="rosa")
    wide = Window(DAY.start - 48 * HOUR, DAY.end + 48 * HOUR)
    assert acknowledge_gaps(archive, wide, reason="another division", actor="rosa") == ["conversations:default"]
    assert acknowledge_gaps(archive, wide, reason="another division", actor="rosa") == []
    again = nights_later(tasks, archive, 1)
    assert (again.summary.problems, again.report["coverage"]) == ((), "closed")
    with archive.catalog.read() as connection:
        (event,) = connection.execute(select(events).where(events.c.kind == "acknowledged")).all()
    assert (event.actor, event.detail["reason"], event.detail["source"]) == (
        *("rosa", "another division"),
        "conversations:default",
    )


def test_a_report_names_each_gap_up_to_a_limit(start: Start, archive: Archive) -> None:
    """Beyond it one gap spans the rest, so that nothing is covered that was not listed."""
    run(start(per_day=1), archive, "scheduled__0")
    gaps = [Gap(Window(DAY.start + n * HOUR, DAY.start + (n + 1) * HOUR), 1, "x") for n in range(KEPT + 5)]
    with archive.catalog.write() as connection:
        note(connection, "scheduled__0", Account(gaps=tuple(gaps)))
        kept = open_gaps(connection, connection.execute(select(runs)).one())
    assert (kept[:-1], kept[-1].missing) == (gaps[:KEPT], 5)
    assert kept[-1].window == Window(gaps[KEPT].window.start, gaps[-1].window.end)


def test_orphans_that_were_refused_are_in_the_report(start: Start, archive: Archive) -> None:
    """As a note: the run is green, for the client was not meant to see them."""
    some = "analytics:conversationDetail:view,recording:recording:view,recording:recording:viewSensitiveData"
    ended = run(start("orphans", permissions=some), archive, "scheduled__0")
    (note,) = ended.report["listing"]["notes"]
    assert ("recording:orphan:view" in note, ended.summary.problems) == (True, ())


@pytest.mark.parametrize(
    ("gaps", "left"),
    [
        ([], [(0, 24)]),
        ([(3, 5)], [(0, 3), (5, 24)]),
        ([(5, 9), (0, 6)], [(9, 24)]),
        ([(-3, 2), (20, 30)], [(2, 20)]),
        ([(0, 24)], []),
        ([(30, 40)], [(0, 24)]),
    ],
)
def test_a_window_without_its_gaps(gaps: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    """The parts that are left, in order."""

    def window(ends: tuple[int, int]) -> Window:
        return Window(DAY.start + ends[0] * HOUR, DAY.start + ends[1] * HOUR)

    assert list(without(DAY, map(window, gaps))) == list(map(window, left))


@pytest.mark.parametrize("status", [403, 404])
def test_attributes_that_are_refused_are_in_the_report(start: Start, archive: Archive, status: int) -> None:
    """A sidecar never changes: what it lacks is told once for the run, however many conversations and tasks."""
    tasks = replace(start(), options={"allowed": ["customerTier"]})
    tasks.cloud.faults.add(Fault("status", "metadata", route="GET /api/v2/conversations/*[!a]", status=status))
    ended = run(tasks, archive, "scheduled__0")
    assert (ended.report["successful"], ended.summary.problems) == (PER_DAY, ())
    (note,) = ended.report["listing"]["notes"]
    assert note.startswith("sidecars are without the participant attributes of some conversations, as of this one: ")
    assert str(status) in note


def test_tasks_that_tell_the_same_tell_it_a_few_times(archive: Archive) -> None:
    """Fifty tasks leave three notes of a kind; what was noted when listing stays."""
    note_problem(archive, "manual__1", "x")
    for number in range(50):
        with archive.catalog.write() as connection:
            add_notes(connection, "manual__1", ["first"] if not number else [f"{'y' * ALIKE} {number}"])
    listing = json.loads(archive.store.read(report(archive, "manual__1").report_key))["listing"]
    assert listing["notes"] == ["first", *(f"{'y' * ALIKE} {number}" for number in (1, 2, 3))]
