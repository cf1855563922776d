"""Whole runs against the platform API, trap by trap: media are archived, or reported with the reason."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
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
from recording_archive.model import PartId, State
from recording_archive.recovery.reindex import reindex
from support.platform_run import PER_DAY, Start, archived, nights_later, platform_client, run, trapped, verified_parts
from support.whole_run import DAY, NIGHT, at, leaks


def test_a_day_is_archived_and_then_costs_no_batch(start: Start, archive: Archive) -> None:
    """Every recording once; two nights on it is known that nothing more came, and nothing is left to ask for."""
    tasks = start()
    first = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, first) == set(tasks.cloud.world.truth())
    assert first.report["asked"] == first.report["successful"] == PER_DAY
    assert first.report["apiRequests"] == tasks.cloud.requests.api_requests + tasks.cloud.requests.counts["token"]
    for night in (1, 2):
        later = nights_later(tasks, archive, night)
        assert (later.report["alreadyArchived"], later.summary.problems) == (PER_DAY * (2 - night), ())
    tasks.cloud.requests.clear()
    after = replace(tasks, now=lambda: NIGHT + timedelta(days=3))
    run(after, archive, "manual__0", Request(window=DAY))
    assert tasks.cloud.requests.counts["batch"] == 1
    tasks.cloud.requests.clear()
    third = run(after, archive, "manual__1", Request(window=DAY))
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
        *trapped(tasks, "late"),
    }
    world = tasks.cloud.world
    world.finish_restores()
    world.uploaded = world.closed = True
    second = nights_later(tasks, archive, 1)
    assert verified_parts(tasks, archive, second) == set(world.truth())
    third = nights_later(tasks, archive, 2)
    assert (third.report["deferred"], third.summary.problems) == (0, ())
    assert verified_parts(tasks, archive, third) == set(world.truth())


def test_a_division_without_a_role_is_simply_not_there(start: Start, archive: Archive) -> None:
    """A run does not mention it; `check` does."""
    tasks = start("division_gap")
    ended = run(tasks, archive, "scheduled__0")
    assert ended.report["asked"] == PER_DAY - 2
    assert "South-East" in " ".join(tasks.source().probe().notes)


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
            for grant in tasks.cloud._cloud.tokens._grants.values():
                grant.window_start -= seconds

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


def test_every_kind_of_media_is_archived_as_what_it_is(start: Start, archive: Archive) -> None:
    """Sound, screens, chats, e-mails and messages; a call on two channels that only playback has is one file."""
    tasks = start("screen,messages,digital,dual_channel,batch_errors,number_forms", participants_every=3)
    ended = run(tasks, archive, "scheduled__0")
    assert ended.summary.problems == ()
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    kinds = Counter(entry["filePath"].rsplit(".", 2)[1] for entry in ended.report["entries"])
    assert kinds == {"wav": PER_DAY, "mp4": len(trapped(tasks, "screen")), "zip": 1, "eml": 1, "json": 1}


def test_urls_whose_session_ended_are_renewed(start: Start, archive: Archive) -> None:
    """S3 answers 400 ExpiredToken between the batch and the download: all are archived in the same run."""
    tasks = start(s3_session_s=600, url_life_s=3600)
    urls, asked = tasks.cloud._cloud.urls, count()
    begun = urls.clock()
    urls.clock = lambda: begun if next(asked) < PER_DAY else begun + 700
    ended = run(tasks, archive, "scheduled__0")
    assert (ended.report["successful"], ended.summary.problems) == (PER_DAY, ())
    assert any(request.status == 400 for request in tasks.cloud.requests)
