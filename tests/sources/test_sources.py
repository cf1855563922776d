"""The contract that every source keeps, so that nothing downstream knows which API it reads."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import requests

from genesys_sandbox import Fault, Recording, Sandbox, SandboxOptions
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.request import Request
from recording_archive.errors import AccessError, ArchiveError, ConfigurationError
from recording_archive.model import Listing, PartId, Window, is_safe_id
from recording_archive.sources import Source
from support.platform_run import PlatformTasks
from support.whole_run import DAY, NIGHT, Tasks, at, check_books, leaks, media_sha256, objects

PER_DAY = 6


def later() -> datetime:
    """Time at which everything has ended long ago and is complete."""
    return NIGHT + timedelta(days=3)


@dataclass(frozen=True)
class Api:
    """One of the two APIs of a sandbox, and what is true of it."""

    cloud: Sandbox
    tasks: Tasks
    truth: dict[PartId, Recording]
    asking: str

    @property
    def source(self) -> Source:
        """A new source, as each task makes one."""
        return self.tasks.source()

    def named(self, listings: Iterable[Listing]) -> dict[PartId, Listing]:
        """Listings by part, with whole interactions spelled out, as a run does it."""
        found = {each.part_id: each for each in listings}
        wholes = [part for part in found if part.is_whole]
        parts = {part: each for part, each in found.items() if not part.is_whole}
        return parts | {each.part_id: each for each in self.source.resolve(wholes)}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Two days with six conversations each."""
    options = SandboxOptions(
        days=2, per_day=PER_DAY, min_bytes=2000, max_bytes=9000, end=date(2026, 11, 21), rate_per_minute=0
    )
    with Sandbox(options) as cloud:
        yield cloud


@pytest.fixture(params=["interactions", "conversations"])
def api(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Api]:
    """The sandbox by one of its APIs, without faults and without memory."""
    sandbox.faults.clear()
    sandbox.requests.clear()
    if request.param == "interactions":
        truth = {PartId(recording.id, recording.id): recording for recording in sandbox.library}
        yield Api(sandbox, Tasks(sandbox), truth, "query")
    else:
        truth = {PartId(*key): part for key, part in sandbox.world.truth().items()}
        yield Api(sandbox, PlatformTasks(sandbox, now=later), truth, "batch")
    sandbox.faults.clear()


def of_day(api: Api) -> set[PartId]:
    """The parts of the second day."""
    return {part for part, recording in api.truth.items() if recording.date in DAY}


def test_a_window_lists_what_lies_in_it(api: Api) -> None:
    """Each part once, with its date; half-open, so that days joined miss nothing and repeat nothing."""
    found = api.named(api.source.discover(ids=(), window=DAY))
    assert set(found) == of_day(api)
    assert all(each.interaction_date == api.truth[part].date for part, each in found.items())
    assert all(each.defect is None and each.deferred is None for each in found.values())
    edge = sorted(recording.date for recording in api.truth.values())[3]
    before = api.named(api.source.discover(ids=(), window=Window(DAY.start - timedelta(days=1), edge)))
    after = api.named(api.source.discover(ids=(), window=Window(edge, DAY.end)))
    assert not set(before) & set(after)
    assert set(before) | set(after) == set(api.truth)


def test_ids_and_dates_are_joined_by_and(api: Api) -> None:
    """A listed id outside the window is left out, and one that does not exist is nowhere."""
    ids = tuple({part.interaction_id: None for part in api.truth})
    assert set(api.named(api.source.discover(ids=(*ids, "nobody"), window=None))) == set(api.truth)
    assert set(api.named(api.source.discover(ids=ids, window=DAY))) == of_day(api)


def test_the_whole_source_is_never_listed(api: Api) -> None:
    """Without ids and window it says so before any request."""
    with pytest.raises(ConfigurationError):
        list(api.source.discover(ids=(), window=None))
    assert len(api.cloud.requests) == 0


def test_resolved_urls_lead_to_the_right_bytes(api: Api) -> None:
    """Each part's own, without a token; ids are safe to be file names."""
    listed = api.named(api.source.discover(ids=(), window=DAY))
    again = {each.part_id: each for each in api.source.resolve(list(listed))}
    assert set(again) == set(listed)
    for part, each in again.items():
        assert is_safe_id(part.interaction_id)
        assert is_safe_id(part.recording_id)
        content = requests.get(each.media_url or "", timeout=10).content
        assert hashlib.sha256(content).hexdigest() == api.truth[part].sha256


def test_parts_that_are_gone_are_left_out(api: Api) -> None:
    """Or failed by name; never another's media."""
    gone = PartId("nobody", "nobody")
    assert [each for each in api.source.resolve([gone]) if each.media_url] == []


