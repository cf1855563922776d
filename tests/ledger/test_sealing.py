"""Sealing: every event is sealed once, in order, and a report names the head."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from recording_archive.archive import Archive
from recording_archive.archiving import report
from recording_archive.archiving.report import Summary
from recording_archive.catalog.tables import events, runs
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head, newest
from recording_archive.ledger.sealing import seal
from recording_archive.store.local import LocalStore
from support.ledger_files import (
    NOW,
    Crash,
    actors_in,
    documents,
    in_catalog,
    lines_of,
    path_of,
    prove,
    tampered,
    tell,
)

Run = Callable[..., Summary]


class TestSealing:
    """Every event is sealed, once, in order."""

    def test_a_segment_can_be_followed_by_hand(self, still: Archive) -> None:
        """The header tells of what follows, each line has the hash of the one before, and the head that of the last."""
        tell(still, "ann", "bob", sha256="0" * 64)
        head = seal(still)
        path = path_of(still, 1)
        raw = path.read_bytes().splitlines(keepends=True)
        header, first, second, last_line = map(json.loads, raw)
        assert header == {
            "previous": "0" * 64,
            "formatVersion": 2,
            "archiveId": still.id,
            "segment": 1,
            "events": 2,
            "sealedAt": NOW.isoformat(),
            "completeUntil": NOW.isoformat(),
        }
        followers = [first["previous"], second["previous"], last_line["previous"]]
        assert followers == [sha256(line).hexdigest() for line in raw[:3]]
        with still.catalog.read() as connection:
            uid = connection.execute(select(events.c.uid).where(events.c.actor == "ann")).scalar_one()
        assert {name: value for name, value in first.items() if name != "previous"} == {
            "uid": uid,
            "at": NOW.isoformat(),
            "kind": "played",
            "interactionId": "call",
            "recordingId": "call",
            "part": 0,
            "runId": None,
            "actor": "ann",
            "detail": {"sha256": "0" * 64},
        }
        leaves = [sha256(b"\x00" + line).digest() for line in raw[1:3]]
        assert {name: value for name, value in last_line.items() if name != "previous"} == {
            "archiveId": still.id,
            "segment": 1,
            "sealedAt": NOW.isoformat(),
            "before": "0" * 64,
            "leaves": 2,
            "root": sha256(b"\x01" + leaves[0] + leaves[1]).hexdigest(),
        }
        last = subprocess.run(["tail", "-n", "1", path], capture_output=True, check=True).stdout
        by_hand = subprocess.run(["sha256sum"], input=last, capture_output=True, check=True).stdout.decode().split()[0]
        assert head == Head(1, by_hand) == newest(still.store)
        assert str(head) == f"1:{by_hand}"

    def test_nothing_new_seals_nothing(self, still: Archive) -> None:
        """Without any event there is no ledger; without a new one the head stays."""
        assert seal(still) is None
        assert newest(still.store) is None
        tell(still, "ann")
        head = seal(still)
        assert seal(still) == head
        assert list(chain.segment_numbers(still.store)) == [1]

    def test_segments_are_bounded_and_chained(self, still: Archive) -> None:
        """More events than a segment takes become several, each begins with the hash of the end of the one before."""
        tell(still, *"abcdefg")
        head = seal(still, most=3)
        assert [line["events"] for number in (1, 2, 3) for line in lines_of(still, number)[:1]] == [3, 3, 1]
        assert actors_in(still) == list("abcdefg")
        last_of_2 = path_of(still, 2).read_bytes().splitlines(keepends=True)[-1]
        assert lines_of(still, 3)[0]["previous"] == sha256(last_of_2).hexdigest()
        assert head == newest(still.store)
        assert in_catalog(still)[3] == str(head).removeprefix("3:")
        assert prove(still.settings.root) == []

    def test_any_text_is_sealed_and_comes_back(self, still: Archive) -> None:
        """Line breaks, half a surrogate pair and the separators of Unicode stay inside their line."""
        odd = 'a\nb\r\0\u2028\u0085"\\ ü 😀 \ud83d'
        tell(still, "ann", problem=odd)
        seal(still)
        assert len(path_of(still, 1).read_bytes().splitlines()) == 3
        assert json.loads(path_of(still, 1).read_bytes().split(b"\n")[1])["detail"] == {"problem": odd}
        assert prove(still.settings.root) == []

    def test_an_event_that_commits_late_is_in_the_next_segment(self, still: Archive) -> None:
        """Ids may commit out of order: a lower one that shows after the sealing is not lost."""
        tell(still, "ann")
        with still.catalog.write() as connection:
            connection.execute(update(events).values(id=50))
        seal(still)
        with still.catalog.write() as connection:
            connection.execute(insert(events).values(id=7, at=NOW, kind="played", actor="late", detail={}))
        seal(still)
        assert actors_in(still) == ["ann", "late"]

    def test_a_run_at_work_is_told(self, still: Archive) -> None:
        """Its documents may have no event yet; one that is open for more than a week was given up."""
        for name, ago in (("given up", 8), ("at work", 1)):
            begun = {"source": "s", "kind": "asked", "started_at": NOW - timedelta(days=ago)}
            with still.catalog.write() as connection:
                connection.execute(insert(runs).values(run_id=name, **begun))
            tell(still, name)
            seal(still)
        assert lines_of(still, 1)[0]["completeUntil"] == NOW.isoformat()
        assert lines_of(still, 2)[0]["completeUntil"] == (NOW - timedelta(days=1)).isoformat()

    def test_a_full_segment_claims_no_more_than_it_knows(self, archive: Archive) -> None:
        """What happened after its first event may be in the segment after it, which a crash may keep from being."""
        for hour in range(3):
            tell(replace(archive, clock=lambda hour=hour: NOW + timedelta(hours=hour)), "ann")
        seal(replace(archive, clock=lambda: NOW + timedelta(days=1)), most=2)
        assert lines_of(archive, 1)[0]["completeUntil"] == NOW.isoformat()
        assert lines_of(archive, 2)[0]["completeUntil"] == (NOW + timedelta(days=1)).isoformat()


class TestReport:
    """A run's report names the ledger's head, and the ledger vouches for it."""

    def test_the_head_goes_into_report_and_summary(self, archived: Archive, run: Run) -> None:
        """The report has the head before it, the summary the head after it."""
        summary = run(archived, "scheduled__second")
        told = json.loads(archived.store.read(summary.report_key))
        assert told["ledgerHead"] == str(Head(2, in_catalog(archived)[2]))
        assert summary.ledger_head == str(newest(archived.store)) == str(Head(3, in_catalog(archived)[3]))
        with archived.catalog.read() as connection:
            wanted = (events.c.kind == "reported", events.c.run_id == "scheduled__second")
            event = connection.execute(select(events).where(*wanted)).one()
        assert [key.rpartition(".")[2] for key in event.detail["files"]] == ["csv", "json", "sha256"]  # no manifest
        assert event.segment == 3

    def test_a_ledger_that_cannot_be_sealed_loses_no_report(
        self, archived: Archive, run: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The report says that it has no head, the log says why, and the next sealing makes it good."""
        tell(archived, "ann")
        path_of(archived, 3).symlink_to("/dev/null")
        summary = run(archived, "scheduled__second")
        assert not summary.failed
        assert json.loads(archived.store.read(summary.report_key))["ledgerHead"] is None
        assert summary.ledger_head is None
        assert "is not a file" in caplog.text
        path_of(archived, 3).unlink()
        seal(archived)
        assert prove(archived.settings.root) == []

    @pytest.mark.parametrize("files", [1, 2, 3, 4])
    def test_a_crash_in_the_report_leaves_nothing_unvouched(self, archived: Archive, files: int) -> None:
        """Files that an attempt left behind before its event are told of by the next."""
        first = documents(archived, "reports/", ".json")[0]
        original = json.loads(first.read_bytes())
        with archived.catalog.write() as connection:
            connection.execute(update(runs).values(closed_at=None))
        tell(archived, "ann")

        class Dying(LocalStore):
            published = 0

            def sync(self, keys: Any) -> None:
                super().sync(keys)
                self.published += 1
                if self.published == 1 + files:  # the first is the ledger's
                    raise Crash

        with pytest.raises(Crash):
            report.report(replace(archived, store=Dying(archived.settings.root)), original["runId"])
        assert tampered(archived.settings.root) == []
        again = report.report(archived, original["runId"])
        assert again.report_key.split("/")[-2] == "3"
        with archived.catalog.read() as connection:
            wanted = select(events.c.detail).where(events.c.kind == "reported").order_by(events.c.id.desc())
            told = connection.execute(wanted).scalars().first()
        assert len(told["files"]) == files + 4  # what the first attempt told of is not told again
        assert prove(archived.settings.root) == []
