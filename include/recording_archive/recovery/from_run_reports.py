"""Plans and fixity runs of a lost catalog, from their reports: the run from the head, its rows from the CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from recording_archive.catalog.rows import chunked
from recording_archive.catalog.tables import dispositions, fixity_runs, plans, readings
from recording_archive.fixity.readings_table import Finding
from recording_archive.fixity.report import ESCALATED, FACTS
from recording_archive.model import moment_of
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.reports import run_state
from recording_archive.reports.reading import damage_named, read_head, read_rows
from recording_archive.store.base import Store

Cells = Mapping[str, str]


def enter_plan(connection: Connection, store: Store, key: str) -> Iterator[Indexed]:
    """Enter the plan that a retention report closed, and what it did with each part."""
    head = read_head(store, key)
    with damage_named(key):
        values = {
            **_run(head, key),
            "as_of": datetime.fromisoformat(head["asOf"]),
            "dry_run": bool(head["dryRun"]),
            "triggered_by": head["triggeredBy"],
            "requested": bool(head.get("requested")),
            "foretold": head.get("foretold"),
            "sha256": head["plan"],
            "approved_by": head["approvedBy"],
            "approved_at": _moment(head["approvedAt"]),
            **{name: head[name] for name in ("policy", "reason", "caps", "kept")},
        }
    yield from _enter(connection, plans, values, dispositions, (_disposition(row) for row in read_rows(store, key)))


def enter_fixity_run(connection: Connection, store: Store, key: str) -> Iterator[Indexed]:
    """Enter the run that a fixity report closed, and its findings."""
    head = read_head(store, key)
    with damage_named(key):
        facts = {name: head.get(name) for name in ("strays", *FACTS)}
        counts: dict[str, int] = {finding: head[_COUNTED_AS.get(finding, finding)] for finding in Finding}
        values = {
            **_run(head, key),
            "planned": head["planned"],
            "facts": {name: fact for name, fact in facts.items() if fact is not None},
            "counts": {**counts, **{name: head[name] for name in ("planned", "unread", "bytesRead")}},
        }
    yield from _enter(connection, fixity_runs, values, readings, (_reading(row) for row in read_rows(store, key)))


_COUNTED_AS = {Finding.BAD: "escalated", Finding.STRAY: "strays"}


def _run(head: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Read the columns that all runs have."""
    return {
        "run_id": head["runId"],
        "kind": head["kind"],
        "started_at": datetime.fromisoformat(head["startedAt"]),
        "closed_at": datetime.fromisoformat(head["generatedAt"]),
        "problem": "; ".join(head["problems"]) or None,
        "status": run_state.status_of(head["problems"]),
        "report_key": key,
    }


def _enter(
    connection: Connection, table: Table, run: Mapping[str, Any], rows_of: Table, rows: Iterator[dict[str, Any]]
) -> Iterator[Indexed]:
    """Enter a run and its rows, unless the catalog has the run as it was then or later."""
    known = connection.execute(select(table.c.closed_at).where(table.c.run_id == run["run_id"])).one_or_none()
    if known is not None and (known.closed_at is None or known.closed_at >= run["closed_at"]):
        yield Indexed("runs", run["report_key"], IndexResult.KNOWN)
        return
    for each in (table, rows_of):
        connection.execute(delete(each).where(each.c.run_id == run["run_id"]))
    connection.execute(insert(table), run)
    named = ({"run_id": run["run_id"], **row} for row in rows)
    with damage_named(run["report_key"]):
        for page in chunked(named):
            connection.execute(insert(rows_of), page)
    yield Indexed("runs", run["report_key"], IndexResult.ADDED)


def _disposition(row: Cells) -> dict[str, Any]:
    return {
        **_named(row),
        "due_at": _moment(row["dueAt"]),
        "interaction_date": _moment(row["interactionDate"]),
        "stored_sha256": row["storedSha256"] or None,
        "stored_bytes": int(row["storedBytes"]) if row["storedBytes"] else None,
        **{name: row[name] or None for name in ("action", "outcome", "rule", "sha256", "certificate")},
    }


def _reading(row: Cells) -> dict[str, Any]:
    outcome = Finding.BAD if row["outcome"] == ESCALATED else row["outcome"]
    return {**_named(row), "key": row["filePath"] or None, "problem": row["problem"] or None, "outcome": outcome}


def _named(row: Cells) -> dict[str, Any]:
    return {
        "interaction_id": row["interactionId"] or None,
        "recording_id": row["recordingId"] or None,
        "part": int(row["part"]) if row["part"] else None,
        "why": row["why"] or None,
    }


def _moment(text: str | None) -> datetime | None:
    return moment_of(text) if text else None
