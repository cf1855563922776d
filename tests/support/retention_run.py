"""Runs of `enforce_retention` without Airflow, on an archive whose clock the test sets."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from recording_archive import holds
from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.tables import dispositions
from recording_archive.disposition import quarantine
from recording_archive.disposition.approval import approve
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.plan_table import Plan
from recording_archive.disposition.report import RetentionReport, close, close_left_open
from recording_archive.holds import Criteria
from recording_archive.ledger.segments import unknown_segments
from recording_archive.model import State
from recording_archive.settings import Settings
from support.contents import documents, events_of, files_of, rows

EXPIRED = datetime(2027, 3, 1, 12, tzinfo=UTC)
"""A time at which the recordings of 20 November 2026 are more than 90 days old."""

QUARANTINE = timedelta(days=14)


@dataclass(frozen=True)
class Ended:
    """What a whole run did."""

    plan: Plan
    quarantined: int
    purged: int
    closed: RetentionReport
    report: dict[str, Any]

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """The report's entries by interaction."""
        return {entry["interactionId"]: entry for entry in self.report["entries"]}


def at(archive: Archive, moment: datetime, **settings: Any) -> Archive:
    """The archive at a moment at which its clock stands still, with other settings; no cap is in the way."""
    changed = {"max_delete_bytes": 2**40, **settings}
    return replace(archive, clock=lambda: moment, settings=archive.settings.model_copy(update=changed))


def plan_approved(archive: Archive, run_id: str, **asked: Any) -> Plan:
    """Plan, and approve when asked to, as the first plan of an archive always does."""
    plan = make_plan(archive, run_id, **asked)
    if plan.needs_approval and plan.sha256:
        approve(archive, run_id, plan_sha256=plan.sha256, actor="carol")
    return plan


def enforce(archive: Archive, run_id: str, **asked: Any) -> Ended:
    """Plan, approve when asked to, quarantine, purge, report."""
    plan = plan_approved(archive, run_id, **asked)
    if not plan.dry_run:
        close_left_open(archive, run_id)
    quarantined = quarantine.quarantine(archive, run_id, threading.Event())
    purged = quarantine.purge(archive, run_id, threading.Event())
    closed = close(archive, run_id)
    return Ended(plan, quarantined, purged, closed, json.loads(archive.store.read(closed.report_key)))


def quarantined(archive: Archive) -> Archive:
    """The archive as it is when all it has was quarantined, and a purge is due."""
    assert enforce(at(archive, EXPIRED), "retention__1").quarantined == 6
    return at(archive, EXPIRED + QUARANTINE)


def hold(archive: Archive, interaction_id: str) -> str:
    """Put an interaction on hold; return the hold's id."""
    wanted = Criteria(interaction_ids=(interaction_id,))
    return holds.create(archive, matter="M", reason="R", criteria=wanted, actor="ann")[0].id


def planned(archive: Archive, run_id: str) -> dict[str, Row[Any]]:
    """The rows of a plan by interaction."""
    with archive.catalog.read() as connection:
        found = connection.execute(select(dispositions).where(dispositions.c.run_id == run_id)).all()
    return {row.interaction_id: row for row in found}


def check_gone(archive: Archive) -> None:
    """What is purged or erased has nothing left but tombstone and certificate, and both have their event."""
    tombstones, certificates = documents(archive, "tombstones"), documents(archive, "certificates")
    gone = [*events_of(archive, "purged"), *events_of(archive, "erased")]
    vouched = {key for event in gone for key in event.detail["files"]}
    assert vouched == {*tombstones, *certificates}
    buried = {document["interactionId"]: key for key, document in tombstones.items()}
    certified = {part["interactionId"]: number for number, doc in certificates.items() for part in doc["parts"]}
    for name, row in rows(archive).items():
        if row.state in (State.PURGED, State.ERASED):
            assert files_of(archive, name) == []
            assert name in buried
            assert certified[name] == f"certificates/{row.certificate}.json"
            assert row.deleting_at is None
        else:
            assert name not in buried
    assert unknown_segments(archive) == []


def one_run(settings: Settings, case: Mapping[str, Any]) -> None:
    """A whole run in a process that comes to harm (`crashing`); tasks that fail are not tried again."""
    archive = at(open_archive(settings), datetime.fromisoformat(case["at"]))
    enforce(archive, case["run_id"])
    archive.catalog.close()


def one_erasure(settings: Settings, case: Mapping[str, Any]) -> None:
    """An erasure by ids, likewise."""
    archive = at(open_archive(settings), datetime.fromisoformat(case["at"]))
    erase(archive, Subject(ids=tuple(case["ids"])), reason="request 7", actor="ann")
    archive.catalog.close()
