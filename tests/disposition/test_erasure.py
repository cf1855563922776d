"""Erasure: a person's recordings go at once, the catalog forgets them, and holds come first."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import work
from recording_archive.disposition.approval import approve
from recording_archive.disposition.erasure import erase, erase_planned, plan_erasure
from recording_archive.disposition.erasure_subject import Subject, find
from recording_archive.disposition.report import close
from recording_archive.errors import ConfigurationError, PermanentError
from recording_archive.model import Attributes, State
from recording_archive.store.local import LocalStore
from support.contents import amend, change, documents, events_of, files_of, ids, row_of, rows
from support.retention_run import EXPIRED, at, check_gone, enforce, hold, planned, quarantined

STOP = threading.Event()
NUMBER = "+49 (30) 123-4567"


def erased(archive: Archive, subject: Subject) -> Any:
    return erase(archive, subject, reason="request 7", actor="ann")


class TestErased:
    """The remains of an erased recording."""

    def test_bytes_go_and_the_catalog_forgets(self, archived: Archive) -> None:
        """Ids, hashes and the day stay; agent, queue, numbers, contact and the source's listing do not."""
        victim = ids(archived)[0]
        amend(archived, victim, ani=NUMBER, contact_id="contact-1")
        before = row_of(archived, victim)
        done = erased(archived, Subject(numbers=(NUMBER,)))
        assert (done.erased, done.refused) == (1, ())
        row = row_of(archived, victim)
        assert (row.state, row.certificate) == (State.ERASED, done.certificates[0])
        assert {getattr(row, name) for name in Attributes.__dataclass_fields__} == {None}
        assert (row.sha256, row.key) == (before.sha256, before.key)
        assert row.interaction_date == datetime(2026, 11, 20, tzinfo=UTC)
        with archived.catalog.read() as connection:
            listing = select(work.c.listing).where(work.c.interaction_id == victim)
            assert connection.execute(listing).scalar_one() is None
        assert len([name for name in ids(archived) if files_of(archived, name)]) == 5
        check_gone(archived)

    def test_nothing_personal_is_written(self, archived: Archive) -> None:
        """Not in tombstone, certificate, report, events or ledger, nor in the catalog's file of plans."""
        victim, number = ids(archived)[0], "+491700000042"
        amend(archived, victim, ani=number, contact_id="contact-unmistakable", agent_name="Unmistakable Name")
        erased(archived, Subject(numbers=(number,)))
        folders = ("tombstones", "certificates", "reports", "ledger")
        files = [path for folder in folders for path in (archived.settings.root / folder).rglob("*.*")]
        content = b"".join(path.read_bytes() for path in files)
        for value in (b"1700000042", b"contact-unmistakable", b"Unmistakable Name"):
            assert value not in content
        with archived.catalog.read() as connection:
            for table in ("plans", "dispositions", "events", "recordings", "work"):
                rows_of_it = connection.exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608 - constants
                assert "1700000042" not in str(rows_of_it), table

    def test_it_needs_no_age_no_quarantine_and_no_good_reading(self, archived: Archive) -> None:
        """Young, undated, unverified, quarantined and never archived recordings go alike."""
        names = ids(archived)
        amend(archived, names[0], interaction_date=None)
        change(archived, names[1], verified_ok=False)
        change(archived, names[2], state=State.QUARANTINED, quarantined_at=EXPIRED)
        (archived.settings.root / row_of(archived, names[3]).key).unlink()
        assert erased(archived, Subject(ids=tuple(names))).erased == 6
        assert {row.state for row in rows(archived).values()} == {State.ERASED}
        check_gone(archived)

    def test_the_certificate_and_the_report_tell_who_ordered_it_and_why(self, archived: Archive) -> None:
        """And the ledger vouches for both."""
        done = erased(archived, Subject(ids=(ids(archived)[0],)))
        (certificate,) = documents(archived, "certificates").values()
        assert (certificate["action"], certificate["by"], certificate["reason"]) == ("erase", "ann", "request 7")
        report = json.loads(archived.store.read(done.report_key))
        assert (report["kind"], report["erased"], report["reason"]) == ("erasure", 1, "request 7")
        assert report["certificates"] == list(done.certificates)
        (event,) = events_of(archived, "erased")
        assert event.segment is not None
        assert done.ledger_head is not None

    def test_what_was_purged_before_is_forgotten_too(self, archived: Archive) -> None:
        """The catalog keeps attributes of purged recordings, to answer holds; an erasure takes them."""
        enforce(quarantined(archived), "retention__2")
        victim = ids(archived)[0]
        change(archived, victim, ani=NUMBER)
        done = erased(at(archived, EXPIRED), Subject(numbers=(NUMBER,)))
        assert done.erased == 1
        row = row_of(archived, victim)
        assert (row.state, row.ani, row.agent_name) == (State.PURGED, None, None)
        assert list(find(archived, Subject(ids=(victim,)))) == []


