"""Locks follow policy and holds: raised, never lowered, and found again where that failed or was cut short."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from genesys_sandbox import Sandbox
from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.errors import StoreError
from recording_archive.fixity.readings_table import note_facts
from recording_archive.fixity.report import write_report
from recording_archive.ledger.sealing import seal
from recording_archive.locks import reconcile
from recording_archive.locks.reconcile import follow
from recording_archive.store.base import Lock
from recording_archive.store.sidecar import beside
from support.contents import events_of, ids, row_of, rows
from support.fixity_run import DUE, Verifying
from support.locks import LockingFolder
from support.rebuilding import rebuilt
from support.retention_run import EXPIRED, QUARANTINE, enforce, hold
from support.retention_run import at as at_moment

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def locked(archived: Archive) -> Archive:
    """An archive whose folder locks objects, and has no lock yet."""
    return replace(archived, store=LockingFolder(archived.settings.root), clock=lambda: NOW)


def folder(archive: Archive) -> LockingFolder:
    """The store of an archive that locks."""
    assert isinstance(archive.store, LockingFolder)
    return archive.store


def keys(archive: Archive, interaction_id: str) -> tuple[str, str]:
    """The object and the sidecar of an interaction."""
    key = row_of(archive, interaction_id).key
    return key, beside(key)


def counts(archive: Archive, **more: Any) -> dict[str, int]:
    """What came of following, without the zeros."""
    told = follow(archive, **more).to_json()
    return {name: number for name, number in told.items() if number and name != "problems"}


def days(archive: Archive, number: int) -> Archive:
    """The archive with another policy."""
    return replace(archive, settings=archive.settings.model_copy(update={"retention_days": number}))


def until(archive: Archive, number: int) -> set[datetime]:
    """The ends that a policy of so many days foretells, in whole seconds."""
    ends = {row.interaction_date + timedelta(days=number) for row in rows(archive).values()}
    return {end.replace(microsecond=0) + timedelta(seconds=bool(end.microsecond)) for end in ends}


def test_the_lock_ends_when_the_days_are_over(locked: Archive) -> None:
    """Object and sidecar alike; a second look asks the bucket nothing."""
    assert counts(locked) == {"recordings": 6, "raised": 6}
    assert folder(locked).ends() == until(locked, 90)
    assert len(folder(locked).shown) == 12
    assert len(events_of(locked, "locked")) == 6
    folder(locked).asked.clear()
    assert counts(locked) == {"recordings": 6}
    assert folder(locked).asked == []


def test_a_longer_policy_raises_and_a_shorter_one_lowers_nothing(locked: Archive) -> None:
    """A lock only ever ends later."""
    follow(locked)
    assert counts(days(locked, 365)) == {"recordings": 6, "raised": 6}
    assert folder(locked).ends() == until(locked, 365)
    assert counts(days(locked, 30)) == {"recordings": 6}
    assert folder(locked).ends() == until(locked, 365)


def test_what_is_over_gets_no_lock(locked: Archive) -> None:
    """A bucket refuses an end in the past."""
    late = replace(locked, clock=lambda: EXPIRED)
    assert counts(late) == {"recordings": 6}
    assert folder(late).ends() == {None}


class TestHolds:
    """The legal hold flag of what a hold holds."""

    def test_it_is_set_with_the_hold_and_cleared_with_the_last(self, locked: Archive) -> None:
        """Of two holds of a recording the first release clears nothing; others have no flag."""
        follow(locked)
        mine, *others = ids(locked)
        first, second = hold(locked, mine), hold(locked, mine)
        assert counts(locked) == {"recordings": 6, "held": 1}
        assert [folder(locked).lock_of(key).held for key in keys(locked, mine)] == [True, True]
        assert not any(folder(locked).lock_of(keys(locked, other)[0]).held for other in others)
        holds.release(locked, first, reason="settled", actor="ann")
        assert counts(locked) == {"recordings": 6}
        holds.release(locked, second, reason="settled", actor="ann")
        assert counts(locked) == {"recordings": 6, "released": 1}
        assert [folder(locked).lock_of(key).held for key in keys(locked, mine)] == [False, False]
        assert folder(locked).ends() == until(locked, 90)

    def test_a_hold_that_comes_while_all_are_followed_stays(
        self, locked: Archive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run read all holds before it came, and does not clear what it set."""
        follow(locked)
        mine, read = ids(locked)[0], reconcile.Wanted

        def then_comes_a_hold(archive: Archive, *, every: bool = False) -> reconcile.Wanted:
            wanted = read(archive, every=every)
            if every:
                hold_id = hold(archive, mine)
                follow(archive, hold=holds.read(archive, hold_id))
            return wanted

        monkeypatch.setattr(reconcile, "Wanted", then_comes_a_hold)
        assert counts(locked) == {"recordings": 6}
        assert folder(locked).lock_of(keys(locked, mine)[0]).held

    def test_a_flag_that_somebody_else_set_stays(self, locked: Archive) -> None:
        """It is told once, and never cleared, also by the release of a hold of ours."""
        follow(locked)
        key = keys(locked, ids(locked)[0])[0]
        folder(locked).shown[key] = folder(locked).shown[key]._replace(held=True)
        assert counts(days(locked, 365))["foreign"] == 1
        assert folder(locked).lock_of(key).held
        assert counts(days(locked, 365)) == {"recordings": 6}

    def test_a_lost_catalog_knows_its_own_flags(self, locked: Archive) -> None:
        """The events come back from the ledger: a flag that is ours is cleared, and nothing is asked for again."""
        mine = ids(locked)[0]
        made = hold(locked, mine)
        follow(locked)
        seal(locked)
        again, bad = rebuilt(locked)
        assert bad == []
        again = replace(again, store=locked.store, clock=locked.clock)
        folder(again).asked.clear()
        holds.release(again, made, reason="settled", actor="ann")
        assert counts(again) == {"recordings": 6, "released": 1}
        assert {*folder(again).asked} == {*keys(again, mine)}


