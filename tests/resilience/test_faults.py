"""What goes wrong at the API, at the media host and with time, as a table: each fault meets a whole run.

What can be overcome must be; what cannot is told by name while everything else is archived; nothing wrong is ever
published; no secret is left anywhere; and a run after the fault is gone archives the rest.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request, read_request
from recording_archive.catalog.tables import coverage, work
from recording_archive.errors import AccessError
from recording_archive.model import Window
from support.whole_run import DAY, LIMITS, NIGHT, Ended, Tasks, at, check_archive, check_books, leaks, objects

A_DAY = timedelta(days=1)
BARE = 3  # the recording without a checksum


@dataclass(frozen=True)
class Case:
    """A fault, and how a run that meets it must end.

    In a fault, recording ``#n`` is the n-th of the sandbox, and a location ``elsewhere`` a port that nobody permitted.
    ``failed`` are recordings that cannot be archived: status and message. ``stopped`` is what a run that cannot go on
    at all tells. ``waited_s`` is the least that the longest pause must last, ``cost`` the most bytes that may come
    over the wire, as a multiple of all recordings' bytes.
    """

    family: str
    name: str
    faults: tuple[Fault, ...]
    failed: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    stopped: str = ""
    waited_s: float = 0
    undated: bool = False
    cost: float | None = None


def api(name: str, *faults: Fault, **expected: object) -> Case:
    return Case("API", name, faults, **expected)  # type: ignore[arg-type]  # one line per case matters more here


def media(name: str, *faults: Fault, **expected: object) -> Case:
    return Case("media", name, faults, **expected)  # type: ignore[arg-type]  # one line per case matters more here


def lost(*numbers: int, why: str, status: str = "failed") -> Mapping[int, tuple[str, str]]:
    """These recordings cannot be archived."""
    return dict.fromkeys(numbers, (status, why))


API = [
    api("429 with Retry-After", Fault("status", "query", times=1, status=429, retry_after_s=7), waited_s=7),
    api(
        "429 with a date in Retry-After",
        Fault("status", "query", times=1, status=429, retry_after_s=60, retry_after_date=True),
        waited_s=59,
    ),
    api("429 without Retry-After", Fault("status", "query", times=2, status=429), waited_s=1),
    api("429 at the token", Fault("status", "token", times=1, status=429, retry_after_s=7), waited_s=7),
    *(
        api(f"{code} twice", Fault("status", "query", times=2, status=code), waited_s=1)
        for code in (500, 502, 503, 504)
    ),
    api("503 at the token", Fault("status", "token", times=2)),
    api("503 for good", Fault("status", "query"), stopped="503.*not listed to its end"),
    api("503 from page two on", Fault("status", "query", after=1), stopped="503.*not listed to its end"),
    api(
        "503 while URLs are asked for, for good",
        Fault("status", "query", after=3),
        failed=lost(*range(6), why="no task of this run finished it; its log says why"),
    ),
    api("reset before the reply", Fault("reset", "query", times=2)),
    api("reset inside the reply", Fault("reset_midway", "query", times=2)),
    api("reply cut", Fault("cut", "query", times=2)),
    api("hang", Fault("hang", "query", times=1)),
    api("hang at the token", Fault("hang", "token", times=1)),
    api("slow start", Fault("slow", "query", times=2, seconds=0.3)),
    api("slow trickle", Fault("trickle", "query", times=1, size=100, seconds=0.05)),
    api("endless reply once", Fault("endless", "query", times=1)),
    api("gzip bomb", Fault("gzip_bomb", "query"), stopped="larger than .* bytes"),
    api("malformed JSON once", Fault("malformed_json", "query", times=1)),
    api("malformed JSON for good", Fault("malformed_json", "query"), stopped="not JSON.*3 times"),
    api("malformed JSON at the token", Fault("malformed_json", "token", times=2)),
    api("an error page under 200", Fault("html_200", "query"), stopped="not JSON.*3 times"),
    api("empty reply", Fault("empty", "query"), stopped="not JSON.*3 times"),
    api("wrong type: results", Fault("wrong_types", "query"), stopped="results is missing or no list"),
    api("wrong type: results, once", Fault("wrong_types", "query", times=1)),
    api(
        "wrong type: nextPageToken", Fault("set_fields", "query", values={"nextPageToken": 5}), stopped="nextPageToken"
    ),
    api("wrong type: id", Fault("wrong_types", "query", recording="#0", name="id"), stopped=r"\.id is missing"),
    api(
        "wrong type: checksum",
        Fault("wrong_types", "query", recording="#0", name="checksum"),
        failed=lost(0, why="checksum 12345 is not a SHA-256"),
    ),
    api(
        "wrong type: mediaUrl",
        Fault("wrong_types", "query", recording="#0", name="mediaUrl"),
        failed=lost(0, why="mediaUrl is missing or no text"),
    ),
    api("wrong type: an attribute", Fault("wrong_types", "query", recording="#0", name="agentName")),
    api("wrong type: access_token", Fault("wrong_types", "token"), stopped="access_token"),
    api("missing field: results", Fault("missing_fields", "query"), stopped="results is missing"),
    api("missing field: id", Fault("missing_fields", "query", recording="#0", name="id"), stopped=r"\.id is missing"),
    api(
        "missing field: mediaUrl",
        Fault("missing_fields", "query", recording="#0", name="mediaUrl"),
        failed=lost(0, why="mediaUrl is missing"),
    ),
    api(
        "missing field: mediaUrl, only later",
        Fault("missing_fields", "query", recording="#0", name="mediaUrl", after=3),
        failed=lost(0, why="mediaUrl is missing"),
    ),
    api("missing field: checksum", Fault("missing_fields", "query", name="checksum")),
    api("missing field: expires_in", Fault("missing_fields", "token", name="expires_in"), stopped="expires_in"),
    api("duplicate entries", Fault("duplicate_entries", "query")),
    api("reordered pages", Fault("reordered", "query")),
    api("page token repeats", Fault("repeat_page_token", "query"), stopped="same nextPageToken twice"),
    api(
        "page without entries but with a token", Fault("empty_page_with_token", "query"), stopped="without new results"
    ),
    api("token expires mid-run", Fault("token_expired", "query", after=1, times=1)),
    api("401 once", Fault("unauthorized", "query", times=1)),
    api("401 for good", Fault("unauthorized", "query"), stopped="401.*Admin > Integrations > OAuth"),
    api("401 at the token", Fault("unauthorized", "token"), stopped="401.*client id"),
    api("403 with missing permissions", Fault("forbidden", "query"), stopped="403.*Recording > Recording > View"),
    api("scope missing", Fault("scope", "token"), stopped="lacks the scope interaction:read"),
    api("404", Fault("not_found", "query"), stopped="There is no interactions API"),
    api("redirect to another host", Fault("redirect", "query", location="elsewhere"), stopped="not followed"),
    api("redirect at the token", Fault("redirect", "token", location="elsewhere"), stopped="not followed"),
    api("redirect loop", Fault("redirect_loop", "query"), stopped="not followed"),
    api("renewal: 503 once", Fault("expired", times=1), Fault("status", "renew", times=1)),
    api(
        "renewal: 503 for good",
        *(Fault("expired", recording="#0"), Fault("status", "renew")),
        failed=lost(0, why="503"),
    ),
    api(
        "renewal: 404",
        *(Fault("expired", recording="#0"), Fault("not_found", "renew")),
        failed=lost(0, why="no longer has it"),
    ),
    api(
        "renewal: malformed JSON",
        *(Fault("expired", recording="#0"), Fault("malformed_json", "renew")),
        failed=lost(0, why="not JSON"),
    ),
    api(
        "renewal: no mediaUrl",
        *(Fault("expired", recording="#0"), Fault("missing_fields", "renew")),
        failed=lost(0, why="mediaUrl is missing"),
    ),
]

BOUNDARIES = (0, 1, 8191, 8192, 8193, 16384)  # a transfer reads 8 KiB, then as much as there is

MEDIA = [
    media(
        "cut at each boundary",
        *(Fault("cut", recording=f"#{n}", times=1, size=b) for n, b in enumerate(BOUNDARIES)),
        cost=1,
    ),
    media(
        "reset at each boundary",
        *(Fault("reset_midway", recording=f"#{n}", times=1, size=b) for n, b in enumerate(BOUNDARIES)),
    ),
    media("cut every 8 KiB", Fault("cut", size=8192), cost=1),
    media(
        "cut before the first byte for good", Fault("cut", recording="#0", size=0), failed=lost(0, why="ended the body")
    ),
    media("reset before the reply", Fault("reset", times=2)),
    media("reset before the reply for good", Fault("reset"), failed=lost(*range(6), why="media host 127.0.0.1")),
    media("hang", Fault("hang", times=1, recording="#0")),
    media("hang for good", Fault("hang", recording="#0"), failed=lost(0, why="no byte in time")),
    media("slow start", Fault("slow", seconds=0.3)),
    media("slow trickle", Fault("trickle", recording="#0", size=1000, seconds=0.06)),
    media("length too large once", Fault("wrong_length", times=1)),
    media(
        "length too large for good", Fault("wrong_length", recording="#0"), failed=lost(0, why="ended the body after")
    ),
    media("length too small once", Fault("wrong_length", recording="#0", times=1, size=-1000)),
    media(
        "length too small for good",
        Fault("wrong_length", recording="#0", size=-1000),
        failed=lost(0, why="SHA-256 is", status="checksum_mismatch"),
    ),
    media("no length", Fault("no_length"), failed=lost(BARE, why="the end cannot be trusted")),
    media("no length and cut", Fault("no_length", recording="#0"), Fault("cut", recording="#1", times=2, size=5000)),
    media("chunked", Fault("chunked")),
    media("wrong checksum once", Fault("wrong_bytes", recording="#0", times=1)),
    media(
        "wrong checksum for good",
        Fault("wrong_bytes", recording="#0"),
        failed=lost(0, why="SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}", status="checksum_mismatch"),
    ),
    media(
        "gzip bomb",
        *(Fault("gzip_bomb", recording="#0"), Fault("gzip_bomb", recording=f"#{BARE}")),
        failed=lost(0, BARE, why="sends encoded media"),
        cost=1,
    ),
    media(
        "endless body",
        *(Fault("endless", recording="#0"), Fault("endless", recording=f"#{BARE}")),
        failed=lost(0, BARE, why="larger than 1048576 bytes"),
        cost=12,
    ),
    *(media(f"200 with {kind.upper()} once", Fault(f"{kind}_200", times=1)) for kind in ("html", "xml", "json")),
    *(
        media(
            f"200 with {kind.upper()} for good",
            *(Fault(f"{kind}_200", recording="#0"), Fault(f"{kind}_200", recording=f"#{BARE}")),
            failed=lost(0, BARE, why=rf"error page \({kind.upper()}\)"),
        )
        for kind in ("html", "xml", "json")
    ),
    media("206 with overlap", Fault("cut", times=1), Fault("overlap_206"), cost=1.51),
    media("range ignored", Fault("cut", times=1), Fault("ignore_range"), cost=1.51),
    media("416", Fault("cut", times=1), Fault("range_416"), cost=1.51),
    media("ETag changed between resumes", Fault("etag_changes"), Fault("cut", times=2)),
    media("weak ETag", Fault("weak_etag"), Fault("cut", times=2)),
    media("no ETag", Fault("no_etag"), Fault("cut", times=2)),
    *(media(f"URL expired ({code})", Fault("expired", times=1, status=code)) for code in (401, 403, 410)),
    media("URL expired while resuming", Fault("cut", times=1), Fault("expired", times=1), cost=1.02),
    media("URL always expired", Fault("expired", recording="#0"), failed=lost(0, why="even with a fresh URL")),
    media("404 for good", Fault("status", recording="#0", status=404), failed=lost(0, why="404 even with a fresh URL")),
    media("400", Fault("status", recording="#0", status=400), failed=lost(0, why="400, which no retry changes")),
    media("429 with Retry-After", Fault("status", times=1, status=429, retry_after_s=7), waited_s=7),
    media("503 with Retry-After", Fault("status", times=1, status=503, retry_after_s=7), waited_s=7),
    media("500 for good", Fault("status", recording="#0", status=500), failed=lost(0, why="answered 500")),
    media(
        "redirect to another host",
        Fault("redirect", recording="#0", location="elsewhere"),
        failed=lost(0, why="is not permitted"),
    ),
    media(
        "redirect to a metadata service",
        Fault("redirect", recording="#0", location="http://169.254.169.254/latest/"),
        failed=lost(0, why="169.254.169.254:80 is not permitted"),
    ),
    media("redirect loop", Fault("redirect_loop", recording="#0"), failed=lost(0, why="redirects more than 3 times")),
    media("empty file once", Fault("empty", times=1)),
    media(
        "empty file for good",
        *(Fault("empty", recording="#0"), Fault("empty", recording=f"#{BARE}")),
        failed=lost(0, BARE, why="empty body"),
    ),
]

TIME = [
    Case(
        "time",
        "date missing",
        (Fault("missing_fields", "query", recording="#0", name="interactionDate"),),
        undated=True,
    ),
    *(
        Case(
            "time",
            f"date unparsable: {text!r}",
            (Fault("set_fields", "query", recording="#0", values={"interactionDate": text}),),
            undated=True,
        )
        for text in ("yesterday", "2026-11-20T10:00:00", "2026-13-45T10:00:00Z", "0001-01-01T00:00:00+14:00")
    ),
]


@pytest.fixture
def elsewhere() -> Iterator[socket.socket]:
    """A listener that nobody may ever connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


