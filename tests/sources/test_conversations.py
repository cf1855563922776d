"""Whole runs against the platform API, trap by trap: media are archived, or reported with the reason."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from genesys_sandbox import Fault
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving import download
from recording_archive.archiving.request import Request
from recording_archive.archiving.work_rows import open_work
from recording_archive.catalog.tables import events, recordings
from recording_archive.model import PartId, State, Window
from recording_archive.recovery.reindex import reindex
from recording_archive.sources.conversations.query import DetailsQuery
from support.platform_run import (
    PER_DAY,
    Start,
    archived,
    nights_later,
    platform_client,
    run,
    trapped,
    verified_parts,
)
from support.whole_run import DAY, NIGHT, at, leaks, objects, sidecar_of


def test_a_day_is_archived_and_then_costs_no_batch(start: Start, archive: Archive) -> None:
    """Every recording once; two nights on it is known that nothing is left to ask for."""
    tasks = start()
    first = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, first) == set(tasks.cloud.world.truth())
    assert first.report["asked"] == first.report["successful"] == PER_DAY
    assert first.report["apiRequests"] == tasks.cloud.requests.api_requests + tasks.cloud.requests.counts["token"]
    second = nights_later(tasks, archive, 1)
    assert (second.report["alreadyArchived"], second.summary.problems) == (PER_DAY, ())
    tasks.cloud.requests.clear()
    third = run(tasks, archive, "manual__0", Request(window=DAY))
    assert (third.report["alreadyArchived"], third.summary.problems) == (PER_DAY, ())
    assert (tasks.cloud.requests.counts["batch"], tasks.cloud.requests.counts["media"]) == (0, 0)


def test_what_ended_just_now_is_asked_for_again(start: Start, archive: Archive) -> None:
    """A recording may be uploaded hours after its conversation ended, so only old ones are known to be complete."""
    tasks = start()
    evening = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)
    early = replace(tasks, now=lambda: evening)
    run(early, archive, "manual__0", Request(window=DAY))
    tasks.cloud.requests.clear()
    again = run(tasks, archive, "scheduled__0")
    late = [each for each in tasks.cloud.world.conversations if each.end > evening - timedelta(hours=6)]
    assert 0 < len(late) < PER_DAY
    assert tasks.cloud.requests.counts["batch"] == 1
    assert (again.report["alreadyArchived"], again.report["bytesDownloaded"]) == (PER_DAY, 0)


def test_all_traps_at_once_lose_nothing(start: Start, archive: Archive) -> None:
    """After the restores, the uploads and the end of the open ones, everything there is lies in the archive."""
    tasks = start("all", data_lag_hours=0)
    first = run(tasks, archive, "scheduled__0")
    have = verified_parts(tasks, archive, first)
    assert first.summary.problems == ()
    waiting = set(tasks.cloud.world.truth()) - have
    assert {part.interaction_id for part in map(PartId._make, waiting)} == {
        *trapped(tasks, "archived"),
        *trapped(tasks, "uploading"),
    }
    world = tasks.cloud.world
    world.finish_restores()
    world.uploaded = world.closed = True
    second = nights_later(tasks, archive, 1)
    assert verified_parts(tasks, archive, second) == set(world.truth())
    third = nights_later(tasks, archive, 2)
    assert (third.report["deferred"], third.summary.problems) == (0, ())
    assert verified_parts(tasks, archive, third) == set(world.truth())


def test_several_results_of_a_recording_become_parts(start: Start, archive: Archive) -> None:
    """Each file is an object of its own, counted from 0."""
    tasks = start("multi_part")
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    parts = {part.part for part in archived(ended) if part.interaction_id in trapped(tasks, "multi_part")}
    assert parts == {0, 1}


def test_two_recordings_have_the_agent_of_their_own_leg(start: Start, archive: Archive) -> None:
    """After a transfer only the recording's session tells who is heard."""
    tasks = start("transfers")
    ended = run(tasks, archive, "scheduled__0")
    verified_parts(tasks, archive, ended)
    with archive.catalog.read() as connection:
        found = {(row.interaction_id, row.recording_id): row for row in connection.execute(select(recordings))}
    for each in tasks.cloud.world.conversations:
        for item in each.items:
            row, fields = found[each.id, item.id], item.parts[0].fields
            assert (row.agent_id, row.agent_name) == (fields["agentId"], fields["agentName"])


