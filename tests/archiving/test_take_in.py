"""What the source's inventory has and no run was told of: taken into a scheduled run each week, or by command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from genesys_sandbox import Fault
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.take_in import take_in
from recording_archive.catalog.tables import events, recordings
from recording_archive.cli import app
from recording_archive.cli.check import Connected
from recording_archive.model import PartId
from recording_archive.settings import read_settings
from recording_archive.sources import Stored
from support.night_runs import with_settings
from support.platform_run import (
    PER_DAY,
    PlatformTasks,
    Start,
    archived,
    facts_of,
    nights_later,
    run,
    start,
    verified_parts,
)
from support.whole_run import NIGHT, at

__all__ = ["start"]  # the fixture

Reconcile = Callable[..., tuple[int, str]]


def uploaded_too_late(tasks: PlatformTasks, archive: Archive) -> set[Any]:
    """Two nights, after which the look-back is over; then the late recordings are uploaded. Give those."""
    for night in (0, 1):
        ended = nights_later(tasks, archive, night)
    missing = set(tasks.cloud.world.truth()) - verified_parts(tasks, archive, ended)
    tasks.cloud.world.uploaded = True
    assert missing
    return missing


def test_each_week_a_run_takes_in_what_came_too_late(start: Start, archive: Archive) -> None:
    """Not before, and once: the run archives it, and its report has the figures of the comparison."""
    tasks = start("late")
    missing = uploaded_too_late(tasks, archive)
    before = nights_later(tasks, archive, 7)
    assert "reconciled" not in before.report["listing"]
    assert archived(before) == {}
    ended = nights_later(tasks, archive, 8)
    assert set(archived(ended)) == missing
    figures = ended.report["listing"]["reconciled"]
    assert (figures["archived"], figures["unknown"], figures["takenIn"]) == (
        PER_DAY - len(missing),
        len(missing),
        len(missing),
    )
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    assert "reconciled" not in nights_later(tasks, archive, 9).report["listing"]
    assert nights_later(tasks, archive, 15).report["listing"]["reconciled"]["archived"] == PER_DAY


def test_it_can_be_switched_off(start: Start, archive: Archive) -> None:
    """RECORDING_ARCHIVE_RECONCILE_DAYS=0: the inventory is never read."""
    tasks = start()
    for night in (0, 1):
        nights_later(tasks, with_settings(archive, reconcile_days=0), night)
    assert tasks.cloud.requests.counts["inventory"] == 0


@pytest.mark.parametrize("status", [403, 503])
def test_an_inventory_that_cannot_be_read_stops_nothing(start: Start, archive: Archive, status: int) -> None:
    """The report says so, the night's recordings are archived, and the next run tries again."""
    tasks = start(days=2)
    nights_later(tasks, archive, -1)
    tasks.cloud.faults.add(Fault("status", "inventory", status=status))
    ended = nights_later(tasks, archive, 0)
    assert (ended.report["successful"], ended.summary.problems) == (PER_DAY, ())
    (note,) = ended.report["listing"]["notes"]
    assert (str(status) in note, "inventory" in note) == (True, True)
    tasks.cloud.faults.clear()
    assert nights_later(tasks, archive, 1).report["listing"]["reconciled"]["archived"] == 2 * PER_DAY


def test_what_is_deleted_soon_at_the_source_is_a_note(start: Start, archive: Archive) -> None:
    """With the command that names it."""
    tasks = start("archived")
    for night in (0, 1):
        assert nights_later(tasks, archive, night).report["listing"]["notes"] == []
    (note,) = nights_later(tasks, archive, 70).report["listing"]["notes"]
    assert note.startswith("2 recordings are deleted at the source within 30 days")


def test_what_no_run_has_asked_for_is_left_to_a_backfill(archive: Archive) -> None:
    """A new archive does not begin with all that the source has kept for years."""
    entered: list[PartId] = []
    old = Stored("c", "r", NIGHT - timedelta(days=900), None)
    later = at(archive, NIGHT + timedelta(days=9))
    figures = take_in(later, "conversations:default", [old], lambda _, parts: entered.extend(parts))
    assert (figures["unknown"], figures["takenIn"], figures["neverAskedFor"]) == (1, 0, 1)
    assert entered == []


@pytest.fixture
def command(
    start: Start, archive: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[PlatformTasks, datetime], Reconcile]]:
    """Give `recording-archive reconcile` against a sandbox at a moment: exit code and output."""
    assert start
    monkeypatch.setenv("RECORDING_ARCHIVE_URL", archive.settings.url)
    monkeypatch.setenv("RECORDING_ARCHIVE_CATALOG_URL", archive.settings.catalog_url)
    monkeypatch.setattr("recording_archive.cli.records.user", lambda: "ann")
    read_settings.cache_clear()

    def of(tasks: PlatformTasks, moment: datetime) -> Reconcile:
        facts = facts_of(tasks.cloud)
        monkeypatch.setattr(
            "recording_archive.cli.check.connect_by_airflow", lambda _: Connected(facts, "", tasks.source())
        )
        monkeypatch.setitem(open_archive.__kwdefaults__, "clock", lambda: moment)

        def reconcile(*arguments: str) -> tuple[int, str]:
            with pytest.raises(SystemExit) as caught:
                app.app(["reconcile", *arguments])
            return int(caught.value.code or 0), capsys.readouterr().out

        return reconcile

    yield of
    read_settings.cache_clear()


def test_the_command_leaves_what_is_missing_to_the_next_run(
    start: Start, archive: Archive, command: Callable[[PlatformTasks, datetime], Reconcile]
) -> None:
    """Without the option it only tells; with it the next scheduled run archives, and the event has who asked."""
    tasks = start("late")
    missing = uploaded_too_late(tasks, archive)
    reconcile = command(tasks, NIGHT + timedelta(days=3))
    code, told = reconcile()
    assert (code, told.count(": unknown")) == (1, len(missing))
    code, told = reconcile("--archive", "--json")
    assert code == 0
    assert json.loads(told) == {
        "counts": {"archived": PER_DAY - len(missing), "unknown": len(missing), "takenIn": len(missing)},
        "recordings": [],
    }
    code, told = reconcile("--archive")
    assert (code, told.count(": waiting")) == (1, len(missing))
    assert "left to the next scheduled run" not in told
    with archive.catalog.read() as connection:
        asked = select(events.c.actor, events.c.detail).where(events.c.kind == "seen", events.c.actor.is_not(None))
        assert {(row.actor, row.detail["by"]) for row in connection.execute(asked)} == {("ann", "reconcile")}
    ended = nights_later(tasks, with_settings(archive, reconcile_days=0), 4)
    assert set(archived(ended)) == missing
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())


def test_one_that_was_lawfully_purged_is_not_taken_in(start: Start, archive: Archive) -> None:
    """The source still has it; the archive let it go."""
    tasks = start()
    run(tasks, archive, "scheduled__0")
    with archive.catalog.write() as connection:
        connection.execute(recordings.update().values(state="purged", certificate="c1"))
    source = tasks.source()
    figures = take_in(at(archive, NIGHT + timedelta(days=9)), source.name, source.inventory(), None)
    assert (figures["archived"], figures["takenIn"]) == (PER_DAY, 0)
