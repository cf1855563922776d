"""Whole runs over time: what is done stays done, what failed comes back, and the books close each time."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from genesys_sandbox import Fault, Recording, Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving import compress
from recording_archive.archiving.acknowledge import acknowledge
from recording_archive.archiving.report import close_left_open
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import events, recordings, runs, work
from recording_archive.model import Outcome, State, Window
from recording_archive.reports.reading import read_rows
from recording_archive.store import bgzf
from support.contents import change
from support.whole_run import (
    DAY,
    NIGHT,
    Ended,
    Tasks,
    at,
    check_archive,
    check_books,
    objects,
    reported,
    sha256,
    sidecar_of,
)

ONE_RUN = Path(__file__).parents[1] / "programs" / "one_run.py"
A_DAY = timedelta(days=1)


@pytest.fixture
def tasks(cloud: Sandbox) -> Tasks:
    """The tasks of a run against the sandbox."""
    return Tasks(cloud)


def nightly(tasks: Tasks, archive: Archive, night: int) -> Ended:
    """The scheduled run ``night`` days after the first; night 0 is that of the recordings' day."""
    window = Window(DAY.start + night * A_DAY, DAY.end + night * A_DAY)
    ended = tasks(at(archive, NIGHT + night * A_DAY), f"scheduled__{night}", Request(window=window, scheduled=True))
    check_books(archive, ended)
    return ended


def fail(cloud: Sandbox, recording: Recording) -> None:
    """Make one recording impossible to fetch until the faults are cleared."""
    cloud.faults.add(Fault("status", recording=recording.id, status=400))


def with_settings(archive: Archive, **changes: Any) -> Archive:
    return replace(archive, settings=archive.settings.model_copy(update=changes))


def count_events(archive: Archive, kind: str) -> int:
    with archive.catalog.read() as connection:
        return connection.execute(select(func.count()).where(events.c.kind == kind)).scalar_one()


