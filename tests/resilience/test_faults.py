"""A whole run meets each fault of the API, of the media host and of dates (`support.fault_cases`).

What can be overcome must be; what cannot is told by name while everything else is archived; nothing wrong is ever
published; no secret is left anywhere; and a run after the fault is gone archives the rest.
"""

from __future__ import annotations

import re
import socket
from dataclasses import replace

import pytest
from sqlalchemy import select

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.catalog.tables import work
from recording_archive.errors import AccessError
from support.fault_cases import A_DAY, API, MEDIA, TIME, Case
from support.whole_run import DAY, LIMITS, NIGHT, Ended, Tasks, at, check_archive, check_books, leaks, objects


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
    """Media fetched before the refusal is archived; the rest fails with the remedy, and is taken up again."""
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
