"""A compliance report and a time line as text for a terminal or a pipe."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from recording_archive.archive import Archive
from recording_archive.catalog.timeline import Timeline
from recording_archive.cli import terminal
from recording_archive.model import Outcome, State, is_safe_id
from recording_archive.parties.words import in_words
from recording_archive.reports.reading import StoredReport, read_rows

SHOWN_FAILURES = 20
_COUNTS = (
    *("totalProcessed", "successful", "failed", "checksumErrors", "asked", "alreadyArchived", "excluded", "missing"),
    *("carriedOver", "deferred", "checksumUnavailable", "healedMismatches"),
    *("apiRequests", "bytesDownloaded", "bytesStored"),
)
_NAMED_ABOVE = ("key", "sha256", "stored_sha256", "sidecar_sha256")
_BAD = (Outcome.FAILED, Outcome.CHECKSUM_MISMATCH, Outcome.MISSING)


def print_report(archive: Archive, report: StoredReport) -> None:
    """Print totals, problems and the first failures, and where all of it lies."""
    counted: Counter[str] = Counter()
    shown: list[tuple[str, str, str]] = []
    for row in read_rows(archive.store, report.key):
        counted["missing"] += row["status"] == Outcome.MISSING
        counted["carriedOver"] += row["carriedOver"] == "true"
        if row["status"] in _BAD:
            counted["bad"] += 1
            if len(shown) < SHOWN_FAILURES:
                shown.append((row["interactionId"], row["status"], row["error"]))
    totals: dict[str, Any] = {"missing": counted["missing"], "carriedOver": counted["carriedOver"], **report.totals}
    totals |= {name: terminal.size(totals[name]) for name in ("bytesDownloaded", "bytesStored") if name in totals}
    verdict = "failed" if report.problems else "success"
    terminal.facts(f"Run {report.run_id}: {verdict}", _heading(report) | {name: totals.get(name) for name in _COUNTS})
    for problem in report.problems:
        terminal.say(f"problem: {problem}")
    listing = report.listing or {}
    for note in listing.get("notes", ()):
        terminal.say(f"note: {note}")
    if reconciled := listing.get("reconciled"):
        terminal.facts("Compared with the source's inventory", reconciled)
    if shown:
        terminal.table("Failures", ("interaction", "status", "error"), shown)
    path = f"{archive.store}/{report.key}"
    if more := counted["bad"] - len(shown):
        terminal.say(f"… and {more} more: see {path.removesuffix('json')}csv")
    terminal.say(path)


def _heading(report: StoredReport) -> dict[str, Any]:
    window = report.window
    return {
        "source": report.source,
        "kind": report.kind,
        "range": f"{window.start.isoformat()} to {window.end.isoformat()}" if window else None,
        "started": report.started_at,
        "closed": report.closed_at,
    }


def print_timeline(found: Timeline) -> None:
    """Print the parts, what happened and what each run did; for an interaction never seen, what that means."""
    if not found.known:
        terminal.say(f"{found.interaction_id}: never seen: the source has listed no recording of it")
    for part in found.parts:
        terminal.facts(f"{part['interaction_id']}~{part['recording_id']}~{part['part']}", dict(_part(part)))
    hidden = () if len(found.parts) > 1 else ("part",)
    above = {row[name] for row in found.parts for name in _NAMED_ABOVE}
    _print_rows("Time line (UTC)", (_event(row, above) for row in found.events), hidden)
    _print_rows("Runs", map(_work, found.work), hidden)
    if not found.known:
        _print_absence(found)


def _part(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The columns that say something; those of a failure only while there is one."""
    failed = row["state"] == State.DISCOVERED
    failure = ("failed_since", "failures", "retry_at", "last_error", "acknowledged_at")
    hidden = {"interaction_id", "recording_id", "part", "numbers", *(() if failed and row["failures"] else failure)}
    values = {**row, "parties": in_words(row["parties"])}
    return ((name.replace("_", " "), value) for name, value in values.items() if name not in hidden)


def _print_rows(title: str, rows: Iterable[Mapping[str, Any]], hidden: Sequence[str]) -> None:
    """Print a table of what is not hidden; nothing where there are no rows."""
    if shown := [{name: value for name, value in row.items() if name not in hidden} for row in rows]:
        terminal.table(title, list(shown[0]), [list(row.values()) for row in shown])


def _event(row: Mapping[str, Any], above: Container[Any]) -> dict[str, Any]:
    """One event; its details without the key and hashes that stand above it, with the part."""
    detail = {name: value for name, value in (row["detail"] or {}).items() if str(value) not in above}
    who = row["run_id"] or row["actor"]
    return {"when": row["at"], "what": row["kind"], "part": _part_of(row), "run or person": who, "detail": detail}


def _work(row: Mapping[str, Any]) -> dict[str, Any]:
    outcome = {"outcome": row["outcome"] or "open", "requests": row["requests"], "error": row["error"]}
    return {"run": row["run_id"], "part": _part_of(row), **outcome}


def _part_of(row: Mapping[str, Any]) -> str | None:
    return f"{row['recording_id']}~{row['part']}" if row["recording_id"] else None


def _print_absence(found: Timeline) -> None:
    """Against which ranges the absence holds, and how to ask the source for this interaction alone."""
    if found.covered:
        spans = ((span.source, span.window.start, span.window.end) for span in found.covered)
        terminal.table("Ranges whose recordings are all in the books (UTC)", ("source", "from", "to"), spans)
    else:
        terminal.say("No range of time has been archived completely yet: its absence means nothing")
    if not is_safe_id(found.interaction_id):
        terminal.say("It is no id that can be archived: letters, digits, dots, dashes and underscores, at most 100")
        return
    conf = shlex.quote(json.dumps({"interactionId": found.interaction_id}))
    terminal.say(f"To ask the source for it: airflow dags trigger archive_recordings --conf {conf}")
