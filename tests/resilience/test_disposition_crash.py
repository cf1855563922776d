"""Dispositions that are killed: nothing untrue is recorded, and the next run finishes what was begun.

Each runs in a process of its own (`support.crasher`), on a copy of an archive in which two recordings are due.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.ledger.proof import Proof
from recording_archive.model import State
from recording_archive.settings import Settings
from support.contents import amend, documents, events_of, files_of, ids, row_of, rows
from support.crash_run import freezes
from support.crasher import EFFECTS, Crasher, Ended
from support.retention_run import EXPIRED, QUARANTINE, at, check_gone, enforce, hold
from support.runner import settings_below

RUN = "retention__2"
MOMENT = EXPIRED + QUARANTINE
DUE = 2  # of six recordings


@pytest.fixture(scope="module")
def crash() -> Iterator[Crasher]:
    """The process in whose forks things go wrong."""
    crasher = Crasher("support.retention_run")
    yield crasher
    crasher.close()


@pytest.fixture(scope="module")
def due(archived_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an archive in which two recordings waited in quarantine long enough, and four are young."""
    folder = tmp_path_factory.mktemp("due")
    shutil.copytree(archived_once, folder, dirs_exist_ok=True)
    archive = open_archive(settings_below(folder))
    for name in ids(archive)[DUE:]:
        amend(archive, name, interaction_date=MOMENT)
    assert enforce(at(archive, EXPIRED), "retention__1").quarantined == DUE
    archive.catalog.close()
    return folder


@pytest.fixture
def folders(due: Path, in_memory: Path) -> Iterator[Settings]:
    """Copies of it, one after the other."""
    return (copied(due, in_memory / str(number)) for number in count())


def copied(folder: Path, place: Path) -> Settings:
    shutil.copytree(folder, place)
    return settings_below(place)


def check_rest(settings: Settings, before: set[str]) -> None:
    """Check what a killed run left: bytes gone only with an intent, purged only with tombstone and certificate."""
    archive = open_archive(settings)
    certified = {
        part["interactionId"]: document["certificate"]
        for document in documents(archive, "certificates").values()
        for part in document["parts"]
    }
    buried = {document["interactionId"] for document in documents(archive, "tombstones").values()}
    events = [event.interaction_id for kind in ("purged", "erased") for event in events_of(archive, kind)]
    assert len(events) == len(set(events))
    for name, row in rows(archive).items():
        whole = {file for file in before if name in file}
        gone = row.state in (State.PURGED, State.ERASED)
        if set(files_of(archive, name)) != whole:
            assert gone or row.deleting_at is not None, name
        if row.state == State.PURGED:
            assert name in buried
            assert certified[name] == row.certificate
        if row.certificate:
            assert name in events
            assert files_of(archive, name) == []
        if name in buried or name in certified:
            assert files_of(archive, name) == []
    archive.catalog.close()


def check_ledger(archive: Archive) -> None:
    """Every tombstone, certificate and report has its event; nothing is left over."""
    flaws = Proof(archive.store, now=datetime(2030, 1, 1, tzinfo=UTC)).flaws()
    assert [(flaw.place, flaw.problem) for flaw in flaws if flaw.tampered] == []


def check_next(settings: Settings, run_id: str = RUN) -> None:
    """The next attempt finishes it: both are purged, each told of once, and the young are as they were."""
    archive = open_archive(settings)
    soon = at(archive, MOMENT)
    assert enforce(soon, run_id).closed.problems == ()
    names = ids(archive)
    assert [row_of(archive, name).state for name in names] == [State.PURGED] * DUE + [State.ARCHIVED] * (6 - DUE)
    assert {len(files_of(archive, name)) for name in names[DUE:]} == {2}
    assert sorted(event.interaction_id for event in events_of(archive, "purged")) == names[:DUE]
    check_gone(archive)
    check_ledger(archive)
    archive.catalog.close()


def files(settings: Settings) -> set[str]:
    archive = open_archive(settings)
    found = {file for name in ids(archive) for file in files_of(archive, name)}
    archive.catalog.close()
    return found


