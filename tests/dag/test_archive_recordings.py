"""`archive_recordings` under a real scheduler, against the sandbox, over real HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from genesys_sandbox import SIGNATURE_PREFIX, TOKEN_PREFIX, Fault
from support.dag_world import BATCH_PARTS, DAG, PER_DAY, TODAY, World, day, eventually

pytestmark = pytest.mark.airflow


def counts(report: dict[str, Any]) -> tuple[int, int, int]:
    return report["asked"], report["successful"], report["alreadyArchived"]


def days(first: int, last: int) -> dict[str, str]:
    return {"startDate": day(first), "endDate": day(last)}


def test_scheduled_run_archives_yesterday(quiet: World) -> None:
    """The schedule alone archives the last whole day, and every archived byte is the sandbox's."""
    (run_id,) = eventually(lambda: quiet.runs("scheduled"))
    quiet.finish(run_id)
    report = quiet.report(run_id, first=True)
    assert counts(report) == (PER_DAY, PER_DAY, 0)
    assert report["rangeStart"] == (TODAY - timedelta(days=1)).isoformat()
    assert report["coverageClosed"]
    assert quiet.note(run_id).startswith(f"{PER_DAY} archived\n\n[Report](")
    for entry in report["entries"]:
        assert gunzipped_sha256(quiet.root / entry["filePath"]) == checksum(quiet, entry["interactionId"])


