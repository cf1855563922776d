"""The retention report: it accounts for every row of a plan."""

from __future__ import annotations

import csv
import io
import json
import subprocess

from recording_archive.archive import Archive
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.report import close
from support.contents import change, events_of, ids
from support.retention_run import EXPIRED, at, enforce, quarantined


def test_the_report_accounts_for_everything(archived: Archive) -> None:
    """Counts, entries, what stayed by reason, certificates and ledger head; its files check with sha256sum."""
    soon = quarantined(archived)
    victim = ids(archived)[0]
    change(archived, victim, verified_ok=False)
    done = enforce(soon, "retention__2")
    report = done.report
    assert (report["purged"], report["planned"], report["failed"]) == (5, 5, 0)
    assert report["kept"] == {"unverified": 1}
    assert (report["policy"], report["plan"], report["dryRun"]) == ("default:90", done.plan.sha256, False)
    assert report["certificates"] == list(done.closed.certificates)
    assert report["ledgerHead"].split(":")[0].isdigit()
    assert victim not in done.entries
    assert {entry["outcome"] for entry in report["entries"]} == {"done"}
    folder = (archived.settings.root / done.closed.report_key).parent
    check = f"cd '{folder}' && sha256sum --strict -c retention_report.sha256"
    assert subprocess.run(["bash", "-c", check], check=True, capture_output=True, text=True).stdout.count("OK") == 2
    files = events_of(archived, "reported")[-1].detail["files"]
    assert {key.rpartition("/")[2] for key in files} == {f"retention_report.{end}" for end in ("csv", "json", "sha256")}


def test_an_erased_recording_has_a_day_and_no_invented_time(archived: Archive) -> None:
    """In the report of its erasure, as JSON and as CSV, and in that of an open plan which it was a row of."""
    first, second = ids(archived)[:2]
    make_plan(at(archived, EXPIRED), "retention__1")
    done = erase(archived, Subject(ids=(first,)), reason="request 7", actor="ann")
    keys = [done.report_key, close(archived, "retention__1").report_key]
    for key in keys:
        dates = {
            row["interactionId"]: row["interactionDate"] for row in json.loads(archived.store.read(key))["entries"]
        }
        text = archived.store.read(key.replace(".json", ".csv")).decode()
        lines = {row["interactionId"]: row["interactionDate"] for row in csv.DictReader(io.StringIO(text))}
        assert dates[first] == lines[first] == "2026-11-20"
    assert dates[second].startswith("2026-11-20T")