class TestKilled:
    """SIGKILL around every effect of a run that purges two recordings."""

    @pytest.mark.chaos(family="process", fault="SIGKILL before every link, unlink and commit of a purge")
    def test_a_killed_purge_is_finished_by_the_next_attempt(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Settings]
    ) -> None:
        """Whenever it dies, no bytes are gone without an intent, and its next attempt purges both once."""
        assert self.sweep(cloud, crash, folders, when="before", only=["link", "unlink", "commit"]) > 25

    @pytest.mark.long
    @pytest.mark.chaos(family="process", fault="SIGKILL around every effect of a purge")
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_purge_killed_at_any_effect_is_finished_by_the_next_attempt(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Settings], when: str
    ) -> None:
        """A purge killed around each single effect is finished by its next attempt."""
        assert self.sweep(cloud, crash, folders, when=when, only=[*EFFECTS, "commit"]) > 60

    def sweep(self, cloud: Sandbox, crash: Crasher, folders: Iterator[Settings], *, when: str, only: list[str]) -> int:
        for killed in count():
            settings = next(folders)
            before = files(settings)
            harm = {"kind": "kill", "at": killed + 1, "when": when, "only": only}
            ended = run(crash, cloud, settings, harm=harm)
            check_rest(settings, before)
            check_next(settings)
            if not ended.signal:
                return killed
            assert ended.signal == signal.SIGKILL
        raise AssertionError("unreachable")

    @pytest.mark.chaos(family="process", fault="hold after a killed purge")
    def test_a_hold_after_the_kill_saves_what_is_still_there(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Settings]
    ) -> None:
        """An intent whose object still exists is taken back; a deletion whose object is gone is finished."""
        saved, lost = 0, 0
        for killed in count(1):
            settings = next(folders)
            before = files(settings)
            ended = run(
                crash,
                cloud,
                settings,
                harm={"kind": "kill", "at": killed, "when": "before", "only": ["unlink"]},
            )
            if not ended.signal:
                break
            archive = open_archive(settings)
            name = ids(archive)[0]
            if row_of(archive, name).deleting_at is not None:
                there = any(file.endswith(".gz") for file in files_of(archive, name))
                hold(archive, name)
                enforce(at(archive, MOMENT), "retention__3")
                row = row_of(archive, name)
                assert (row.state == State.PURGED) == (not there)
                assert row.deleting_at is None
                assert files_of(archive, name) == ([file for file in sorted(before) if name in file] if there else [])
                saved, lost = saved + there, lost + (not there)
                check_gone(archive)
            archive.catalog.close()
        assert saved
        assert lost

    @pytest.mark.chaos(family="process", fault="SIGKILL of an erasure")
    def test_a_killed_erasure_is_finished_by_the_next(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Settings]
    ) -> None:
        """Killed anywhere, the same erasure once more ends it, and the next retention run would have, too."""
        for killed in count(1, 3):
            settings = next(folders)
            before = files(settings)
            archive = open_archive(settings)
            name = ids(archive)[5]
            archive.catalog.close()
            harm = {"kind": "kill", "at": killed, "when": "before", "only": ["link", "unlink", "commit"]}
            ended = run(crash, cloud, settings, step="support.retention_run:one_erasure", ids=[name], harm=harm)
            check_rest(settings, before)
            archive = at(open_archive(settings), MOMENT)
            if killed % 2 and row_of(archive, name).deleting_at is not None:
                assert enforce(archive, "retention__3").closed.problems == ()
            elif row_of(archive, name).certificate is None:
                assert erase(archive, Subject(ids=(name,)), reason="request 7", actor="ann").erased == 1
            row = row_of(archive, name)
            assert (row.state, row.agent_name, files_of(archive, name)) == (State.ERASED, None, [])
            assert len(events_of(archive, "erased")) == 1
            check_gone(archive)
            archive.catalog.close()
            if not ended.signal:
                assert killed > 15
                return


class TestTwins:
    """Two attempts alive at once: Airflow starts another one when it no longer hears of the first."""

    @pytest.mark.chaos(family="process", fault="two attempts of a purge at once")
    def test_two_attempts_purge_each_once(self, cloud: Sandbox, crash: Crasher, folders: Iterator[Settings]) -> None:
        """Both may remove the same bytes; each part has one event and one certificate."""
        for _ in range(4):
            settings = next(folders)
            before = files(settings)
            start_at = time.time() + 0.3
            pids = [start(crash, cloud, settings, start_at=start_at) for _ in range(2)]
            for pid in pids:
                assert crash.wait(pid).signal == 0
            check_rest(settings, before)
            check_next(settings)

    @pytest.mark.chaos(family="process", fault="purge that was given up wakes up")
    def test_an_attempt_that_wakes_up_late_changes_nothing(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Settings]
    ) -> None:
        """Frozen at some effect while another attempt does all of it, it wakes up and neither adds nor takes."""
        for frozen in count(2):
            settings = next(folders)
            # not before a commit, nor in the transaction that removes an object: it would keep the catalog locked
            harm = {"kind": "freeze", "at": frozen, "when": "before", "only": ["link"]}
            pid = start(crash, cloud, settings, harm=harm)
            if not freezes(pid):
                assert crash.wait(pid).signal == 0
                assert frozen > 5
                return
            check_next(settings, "retention__3")
            os.kill(pid, signal.SIGCONT)
            crash.wait(pid)
            check_next(settings)


def run(crash: Crasher, cloud: Sandbox, settings: Settings, **case: Any) -> Ended:
    return crash.wait(start(crash, cloud, settings, **case))


def start(
    crash: Crasher, cloud: Sandbox, settings: Settings, *, step: str = "support.retention_run:one_run", **case: Any
) -> int:
    return crash.start(cloud, settings, run_id=RUN, steps=[step], at=MOMENT.isoformat(), **case)