class TestRefused:
    """Limits of an erasure."""

    def test_what_is_held_stays_and_the_answer_names_the_hold(self, archived: Archive) -> None:
        """The others go, and the run is none that failed: the law wants both."""
        names = ids(archived)
        hold_id = hold(archived, names[1])
        before = files_of(archived, names[1])
        done = erased(archived, Subject(ids=tuple(names[:3])))
        assert done.erased == 2
        ((refused),) = done.refused
        assert (refused.part.interaction_id, refused.why) == (names[1], f"held by {hold_id}")
        row = row_of(archived, names[1])
        assert (row.state, row.deletion, row.agent_name is not None) == (State.ARCHIVED, None, True)
        assert files_of(archived, names[1]) == before
        report = json.loads(archived.store.read(done.report_key))
        assert (report["held"], report["notDone"], report["problems"]) == (1, 1, [])
        check_gone(archived)

    def test_a_hold_between_intent_and_bytes_wins(self, archived: Archive) -> None:
        """The recording is archived again, as it was before."""
        victim, held = ids(archived)[0], list[str]()

        class Slow(LocalStore):
            def identity(self) -> str | None:
                if row_of(archived, victim).deleting_at is not None and not held:
                    held.append(hold(archived, victim))
                return super().identity()

        done = erased(replace(archived, store=Slow(archived.settings.root)), Subject(ids=(victim,)))
        assert (done.erased, done.refused[0].why) == (0, f"held by {held[0]}")
        row = row_of(archived, victim)
        assert (row.state, row.deleting_at, row.deletion) == (State.ARCHIVED, None, None)
        assert len(files_of(archived, victim)) == 2

    def test_a_recording_that_a_run_is_archiving_is_left_for_later(self, archived: Archive) -> None:
        """The run would publish it again after it was erased."""
        victim = ids(archived)[0]
        with archived.catalog.write() as connection:
            values = {"run_id": "scheduled__2", "interaction_id": victim, "recording_id": victim, "part": 0}
            connection.execute(insert(work).values(**values, carried_over=False, staged=True, expected_bytes=1))
        done = erased(archived, Subject(ids=(victim,)))
        assert "scheduled__2" in done.refused[0].why
        report = json.loads(archived.store.read(done.report_key))
        assert report["problems"] == ["1 recordings were not erased, without a legal hold on them"]

    def test_more_than_the_cap_needs_an_approval(self, archived: Archive) -> None:
        """A company's own number is on every call: nobody erases the archive by a slip."""
        few = at(archived, EXPIRED, max_delete_count=5)
        with pytest.raises(ConfigurationError, match="RECORDING_ARCHIVE_MAX_DELETE_COUNT"):
            erased(few, Subject(ids=tuple(ids(archived))))
        assert {row.state for row in rows(archived).values()} == {State.ARCHIVED}
        plan = plan_erasure(few, "erase__1", Subject(ids=tuple(ids(archived))), reason="r", triggered_by="bob")
        with pytest.raises(PermanentError, match="needs approval"):
            erase_planned(few, "erase__1", STOP)
        with pytest.raises(PermanentError, match="somebody else"):
            approve(few, "erase__1", plan_sha256=str(plan.sha256), actor="bob")
        approve(few, "erase__1", plan_sha256=str(plan.sha256), actor="carol")
        assert erase_planned(few, "erase__1", STOP) == 6
        (certificate,) = documents(archived, "certificates").values()
        assert (certificate["by"], certificate["approvedBy"]) == ("bob", "carol")

    def test_a_dry_run_only_lists(self, archived: Archive) -> None:
        """It needs no approval, and its report has what would go."""
        subject = Subject(ids=(ids(archived)[0],))
        plan = plan_erasure(archived, "erase__1", subject, reason="r", triggered_by=None, dry_run=True)
        assert not plan.needs_approval
        assert erase_planned(archived, "erase__1", STOP) == 0
        assert close(archived, "erase__1").problems == ()
        assert len(files_of(archived, ids(archived)[0])) == 2

    def test_a_purge_that_was_begun_is_finished_as_one(self, archived: Archive) -> None:
        """Two ways of deletion do not cross."""
        soon, victim = quarantined(archived), ids(archived)[0]

        class Locked(LocalStore):
            def remove(self, key: str) -> datetime | None:  # type: ignore[override]  # noqa: ARG002 - the Protocol's
                return datetime(2027, 6, 1, tzinfo=UTC)

        enforce(replace(soon, store=Locked(archived.settings.root)), "retention__2")
        (refused,) = erased(soon, Subject(ids=(victim,))).refused
        assert refused.why == "purge of it was begun by run retention__2"
        assert planned(archived, "retention__2")[victim].outcome == "pending"