def test_a_renewed_url_works_and_is_another(api: Api) -> None:
    """From many threads at once, each gets the URL of its own part."""
    source = api.source
    listed = {each.part_id: each for each in source.resolve(sorted(api.truth))}
    with ThreadPoolExecutor(6) as pool:
        renewed = dict(zip(listed, pool.map(source.renew, listed), strict=True))
    for part, url in renewed.items():
        assert url != listed[part].media_url
        assert hashlib.sha256(requests.get(url, timeout=10).content).hexdigest() == api.truth[part].sha256


def test_attributes_are_filled(api: Api) -> None:
    """Attributes that people search by, alike from both."""
    for part, each in api.named(api.source.discover(ids=(), window=DAY)).items():
        fields, found = api.truth[part].fields, each.attributes
        attributes = (found.agent_name, found.queue_name, found.ani, found.dnis, found.direction, found.division)
        assert attributes == tuple(
            fields[name] for name in ("agentName", "queueName", "ani", "dnis", "direction", "division")
        )
        assert each.source_fields


def test_the_probe_tries_what_a_run_needs(api: Api) -> None:
    """And costs a few requests, which are counted."""
    source = api.source
    probe = source.probe()
    assert probe.api_base == api.cloud.api_base
    assert 0 < probe.requests == source.requests < 10


def test_a_wrong_secret_is_an_access_error_with_the_remedy(api: Api) -> None:
    """Whatever is asked first."""
    api.cloud.faults.add(Fault("unauthorized", "token"))
    with pytest.raises(AccessError, match="Admin > Integrations > OAuth"):
        list(api.source.discover(ids=(), window=DAY))


def test_no_listing_or_log_shows_a_secret(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Neither URL nor token, in representations and in the log at its most talkative."""
    caplog.set_level(logging.DEBUG)
    source = api.source
    listed = list(source.resolve(sorted(api.truth)))
    source.renew(listed[0].part_id)
    assert "signature=" not in caplog.text + repr(listed)
    assert "sbxtoken" not in caplog.text + repr(source.__dict__)


def test_a_run_archives_all_and_the_next_one_nothing(api: Api, archive: Archive, tmp_path: Path) -> None:
    """The run record is consistent, every byte is right, no media is fetched twice, and no secret is left."""
    window = Window(DAY.start - timedelta(days=1), DAY.end)
    moment = at(archive, later())
    first = api.tasks(moment, "scheduled__1", Request(window=window, scheduled=True))
    check_books(archive, first)
    sums = sorted(media_sha256(archive.settings.root / key) for key in objects(archive))
    assert sums == sorted(recording.sha256 for recording in api.truth.values())
    assert (first.report["asked"], first.report["apiRequests"] > 0) == (2 * PER_DAY, True)
    api.cloud.requests.clear()
    again = api.tasks(moment, "manual__1", Request(window=window))
    check_books(archive, again)
    assert (again.report["alreadyArchived"], api.cloud.requests.counts["media"]) == (2 * PER_DAY, 0)
    assert leaks(tmp_path, api.cloud, [first, again], "") == []


def test_two_runs_at_once_archive_each_recording_once(api: Api, archive: Archive) -> None:
    """Both meet on every recording, and both run records are consistent."""

    def run(run_id: str) -> object:
        mine = at(open_archive(archive.settings), later())
        ended = api.tasks(mine, run_id, Request(window=DAY))
        check_books(mine, ended)
        mine.catalog.close()
        return ended.summary.problems

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, ["manual__1", "manual__2"])) == [(), ()]
    assert len(objects(archive)) == PER_DAY


@pytest.mark.parametrize("endpoint", ["media", "asking"])
def test_what_fails_comes_back(api: Api, archive: Archive, endpoint: str) -> None:
    """A recording whose media or API request failed is archived by the next scheduled run, unasked."""
    where = api.asking if endpoint == "asking" else "media"
    api.cloud.faults.add(Fault("status", where, status=503))
    first = api.tasks(at(archive, later()), "scheduled__1", Request(window=DAY, scheduled=True))
    assert first.summary.failed
    api.cloud.faults.clear()
    for night in (1, 2):
        window = Window(DAY.start + timedelta(days=night), DAY.end + timedelta(days=night))
        moment = at(archive, later() + timedelta(days=night))
        ended = api.tasks(moment, f"scheduled__{night + 1}", Request(window=window, scheduled=True))
        check_books(archive, ended)
    sums = {media_sha256(archive.settings.root / key) for key in objects(archive)}
    assert {api.truth[part].sha256 for part in of_day(api)} <= sums


def test_errors_are_of_our_tree(api: Api) -> None:
    """Whatever the API answers, no exception of a lower layer gets out."""
    kinds = ("html_200", "empty", "cut", "reset", "forbidden", "not_found")
    for kind in kinds:
        api.cloud.faults.clear()
        for where in ("query",) if api.asking == "query" else ("details", "batch", "poll"):
            api.cloud.faults.add(Fault(kind, where))
        with pytest.raises(ArchiveError):
            list(api.source.resolve(sorted(api.truth)))