def test_run_over_dates_in_mapped_batches(quiet: World) -> None:
    """A triggered range is cut into labelled batches, transient faults are overcome, the manifest checks out."""
    quiet.sandbox.faults.add(
        Fault("reset_midway", every=3, times=1),
        Fault("expired", every=4, times=1),
        Fault("status", "query", times=1, status=429, retry_after_s=1),
    )
    report = quiet.run("dates", days(3, 2))
    assert counts(report) == (2 * PER_DAY, 2 * PER_DAY, 0)
    assert any(entry["attempts"] > 1 for entry in report["entries"])
    labels = {task["rendered_map_index"] for task in quiet.airflow.tasks(DAG, "dates") if task["map_index"] >= 0}
    batches = -(-2 * PER_DAY // BATCH_PARTS)
    assert f"batch 1 of {batches} · {BATCH_PARTS} recordings" in labels
    assert len(labels) == batches
    manifest = next(quiet.root.glob("manifests/*/dates.1/manifest-sha256.txt"))
    checked = subprocess.run(["sha256sum", "--quiet", "-c", manifest], cwd=quiet.root, check=False, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert len(manifest.read_text().splitlines()) == 2 * 2 * PER_DAY  # object and sidecar of each


def test_second_run_fetches_no_media(quiet: World) -> None:
    """Archiving the same range again asks the source, fetches zero media bytes, and says so."""
    before = quiet.sandbox.requests.sent["media"]
    report = quiet.run("again", days(3, 2))
    assert counts(report) == (2 * PER_DAY, 0, 2 * PER_DAY)
    assert quiet.sandbox.requests.sent["media"] == before


@pytest.mark.parametrize("form", ["text", "list", "array"])
def test_named_interactions(quiet: World, form: str) -> None:
    """An interaction is archived by its id alone, given as a text, a comma list or a JSON array."""
    first, second, third, fourth, fifth, *_ = quiet.ids(4)
    given: Any = {"text": first, "list": f"{second}, {third}", "array": [fourth, fifth]}[form]
    report = quiet.run(f"named_{form}", {"interactionId": given})
    wanted = {"text": [first], "list": [second, third], "array": [fourth, fifth]}[form]
    assert sorted(entry["interactionId"] for entry in report["entries"]) == sorted(wanted)
    assert report["successful"] == len(wanted)
    assert not report["coverageClosed"]


@pytest.mark.parametrize("dag", [DAG, "enforce_retention", "verify_archive", "export_evidence"])
def test_every_task_has_a_time_limit(quiet: World, dag: str) -> None:
    """The net below all other limits: nothing keeps a run from its end for ever."""
    tasks = quiet.airflow.call("GET", f"/dags/{dag}/tasks")["tasks"]
    assert tasks
    assert [task["task_id"] for task in tasks if not task["execution_timeout"]] == []


def test_unknown_interaction_fails_the_run(quiet: World) -> None:
    """An asked id that the source does not have is missing by name, and the run is failed after its report."""
    report = quiet.run("unknown", {"interactionId": "never-was"}, expect="failed")
    assert report["missing"] == ["never-was"]
    note = quiet.note("unknown")
    assert note.startswith("1 asked interactions are not at the source\n\n[Report](http")
    assert "/archive/runs/unknown) · ledger head `" in note
    assert report["asked"] == 1
    assert report["totalProcessed"] == 0


def test_a_failed_run_alerts_and_its_log_is_a_sentence(quiet: World) -> None:
    """The notifier of the settings gets what failed, why, and where to look; no traceback tells it in the log."""
    said = eventually(lambda: quiet.inbox.about("run unknown failed"))
    assert said.startswith(
        "archive_recordings: run unknown failed: 1 asked interactions are not at the source. Report: "
    )
    assert said.endswith("/archive/runs/by-airflow?dag_id=archive_recordings&run_id=unknown")
    log = quiet.log("unknown", "write_report")
    assert "Task failed with exception: 1 asked interactions are not at the source" in log
    assert "error_detail" not in log


def test_a_late_run_alerts(quiet: World) -> None:
    """Airflow's own deadline, by its triggerer."""
    late = eventually(lambda: quiet.inbox.about("archive_recordings: run", "is not over yet"))
    assert "a run that hangs can be cleared" in late


def test_the_log_of_a_batch_ends_with_how_much_and_how_fast(quiet: World) -> None:
    """Recordings, bytes, rate and failures."""
    (run_id,) = quiet.runs("scheduled")[:1]
    for task_id, word in (("archive_batch.download", "fetched"), ("archive_batch.gzip", "archived")):
        assert f"recordings {word}; " in quiet.log(run_id, task_id)
        assert "MB/s; 0 failed" in quiet.log(run_id, task_id)


def test_unknown_parameter_fails_the_run(quiet: World) -> None:
    """A misspelt parameter is refused by name before any request, and the report tells it."""
    before = quiet.sandbox.requests.counts["query"]
    report = quiet.run("misspelt", {"interactionID": "a"}, expect="failed")
    assert "Unknown parameter interactionID" in report["problems"][0]
    assert quiet.sandbox.requests.counts["query"] == before


@pytest.mark.parametrize(
    "conf", [{"interactionId": "a b"}, {"interactionId": ["../x"]}, {"startDate": "1.2.2026"}, {"endDate": 5}]
)
def test_wrong_parameters_are_refused_at_trigger_time(quiet: World, conf: dict[str, Any]) -> None:
    """What the form's schema can refuse starts no run."""
    with pytest.raises(RuntimeError, match=" 400 "):
        quiet.airflow.trigger(DAG, "refused", conf)


def test_killed_download_resumes_under_its_retry(quiet: World) -> None:
    """A download task killed in the middle is tried again by Airflow, and everything is archived once."""
    slow = quiet.ids(4)[5]
    quiet.sandbox.faults.add(Fault("slow", recording=slow, times=1, seconds=20))
    quiet.airflow.trigger(DAG, "killed", {"interactionId": quiet.ids(4)[5:8]})
    eventually(lambda: quiet.sandbox.faults.hits["slow"], timeout_s=120)
    (running,) = [task for task in quiet.airflow.tasks(DAG, "killed") if task["state"] == "running"]
    os.kill(running["pid"], signal.SIGKILL)
    report = quiet.finish("killed")
    assert counts(report) == (3, 3, 0)
    download = [task for task in quiet.airflow.tasks(DAG, "killed") if task["task_id"].endswith("download")]
    assert [task["try_number"] for task in download] == [2]


def test_two_runs_at_once_do_no_harm(quiet: World) -> None:
    """Two runs over the same recordings both succeed, and each recording lies in the archive once."""
    quiet.airflow.trigger(DAG, "twin_a", days(5, 5))
    quiet.airflow.trigger(DAG, "twin_b", days(5, 5))
    reports = [quiet.finish("twin_a"), quiet.finish("twin_b")]
    assert [report["asked"] for report in reports] == [PER_DAY, PER_DAY]
    assert sum(report["successful"] for report in reports) == PER_DAY
    assert all(report["successful"] + report["alreadyArchived"] == PER_DAY for report in reports)


def test_backfill_over_dates(quiet: World) -> None:
    """`airflow backfill create` archives each day of a range in a run of its own."""
    quiet.backfill(day(4), day(3))
    eventually(lambda: len(quiet.runs("backfill")) == 2)
    for run_id in quiet.runs("backfill"):
        report = quiet.finish(run_id)
        assert counts(report) == (PER_DAY, 0, PER_DAY)
        assert report["kind"] == "range"


def test_failed_recording_colours_its_run_and_is_named(quiet: World) -> None:
    """A recording whose checksum stays wrong is reported with both hashes, the others are archived, the run fails."""
    bad, good = quiet.ids(4)[0], quiet.ids(4)[1]
    reset = {"interactionId": [bad, good]}
    assert quiet.run("before", reset)["alreadyArchived"] == 2  # archived above: the checksum is not asked again
    quiet.sandbox.faults.add(
        Fault("set_fields", "query", recording=bad, values={"checksum": "0" * 64}),
    )
    report = quiet.run("changed", reset, expect="failed")
    (entry,) = report["entries"]
    assert entry["interactionId"] == bad
    assert "the source now gives SHA-256 000" in entry["error"]


def test_no_secret_anywhere(quiet: World) -> None:
    """No token, signed URL or client secret lies in Airflow's database, its logs, the archive or the catalog."""
    canaries = [TOKEN_PREFIX.encode(), SIGNATURE_PREFIX.encode(), b"signature=", quiet.sandbox.client_secret.encode()]
    home = quiet.root.parent
    searched = 0
    for file in home.rglob("*"):
        if not file.is_file() or file.is_relative_to(home / "sandbox"):
            continue
        content = file.read_bytes()
        searched += len(content)
        assert [canary for canary in canaries if canary in content] == [], file
    assert searched > 1_000_000
    assert quiet.sandbox.requests.counts["token"] > 0


def test_logs_tell_the_story(quiet: World) -> None:
    """Each recording has one line per effect in the task logs."""
    (entry, *_) = quiet.report("dates")["entries"]
    part = f"{entry['interactionId']}~{entry['recordingId']}~0"
    assert (
        len(re.findall(f"{part}: downloaded {entry['bytes']} bytes", quiet.log("dates", "archive_batch.download"))) == 1
    )
    assert len(re.findall(f"{part}: success as {entry['filePath']}", quiet.log("dates", "archive_batch.gzip"))) == 1


def checksum(world: World, interaction_id: str) -> str:
    recording = world.sandbox.library.get(interaction_id)
    assert recording is not None
    return recording.sha256


def gunzipped_sha256(file: Path) -> str:
    """What anybody would check with, without software of ours."""
    found = subprocess.run(f"gunzip -c '{file}' | sha256sum", shell=True, check=True, capture_output=True, text=True)  # noqa: S602
    return found.stdout.split()[0]