def test_a_large_run_names_no_agent_it_is_not_sure_of(start: Start) -> None:
    """A recording after a transfer then has no agent to search by; its sidecar has all."""
    tasks = start("transfers")
    parts = [PartId.whole(each) for each in trapped(tasks, "transfers")]
    listed = list(tasks.source().resolve(parts, thrifty=True))
    listed = [each for each in listed if len({agent["id"] for agent in each.source_fields["agents"]}) == 2]
    assert {each.attributes.agent_id for each in listed} == {None}
    assert tasks.cloud.requests.counts["metadata"] == 0


def test_the_join_fills_what_people_search_by(start: Start, archive: Archive) -> None:
    """Names, numbers, direction, queue, division; contact; the whole reply and wrap-up are in the sidecar."""
    tasks = start()
    run(tasks, archive, "scheduled__0")
    one = tasks.cloud.world.conversations[0]
    with archive.catalog.read() as connection:
        row = connection.execute(select(recordings).where(recordings.c.interaction_id == one.id)).one()
    names = {"agent_name": "agentName", "queue_name": "queueName", "ani": "ani", "dnis": "dnis", "division": "division"}
    assert {ours: getattr(row, ours) for ours in names} == {ours: one.fields[name] for ours, name in names.items()}
    assert (row.direction, row.media_type, row.interaction_date) == (one.fields["direction"], "voice", one.start)
    fields = json.loads(archive.store.read(sidecar_of(row.key)))["sourceFields"]
    assert fields["conversation"]["conversationId"] == one.id
    assert [(each["name"], each["note"]) for each in fields["wrapUps"]] == [(one.fields["wrapUpCode"], "Noted.")]
    assert row.contact_id == fields["conversation"]["participants"][0]["externalContactId"]


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
    """One PUT each; the run is no failure, and the night after the restore has them."""
    tasks = start("archived")
    first = run(tasks, archive, "scheduled__0")
    assert (first.report["deferred"], tasks.cloud.requests.counts["restore"], first.summary.problems) == (2, 2, ())
    assert nights_later(tasks, archive, 3).report["deferred"] == 2
    assert tasks.cloud.requests.counts["restore"] == 2
    tasks.cloud.world.finish_restores()
    last = nights_later(tasks, archive, 4)
    assert last.statuses == {"success": 2}
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


def test_errors_in_a_batch_are_played_back_instead(start: Start, archive: Archive) -> None:
    """Also while playback transcodes at first."""
    tasks = start("batch_errors,transcoding")
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    assert tasks.cloud.requests.counts["playback"] == 6


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


def test_a_division_without_a_role_is_simply_not_there(start: Start, archive: Archive) -> None:
    """A run does not mention it; `check` does."""
    tasks = start("division_gap")
    ended = run(tasks, archive, "scheduled__0")
    assert ended.report["asked"] == PER_DAY - 2
    assert "South-East" in " ".join(tasks.source().probe().notes)


@pytest.mark.parametrize("traps", ["zero_start", "changing_count", "changing_count,zero_start", "lost_batches"])
def test_a_batch_is_done_when_it_says_so(start: Start, archive: Archive, traps: str) -> None:
    """0 of 0, and as many as expected so far, are no end."""
    tasks = start(traps, batch_polls=3)
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())


@pytest.mark.parametrize("traps", ["", "fixed_urls", "lost_batches", "batch_errors"])
def test_expired_urls_are_renewed(start: Start, archive: Archive, traps: str) -> None:
    """By polling again, by a new batch where that signs nothing, or by playback."""
    tasks = start(traps)
    tasks.cloud.faults.add(Fault("expired", times=1))
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())


@pytest.mark.parametrize(("traps", "batches"), [("", 1), ("fixed_urls", 2), ("lost_batches", 2)])
def test_a_batch_is_renewed_once_for_all_of_its_parts(start: Start, traps: str, batches: int) -> None:
    """All URLs of a batch expire together: twenty renewals cost what one costs."""
    tasks = start(traps)
    source = tasks.source()
    parts = [PartId.whole(each.id) for each in tasks.cloud.world.conversations]
    old = {each.part_id: each.media_url for each in source.resolve(parts)}
    new = {part: source.renew(part) for part in old}
    assert all(new[part] != url for part, url in old.items())
    assert (len(old), tasks.cloud.requests.counts["batch"]) == (PER_DAY, batches)