def placed(fault: Fault, cloud: Sandbox, elsewhere: socket.socket) -> Fault:
    """The fault with the names that only a running sandbox knows."""
    if fault.recording.startswith("#"):
        fault = replace(fault, recording=cloud.library[int(fault.recording[1:])].id)
    if fault.location == "elsewhere":
        fault = replace(fault, location=f"http://127.0.0.1:{elsewhere.getsockname()[1]}/")
    return fault


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case, id=f"{case.family}: {case.name}", marks=pytest.mark.chaos(family=case.family, fault=case.name)
        )
        for case in (*API, *MEDIA, *TIME)
    ],
)
def test_a_run_meets_a_fault(
    case: Case, cloud: Sandbox, archive: Archive, elsewhere: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """The run and each recording end as the table says, no secret gets out, and the run after it archives the rest."""
    caplog.set_level("DEBUG")
    tasks = Tasks(cloud)
    cloud.faults.add(*(placed(fault, cloud, elsewhere) for fault in case.faults))
    hits = cloud.faults.hits.copy()
    ended = tasks(at(archive, NIGHT), "scheduled__1")
    assert {fault.kind for fault in case.faults} == set(cloud.faults.hits - hits)
    check_archive(archive, cloud.library)
    check_books(archive, ended)
    check_outcome(case, cloud, ended)
    assert max(tasks.slept, default=0) >= case.waited_s

    runs = [ended]
    if len(objects(archive)) < 6:
        runs.append(check_next_run(case, tasks, archive))
    assert leaks(archive.settings.root.parent, cloud, runs, caplog.text) == []


def check_next_run(case: Case, tasks: Tasks, archive: Archive) -> Ended:
    """A day later the fault is gone: the rest is archived, and nothing else is fetched."""
    cloud, before = tasks.cloud, objects(archive)
    cloud.faults.clear()
    cloud.requests.clear()
    again = tasks(at(archive, NIGHT + A_DAY), "scheduled__2")
    check_archive(archive, cloud.library)
    check_books(archive, again)
    assert not again.summary.failed, again.summary.problems
    assert (again.report["successful"], again.report["alreadyArchived"]) == (6 - len(before), len(before))
    assert len(again.report["carriedOver"]) == (0 if case.stopped else 6 - len(before))
    assert cloud.requests.counts["media"] == 6 - len(before)
    return again


def check_outcome(case: Case, cloud: Sandbox, ended: Ended) -> None:
    """Statuses and messages are those of the table; a failure and a stopped run are told as problems."""
    problems = "; ".join(ended.summary.problems)
    assert ended.summary.failed == bool(case.failed or case.stopped), problems
    if case.stopped:
        assert re.search(case.stopped, problems, re.S), problems
        assert all(entry["status"] == "failed" for entry in ended.report["entries"])
        return
    assert ended.report["asked"] == ended.report["totalProcessed"] == 6
    for number, recording in enumerate(cloud.library):
        entry = ended.entries[recording.id]
        status, why = case.failed.get(number, ("success", ""))
        assert entry["status"] == status, entry
        assert re.search(why, entry.get("error", "")), entry
        assert ("/undated/" in (entry["filePath"] or "")) == (case.undated and number == 0)
    if case.cost is not None:
        assert ended.report["bytesDownloaded"] <= case.cost * sum(recording.size_bytes for recording in cloud.library)


@pytest.mark.chaos(family="API", fault="renewal: 403 with missing permissions")
def test_a_client_that_loses_its_permissions_stops_the_run_and_keeps_what_it_has(
    cloud: Sandbox, archive: Archive
) -> None:
    """What was fetched before the refusal is archived; the rest is failed with the remedy, and taken up again."""
    archive = at(replace(archive, settings=archive.settings.model_copy(update={"transfers": 1})), NIGHT)
    tasks = Tasks(cloud)
    (batch,) = tasks.query(archive, "scheduled__1")
    with archive.catalog.read() as connection:
        last = connection.execute(select(work.c.interaction_id).order_by(work.c.id.desc()).limit(1)).scalar_one()
    cloud.faults.add(Fault("expired", recording=last), Fault("forbidden", "renew"))
    with pytest.raises(AccessError, match="403"):
        tasks.download(archive, "scheduled__1", batch.number)
    tasks.gzip(archive, "scheduled__1", batch.number)
    ended = tasks.report(archive, "scheduled__1")
    check_archive(archive, cloud.library)
    check_books(archive, ended)
    assert ended.statuses == {"success": 5, "failed": 1}
    for text in (ended.entries[last]["error"], ended.summary.problems[0]):
        assert "Recording > Recording > View" in text
    cloud.faults.clear()
    again = tasks(at(archive, NIGHT + A_DAY), "scheduled__2")
    assert (again.report["successful"], again.summary.problems) == (1, ())


@pytest.fixture(scope="module")
def month() -> Iterator[Sandbox]:
    """One small call a day for 20 days around the end of summer time, 25 October 2026."""
    options = SandboxOptions(
        days=20, per_day=1, min_bytes=1_000, max_bytes=2_000, end=date(2026, 11, 5), rate_per_minute=0
    )
    with Sandbox(options) as sandbox:
        yield sandbox


def day(number: int, zone: str = "UTC") -> Window:
    """The calendar day so many days after 16 October 2026, from midnight to midnight of the zone."""
    start, end = (datetime(2026, 10, 16, tzinfo=ZoneInfo(zone)) + n * A_DAY for n in (number, number + 1))
    return Window(start.astimezone(UTC), end.astimezone(UTC))


def run_of_day(tasks: Tasks, archive: Archive, number: int, zone: str = "UTC") -> Ended:
    """The scheduled run that Airflow starts just after a day has ended."""
    window = day(number, zone)
    moment = window.end + timedelta(minutes=5)
    return tasks(at(archive, moment), f"scheduled__{window.end:%Y-%m-%d}", Request(window=window, scheduled=True))


@pytest.mark.chaos(family="time", fault="a week's outage")
def test_after_a_week_without_runs_no_day_is_missing(month: Sandbox, archive: Archive) -> None:
    """The first run after the outage asks from where the books ended, though its own interval is one day."""
    tasks = Tasks(month)
    assert run_of_day(tasks, archive, 2).report["asked"] == 2  # two days look-back
    ended = run_of_day(tasks, archive, 10)
    check_books(archive, ended)
    check_archive(archive, month.library)
    assert (ended.report["successful"], ended.summary.problems) == (8, ())
    assert ended.report["rangeStart"] == day(3).start.isoformat()
    assert ended.statuses == {"success": 8}


@pytest.mark.chaos(family="time", fault="an outage too long to catch up")
def test_a_hole_too_large_to_catch_up_fails_each_run_until_a_backfill_closes_it(
    month: Sandbox, archive: Archive
) -> None:
    """The run archives its own days, and its problem is the command that asks for the others."""
    tasks = Tasks(month)
    run_of_day(tasks, archive, 2)
    ended = run_of_day(tasks, archive, 15)
    assert ended.report["successful"] == 2
    (problem,) = ended.summary.problems
    start, end = re.findall(r"(?:from|to)-date (\S+)`?", problem.replace("`", ""))
    hole = Window(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert hole == Window(day(3).start, day(14).start)
    tasks(at(archive, day(15).end), "backfill__1", Request(window=hole))
    ended = run_of_day(tasks, archive, 16)
    assert ended.summary.problems == ()
    assert len(objects(archive)) == 16  # of day 1 to 16
    check_archive(archive, month.library)


@pytest.mark.chaos(family="time", fault="daylight saving ends")
def test_the_day_of_25_hours_leaves_no_gap_and_nothing_twice(month: Sandbox, archive: Archive) -> None:
    """Runs of local days meet at local midnight, whatever its offset; their coverage is one gap-free range."""
    tasks = Tasks(month)
    for number in range(7, 12):
        ended = run_of_day(tasks, archive, number, "Europe/Berlin")
        assert (ended.report["successful"], ended.summary.problems) == (2 if number == 7 else 1, ())
    check_archive(archive, month.library)
    with archive.catalog.read() as connection:
        spans = connection.execute(select(coverage.c.start, coverage.c.end).order_by(coverage.c.end)).all()
    assert all(later.start <= earlier.end for earlier, later in pairwise(spans))
    assert spans[-1].end - spans[0].end == timedelta(days=4, hours=1)


@pytest.mark.chaos(family="time", fault="daylight saving ends, dates given by hand")
def test_dates_given_by_hand_mean_local_days(month: Sandbox, archive: Archive) -> None:
    """The whole local day of 25 hours is asked for, and nothing of its neighbours."""
    conf = {"startDate": "2026-10-25", "endDate": "2026-10-25"}
    zone = ZoneInfo("Europe/Berlin")
    request = read_request(conf, interval=None, scheduled=False, zone=zone, now=NIGHT)
    ended = Tasks(month)(archive, "manual__1", request)
    assert (ended.report["asked"], ended.report["successful"]) == (1, 1)
    assert ended.report["rangeStart"] == "2026-10-24T22:00:00+00:00"
    assert ended.report["rangeEnd"] == "2026-10-25T23:00:00+00:00"


@pytest.mark.chaos(family="time", fault="interaction open for months")
def test_an_interaction_of_months_ago_is_archived_under_its_own_date(month: Sandbox, archive: Archive) -> None:
    """An old interaction asked for by id goes where its own date says, whenever it is archived."""
    old = month.library[0]
    later = datetime(2027, 6, 1, tzinfo=UTC)
    ended = Tasks(month)(at(archive, later), "manual__1", Request(ids=(old.id,)))
    assert ended.entries[old.id]["filePath"].startswith("recordings/org=default/year=2026/month=10/day=16/")
    assert ended.summary.problems == ()


@pytest.mark.parametrize(
    "years",
    [
        pytest.param(years, marks=pytest.mark.chaos(family="time", fault=f"clock wrong by {years:+} years"))
        for years in (-10, 10)
    ],
)
def test_a_clock_that_is_wrong_by_years_loses_nothing(cloud: Sandbox, archive: Archive, years: int) -> None:
    """Keys follow the interaction date, and the next run takes up a failure that was booked at the wrong time."""
    tasks, victim = Tasks(cloud), cloud.library[0]
    cloud.faults.add(Fault("status", recording=victim.id, status=400))
    ended = tasks(at(archive, NIGHT.replace(year=NIGHT.year + years)), "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    assert all("/year=2026/month=11/day=20/" in key for key in objects(archive))
    check_archive(archive, cloud.library)
    cloud.faults.clear()
    next_day = Window(DAY.end, DAY.end + A_DAY)
    again = tasks(at(archive, NIGHT + A_DAY), "scheduled__2", Request(window=next_day, scheduled=True))
    assert again.entries[victim.id]["status"] == "success"
    assert again.report["alreadyArchived"] == 5
    check_archive(archive, cloud.library)


@pytest.mark.long
@pytest.mark.chaos(family="media", fault="500 MB file")
def test_a_file_of_500_mb_is_archived_though_it_is_cut(archive: Archive) -> None:
    """A large recording is resumed where it was cut, and no byte of it comes twice."""
    size = 500 * 10**6
    options = SandboxOptions(days=1, per_day=1, min_bytes=size, max_bytes=size, end=DAY.end.date())
    with Sandbox(options) as sandbox:
        sandbox.faults.add(Fault("cut", times=3, size=77_777_777))
        tasks = Tasks(sandbox, limits=replace(LIMITS, max_media_bytes=2**30, read_timeout_s=30))
        ended = tasks(archive, "scheduled__1")
        assert ended.summary.problems == ()
        assert ended.report["bytesDownloaded"] == sandbox.library[0].size_bytes
        check_archive(archive, sandbox.library)
