"""Erasure: a person's recordings go at once, the catalog forgets them, and holds come first."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.report import Summary
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import work
from recording_archive.disposition import subject_hashes
from recording_archive.disposition.approval import approve
from recording_archive.disposition.erasure import erase, erase_planned, plan_erasure
from recording_archive.disposition.erasure_subject import Subject, find
from recording_archive.disposition.report import close
from recording_archive.errors import ConfigurationError, PermanentError, StoreError
from recording_archive.model import Attributes, State
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from recording_archive.store.base import LocalStore
from support.contents import change, documents, events_of, files_of, ids, row_of, rows
from support.retention_run import EXPIRED, QUARANTINE, at, check_gone, enforce, hold, planned, quarantined
from support.runner import DAY

Run = Callable[..., Summary]
STOP = threading.Event()
NUMBER = "+49 (30) 123-4567"


def erased(archive: Archive, subject: Subject) -> Any:
    return erase(archive, subject, reason="request 7", actor="ann")


class TestFound:
    """What an erasure is about."""

    @pytest.mark.parametrize("column", ["ani", "dnis"])
    @pytest.mark.parametrize(
        "written",
        ["tel:+49301234567", "+49301234567", "49301234567", "+49 30 1234567", "(49) 30/123.45-67", "tel:49301234567"],
    )
    def test_a_number_is_found_however_the_source_wrote_it(self, archived: Archive, column: str, written: str) -> None:
        """On either side of the call."""
        victim = ids(archived)[0]
        change(archived, victim, **{column: written})
        (found,) = find(archived, Subject(numbers=(NUMBER,)))
        assert (found.part.interaction_id, found.state, found.held) == (victim, State.ARCHIVED, None)

    def test_criteria_are_joined_by_or_and_each_part_comes_once(self, archived: Archive) -> None:
        """By number, contact, interaction or recording id; in any state but erased."""
        names = ids(archived)
        change(archived, names[0], ani=NUMBER, dnis=NUMBER, contact_id="contact-1")
        change(archived, names[1], contact_id="contact-1", state=State.QUARANTINED)
        change(archived, names[2], state=State.DISCOVERED)
        change(archived, names[3], state=State.ERASED, ani=None, dnis=None, agent_id=None, agent_name=None)
        subject = Subject(numbers=(NUMBER,), contacts=("contact-1",), ids=(names[0], names[2], names[3]))
        found = [each.part.interaction_id for each in find(archived, subject)]
        assert sorted(found) == names[:3]

    def test_what_is_held_is_said_before_anyone_acts(self, archived: Archive) -> None:
        """The list names the hold."""
        hold_id = hold(archived, ids(archived)[0])
        (found,) = find(archived, Subject(ids=(ids(archived)[0],)))
        assert found.held == f"held by {hold_id}"

    @pytest.mark.parametrize("subject", [Subject(), Subject(numbers=("",)), Subject(ids=("a", " "))])
    def test_nothing_names_nothing(self, archived: Archive, subject: Subject) -> None:
        """An empty value is an error, and not everything."""
        with pytest.raises(ConfigurationError):
            list(find(archived, subject))
        with pytest.raises(ConfigurationError):
            erased(archived, subject)


class TestErased:
    """What is left of an erased recording."""

    def test_bytes_go_and_the_catalog_forgets(self, archived: Archive) -> None:
        """Ids, hashes and the day stay; agent, queue, numbers, contact and the source's listing do not."""
        victim = ids(archived)[0]
        change(archived, victim, ani=NUMBER, contact_id="contact-1")
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
        change(archived, victim, ani=number, contact_id="contact-unmistakable", agent_name="Unmistakable Name")
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

    def test_the_tombstone_answers_who_has_the_key_and_the_number(self, archived: Archive) -> None:
        """Keyed hashes of both numbers and the contact, in whatever spelling they are asked for."""
        victim = ids(archived)[0]
        change(archived, victim, ani="tel:+49301234567", dnis="+1 202 555 0100", contact_id="contact-1")
        erased(archived, Subject(ids=(victim,)))
        (tombstone,) = documents(archived, "tombstones").values()
        key = subject_hashes.read_key(archived.settings)
        asked = (("number", NUMBER), ("number", "12025550100"), ("contact", "contact-1"))
        assert tombstone["subjects"] == sorted(subject_hashes.keyed_hash(key, *each) for each in asked)
        assert subject_hashes.keyed_hash(bytes(32), "number", NUMBER) not in tombstone["subjects"]
        assert tombstone["interactionDate"] == "2026-11-20T00:00:00+00:00"

    def test_it_needs_no_age_no_quarantine_and_no_good_reading(self, archived: Archive) -> None:
        """Young, undated, unverified, quarantined and never archived recordings go alike."""
        names = ids(archived)
        change(archived, names[0], interaction_date=None)
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
    """What an erasure does not do."""

    def test_what_is_held_stays_and_the_answer_names_the_hold(self, archived: Archive) -> None:
        """The others go."""
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
        assert close(archived, done.run_id).problems == ("1 recordings were not erased",)
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
        (refused,) = erased(archived, Subject(ids=(victim,))).refused
        assert "scheduled__2" in refused.why

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

    @pytest.mark.parametrize("reason", ["", "  ", "of 0049 30 123 4567, as asked", "of contact-1"])
    def test_a_reason_that_names_the_person_is_refused(self, archived: Archive, reason: str) -> None:
        """It is kept for good, where nobody can erase it."""
        with pytest.raises(ConfigurationError, match="reason"):
            erase(archived, Subject(numbers=(NUMBER,), contacts=("contact-1",)), reason=reason, actor="ann")

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