def rows_of(archive: Archive, ended: Ended) -> list[dict[str, str]]:
    """The rows of the report's CSV."""
    path = archive.settings.root / ended.summary.report_key.replace(".json", ".csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# The same again


def test_the_same_request_twice_fetches_nothing_twice(tasks: Tasks, archive: Archive) -> None:
    """The second run counts everything as archived already and asks the media host for nothing."""
    assert tasks(archive, "scheduled__1").statuses == {"success": 6}
    tasks.cloud.requests.clear()
    again = tasks(archive, "manual__1", Request(window=DAY))
    check_books(archive, again)
    assert (again.report["asked"], again.report["alreadyArchived"], again.summary.problems) == (6, 6, ())
    assert again.report["bytesDownloaded"] == tasks.cloud.requests.counts["media"] == 0


def test_two_runs_at_once_archive_each_recording_once(tasks: Tasks, archive: Archive) -> None:
    """Threads with a catalog and a store of their own meet on every recording; one of them archives it."""
    barrier = threading.Barrier(2)

    def run(run_id: str) -> Ended:
        mine = open_archive(archive.settings)
        batches = tasks.query(mine, run_id, Request(window=DAY))
        barrier.wait(30)
        for batch in batches:
            tasks.download(mine, run_id, batch.number)
            barrier.wait(30)
            tasks.gzip(mine, run_id, batch.number)
        barrier.wait(30)
        ended = tasks.report(mine, run_id)
        mine.catalog.close()
        return ended

    with ThreadPoolExecutor(2) as pool:
        check_meeting(archive, tasks.cloud, list(pool.map(run, ("manual__1", "manual__2"))))


def test_two_processes_at_once_archive_each_recording_once(tasks: Tasks, archive: Archive) -> None:
    """The same with two processes, which share no lock but the catalog's and the file system's."""
    names = ("login_base", "api_base", "client_id", "client_secret", "media_host")
    cloud = {name: getattr(tasks.cloud, name) for name in names}
    command = [sys.executable, ONE_RUN]
    both = [
        subprocess.Popen(
            [*command, run_id, archive.settings.model_dump_json(), json.dumps(cloud)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for run_id in ("manual__1", "manual__2")
    ]
    for _ in range(3):
        for process in both:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
    keys = [process.communicate(timeout=60)[0].strip() for process in both]
    reports = [json.loads(archive.store.read(key)) for key in keys]
    check_meeting(archive, tasks.cloud, reports)


def check_meeting(archive: Archive, cloud: Sandbox, met: list[Any]) -> None:
    """Both books close over six recordings, which are archived once."""
    reports = [run.report if isinstance(run, Ended) else run for run in met]
    for run in met:
        if isinstance(run, Ended):
            check_books(archive, run)
    check_archive(archive, cloud.library)
    assert [report["problems"] for report in reports] == [[], []]
    assert [report["successful"] + report["alreadyArchived"] for report in reports] == [6, 6]
    assert sum(report["successful"] for report in reports) == count_events(archive, "archived") == 6


# Failures of earlier runs


def test_a_failure_is_carried_over_and_colours_no_later_run(tasks: Tasks, archive: Archive) -> None:
    """The next night takes it up, lists it as carried over, and is green whether it fails again or not."""
    victim = tasks.cloud.library[0]
    fail(tasks.cloud, victim)
    first = nightly(tasks, archive, 0)
    assert (first.summary.problems, first.report["carriedOver"]) == (("1 of 6 recordings failed",), [])
    second = nightly(tasks, archive, 1)
    listed = [{"interactionId": victim.id, "recordingId": victim.id, "part": 0}]
    assert (second.summary.problems, second.report["carriedOver"], second.report["failed"]) == ((), listed, 1)
    tasks.cloud.faults.clear()
    third = nightly(tasks, archive, 3)
    assert (third.summary.problems, third.report["carriedOver"], third.report["successful"]) == ((), listed, 1)
    assert nightly(tasks, archive, 4).report["carriedOver"] == []
    check_archive(archive, tasks.cloud.library)


def test_a_failure_is_tried_after_1_2_and_4_days_and_given_up_after_retry_days(tasks: Tasks, archive: Archive) -> None:
    """Out of the look-back's reach, the nights of the tries are those of the schedule, up to the last allowed day."""
    archive = with_settings(archive, look_back_days=1, retry_days=14)
    fail(tasks.cloud, tasks.cloud.library[0])
    tried = [night for night in range(20) if nightly(tasks, archive, night).report["failed"]]
    assert tried == [0, 1, 3, 7]
    longer = with_settings(archive, retry_days=60)
    assert nightly(tasks, longer, 20).report["failed"] == 1


def test_an_acknowledged_failure_is_left_alone(tasks: Tasks, archive: Archive) -> None:
    """A person has decided: no scheduled run takes it up again."""
    archive = with_settings(archive, look_back_days=1)
    victim = tasks.cloud.library[0]
    fail(tasks.cloud, victim)
    nightly(tasks, archive, 0)
    (decision,) = acknowledge(archive, victim.id, reason="case 17", actor="test")
    assert decision.refused is None
    assert nightly(tasks, archive, 1).report["totalProcessed"] == 0


def test_a_failure_booked_in_the_future_is_due_now(tasks: Tasks, archive: Archive) -> None:
    """A clock that was ten years ahead puts no recording off for ten years, nor counts its days from there."""
    archive = with_settings(archive, look_back_days=1)
    victim = tasks.cloud.library[0]
    fail(tasks.cloud, victim)
    tasks(at(archive, NIGHT.replace(year=2036)), "scheduled__0", Request(window=DAY, scheduled=True))
    assert nightly(tasks, archive, 1).report["failed"] == 1
    with archive.catalog.read() as connection:
        found = select(recordings.c.failed_since).where(recordings.c.interaction_id == victim.id)
        assert connection.execute(found).scalar_one() == NIGHT + A_DAY
    tasks.cloud.faults.clear()
    assert nightly(tasks, archive, 3).entries[victim.id]["status"] == "success"


def test_a_failure_that_nobody_lists_any_more_stays_a_failure_by_name(tasks: Tasks, archive: Archive) -> None:
    """A carried-over recording that the source deleted meanwhile is told so; the run goes on."""
    archive = with_settings(archive, look_back_days=1)
    victim = tasks.cloud.library[0]
    tasks.cloud.faults.add(Fault("set_fields", "query", recording=victim.id, values={"id": "deleted-later"}))
    assert nightly(tasks, archive, 0).entries["deleted-later"]["status"] == "failed"
    tasks.cloud.faults.clear()
    again = nightly(tasks, archive, 1)
    assert "no longer lists it" in again.entries["deleted-later"]["error"]
    assert again.summary.problems == ()


# What a run leaves out, and what it cannot take


def test_what_was_lawfully_deleted_never_comes_back(tasks: Tasks, archived: Archive) -> None:
    """Quarantined, purged and erased recordings are counted as excluded, with the certificate, and never fetched."""
    states = (State.QUARANTINED, State.PURGED, State.ERASED)
    gone = dict(zip((recording.id for recording in tasks.cloud.library), states, strict=False))
    for number, (interaction_id, state) in enumerate(gone.items()):
        change(archived, interaction_id, state=state, certificate=f"C-{number}" if number else None)
    tasks.cloud.requests.clear()
    for run_id, request in (("manual__1", Request(window=DAY)), ("manual__2", Request(ids=tuple(gone)))):
        ended = tasks(archived, run_id, request)
        check_books(archived, ended)
        assert ended.report["excluded"] == 3
        assert ended.summary.problems == ()
        told = {row["interactionId"]: row["error"] for row in rows_of(archived, ended) if row["status"] == "excluded"}
        assert told == {
            name: f"{state}, certificate C-{number}" if number else state
            for number, (name, state) in enumerate(gone.items())
        }
    assert tasks.cloud.requests.counts["media"] == 0


def test_asked_ids_that_the_source_does_not_have_are_missing(tasks: Tasks, archive: Archive) -> None:
    """They are listed and fail the run; the others are archived; an id given twice counts once."""
    real = tasks.cloud.library[2].id
    ended = tasks(archive, "manual__1", Request(ids=(real, "nobody", "it's-me")))
    check_books(archive, ended)
    assert ended.report["missing"] == ["nobody", "it's-me"]
    assert (ended.report["asked"], ended.statuses) == (3, {"success": 1})
    assert ended.summary.problems == ("2 asked interactions are not at the source",)


def test_a_checksum_that_was_not_given_is_no_valid_one(tasks: Tasks, archive: Archive) -> None:
    """Success, but unavailable instead of valid; where one was given it is valid, in any case of its letters."""
    ended = tasks(archive, "scheduled__1")
    assert ended.report["checksumUnavailable"] == 1
    for recording in tasks.cloud.library:
        entry, given = ended.entries[recording.id], recording.fields["checksum"] is not None
        assert (entry["status"], entry["checksumValid"]) == ("success", given)
        assert entry["sourceChecksum"] == ("matched" if given else "not_given")
        assert entry["expectedSha256"] == (recording.sha256 if given else None)


def test_undated_recordings_are_kept_apart_and_archived_once(tasks: Tasks, archive: Archive) -> None:
    """Whatever day is asked for, an undated recording is listed, and archived by the first run that sees it."""
    victim = tasks.cloud.library[0]
    tasks.cloud.faults.add(Fault("missing_fields", "query", recording=victim.id, name="interactionDate"))
    first = nightly(tasks, archive, 0)
    assert first.entries[victim.id]["filePath"] == f"recordings/org=default/undated/{victim.id}~{victim.id}~0.wav.gz"
    assert first.entries[victim.id]["interactionDate"] is None
    assert nightly(tasks, archive, 1).report["successful"] == 0
    check_archive(archive, tasks.cloud.library)


UNSAFE = (
    "../../../etc/passwd",
    "a/b",
    "a~b",
    ".hidden",
    "x" * 101,
    "a\0b\u202e",
    "~",
    "C:\\a",
    "//host/a",
    "ö",
    "a b",
    "-a",
)


@pytest.mark.parametrize("names", [UNSAFE[:6], UNSAFE[6:]], ids=["first", "second"])
def test_an_id_that_cannot_be_a_file_name_is_failed_by_name(
    tasks: Tasks, archive: Archive, names: tuple[str, ...]
) -> None:
    """Nothing is written for it, its media is never asked for, and later runs are not coloured by it."""
    for name, recording in zip(names, tasks.cloud.library, strict=True):
        tasks.cloud.faults.add(Fault("set_fields", "query", recording=recording.id, values={"id": name}))
    ended = nightly(tasks, archive, 0)
    assert {name.replace("\0", "\\x00") for name in names} == set(ended.entries)
    for entry in ended.entries.values():
        assert (entry["status"], entry["filePath"]) == ("failed", None)
        assert "cannot be part of a file name" in entry["error"]
    assert tasks.cloud.requests.counts["media"] == 0
    assert not (archive.settings.root / "recordings").exists()
    again = nightly(tasks, with_settings(archive, look_back_days=1), 1)
    assert (again.summary.problems, len(again.report["carriedOver"])) == ((), 6)


def test_a_checksum_that_changes_after_archiving_is_told_and_changes_nothing(tasks: Tasks, archived: Archive) -> None:
    """The archived object stays, byte for byte, and the failure names both hashes."""
    victim = tasks.cloud.library[0]
    before = snapshot(archived)
    tasks.cloud.faults.add(Fault("set_fields", "query", recording=victim.id, values={"checksum": "ab" * 32}))
    ended = tasks(archived, "manual__1", Request(window=DAY))
    check_books(archived, ended)
    error = ended.entries[victim.id]["error"]
    assert victim.sha256 in error
    assert "ab" * 32 in error
    assert (ended.report["failed"], ended.report["alreadyArchived"]) == (1, 5)
    assert snapshot(archived) == before
    assert tasks.cloud.requests.counts["media"] == 0


def snapshot(archive: Archive) -> dict[str, tuple[str, int]]:
    """Hash and time of every file below recordings/."""
    files = [path for path in (archive.settings.root / "recordings").rglob("*") if path.is_file()]
    return {str(path): (sha256(path), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize(("ratio", "failed"), [(0.0, True), (0.16, True), (0.17, False), (1.0, False)])
def test_failures_up_to_the_allowed_ratio_leave_the_run_green(
    tasks: Tasks, archive: Archive, ratio: float, failed: bool
) -> None:
    """One of six is more than 0.16 and less than 0.17; the entry is failed either way."""
    fail(tasks.cloud, tasks.cloud.library[0])
    ended = tasks(with_settings(archive, allowed_failure_ratio=ratio), "scheduled__1")
    assert ended.summary.failed == failed
    assert ended.statuses == {"success": 5, "failed": 1}


# Reports


def test_a_run_that_reports_again_never_overwrites_a_report(tasks: Tasks, archive: Archive) -> None:
    """The number counts up, and the earlier report stays as it was."""
    first = tasks(archive, "scheduled__1")
    path = archive.settings.root / first.summary.report_key
    content = path.read_bytes()
    second, third = tasks.report(archive, "scheduled__1"), tasks.report(archive, "scheduled__1")
    keys = [ended.summary.report_key for ended in (first, second, third)]
    assert [key.split("/")[-2] for key in keys] == ["1", "2", "3"]
    assert path.read_bytes() == content
    assert third.statuses == {"success": 6}


def test_runs_whose_names_look_alike_as_paths_keep_their_reports_apart(tasks: Tasks, archive: Archive) -> None:
    """Two run ids may become one folder name; each still has its own report."""
    both = [tasks(archive, run_id, Request(window=DAY)) for run_id in ("manual__a:b", "manual__a b")]
    assert [ended.summary.report_key.split("/")[-3:-1] for ended in both] == [
        ["manual__a-b", "1"],
        ["manual__a-b", "2"],
    ]
    assert [ended.report["runId"] for ended in both] == ["manual__a:b", "manual__a b"]


def test_a_cleared_run_archives_only_what_is_left_and_its_books_close(tasks: Tasks, archive: Archive) -> None:
    """Run again under its own id, it fetches what had failed, and its second report tells of all six."""
    fail(tasks.cloud, tasks.cloud.library[0])
    assert tasks(archive, "scheduled__1").statuses == {"success": 5, "failed": 1}
    tasks.cloud.faults.clear()
    tasks.cloud.requests.clear()
    again = tasks(archive, "scheduled__1")
    check_books(archive, again)
    check_archive(archive, tasks.cloud.library)
    assert (again.report["asked"], again.statuses, again.summary.problems) == (6, {"success": 6}, ())
    assert tasks.cloud.requests.counts["media"] == 1


def test_books_that_a_stopped_run_left_open_are_closed_by_the_next(tasks: Tasks, archive: Archive) -> None:
    """A run that is over gets its report, with what it left as failures; one that goes on is let alone."""
    for run_id in ("manual__1", "manual__2"):
        (batch,) = tasks.query(archive, run_id, Request(window=DAY))
        tasks.download(archive, run_id, batch.number)
    (summary,) = close_left_open(archive, lambda run_id: run_id == "manual__1")
    assert summary.run_id == "manual__1"
    assert "the run ended before its report" in summary.problems
    assert (summary.counts["failed"], summary.counts["successful"]) == (6, 0)
    tasks.gzip(archive, "manual__2", 1)
    ended = tasks.report(archive, "manual__2")
    assert (ended.statuses, ended.summary.problems) == ({"success": 6}, ())
    assert close_left_open(archive, lambda _: True) == []
    check_archive(archive, tasks.cloud.library)


def test_a_report_can_be_checked_without_our_software(tasks: Tasks, archive: Archive) -> None:
    """``sha256sum -c`` accepts report and manifest, and ``gunzip -c | sha256sum`` gives each entry's hash."""
    ended = tasks(archive, "scheduled__1")
    root = archive.settings.root
    folder = (root / ended.summary.report_key).parent
    shell(f"cd '{folder}' && sha256sum --strict -c compliance_report.sha256")
    manifest = f"manifests/{folder.parts[-3]}/{folder.parts[-2]}.{folder.parts[-1]}/manifest-sha256.txt"
    assert shell(f"cd '{root}' && sha256sum --strict -c {manifest}").count(": OK") == 12
    for entry in ended.report["entries"]:
        assert shell(f"gunzip -c '{root / entry['filePath']}' | sha256sum").split()[0] == entry["sha256"]


def shell(command: str) -> str:
    return subprocess.run(["bash", "-ceuo", "pipefail", command], check=True, capture_output=True, text=True).stdout


@example([("failed", False, "a\rb"), ("failed", True, '=a\n,"')])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([None, *Outcome]), st.booleans(), st.text(max_size=5)), max_size=12))
def test_totals_are_what_a_recount_of_the_rows_gives(archive: Archive, ends: list[tuple[Any, bool, str]]) -> None:
    """Whatever the outcomes, JSON and CSV tell the same, the books close, and failures of its own fail the run."""
    with archive.catalog.write() as connection:
        run_id = f"manual__{connection.execute(select(func.count()).select_from(runs)).scalar_one()}"
        facts = {"source": "s", "kind": "range", "started_at": NIGHT, "asked": len(ends)}
        connection.execute(insert(runs).values(run_id=run_id, **facts))
        for number, (outcome, carried_over, text) in enumerate(ends):
            who = {"run_id": run_id, "interaction_id": f"{text}{number}", "recording_id": "r", "part": 0}
            known = {"carried_over": carried_over, "outcome": outcome, "error": text or None, "key": "a.wav.gz"}
            connection.execute(insert(work).values(**who, **known, expected_bytes=0, staged=False))
    ended = reported(archive, run_id)
    counted = Counter(row["status"] for row in rows_of(archive, ended))
    expected = Counter(str(outcome or "failed") for outcome, _, _ in ends)
    assert counted == expected
    names = [row["interactionId"] for row in read_rows(archive.store, ended.summary.report_key)]
    assert names == [f"{text}{number}" for number, (_, _, text) in enumerate(ends)]
    told = ended.report
    shares = {"success": told["successful"], "failed": told["failed"], "checksum_mismatch": told["checksumErrors"]}
    rest = {"already_archived": told["alreadyArchived"], "excluded": told["excluded"], "missing": len(told["missing"])}
    assert +Counter(shares | rest | {"deferred": told["deferred"]}) == expected
    assert told["totalProcessed"] == len(told["entries"]) == sum(shares.values())
    bad = [end for end in ends if end[0] in {None, "failed", "checksum_mismatch"} and not end[1]]
    assert ended.summary.failed == bool(bad or expected["missing"])


# What lies in the archive or in staging already


def lay(archive: Archive, key: str, media: bytes) -> bytes:
    """Put an object without sidecar under a key, compressed as no run would; return its bytes."""
    half = len(media) // 2
    parts = [BytesIO(), BytesIO()]
    bgzf.compress(BytesIO(media[:half]), parts[0])
    bgzf.compress(BytesIO(media[half:]), parts[1])
    content = parts[0].getvalue().removesuffix(bgzf.END_MARKER) + parts[1].getvalue()
    assert archive.store.put(key, content)
    return content


def key_of(recording: Recording) -> str:
    return f"recordings/org=default/year=2026/month=11/day=20/{recording.id}~{recording.id}~0.wav.gz"


def test_an_object_without_sidecar_is_adopted_as_it_lies_there(tasks: Tasks, archive: Archive) -> None:
    """The same media is not written again: its sidecar tells the stored hash of the object that is there."""
    victim = tasks.cloud.library[0]
    content = lay(archive, key_of(victim), victim.path.read_bytes())
    ended = tasks(archive, "scheduled__1")
    check_books(archive, ended)
    check_archive(archive, tasks.cloud.library)
    assert ended.statuses == {"success": 6}
    assert (archive.settings.root / key_of(victim)).read_bytes() == content
    assert ended.entries[victim.id]["storedBytes"] == len(content)


def test_an_object_with_sidecar_that_the_catalog_forgot_is_taken_over(tasks: Tasks, archived: Archive) -> None:
    """A crash before the catalog's row, or a catalog of yesterday: the sidecar there is the commit, and stays."""
    victim = tasks.cloud.library[0]
    before = snapshot(archived)
    change(archived, victim.id, state=State.DISCOVERED, key=None, sha256=None, stored_sha256=None, archived_by=None)
    ended = tasks(archived, "manual__1", Request(window=DAY))
    check_books(archived, ended)
    assert (ended.statuses, ended.report["alreadyArchived"]) == ({"success": 1}, 5)
    assert snapshot(archived) == before
    with archived.catalog.read() as connection:
        found = select(recordings.c.archived_by).where(recordings.c.interaction_id == victim.id)
        assert connection.execute(found).scalar_one() == "scheduled__first"


def test_another_object_under_the_key_is_a_conflict_with_both_hashes(tasks: Tasks, archive: Archive) -> None:
    """The object there stays, no sidecar claims it, the recording fails by name, the others are archived."""
    victim, media = tasks.cloud.library[0], b"RIFF\0\0\0\0WAVE of somebody else"
    content = lay(archive, key_of(victim), media)
    ended = tasks(archive, "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    error = ended.entries[victim.id]["error"]
    assert victim.sha256 in error
    assert hashlib.sha256(media).hexdigest() in error
    assert (archive.settings.root / key_of(victim)).read_bytes() == content
    assert archive.store.size(sidecar_of(key_of(victim))) is None
    assert not any(archive.settings.staging.rglob("*"))


def test_a_damaged_object_under_the_key_fails_by_name(tasks: Tasks, archive: Archive) -> None:
    """What cannot be read is neither adopted nor replaced."""
    victim = tasks.cloud.library[0]
    archive.store.put(key_of(victim), b"not gzip at all")
    ended = tasks(archive, "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    assert "damaged" in ended.entries[victim.id]["error"]
    assert archive.store.read(key_of(victim)) == b"not gzip at all"
    assert not any(archive.settings.staging.rglob("*"))


def test_a_damaged_sidecar_under_the_key_fails_by_name(tasks: Tasks, archive: Archive) -> None:
    """A sidecar that cannot be read is neither believed nor replaced."""
    victim = tasks.cloud.library[0]
    archive.store.put(sidecar_of(key_of(victim)), b"{")
    ended = tasks(archive, "scheduled__1")
    assert ended.statuses == {"success": 5, "failed": 1}
    assert "is damaged" in ended.entries[victim.id]["error"]
    assert archive.store.read(sidecar_of(key_of(victim))) == b"{"


def test_a_sidecar_that_tells_of_another_object_fails_by_name(tasks: Tasks, archived: Archive) -> None:
    """An object that was replaced behind the catalog's back is not taken over under the old sidecar."""
    victim = tasks.cloud.library[0]
    (archived.settings.root / key_of(victim)).unlink()
    content = lay(archived, key_of(victim), victim.path.read_bytes())
    change(archived, victim.id, state=State.DISCOVERED, key=None, sha256=None, stored_sha256=None, archived_by=None)
    ended = tasks(archived, "manual__1", Request(window=DAY))
    error = ended.entries[victim.id]["error"]
    assert "tells of an object with SHA-256" in error
    assert hashlib.sha256(content).hexdigest() in error


def test_staged_bytes_that_vanish_or_rot_are_fetched_again(tasks: Tasks, archive: Archive) -> None:
    """`compress` archives the sound ones and counts the lost; the next download fetches those and no others."""
    (batch,) = tasks.query(archive, "scheduled__1")
    assert tasks.download(archive, "scheduled__1", batch.number) == 6
    vanished, rotten, *_ = sorted((archive.settings.staging / "scheduled__1").iterdir())
    vanished.unlink()
    content = rotten.read_bytes()
    rotten.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    lost = compress.compress(archive, tasks.source(), "scheduled__1", batch.number, stop=threading.Event())
    assert (lost, len(objects(archive))) == (2, 4)
    assert tasks.download(archive, "scheduled__1", batch.number) == 2
    assert tasks.gzip(archive, "scheduled__1", batch.number) == 0
    assert [path for path in archive.settings.staging.rglob("*") if path.is_file()] == []
    ended = tasks.report(archive, "scheduled__1")
    check_books(archive, ended)
    check_archive(archive, tasks.cloud.library)
    assert (ended.statuses, tasks.cloud.requests.counts["media"]) == ({"success": 6}, 8)


def test_a_staging_folder_that_vanished_is_made_again(tasks: Tasks, archive: Archive) -> None:
    """Another machine's disk, or a cleaner: the gzip task fetches everything again and the run is whole."""
    (batch,) = tasks.query(archive, "scheduled__1")
    tasks.download(archive, "scheduled__1", batch.number)
    for path in sorted(archive.settings.staging.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    archive.settings.staging.rmdir()
    assert tasks.gzip(archive, "scheduled__1", batch.number) == 0
    assert tasks.report(archive, "scheduled__1").statuses == {"success": 6}
    check_archive(archive, tasks.cloud.library)