@pytest.mark.parametrize("traps", ["", "silent_limit"])
def test_windows_shrink_until_the_service_takes_them(start: Start, traps: str) -> None:
    """Interval and result limits of any size are found by asking, announced or not; each conversation is listed."""
    tasks = start(traps, days=6, interval_days=1, max_results=100, per_day=130)
    query = DetailsQuery(platform_client(tasks.cloud))
    window = Window(datetime(2026, 11, 15, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    found = {each.id for each in query.began_in(window)}
    assert found == {each.id for each in tasks.cloud.world.conversations}
    before = tasks.cloud.requests.counts["details"]
    assert {each.id for each in query.began_in(window)} == found
    assert tasks.cloud.requests.counts["details"] - before < before


def test_conversations_of_other_days_are_clamped(start: Start) -> None:
    """The service gives whatever was active on a day that the interval touches."""
    tasks = start()
    window = Window(datetime(2026, 11, 20, 10, tzinfo=UTC), datetime(2026, 11, 20, 12, tzinfo=UTC))
    found = [each.started_at for each in DetailsQuery(platform_client(tasks.cloud)).began_in(window)]
    assert all(moment in window for moment in found if moment)
    assert len(found) == sum(each.start in window for each in tasks.cloud.world.conversations)


def test_a_long_range_takes_a_job_as_far_as_the_lake_reaches(start: Start, archive: Archive) -> None:
    """The rest, younger than the lake, is asked for by query; without jobs all of it is."""
    tasks = replace(start(days=6, per_day=4), options={"job_from_hits": 20})
    window = Window(datetime(2026, 11, 15, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    ended = run(tasks, archive, "manual__0", Request(window=window))
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    assert tasks.cloud.requests.counts["jobs"] == 5
    tasks.cloud.faults.add(Fault("forbidden", "jobs"))
    listed = {each.part_id for each in tasks.source().discover(ids=(), window=window)}
    assert len(listed) == 24


def test_participant_attributes_are_kept_by_name_only(start: Start, archive: Archive) -> None:
    """A request more for each conversation, and only when any are allowed; the others may hold anything."""
    tasks = start(per_day=3)
    run(replace(tasks, options={"allowed": ["customerTier", "other"]}), archive, "scheduled__0")
    sidecars = [archive.store.read(sidecar_of(key)) for key in objects(archive)]
    assert [json.loads(each)["sourceFields"]["participantAttributes"] for each in sidecars] == 3 * [
        {"customerTier": "gold"}
    ]
    assert not any(b"accountPin" in each for each in sidecars)
    assert tasks.cloud.requests.counts["metadata"] == 3


def test_a_storm_of_429_is_waited_out(start: Start, archive: Archive) -> None:
    """Each kind of request is refused three times."""
    tasks = start("batch_errors", faults="storm")
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())


def test_the_allowance_of_the_minute_is_kept(start: Start) -> None:
    """The headers say when it is used up; no request is sent that would be refused, whoever used it up."""
    tasks = start(rate_per_minute=4)
    waited = threading.Event()

    def sleep(seconds: float) -> None:
        waited.set()
        with tasks.cloud._cloud.tokens._lock:  # the next minute begins
            tasks.cloud._cloud.tokens._client.window_start -= seconds

    client = platform_client(tasks.cloud, sleep=sleep, clock=lambda: 0.0)
    for _ in range(9):
        client.get("/api/v2/organizations/me", lambda reply: reply)
    assert waited.is_set()
    assert [request.status for request in tasks.cloud.requests if request.status == 429] == []


def test_a_batch_that_fails_for_good_is_carried_over(start: Start, archive: Archive) -> None:
    """The conversations of the day come again the next night, though their recordings were never named."""
    tasks = start()
    tasks.cloud.faults.add(Fault("status", "batch"))
    first = run(tasks, archive, "scheduled__0")
    assert first.report["failed"] == PER_DAY
    tasks.cloud.faults.clear()
    second = nights_later(tasks, archive, 4)
    assert second.statuses == {"success": PER_DAY}
    assert verified_parts(tasks, archive, second) == set(tasks.cloud.world.truth())
    with archive.catalog.read() as connection:
        states = set(connection.execute(select(recordings.c.state)).scalars())
    assert states == {State.ARCHIVED}


def test_a_stopped_download_goes_on_where_it_was(start: Start, archive: Archive) -> None:
    """Parts that were named before the stop are asked for by name, and nothing is entered twice."""
    tasks = start("multi_part")
    (batch,) = tasks.query(at(archive, NIGHT), "scheduled__0")
    stop = threading.Event()
    tasks.cloud.faults.add(Fault("reset"))
    with tasks.media(stop) as media:
        source = tasks.source()
        jobs = list(download._resolved(archive, source, _todo(archive), stop))
        assert all(not job.part_id.is_whole for job, _ in jobs)
    tasks.cloud.faults.clear()
    tasks.download(archive, "scheduled__0", batch.number)
    tasks.gzip(archive, "scheduled__0", batch.number)
    ended = tasks.report(archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    assert media is not None


def _todo(archive: Archive) -> Any:
    with archive.catalog.read() as connection:
        return open_work(connection, "scheduled__0", 1, staged=False)


def test_interactions_can_be_named(start: Start, archive: Archive) -> None:
    """Asked by id, with dates as well if given; one that does not exist is missing."""
    tasks = start("open")
    ids = tuple(each.id for each in tasks.cloud.world.conversations[1:3])
    ended = run(tasks, archive, "manual__0", Request(ids=(*ids, "nobody")))
    assert {part.interaction_id for part in archived(ended)} == set(ids)
    assert ended.report["missing"] == ["nobody"]


def test_names_are_looked_up_once(start: Start, archive: Archive, tmp_path: Path) -> None:
    """Agents who left as well; the next task finds them in the file, and a missing permission costs the name alone."""
    tasks = start()
    kept = replace(tasks, options={"names_file": tmp_path / "names.json"})
    run(kept, archive, "scheduled__0")
    asked = tasks.cloud.requests.counts["directory"]
    first = json.loads((tmp_path / "names.json").read_text())["names"]
    assert any(name.endswith("1") for name in first["users"].values())
    parts = [PartId.whole(each.id) for each in tasks.cloud.world.conversations]
    assert all(each.attributes.agent_name for each in kept.source().resolve(parts))
    assert tasks.cloud.requests.counts["directory"] == asked
    assert (tmp_path / "names.json").stat().st_mode & 0o77 == 0
    poor = start(permissions="analytics:conversationDetail:view,recording:recording:view")
    listed = next(poor.source().resolve([PartId.whole(poor.cloud.world.conversations[0].id)]))
    assert (listed.attributes.queue_name, listed.defect) == (None, None)
    assert listed.attributes.queue_id


def test_each_conversation_is_recorded_as_listed_once(start: Start, archive: Archive) -> None:
    """The event says how many recordings there were; it is what later runs go by."""
    tasks = start("multi_part,open")
    run(tasks, archive, "scheduled__0")
    with archive.catalog.read() as connection:
        rows = connection.execute(select(events).where(events.c.kind == "listed")).all()
    details = {row.interaction_id: row.detail for row in rows}
    assert set(details) == {each.id for each in tasks.cloud.world.conversations} - set(trapped(tasks, "open"))
    assert details[trapped(tasks, "multi_part")[0]] == {"recordings": 1, "parts": 2}


def test_no_secret_is_left_anywhere(
    start: Start, archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither token nor signature in catalog, archive, names, log or errors."""
    caplog.set_level(logging.DEBUG)
    tasks = start("all")
    tasks.cloud.faults.add(Fault("expired", times=1), Fault("status", times=1, status=500))
    kept = replace(tasks, options={"names_file": tmp_path / "names.json"})
    ended = run(kept, archive, "scheduled__0")
    assert leaks(tmp_path, tasks.cloud, [ended], caplog.text) == []


def test_a_rebuilt_catalog_knows_what_still_waits(start: Start, archive: Archive) -> None:
    """Open conversations and cold recordings come again though coverage is closed and the catalog was lost."""
    tasks = start("open,archived")
    run(tasks, archive, "scheduled__0")
    archive.catalog.close()
    Path(archive.settings.catalog_url.removeprefix("sqlite:///")).unlink()
    rebuilt = list(reindex(archive.settings))
    assert rebuilt
    again = open_archive(archive.settings)
    tasks.cloud.world.finish_restores()
    tasks.cloud.world.closed = True
    ended = nights_later(tasks, again, 5)
    assert verified_parts(tasks, again, ended) == set(tasks.cloud.world.truth())
    assert nights_later(tasks, again, 6).report["asked"] == 0
    again.catalog.close()


def test_a_query_that_ends_early_is_warned_of(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Its totalHits may count what other divisions hide, so that it cannot be an error."""
    tasks = start()
    tasks.cloud.faults.add(Fault("set_fields", "details", values={"totalHits": PER_DAY + 5}))
    assert len(list(DetailsQuery(platform_client(tasks.cloud)).began_in(DAY))) == PER_DAY
    assert f"gave {PER_DAY} of {PER_DAY + 5}" in caplog.text
