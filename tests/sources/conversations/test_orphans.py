"""Orphan recordings, which belong to no conversation: archived like all others, in few requests."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.archiving.reconcile import Standing, reconcile
from recording_archive.archiving.request import Request
from recording_archive.model import PartId, Window
from support.platform_run import PER_DAY, PlatformTasks, Start, nights_later, run, verified_parts
from support.whole_run import DAY, NIGHT, at, check_books, objects, sidecar_of

WITHOUT = "analytics:conversationDetail:view,recording:recording:view,recording:recording:viewSensitiveData"


def ids(tasks: PlatformTasks) -> list[str]:
    """The orphans of the sandbox."""
    return [each.id for each in tasks.cloud.world.orphans]


def test_orphans_of_the_interval_are_archived(start: Start, archive: Archive) -> None:
    """Interactions of their own, under their own date; the service's own JSON, conversation and all, is kept."""
    tasks = start("orphans")
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    assert (ended.report["asked"], ended.summary.problems) == (PER_DAY + 3, ())
    kept = [json.loads(archive.store.read(sidecar_of(key))) for key in objects(archive) if "day=20" in key]
    fields = {each["interactionId"]: each["sourceFields"] for each in kept if "orphan" in each["sourceFields"]}
    assert set(fields) == set(ids(tasks))
    named = [each["orphan"].get("recording", {}).get("conversationId") for each in fields.values()]
    assert sorted(filter(None, named)) == [tasks.cloud.world.conversations[0].id]


def test_an_orphan_costs_two_requests_once(start: Start, archive: Archive) -> None:
    """One more lists them all each night, and later nights know that nothing is left of them to ask for."""
    tasks = start("orphans")
    run(tasks, archive, "scheduled__0")
    assert tasks.cloud.requests.counts["orphans"] == 1 + 2 * 3
    nights_later(tasks, archive, 1)
    tasks.cloud.requests.clear()
    again = run(tasks, archive, "manual__0", Request(window=DAY))
    assert (again.report["alreadyArchived"], again.summary.problems) == (PER_DAY + 3, ())
    assert (tasks.cloud.requests.counts["orphans"], tasks.cloud.requests.counts["media"]) == (1, 0)


def test_orphans_of_other_days_are_not_asked_for(start: Start) -> None:
    """Orphans are listed by the time at which they were made."""
    tasks = start("orphans")
    day = timedelta(days=1)
    found = {each.part_id for each in tasks.source().discover(ids=(), window=Window(DAY.end, DAY.end + day))}
    assert found == set()
    undated = replace(tasks.cloud.world.orphans[0], date=DAY.start - 9 * day)
    tasks.cloud.world.orphans = [undated]
    assert not {each.part_id.interaction_id for each in tasks.source().discover(ids=(), window=DAY)} & {undated.id}


def test_an_orphan_can_be_named(start: Start, archive: Archive) -> None:
    """By its id, beside conversations; what is neither is missing."""
    tasks = start("orphans")
    asked = (ids(tasks)[1], tasks.cloud.world.conversations[0].id, "nobody")
    ended = run(tasks, archive, "manual__0", Request(ids=asked))
    assert {part.interaction_id for part in verified_parts(tasks, archive, ended)} == set(asked[:2])
    assert ended.report["missing"] == ["nobody"]


def test_without_the_permission_there_are_none_and_nothing_fails(start: Start, archive: Archive) -> None:
    """`check` warns of it; a run archives the rest, asks once, and its report says so."""
    tasks = start("orphans", permissions=WITHOUT)
    ended = run(tasks, archive, "scheduled__0")
    assert (ended.report["successful"], ended.summary.problems) == (PER_DAY, ())
    assert tasks.cloud.requests.counts["orphans"] == 1
    (note,) = ended.report["listing"]["notes"]
    assert note.startswith("orphan recordings were refused, none are archived: ")
    assert any(note.startswith("recording:orphan:view is missing") for note in tasks.source().probe().notes)


