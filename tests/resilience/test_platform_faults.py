"""Faults of the platform API as a table: each fault meets each kind of request in a whole run.

What can be overcome must be; what cannot is told while nothing wrong is published; no secret is left anywhere; and a
run after the fault is gone archives the rest. The short form takes every fault once and every endpoint several times.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.model import PartId
from support.platform_run import PlatformTasks, nights_later, run, verified_parts
from support.whole_run import Ended, leaks

ENDPOINTS = ("token", "details", "jobs", "batch", "poll", "metadata", "playback", "restore", "orphans", "directory")
PER_DAY, ORPHANS = 10, 3

ONCE: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after_s": 7},
    "429 with a date in Retry-After": {"kind": "status", "status": 429, "retry_after_s": 60, "retry_after_date": True},
    "429 without Retry-After": {"kind": "status", "status": 429, "times": 2},
    **{f"{code} twice": {"kind": "status", "status": code, "times": 2} for code in (500, 502, 503, 504)},
    "reset before the reply": {"kind": "reset", "times": 2},
    "reset inside the reply": {"kind": "reset_midway", "times": 2},
    "reply cut": {"kind": "cut", "times": 2},
    "hang": {"kind": "hang"},
    "slow start": {"kind": "slow", "seconds": 0.3},
    "slow trickle": {"kind": "trickle", "size": 500, "seconds": 0.01},
    "chunked": {"kind": "chunked"},
    "length too large": {"kind": "wrong_length"},
    "endless reply": {"kind": "endless"},
    "malformed JSON": {"kind": "malformed_json", "times": 2},
    "empty reply": {"kind": "empty", "times": 2},
    "HTML under 200": {"kind": "html_200", "times": 2},
    "XML under 200": {"kind": "xml_200", "times": 2},
    "a JSON error under 200": {"kind": "json_200", "times": 2},
    "401": {"kind": "unauthorized"},
    "token expires mid-run": {"kind": "token_expired"},
}
"""Faults that a run overcomes at any endpoint; they occur once unless ``times`` says otherwise."""

FOR_GOOD: dict[str, dict[str, Any]] = {
    "503": {"kind": "status", "status": 503},
    "400": {"kind": "status", "status": 400},
    "401": {"kind": "unauthorized"},
    "403 with missing permissions": {"kind": "forbidden"},
    "404": {"kind": "not_found"},
    "malformed JSON": {"kind": "malformed_json"},
    "empty reply": {"kind": "empty"},
    "HTML under 200": {"kind": "html_200"},
    "a JSON error under 200": {"kind": "json_200"},
    "gzip bomb": {"kind": "gzip_bomb"},
    "redirect to another host": {"kind": "redirect", "location": "elsewhere"},
    "redirect loop": {"kind": "redirect_loop"},
}
"""Faults that a run cannot overcome."""

FIELDS = (
    *(("details", name) for name in ("conversations", "conversationId", "conversationStart", "participants")),
    *(("jobs", name) for name in ("jobId", "state", "conversations", "conversationId", "dataAvailabilityDate")),
    ("batch", "id"),
    *(("poll", name) for name in ("status", "results", "conversationId", "recordingId", "resultUrl", "contentType")),
    *(("metadata", name) for name in ("id", "fileState", "sessionId")),
    ("playback", "mediaUris"),
    *(("orphans", name) for name in ("entities", "id", "createdTime", "fileState", "mediaUris")),
    *(("directory", name) for name in ("entities", "id", "name")),
    *(("token", name) for name in ("access_token", "token_type", "expires_in")),
)
"""Fields that are left out of each reply, or are of another type."""

UNKNOWN = {("token", "404"), ("token", "403 with missing permissions")}
"""Faults that the sandbox does not know there."""

SHORT, SHORT_FOR_GOOD = {"503 twice", "a JSON error under 200"}, {"404"}  # at every endpoint in the short form
SHORT_FIELDS = {"conversations", "jobId", "id", "results", "fileState", "mediaUris", "entities", "access_token"}


@dataclass(frozen=True)
class Case:
    """One fault at one endpoint, and whether the run gets over it."""

    name: str
    fault: Fault
    overcome: bool
    short: bool


def cases() -> Iterator[Case]:
    """The whole table; each fault is in the short form at one endpoint at least."""
    for n, (name, given) in enumerate(ONCE.items()):
        for m, endpoint in enumerate(ENDPOINTS):
            if (endpoint, given["kind"]) not in {("token", "token_expired"), ("token", "unauthorized")}:
                fault = Fault(endpoint=endpoint, **{"times": 1, **given})
                yield Case(f"{endpoint}: {name}", fault, True, name in SHORT or n % len(ENDPOINTS) == m)
    for n, (name, given) in enumerate(FOR_GOOD.items()):
        for m, endpoint in enumerate(ENDPOINTS):
            if (endpoint, name) not in UNKNOWN:
                short = name in SHORT_FOR_GOOD or n % len(ENDPOINTS) == m
                yield Case(f"{endpoint}: {name} for good", Fault(endpoint=endpoint, **given), False, short)
    for endpoint, field in FIELDS:
        for kind in ("wrong_types", "missing_fields"):
            what = f"{kind.replace('_', ' ')[:-1]}: {field}"
            yield Case(f"{endpoint}: {what}, once", Fault(kind, endpoint, name=field, times=1), False, False)
            yield Case(
                f"{endpoint}: {what}",
                Fault(kind, endpoint, name=field),
                False,
                field in SHORT_FIELDS and kind == "wrong_types",
            )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A day whose archiving takes every kind of request."""
    options = SandboxOptions(
        days=1,
        per_day=PER_DAY,
        min_bytes=2000,
        max_bytes=4000,
        end=date(2026, 11, 21),
        traps="archived,batch_errors,transfers,orphans",
        data_lag_hours=0,
        batch_polls=0,
        rate_per_minute=0,
    )
    with Sandbox(options) as cloud:
        yield cloud


