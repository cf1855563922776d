"""One bad conversation costs one conversation: every route of the platform API × every fault × one of several.

Whatever the service answers about one conversation, all others are archived in the same night. The one is archived too,
or the run names it with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.model import PartId
from support.night_runs import rows_of
from support.platform_run import PlatformTasks, run, verified_parts
from support.whole_run import Ended

PER_DAY, BAD = 5, 3
PATIENCE_S = 0.15

FAULTS: dict[str, dict[str, Any]] = {
    **{str(code): {"kind": "status", "status": code} for code in (400, 403, 404, 409, 410, 429, 500, 503, 504)},
    "401 once": {"kind": "unauthorized", "times": 1},
    "hang": {"kind": "hang", "seconds": 1},
    "cut": {"kind": "cut"},
    "202 with a body": {"kind": "accepted"},
    "empty": {"kind": "empty"},
}
"""Answers about the bad conversation; for good unless they say otherwise."""


@dataclass(frozen=True)
class Route:
    """One kind of request, how a run comes to make it about the bad conversation, and what the source is asked for."""

    endpoint: str
    route: str = "*"
    before: tuple[Fault, ...] = ()
    orphan: bool = False
    options: tuple[tuple[str, Any], ...] = ()


BATCH_ERROR = Fault("set_fields", "poll", values={"errorMsg": "An error occurred.", "resultUrl": None})
COLD = Fault("set_fields", "metadata", values={"fileState": "ARCHIVED"})
JOBS = (("job_from_hits", 1),)

ROUTES = {
    "details query": Route("details", "POST *"),
    "details?id=": Route("details", "GET *"),
    "batch": Route("batch"),
    "poll": Route("poll"),
    "metadata": Route("metadata", "*/recordingmetadata", options=(("full_metadata", True),)),
    "metadata after a batch error": Route("metadata", "*/recordingmetadata", before=(BATCH_ERROR,)),
    "attributes": Route("metadata", "GET /api/v2/conversations/*[!a]", options=(("allowed", ["customerTier"]),)),
    "playback after a batch error": Route("playback", before=(BATCH_ERROR,)),
    "restore": Route("restore", before=(BATCH_ERROR, COLD)),
    "job": Route("jobs", options=JOBS),
    "results of a job": Route("jobs", "*/results", options=JOBS),
    "list of orphans": Route("orphans", "*/orphanrecordings", orphan=True),
    "orphan": Route("orphans", "*/orphanrecordings/????????-????-????-????-????????????", orphan=True),
    "media of an orphan": Route("orphans", "*/media", orphan=True),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    options = SandboxOptions(
        days=1,
        per_day=PER_DAY,
        min_bytes=500,
        max_bytes=900,
        end=date(2026, 11, 21),
        traps="orphans",
        data_lag_hours=0,
        batch_polls=0,
        rate_per_minute=0,
    )
    with Sandbox(options) as cloud:
        yield cloud


@pytest.fixture
def tasks(sandbox: Sandbox) -> Iterator[PlatformTasks]:
    sandbox.world.restoring.clear()
    yield PlatformTasks(sandbox, timeout=(5, PATIENCE_S))
    sandbox.faults.clear()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ROUTES)
def test_the_others_are_archived_the_same_night(name: str, fault: str, tasks: PlatformTasks, archive: Archive) -> None:
    """And the bad one is archived as well, or named with the reason."""
    route, world = ROUTES[name], tasks.cloud.world
    bad = world.orphans[0].id if route.orphan else world.conversations[BAD].id
    given = Fault(endpoint=route.endpoint, route=route.route, recording=bad, **FAULTS[fault])
    about = world.conversations[BAD].items[0].id
    before = [replace(each, recording=about if each is COLD else bad) for each in route.before]
    tasks.cloud.faults.add(*before, given)
    ended = run(replace(tasks, options=dict(route.options)), archive, "scheduled__0")
    have = verified_parts(tasks, archive, ended)
    assert tasks.cloud.faults.hits[given.kind], "the fault met no request"
    others = {PartId(*key) for key in world.truth() if key[0] != bad}
    assert others <= have, (ended.summary.problems, ended.raised)
    assert any(part.interaction_id == bad for part in have) or reason(archive, ended, bad), ended.report


def reason(archive: Archive, ended: Ended, name: str) -> str:
    """Why a conversation was not archived, by the report: in its own row, or in a gap of the listing."""
    rows = [row for row in rows_of(archive, ended) if row["interactionId"] == name]
    told = [row["error"] for row in rows if row["status"] in {"failed", "deferred"}]
    gaps = ended.report["listing"]["gaps"] if ended.report["coverage"] == "partial" and ended.summary.failed else []
    return " ".join([*told, *(gap["reason"] for gap in gaps)])


@pytest.mark.parametrize("name", ["NaN", "digits", "nesting"])
def test_a_value_that_cannot_be_read_costs_one_conversation(name: str, tasks: PlatformTasks, archive: Archive) -> None:
    """Its id is read from the text, so that the report names it."""
    bad = tasks.cloud.world.conversations[BAD].id
    tasks.cloud.faults.add(Fault("unreadable", "details", recording=bad, name=name))
    ended = run(tasks, archive, "scheduled__0")
    have = verified_parts(tasks, archive, ended)
    assert {PartId(*key) for key in tasks.cloud.world.truth() if key[0] != bad} == have
    (row,) = (row for row in rows_of(archive, ended) if row["interactionId"] == bad)
    assert (row["status"], "not JSON" in row["error"]) == ("failed", True)