def test_an_orphan_is_renewed_and_waited_for(start: Start, archive: Archive) -> None:
    """Its URL expires like others, and its media may be transcoded at first."""
    tasks = start("orphans,transcoding")
    tasks.cloud.faults.add(Fault("expired", times=1))
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())


@pytest.mark.parametrize(
    ("state", "says"), [("UPLOADING", ""), ("RESTORING", ""), ("ARCHIVED", "recover it in Genesys Cloud")]
)
def test_an_orphan_without_media_says_why(start: Start, archive: Archive, state: str, says: str) -> None:
    """Media that will come by themselves are deferred and taken up later; others are a failure with the remedy."""
    tasks = start("orphans", per_day=2)
    tasks.cloud.world.orphan_state = state
    first = run(tasks, archive, "scheduled__0")
    check_books(archive, first)
    errors = [entry["error"] for entry in first.report["entries"] if entry["status"] == "failed"]
    assert (first.report["deferred"], len(errors)) == ((0, 3) if says else (3, 0))
    assert all(says in error for error in errors)
    tasks.cloud.world.orphan_state = "AVAILABLE"
    nights_later(tasks, archive, 1)
    last = nights_later(tasks, archive, 2)
    assert verified_parts(tasks, archive, last) == set(tasks.cloud.world.truth())


def test_what_was_deleted_is_no_orphan(start: Start, archive: Archive) -> None:
    """Neither a failure nor anything to archive."""
    tasks = start("orphans")
    tasks.cloud.world.orphan_state = "DELETED"
    ended = run(tasks, archive, "scheduled__0")
    assert (ended.report["asked"], ended.summary.problems) == (PER_DAY, ())


def test_more_orphans_than_one_list_shows(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Orphans without a conversation are cut off at 500, with a warning; those with one have another list."""
    tasks = start("orphans")
    known, plain, _ = tasks.cloud.world.orphans
    many = [replace(plain, id=f"{plain.id[:-3]}{n:03}") for n in range(600)]
    tasks.cloud.world.orphans = [*many, known]
    listed = {each.part_id for each in tasks.source().discover(ids=(), window=DAY)}
    assert len(listed & {PartId.whole(each.id) for each in many}) == 500
    assert PartId.whole(known.id) in listed
    assert "more orphan recordings" in caplog.text


def test_reconcile_names_orphans(start: Start, archive: Archive) -> None:
    """Unknown until they are archived: the inventory has them beside its recordings."""
    tasks = start("orphans")
    later = at(archive, NIGHT + timedelta(days=5))

    def standings() -> list[Standing]:
        found = reconcile(later, tasks.source().inventory(), within=timedelta(days=1))
        return [each.standing for each in found if each.stored.interaction_id in ids(tasks)]

    assert standings() == 3 * [Standing.UNKNOWN]
    run(tasks, archive, "scheduled__0")
    assert standings() == 3 * [Standing.ARCHIVED]


@pytest.mark.parametrize("status", [429, 503])
def test_a_list_that_breaks_off_costs_the_orphans_alone(start: Start, archive: Archive, status: int) -> None:
    """All conversations are archived; the run is red and its coverage partial, and the next night has the orphans."""
    tasks = start("orphans")
    tasks.cloud.faults.add(Fault("status", "orphans", route="*/orphanrecordings", status=status))
    first = run(tasks, archive, "scheduled__0")
    assert (first.report["successful"], first.report["coverage"]) == (PER_DAY, "partial")
    (problem,) = first.summary.problems
    assert problem.startswith("Interactions could not be listed: an unknown number between 2026-11-19")
    assert ("orphan recordings" in problem, str(status) in problem) == (True, True)
    tasks.cloud.faults.clear()
    second = nights_later(tasks, archive, 1)
    assert second.summary.problems == ()
    assert verified_parts(tasks, archive, second) == set(tasks.cloud.world.truth())