@pytest.fixture
def tasks(sandbox: Sandbox) -> Iterator[PlatformTasks]:
    """Runs against it as if it had just been started."""
    sandbox.faults.clear()
    sandbox.world.restoring.clear()
    sandbox.world.restored.clear()
    sandbox.requests.clear()
    yield PlatformTasks(sandbox, options={"job_from_hits": 1}, timeout=(5, 1))
    sandbox.faults.clear()


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=case.name,
            marks=[
                pytest.mark.chaos(family="platform API", fault=case.name),
                *([] if case.short else [pytest.mark.long]),
            ],
        )
        for case in cases()
    ],
)
def test_a_run_meets_a_fault_of_the_platform_api(
    case: Case, tasks: PlatformTasks, archive: Archive, elsewhere: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost without a word, nothing wrong is published, and the nights after have the rest."""
    caplog.set_level("DEBUG")
    fault = case.fault
    if fault.location == "elsewhere":
        fault = replace(fault, location=f"http://127.0.0.1:{elsewhere.getsockname()[1]}/")
    tasks.cloud.faults.add(fault)
    hits = tasks.cloud.faults.hits.copy()
    ended = run(tasks, archive, "scheduled__1")
    assert (tasks.cloud.faults.hits - hits)[fault.kind]
    have = verified_parts(tasks, archive, ended)
    if case.overcome:
        assert (ended.report["failed"], ended.report["deferred"], ended.summary.problems) == (0, 1, ())
        assert have == truth(tasks) - waiting(tasks)
    elif have != truth(tasks) - waiting(tasks):
        assert is_told(ended, truth(tasks) - have, caplog.text), ended.report
    if fault.retry_after_s:
        assert max(tasks.slept) >= fault.retry_after_s - 1
    runs = [ended]
    if not case.overcome:
        tasks.cloud.faults.clear()
        runs += check_next_nights(tasks, archive)
    assert leaks(archive.settings.root.parent, tasks.cloud, runs, caplog.text) == []


def check_next_nights(tasks: PlatformTasks, archive: Archive) -> Iterator[Ended]:
    """The fault is gone: what was asked to be restored is there the next night, what could not be asked later."""
    for night in (1, 3):
        tasks.cloud.world.finish_restores()
        ended = nights_later(tasks, archive, night)
        yield ended
        if verified_parts(tasks, archive, ended) == truth(tasks):
            break
    assert verified_parts(tasks, archive, ended) == truth(tasks)
    assert ended.summary.problems == ()


def truth(tasks: PlatformTasks) -> set[PartId]:
    """Every part that can be archived."""
    return {PartId(*key) for key in tasks.cloud.world.truth()}


def waiting(tasks: PlatformTasks) -> set[PartId]:
    """Parts in cold storage."""
    cold = {each.id for each in tasks.cloud.world.conversations if "archived" in each.traits}
    return {part for part in truth(tasks) if part.interaction_id in cold}


def is_told(ended: Ended, lost: set[PartId], log: str) -> bool:
    """Test whether the run failed, or the lost parts are deferred or orphans whose list was refused."""
    refused = ORPHANS if "Orphan recordings cannot be listed" in log else 0
    return ended.summary.failed or ended.report["deferred"] + refused >= len({part.interaction_id for part in lost})


def test_every_fault_is_in_the_short_form() -> None:
    """Every kind of fault and every endpoint is in the part of the table that `make test` runs."""
    short = {case.fault.kind for case in cases() if case.short}
    assert short == {case.fault.kind for case in cases()} - {"missing_fields"}
    assert {case.fault.endpoint for case in cases() if case.short} == set(ENDPOINTS)