class TestFailures:
    """What fails, or is cut short, is found again."""

    def test_one_that_is_refused_costs_itself_alone(self, locked: Archive) -> None:
        """It is counted and named, and the next run tries it again."""
        object_, sidecar = keys(locked, ids(locked)[0])
        folder(locked).refused.add(sidecar)
        told = follow(locked).to_json()
        assert (told["raised"], told["behind"]) == (5, 1)
        assert told["problems"] == [f"{row_part(locked)}: {sidecar}: the bucket does not let its lock be changed"]
        assert folder(locked).lock_of(object_).until in until(locked, 90)
        folder(locked).refused.clear()
        assert counts(locked) == {"recordings": 6, "raised": 1}
        assert len(folder(locked).shown) == 12

    def test_a_run_that_is_killed_before_its_events_is_made_up(
        self, locked: Archive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The locks are there, nobody knows: the next run looks and writes what it finds."""

        def killed(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(reconcile, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            follow(locked)
        monkeypatch.undo()
        assert (folder(locked).ends(), events_of(locked, "locked")) == (until(locked, 90), [])
        assert counts(locked) == {"recordings": 6}
        assert len(events_of(locked, "locked")) == 6

    def test_a_repaired_recording_is_looked_at_again(self, locked: Archive) -> None:
        """A new object has no lock of the old one."""
        follow(locked)
        row = row_of(locked, ids(locked)[0])
        folder(locked).shown.pop(row.key)
        with locked.catalog.write() as connection:
            part = reconcile.part_of(row)
            reconcile.record(connection, "repaired", part, at=NOW)
        assert counts(locked) == {"recordings": 6, "raised": 1}

    def test_a_place_that_refuses_everything_ends_it(self, locked: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        """What concerns all of them is raised, not counted a million times."""

        def refuse(*_: Any) -> Lock:
            raise StoreError("the bucket is gone")

        monkeypatch.setattr(folder(locked), "lock_of", refuse)
        with pytest.raises(StoreError, match="gone"):
            follow(locked)

    def test_a_policy_that_cannot_be_read_is_told(self, locked: Archive) -> None:
        """Holds are followed all the same."""
        locked.store.put("policies/000001.yaml", b"nobody adopted this")
        hold(locked, ids(locked)[0])
        told = follow(locked).to_json()
        assert (told["held"], told["raised"]) == (1, 0)
        assert "no lock gets its end" in told["problems"][0]


def row_part(archive: Archive) -> str:
    """The name of the first recording."""
    return str(reconcile.part_of(row_of(archive, ids(archive)[0])))


def test_the_report_counts_what_is_behind(locked: Archive, cloud: Sandbox) -> None:
    """A run of `verify_archive` fails for it, and says which; without a word of its task it fails as well."""
    verify, (object_, _) = Verifying(cloud), keys(locked, ids(locked)[0])
    assert any("object locks were not brought" in each for each in verify(locked).problems)
    folder(locked).refused.add(object_)
    verify.read_all(locked, "v", DUE)
    note_facts(locked, "v", locks=follow(locked, run_id="v").to_json())
    closed = write_report(locked, "v")
    assert any(each.startswith("1 recordings have an object lock behind") for each in closed.problems)
    report = json.loads(locked.store.read(closed.report_key))
    assert (report["locks"]["raised"], report["locks"]["behind"]) == (5, 1)
    assert report["locks"]["problems"][0].startswith(f"{row_part(locked)}: {object_}")


def test_purge_waits_for_the_lock(archived: Archive) -> None:
    """By a shorter policy they are due, by their locks not: kept and said, one without a lock goes."""
    store = LockingFolder(archived.settings.root)
    here = at_moment(replace(archived, store=store), EXPIRED)
    free, held, *others = ids(here)
    ends = EXPIRED + timedelta(days=300)
    for each in (*others, held):
        for key in keys(here, each):
            store.shown[key] = Lock(ends, held=each == held)
    assert enforce(here, "retention__1").quarantined == 6
    ended = enforce(at_moment(here, EXPIRED + QUARANTINE), "retention__2")
    assert ended.purged == 1
    whys = {name: entry["why"] for name, entry in ended.entries.items()}
    assert whys[others[0]] == f"its object lock ends on {ends:%Y-%m-%d %H:%M} UTC"
    assert whys[held] == "the bucket has a legal hold on it that no hold of this archive asks for"
    assert row_of(here, free).state == "purged"
    assert enforce(at_moment(here, ends + timedelta(seconds=1)), "retention__3").purged == 4