class TestKey:
    """The key behind the hashes."""

    def test_it_is_made_once_beside_the_root_for_its_owner_alone(self, archived: Archive) -> None:
        """Never inside the archive; the same for every erasure."""
        first = subject_hashes.read_key(archived.settings)
        path = archived.settings.root.parent / "erasure.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert subject_hashes.read_key(archived.settings) == first
        assert len(first) == 32
        assert sorted(each.name for each in path.parent.glob("*erasure*")) == ["erasure.key"]

    def test_a_setting_goes_before_the_file(self, archived: Archive) -> None:
        """And makes none."""
        given = archived.settings.model_copy(update={"erasure_key": "ab" * 32})
        assert subject_hashes.read_key(given) == bytes.fromhex("ab" * 32)
        assert not (archived.settings.root.parent / "erasure.key").exists()

    @pytest.mark.parametrize("content", ["", "short", "zz" * 32])
    def test_a_damaged_key_is_an_error_and_is_not_replaced(self, archived: Archive, content: str) -> None:
        """Another key would make every earlier tombstone mute; nothing is deleted meanwhile."""
        path = archived.settings.root.parent / "erasure.key"
        path.write_text(content)
        victim = ids(archived)[0]
        change(archived, victim, ani=NUMBER)
        with pytest.raises(ConfigurationError, match="64 hex digits"):
            erased(archived, Subject(ids=(victim,)))
        assert path.read_text() == content
        assert len(files_of(archived, victim)) == 2

    def test_a_key_that_cannot_be_made_is_an_error_with_a_remedy(self, archived: Archive, tmp_path: Path) -> None:
        """The folder may be read-only to the process."""
        nowhere = archived.settings.model_copy(update={"url": str(tmp_path / "none" / "archive")})
        with pytest.raises(StoreError, match="RECORDING_ARCHIVE_ERASURE_KEY"):
            subject_hashes.read_key(nowhere)


