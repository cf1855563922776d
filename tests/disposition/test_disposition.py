"""Quarantine, purge and restore: what goes, what stays, and what is left of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from recording_archive import holds
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import work
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.quarantine import purge, quarantine, restore
from recording_archive.disposition.report import close
from recording_archive.errors import ConfigurationError, PermanentError, StoreError
from recording_archive.holds import Criteria
from recording_archive.model import State
from recording_archive.store import sidecar
from recording_archive.store.base import LocalStore
from support.contents import change, documents, events_of, files_of, ids, row_of, rows
from support.retention_run import EXPIRED, QUARANTINE, at, check_gone, enforce, hold, planned, quarantined
from support.runner import settings_below

STOP = threading.Event()
Harm = Callable[[Archive, str], Any]


def possibly_hold(archive: Archive, interaction_id: str) -> str:
    """Let a hold ask for an attribute that the recording lacks."""
    change(archive, interaction_id, agent_id=None, agent_name=None)
    made, _ = holds.create(archive, matter="M", reason="R", criteria=Criteria(agents=("nobody at all",)), actor="ann")
    return made.id


class TestWhole:
    """A recording's way out, from quarantine to certificate."""

    def test_what_expired_is_quarantined_and_purged_when_the_quarantine_is_over(self, archived: Archive) -> None:
        """First nothing moves; after 14 days bytes and sidecars are gone, with tombstones and one certificate."""
        before = {name: files_of(archived, name) for name in ids(archived)}
        first = enforce(at(archived, EXPIRED), "retention__1")
        assert (first.quarantined, first.purged, first.closed.problems) == (6, 0, ())
        assert {name: files_of(archived, name) for name in before} == before
        early = enforce(at(archived, EXPIRED + QUARANTINE - timedelta(seconds=1)), "retention__2")
        assert (early.quarantined, early.purged, early.plan.kept) == (0, 0, {"waiting": 6})
        last = enforce(at(archived, EXPIRED + QUARANTINE), "retention__3")
        assert (last.quarantined, last.purged, last.closed.problems) == (0, 6, ())
        assert {row.state for row in rows(archived).values()} == {State.PURGED}
        check_gone(archived)
        assert len(documents(archived, "certificates")) == 1
        assert not list((archived.settings.root / "recordings").rglob("*.*"))

    def test_the_certificate_tells_what_went_why_and_by_whose_word(self, archived: Archive) -> None:
        """Hashes, rule, policy, plan, who triggered and who approved; its tombstones have the hashes it names."""
        before, soon = rows(archived), quarantined(archived)
        done = enforce(at(soon, soon.clock(), max_delete_count=0), "retention__2", triggered_by="bob")
        ((key, certificate),) = documents(archived, "certificates").items()
        assert key == f"certificates/{certificate['certificate']}.json"
        assert certificate["certificate"].startswith("C-20270315-")
        names = ("archiveId", "action", "run", "plan", "policy", "by", "approvedBy")
        assert [certificate[name] for name in names] == [
            *(archived.id, "purge", "retention__2", done.plan.sha256, "default:90", "bob", "carol")
        ]
        assert {part["interactionId"] for part in certificate["parts"]} == set(before)
        for part in certificate["parts"]:
            row = before[part["interactionId"]]
            assert (part["sha256"], part["storedSha256"], part["key"]) == (row.sha256, row.stored_sha256, row.key)
            assert part["rule"] == "default"
            content = archived.store.read(part["tombstone"]["key"])
            assert sha256(content).hexdigest() == part["tombstone"]["sha256"]
            assert part["tombstone"]["key"] == f"tombstones/2027/{part['interactionId']}~{part['recordingId']}~0.json"

    def test_tombstones_hold_nothing_personal(self, archived: Archive) -> None:
        """No agent, number or other attribute of the recording is in tombstone or certificate."""
        before = rows(archived)
        enforce(quarantined(archived), "retention__2")
        written = "".join(json.dumps(documents(archived, folder)) for folder in ("tombstones", "certificates"))
        for row in before.values():
            for value in (row.agent_name, row.agent_id, row.ani, row.dnis, row.contact_id):
                assert value is None or value not in written

    def test_the_report_accounts_for_everything(self, archived: Archive) -> None:
        """Counts, entries, what stayed by reason, certificates and ledger head; its files check with sha256sum."""
        soon = quarantined(archived)
        victim = ids(archived)[0]
        change(archived, victim, verified_ok=False)
        done = enforce(soon, "retention__2")
        report = done.report
        assert (report["purged"], report["planned"], report["failed"]) == (5, 5, 0)
        assert report["kept"] == {"unverified": 1}
        assert (report["policy"], report["plan"], report["dryRun"]) == ("default:90", done.plan.sha256, False)
        assert report["certificates"] == list(done.closed.certificates)
        assert report["ledgerHead"].split(":")[0].isdigit()
        assert victim not in done.entries
        assert {entry["outcome"] for entry in report["entries"]} == {"done"}
        folder = (archived.settings.root / done.closed.report_key).parent
        check = f"cd '{folder}' && sha256sum --strict -c retention_report.sha256"
        assert subprocess.run(["bash", "-c", check], check=True, capture_output=True, text=True).stdout.count("OK") == 2
        files = events_of(archived, "reported")[-1].detail["files"]
        assert {key.rpartition("/")[2] for key in files} == {
            f"retention_report.{end}" for end in ("csv", "json", "sha256")
        }

    def test_many_parts_share_one_certificate_and_more_get_another(
        self, archived: Archive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A certificate lists so many parts at most."""
        monkeypatch.setattr("recording_archive.disposition.deletion.BATCH", 4)
        enforce(quarantined(archived), "retention__2")
        certificates = documents(archived, "certificates").values()
        assert sorted(len(document["parts"]) for document in certificates) == [2, 4]
        check_gone(archived)

    def test_a_waveform_and_rejected_copies_go_too(self, archived: Archive) -> None:
        """Whatever was made of a recording beside it, or kept of it by a repair, does not outlive it."""
        row = row_of(archived, ids(archived)[0])
        kept = f"rejected/2026-12-01/{row.key}"
        archived.store.put(sidecar.peaks_beside(row.key), b"{}")
        archived.store.put(kept, b"bad bytes")
        enforce(quarantined(archived), "retention__2")
        assert files_of(archived, row.interaction_id) == []
        assert archived.store.size(kept) is None

    def test_the_books_of_runs_forget_the_listing(self, archived: Archive) -> None:
        """What the source said of a recording is not kept in the catalog longer than its sidecar."""
        enforce(quarantined(archived), "retention__2")
        with archived.catalog.read() as connection:
            assert set(connection.execute(select(work.c.listing)).scalars()) == {None}


def outdate_hash(archive: Archive, name: str) -> None:
    change(archive, name, stored_sha256="0" * 64)


def make_young(archive: Archive, name: str) -> None:
    change(archive, name, interaction_date=EXPIRED)


def undate(archive: Archive, name: str) -> None:
    change(archive, name, interaction_date=None)


def condemn(archive: Archive, name: str) -> None:
    change(archive, name, verified_ok=False)


def never_verify(archive: Archive, name: str) -> None:
    change(archive, name, verified_ok=None)


def begin_work(archive: Archive, name: str) -> None:
    with archive.catalog.write() as connection:
        values = {"run_id": "scheduled__again", "interaction_id": name, "recording_id": name, "part": 0}
        connection.execute(insert(work).values(**values, carried_over=False, staged=True, expected_bytes=1))


def shorten(archive: Archive, name: str) -> None:
    path = archive.settings.root / row_of(archive, name).key
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-1])


def lose(archive: Archive, name: str) -> None:
    (archive.settings.root / row_of(archive, name).key).unlink()


HARMS: list[tuple[Harm, str]] = [
    (hold, "held by H-"),
    (possibly_hold, "possibly_held by H-"),
    (outdate_hash, "stored SHA-256"),
    (make_young, "too_young"),
    (undate, "undated"),
    (condemn, "unverified"),
    (never_verify, "unverified"),
]
AT_PLAN = [(harm, why) for harm, why in HARMS if harm is not outdate_hash]  # it is compared with that of the plan
AT_PURGE: list[tuple[Harm, str]] = [
    *HARMS,
    (begin_work, "run scheduled__again of archive_recordings is at work on it"),
    (shorten, "verify it"),
    (lose, "its object has None bytes"),
]
MOMENTS = [
    [(moment, harm) for harm, _ in harms]
    for moment, harms in (("plan", AT_PLAN), ("quarantine", HARMS), ("purge", AT_PURGE))
]


class TestRecheck:
    """What changed between plan and deed is seen in the transaction of the deed."""

    @pytest.mark.parametrize(("harm", "why"), AT_PLAN, ids=[harm.__name__ for harm, _ in AT_PLAN])
    def test_what_may_not_go_is_not_planned(self, archived: Archive, harm: Harm, why: str) -> None:
        """The plan leaves it out and counts the reason; everything else goes on."""
        victim = ids(archived)[2]
        harm(archived, victim)
        plan = make_plan(at(archived, EXPIRED), "retention__1")
        assert plan.counts["quarantine"] == 5
        assert victim not in planned(archived, "retention__1")
        assert plan.kept == {why.split(maxsplit=1)[0]: 1}

    @pytest.mark.parametrize(("harm", "why"), HARMS, ids=[harm.__name__ for harm, _ in HARMS])
    def test_what_may_not_go_any_more_is_not_quarantined(self, archived: Archive, harm: Harm, why: str) -> None:
        """It stays archived, and the report says why."""
        soon, victim = at(archived, EXPIRED), ids(archived)[2]
        make_plan(soon, "retention__1")
        harm(soon, victim)
        assert quarantine(soon, "retention__1", STOP) == 5
        assert row_of(archived, victim).state == State.ARCHIVED
        assert why in planned(archived, "retention__1")[victim].why

    @pytest.mark.parametrize(("harm", "why"), AT_PURGE, ids=[harm.__name__ for harm, _ in AT_PURGE])
    def test_what_may_not_go_any_more_is_not_purged(self, archived: Archive, harm: Harm, why: str) -> None:
        """A hold, a bad reading, another date or hash that comes after the plan saves the recording, every byte."""
        soon, victim = quarantined(archived), ids(archived)[2]
        make_plan(soon, "retention__2")
        harm(soon, victim)
        before = files_of(archived, victim)
        assert purge(soon, "retention__2", STOP) == 5
        assert files_of(archived, victim) == before
        assert row_of(archived, victim).state == State.QUARANTINED
        assert row_of(archived, victim).deleting_at is None
        assert why in planned(archived, "retention__2")[victim].why
        closed = close(soon, "retention__2")
        assert (closed.counts["purged"], closed.counts["notDone"]) == (5, 1)
        check_gone(archived)

    def test_a_hold_between_intent_and_bytes_takes_the_intent_back(self, archived: Archive) -> None:
        """The last look is in the transaction that removes the bytes: a hold that is there by then wins."""
        soon, victim = quarantined(archived), ids(archived)[2]
        make_plan(soon, "retention__2")
        held: list[str] = []

        class Slow(LocalStore):
            """Lets a hold come between the intent of one recording and the removal of its bytes."""

            def identity(self) -> str | None:
                deleting = row_of(archived, victim).deleting_at is not None
                if deleting and not held:
                    held.append(hold(soon, victim))
                return super().identity()

        before = files_of(archived, victim)
        assert purge(replace(soon, store=Slow(archived.settings.root)), "retention__2", STOP) == 5
        assert held
        row = row_of(archived, victim)
        assert (row.state, row.deleting_at, row.deletion) == (State.QUARANTINED, None, None)
        assert files_of(archived, victim) == before
        assert planned(archived, "retention__2")[victim].why == f"held by {held[0]}"
        check_gone(archived)

    def test_a_policy_that_came_into_force_after_the_plan_stops_it(self, archived: Archive) -> None:
        """Nothing goes by rules that are not those of the plan."""
        soon = quarantined(archived)
        make_plan(soon, "retention__2")
        longer = at(soon, soon.clock(), retention_days=3650)
        assert purge(longer, "retention__2", STOP) == 0
        assert {row.state for row in rows(archived).values()} == {State.QUARANTINED}
        assert "default:3650" in planned(archived, "retention__2")[ids(archived)[0]].why

    def test_a_root_that_is_not_the_archive_any_more_stops_everything(self, archived: Archive) -> None:
        """An unmounted volume is no deletion: no tombstone, no certificate, and the next run finds all there."""
        soon = quarantined(archived)
        make_plan(soon, "retention__2")
        root = archived.settings.root
        away = root.with_name("away")
        root.rename(away)
        root.mkdir()
        with pytest.raises(StoreError, match="no longer holds archive"):
            purge(soon, "retention__2", STOP)
        assert list(root.iterdir()) == []
        root.rmdir()
        away.rename(root)
        assert enforce(soon, "retention__3").purged == 6
        check_gone(archived)

    def test_a_root_that_goes_away_while_bytes_are_removed_claims_nothing(self, archived: Archive) -> None:
        """Where nothing is mounted everything looks removed: the root is looked at again before anyone is told."""
        soon = quarantined(archived)
        make_plan(soon, "retention__2")
        root = archived.settings.root
        away = root.with_name("away")

        class Lost(LocalStore):
            def remove(self, key: str) -> None:
                if not away.exists():
                    self.root.rename(away)
                    self.root.mkdir()
                super().remove(key)

        with pytest.raises(StoreError, match="no longer holds archive"):
            purge(replace(soon, store=Lost(root)), "retention__2", STOP)
        assert list(root.iterdir()) == []
        root.rmdir()
        away.rename(root)
        assert {len(files_of(archived, name)) for name in ids(archived)} == {2}
        assert enforce(soon, "retention__3").purged == 6
        check_gone(archived)


class TestAnything:
    """Whatever happens to whichever recording, and whenever, only what may go goes."""

    @settings(
        max_examples=10,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],  # an example takes half a second, and tells enough as it is
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(harms=st.lists(st.one_of(st.none(), *(st.sampled_from(each) for each in MOMENTS)), min_size=6, max_size=6))
    def test_only_what_may_go_goes(
        self, archived_once: Path, tmp_path_factory: pytest.TempPathFactory, harms: list[tuple[str, Harm] | None]
    ) -> None:
        """Recordings come to harm before the plan, before the quarantine, or before the purge: those stay."""
        folder = tmp_path_factory.mktemp("anything")
        shutil.copytree(archived_once, folder, dirs_exist_ok=True)
        archive = open_archive(settings_below(folder))
        doomed = {name: harm for name, harm in zip(ids(archive), harms, strict=True) if harm}

        def strike(moment: str) -> None:
            for name, (when, harm) in doomed.items():
                if when == moment:
                    harm(archive, name)

        first, second = at(archive, EXPIRED), at(archive, EXPIRED + QUARANTINE)
        strike("plan")
        make_plan(first, "retention__1")
        strike("quarantine")
        quarantine(first, "retention__1", STOP)
        make_plan(second, "retention__2")
        strike("purge")
        before = {name: files_of(archive, name) for name in ids(archive)}
        purge(second, "retention__2", STOP)
        for name, row in rows(archive).items():
            assert (row.state == State.PURGED) == (name not in doomed), (name, doomed.get(name))
            assert files_of(archive, name) == ([] if row.state == State.PURGED else before[name])
        check_gone(archive)
        archive.catalog.close()
        shutil.rmtree(folder)


class TestLocked:
    """Objects that a store holds back until a date."""

    def test_a_locked_object_is_pending_and_goes_when_its_lock_ends(self, archived: Archive) -> None:
        """No certificate before it is gone; a later run finishes it and reports it."""
        soon, victim = quarantined(archived), ids(archived)[0]
        key, until = row_of(archived, victim).key, datetime(2027, 6, 1, tzinfo=UTC)

        class Locked(LocalStore):
            def remove(self, key_: str) -> datetime | None:  # type: ignore[override]
                return until if key_ == key else super().remove(key_)

        locked = replace(soon, store=Locked(archived.settings.root))
        first = enforce(locked, "retention__2")
        assert (first.purged, first.closed.counts["pending"], first.closed.problems) == (5, 1, ())
        assert first.entries[victim]["why"] == "locked until 2027-06-01"
        assert row_of(archived, victim).state == State.QUARANTINED
        assert len(files_of(archived, victim)) == 2
        again = enforce(locked, "retention__3")
        assert (again.purged, again.closed.counts["pending"]) == (0, 1)
        last = enforce(at(soon, until), "retention__4")
        assert (last.purged, last.closed.counts["purged"]) == (1, 1)
        assert last.entries[victim]["why"] == "begun by run retention__2, finished by run retention__4"
        assert planned(archived, "retention__2")[victim].outcome == "done"
        check_gone(archived)

    def test_a_hold_that_comes_while_an_object_is_locked_keeps_it(self, archived: Archive) -> None:
        """The intent may be weeks old by then: it is taken back."""
        soon, victim = quarantined(archived), ids(archived)[0]

        class Locked(LocalStore):
            def remove(self, key: str) -> datetime | None:  # type: ignore[override]
                return datetime(2027, 6, 1, tzinfo=UTC) if victim in key else super().remove(key)

        enforce(replace(soon, store=Locked(archived.settings.root)), "retention__2")
        assert row_of(archived, victim).deleting_at is not None
        hold(soon, victim)
        ended = enforce(at(soon, datetime(2027, 6, 2, tzinfo=UTC)), "retention__3")
        assert ended.purged == 0
        assert len(files_of(archived, victim)) == 2
        assert row_of(archived, victim).deleting_at is None
        assert "held by" in ended.entries[victim]["why"]
        check_gone(archived)


class TestStop:
    """A stop signal ends a task between two parts, and the rest is left."""

    def test_what_was_deleted_before_a_stop_is_certified(self, archived: Archive) -> None:
        """The rest waits for the next attempt of the same run, and nothing is half done."""
        soon, stop = quarantined(archived), threading.Event()
        make_plan(soon, "retention__2")

        class Stopping(LocalStore):
            def remove(self, key: str) -> None:
                super().remove(key)
                if len([row for row in rows(archived).values() if row.deleting_at]) == 2:
                    stop.set()

        assert purge(replace(soon, store=Stopping(archived.settings.root)), "retention__2", stop) == 2
        check_gone(archived)
        assert purge(soon, "retention__2", STOP) == 4
        check_gone(archived)
        assert close(soon, "retention__2").counts["purged"] == 6


class TestRestore:
    """A person takes a recording back."""

    def test_a_restored_recording_is_archived_and_left_alone_for_a_while(self, archived: Archive) -> None:
        """It can be heard again; plans spare it for as long as a quarantine lasts, then it is due again."""
        soon, victim = quarantined(archived), ids(archived)[0]
        (decision,) = restore(soon, victim, reason="case 7", actor="ann")
        assert decision.refused is None
        row = row_of(archived, victim)
        assert (row.state, row.quarantined_at) == (State.ARCHIVED, None)
        (event,) = events_of(archived, "restored")
        assert (event.actor, event.detail["reason"]) == ("ann", "case 7")
        assert event.segment is not None
        spared = enforce(soon, "retention__2")
        assert (spared.purged, spared.quarantined, spared.plan.kept) == (5, 0, {"restored": 1})
        later = at(soon, soon.clock() + QUARANTINE)
        assert enforce(later, "retention__3").quarantined == 1
        assert enforce(at(soon, later.clock() + QUARANTINE), "retention__4").purged == 1

    def test_a_recording_restored_after_the_plan_is_not_purged(self, archived: Archive) -> None:
        """The plan's word does not go against a person's."""
        soon, victim = quarantined(archived), ids(archived)[0]
        make_plan(soon, "retention__2")
        restore(soon, victim, reason="case 7", actor="ann")
        assert purge(soon, "retention__2", STOP) == 5
        assert planned(archived, "retention__2")[victim].why == "it is archived, not quarantined"
        assert len(files_of(archived, victim)) == 2

    def test_a_recording_restored_after_the_plan_is_not_quarantined_again(self, archived: Archive) -> None:
        """An attempt that comes late, with the plan of before, lets it be."""
        soon, victim = at(archived, EXPIRED), ids(archived)[0]
        make_plan(soon, "retention__1")
        change(archived, victim, deletion={"restoredUntil": (EXPIRED + QUARANTINE).isoformat()})
        assert quarantine(soon, "retention__1", STOP) == 5
        assert row_of(archived, victim).state == State.ARCHIVED
        assert "it was restored" in planned(archived, "retention__1")[victim].why

    def test_what_is_not_in_quarantine_cannot_be_restored(self, archived: Archive) -> None:
        """The refusal says what it is instead, with the certificate of what is gone."""
        victim = ids(archived)[0]
        (decision,) = restore(archived, victim, reason="r", actor="ann")
        assert decision.refused == "it is archived, not quarantined"
        enforce(quarantined(archived), "retention__2")
        (decision,) = restore(archived, victim, reason="r", actor="ann")
        assert decision.refused == (
            f"it was purged, certificate {row_of(archived, victim).certificate}: nothing brings it back"
        )
        assert restore(archived, "nobody", reason="r", actor="ann") == []
        with pytest.raises(ConfigurationError, match="reason is empty"):
            restore(archived, victim, reason=" ", actor="ann")

    @pytest.mark.parametrize("harm", [hold, possibly_hold, make_young])
    def test_what_may_not_go_any_more_leaves_the_quarantine(self, archived: Archive, harm: Harm) -> None:
        """A hold, or a longer policy, brings it back to the archive, where it can be heard; the report says so."""
        soon, victim = quarantined(archived), ids(archived)[0]
        harm(soon, victim)
        ended = enforce(soon, "retention__2")
        assert row_of(archived, victim).state == State.ARCHIVED
        assert (ended.entries[victim]["action"], ended.report["restored"]) == ("restore", 1)
        assert ended.entries[victim]["why"] == {"hold": "held", "possibly_hold": "possibly_held"}.get(
            harm.__name__, "too_young"
        )
        assert ended.purged == 5
        (event,) = events_of(archived, "restored")
        assert event.run_id == "retention__2"


class TestRefused:
    """Plans that may not be carried out."""

    def test_a_plan_that_needs_approval_and_has_none_does_nothing(self, archived: Archive) -> None:
        """Both deeds refuse, and the report calls the run failed."""
        soon = at(archived, EXPIRED, max_delete_count=0)
        make_plan(soon, "retention__1")
        for deed in (quarantine, purge):
            with pytest.raises(PermanentError, match="needs approval and has none"):
                deed(soon, "retention__1", STOP)
        closed = close(soon, "retention__1")
        assert closed.failed
        assert "not approved" in closed.problems[0]
        assert {row.state for row in rows(archived).values()} == {State.ARCHIVED}
        assert {row.why for row in planned(archived, "retention__1").values()} == {"the plan was not approved"}

    def test_a_dry_run_changes_nothing(self, archived: Archive) -> None:
        """It may look into the future, and its report lists what would go."""
        ended = enforce(at(archived, EXPIRED - timedelta(days=300)), "retention__1", as_of=EXPIRED, dry_run=True)
        assert (ended.quarantined, ended.purged, ended.closed.problems) == (0, 0, ())
        assert ended.report["dryRun"]
        assert {entry["why"] for entry in ended.report["entries"]} == {"dry run"}
        assert len(ended.report["entries"]) == 6
        assert {row.state for row in rows(archived).values()} == {State.ARCHIVED}
        assert events_of(archived, "quarantined") == []

    def test_a_closed_plan_is_not_carried_out(self, archived: Archive) -> None:
        """A task that comes after the report does nothing."""
        soon = at(archived, EXPIRED)
        make_plan(soon, "retention__1")
        close(soon, "retention__1")
        with pytest.raises(PermanentError, match="its report is written"):
            quarantine(soon, "retention__1", STOP)

    def test_a_run_without_a_plan_has_a_report_that_says_so(self, archived: Archive) -> None:
        """It is failed, and it names the cause."""
        closed = close(archived, "retention__1")
        assert closed.problems == ("the run made no plan",)
        with pytest.raises(PermanentError, match="no finished plan"):
            purge(archived, "retention__1", STOP)
