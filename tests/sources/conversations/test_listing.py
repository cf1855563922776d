"""Recordings without media in a batch: deferred, left out or failed, by their state."""

from __future__ import annotations

from pathlib import Path

from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from support.platform_run import Start, archived, nights_later, run, trapped, verified_parts
from support.whole_run import objects


def test_several_results_of_a_recording_become_parts(start: Start, archive: Archive) -> None:
    """Each file is an object of its own, counted from 0."""
    tasks = start("multi_part")
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    parts = {part.part for part in archived(ended) if part.interaction_id in trapped(tasks, "multi_part")}
    assert parts == {0, 1}


def test_an_open_conversation_is_visited_until_it_ends(start: Start, archive: Archive) -> None:
    """Its recordings so far are archived at once; it comes again each night, and no more after its end."""
    tasks = start("open")
    first = run(tasks, archive, "scheduled__0")
    assert (first.report["deferred"], first.summary.problems) == (2, ())
    assert verified_parts(tasks, archive, first) == set(tasks.cloud.world.truth())
    assert nights_later(tasks, archive, 5).report["deferred"] == 2
    tasks.cloud.world.closed = True
    assert nights_later(tasks, archive, 6).report["deferred"] == 0
    assert nights_later(tasks, archive, 7).report["asked"] == 0


def test_cold_recordings_are_restored_and_taken_up_later(start: Start, archive: Archive) -> None:
    """One PUT each, which leaves the delete date as it is; no failure, and the night after the restore has them."""
    tasks = start("archived")
    dates = {each.recording_id: each.delete_at for each in tasks.source().inventory()}
    first = run(tasks, archive, "scheduled__0")
    assert (first.report["deferred"], tasks.cloud.requests.counts["restore"], first.summary.problems) == (2, 2, ())
    assert nights_later(tasks, archive, 3).report["deferred"] == 2
    assert tasks.cloud.requests.counts["restore"] == 2
    tasks.cloud.world.finish_restores()
    last = nights_later(tasks, archive, 4)
    assert last.statuses == {"success": 2}
    assert {each.recording_id: each.delete_at for each in tasks.source().inventory()} == dates
    assert verified_parts(tasks, archive, last) == set(tasks.cloud.world.truth())


def test_cold_recordings_that_may_not_be_restored_fail_by_name(start: Start, archive: Archive) -> None:
    """The missing permission is in the error of each."""
    some = "analytics:conversationDetail:view,recording:recording:view"
    ended = run(start("archived", permissions=some), archive, "scheduled__0")
    errors = [entry["error"] for entry in ended.report["entries"] if entry["status"] == "failed"]
    assert len(errors) == 2
    assert all("recording:recording:restore" in error and "ININ-Correlation-Id" in error for error in errors)


def test_sensitive_recordings_left_out_are_failures(start: Start, archive: Archive) -> None:
    """An archive that lacks them must say so, and what permission is missing; redacted media is never taken instead."""
    some = "analytics:conversationDetail:view,recording:recording:view"
    tasks = start("sensitive", permissions=some)
    ended = run(tasks, archive, "scheduled__0")
    failed = [entry for entry in ended.report["entries"] if entry["status"] == "failed"]
    assert {entry["interactionId"] for entry in failed} == set(trapped(tasks, "sensitive"))
    assert all("viewSensitiveData" in entry["error"] for entry in failed)
    assert tasks.cloud.requests.counts["playback"] == 0
    whole = run(start("sensitive"), archive, "scheduled__1")
    assert whole.report["failed"] == 0


def test_deleted_and_never_made_recordings_are_no_failures(start: Start, archive: Archive) -> None:
    """A policy may delete at once, and an upload may fail: the report says that the source has none."""
    tasks = start("deleted,unrecorded")
    first = run(tasks, archive, "scheduled__0")
    assert (first.report["excluded"], first.report["deferred"], first.summary.problems) == (2, 2, ())
    later = nights_later(tasks, archive, 3)
    assert (later.report["excluded"], later.report["deferred"]) == (2, 0)
    asked = run(tasks, archive, "manual__0", Request(ids=tuple(trapped(tasks, "deleted"))))
    assert len(asked.report["missing"]) == 2


def test_an_upload_that_never_ends_becomes_a_failure(start: Start, archive: Archive) -> None:
    """Deferred at first; days later somebody must look."""
    tasks = start("uploading")
    first = run(tasks, archive, "scheduled__0")
    assert (first.report["deferred"], first.summary.problems) == (2, ())
    last = nights_later(tasks, archive, 4)
    assert {entry["error"] for entry in last.report["entries"]} == {"the recording is still being uploaded"}


def test_chats_and_mails_come_without_the_recording_flag(start: Start, archive: Archive) -> None:
    """Chats are ZIP files, mails are EML files."""
    tasks = start("digital")
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    assert {Path(key).suffixes[-2] for key in objects(archive)} == {".wav", ".zip", ".eml"}