class TestNeverBack:
    """What went does not come back by any run, whatever was lost meanwhile."""

    def test_no_run_archives_it_again(self, archived: Archive, run: Run, cloud: Sandbox) -> None:
        """By interval or by id: excluded with the certificate, and never fetched."""
        enforce(quarantined(archived), "retention__2")
        cloud.requests.clear()
        for run_id, request, excluded in (
            ("manual__1", Request(window=DAY), 6),
            ("manual__2", Request(ids=(ids(archived)[0],)), 1),
            ("scheduled__2", Request(window=DAY, scheduled=True), 6),
        ):
            summary = run(archived, run_id, request)
            assert (summary.counts["excluded"], summary.problems) == (excluded, ())
            with archived.catalog.read() as connection:
                said = set(connection.execute(select(work.c.error).where(work.c.run_id == run_id)).scalars())
            (certificate,) = {row.certificate for row in rows(archived).values()}
            assert said == {f"purged, certificate {certificate}"}
        assert cloud.requests.counts["media"] == 0
        check_gone(archived)

    def test_a_cleared_run_does_not_fetch_what_went_since_it_failed(
        self, archive: Archive, run: Run, cloud: Sandbox
    ) -> None:
        """It had failed in that run, was archived by another, and erased: the books of the first exclude it now."""
        victim = cloud.library[0].id
        cloud.faults.add(Fault("status", recording=victim, status=404))
        assert run(archive, "manual__1", Request(window=DAY)).counts["failed"] == 1
        cloud.faults.clear()
        assert run(archive, "manual__2", Request(ids=(victim,))).counts["successful"] == 1
        assert erased(archive, Subject(ids=(victim,))).erased == 1
        again = run(archive, "manual__1", Request(window=DAY))
        assert (again.counts["excluded"], again.counts["successful"], again.problems) == (1, 5, ())
        check_gone(archive)

    def test_a_rebuilt_catalog_knows_what_is_gone(self, archived: Archive, run: Run, cloud: Sandbox) -> None:
        """Purged, erased and never archived alike: state and certificate come back, and a run excludes them."""
        names = ids(archived)
        change(archived, names[0], state=State.DISCOVERED)
        for path in files_of(archived, names[0]):
            (archived.settings.root / path).unlink()
        change(archived, names[0], key=None, sha256=None, stored_sha256=None)
        erased(archived, Subject(ids=tuple(names[:2])))
        soon = at(archived, EXPIRED)
        assert enforce(soon, "retention__1").quarantined == 4
        hold(soon, names[5])
        assert enforce(at(archived, EXPIRED + QUARANTINE), "retention__2").purged == 3
        before = {
            name: (row.state, row.certificate, row.stored_sha256, row.interaction_date)
            for name, row in rows(archived).items()
        }
        archived.catalog.close()
        lose_catalog(archived)
        assert [found for found in reindex(archived.settings) if found.result is IndexResult.BAD] == []
        rebuilt = open_archive(archived.settings)
        after = {
            name: (row.state, row.certificate, row.stored_sha256, row.interaction_date)
            for name, row in rows(rebuilt).items()
        }
        assert after == before
        check_gone(rebuilt)
        cloud.requests.clear()
        summary = run(rebuilt, "manual__1", Request(window=DAY))
        assert (summary.counts["excluded"], summary.counts["alreadyArchived"]) == (5, 1)
        assert cloud.requests.counts["media"] == 0
        assert {found.result for found in reindex(archived.settings)} == {IndexResult.KNOWN}
        rebuilt.catalog.close()

    def test_what_lies_there_in_spite_of_its_tombstone_is_bad(self, archived: Archive) -> None:
        """Somebody put it back from a copy: it is named, and left as it is."""
        victim = ids(archived)[0]
        kept = {path: (archived.settings.root / path).read_bytes() for path in files_of(archived, victim)}
        erased(archived, Subject(ids=(victim,)))
        archived.catalog.close()
        lose_catalog(archived)
        for path, content in kept.items():
            (archived.settings.root / path).write_bytes(content)
        found = [each for each in reindex(archived.settings) if each.result is IndexResult.BAD]
        assert any("find out who put it back" in str(each.problem) for each in found)
        assert {str(path) for path in kept} == set(files_of(archived, victim))

    def test_a_tombstone_without_certificate_is_finished_by_the_next_run(self, archived: Archive) -> None:
        """A crash before the certificate and the loss of the catalog together do not lose it."""
        enforce(quarantined(archived), "retention__2")
        archived.catalog.close()
        lose_catalog(archived)
        (path,) = (archived.settings.root / "certificates").iterdir()
        path.unlink()
        list(reindex(archived.settings))
        rebuilt = open_archive(archived.settings)
        assert {row.deleting_at is not None for row in rows(rebuilt).values()} == {True}
        enforce(at(rebuilt, EXPIRED), "retention__3")
        assert {row.state for row in rows(rebuilt).values()} == {State.PURGED}
        assert {row.certificate for row in rows(rebuilt).values()} == {
            document["certificate"] for document in documents(rebuilt, "certificates").values()
        }
        rebuilt.catalog.close()

    @pytest.mark.parametrize("folder", ["tombstones", "certificates"])
    def test_a_damaged_document_is_named(self, archived: Archive, folder: str) -> None:
        """And the rest goes on."""
        enforce(quarantined(archived), "retention__2")
        archived.catalog.close()
        lose_catalog(archived)
        path = next((archived.settings.root / folder).rglob("*.json"))
        path.chmod(0o640)
        path.write_bytes(path.read_bytes()[:40])
        found = [each for each in reindex(archived.settings) if each.what == folder and each.result is IndexResult.BAD]
        assert found
        assert all(folder in each.key for each in found)


def lose_catalog(archive: Archive) -> None:
    for path in archive.settings.root.parent.glob("catalog.db*"):
        path.unlink()
