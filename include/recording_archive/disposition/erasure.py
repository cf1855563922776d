"""Erasure (GDPR, article 17): all recordings of a person are deleted at once, whatever their age, unless held.

They are deleted as in a purge (`deletion`), without a quarantine. What remains are the ids, which the sealed ledger has
anyway and which keep a recording from coming back; a tombstone with keyed hashes; a certificate; a report. Recordings
that were purged before lose their personal data in the catalog.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, update

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.party_index import unindex
from recording_archive.catalog.rows import is_part, part_of
from recording_archive.catalog.tables import dispositions, plans, recordings
from recording_archive.disposition import plan_table, subject_hashes
from recording_archive.disposition.approval import executable, require_current
from recording_archive.disposition.deletion import Deletion, carry_out, order_of
from recording_archive.disposition.erasure_doubts import note_doubts
from recording_archive.disposition.erasure_subject import Subject, checked, checked_reason, matching
from recording_archive.disposition.personal import day_of, without_personal_data
from recording_archive.disposition.recheck import Recheck, lock_part
from recording_archive.disposition.report import close
from recording_archive.errors import ConfigurationError, TransientError
from recording_archive.ledger import sealing
from recording_archive.model import PartId, State
from recording_archive.retention.rules import Action


@dataclass(frozen=True, slots=True)
class Refusal:
    """A part that was not erased, or not yet, and why."""

    part: PartId
    why: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """The result of an erasure."""

    run_id: str
    erased: int
    refused: tuple[Refusal, ...]
    certificates: tuple[str, ...]
    report_key: str
    ledger_head: str | None


def erase(
    archive: Archive,
    subject: Subject,
    *,
    reason: str,
    actor: str,
    run_id: str | None = None,
    stop: threading.Event | None = None,
) -> Erasure:
    """Erase what ``subject`` names, and write its report; what is held stays, and the answer says by which hold.

    Reason and actor are kept for good. Raises ConfigurationError when more is named than may go without approval.
    """
    run_id = run_id or new_run_id(archive)
    plan_erasure(archive, run_id, subject, reason=reason, triggered_by=actor, approval=False)
    return finish_erasure(archive, run_id, stop or threading.Event())


def new_run_id(archive: Archive) -> str:
    """Make an id for an erasure that is no run of Airflow's."""
    return f"erasure__{archive.clock():%Y%m%dT%H%M%S}_{secrets.token_hex(3)}"


def finish_erasure(archive: Archive, run_id: str, stop: threading.Event) -> Erasure:
    """Carry out a planned erasure, and close it with its report; after a stop it is left open, for the next attempt."""
    erase_planned(archive, run_id, stop)
    if stop.is_set():
        raise TransientError(f"The erasure {run_id} was stopped before its end: it goes on with the next attempt")
    report = close(archive, run_id)
    undone = (dispositions.c.outcome != plan_table.DONE, dispositions.c.action != plan_table.LOOK)
    left = (page for page in plan_table.rows_of(archive, run_id, *undone))
    refused = tuple(Refusal(part_of(row), row.why or row.outcome) for page in left for row in page)
    erased = report.counts["erased"]
    return Erasure(run_id, erased, refused, report.certificates, report.report_key, report.ledger_head)


def plan_erasure(
    archive: Archive,
    run_id: str,
    subject: Subject,
    *,
    reason: str,
    triggered_by: str | None,
    dry_run: bool = False,
    approval: bool = True,
    requested: bool = False,
) -> plan_table.Plan:
    """Plan the erasure of all that ``subject`` names now; `erase_planned` erases it once somebody else approved it.

    Without ``approval`` it may be carried out at once, up to the configured number of recordings. ``requested`` marks
    one that no run of Airflow's carries out (`erasure_request`).
    """
    require_current(archive)
    subject_hashes.read_key(archive.settings)  # before anything goes: without it no tombstone can be written
    wanted, at = checked(subject), archive.clock()
    facts = {
        "dry_run": dry_run,
        "reason": checked_reason(reason, wanted, archive.settings.phone_region),
        "triggered_by": triggered_by,
    }
    facts["requested"] = requested
    with archive.catalog.write() as connection:
        plan_table.begin_plan(connection, run_id, plan_table.ERASURE, at=at, as_of=at, **facts)
    digest, count, most = sha256(f"{plan_table.ERASURE} {at.date()}\n".encode()), 0, archive.settings.most_erased_alone
    for page in matching(archive, wanted):
        with archive.catalog.write() as connection:
            plan_table.add_rows(connection, run_id, [_planned(row) for row in page])
        for row in page:
            digest.update(f"{Action.ERASE} {part_of(row)} {row.stored_sha256}\n".encode())
        count += len(page)
        if count > most and not approval:
            raise ConfigurationError(
                f"More than {most} recordings are named, which RECORDING_ARCHIVE_MAX_DELETE_COUNT allows: name fewer, "
                "or trigger enforce_retention with the same, where somebody else approves it"
            )
    note_doubts(archive, run_id, wanted)
    caps = [f"erasure of {count} recordings"] if approval else []
    with archive.catalog.write() as connection:
        mine = update(plans).where(plans.c.run_id == run_id)
        connection.execute(mine.values(sha256=digest.hexdigest(), caps=caps, kept={}))
        detail = {"plan": digest.hexdigest(), "counts": {str(Action.ERASE): count}, "caps": caps}
        record(connection, "planned", None, at=at, run_id=run_id, actor=triggered_by, detail=detail)
    return plan_table.required_plan(archive, run_id)


def erase_planned(archive: Archive, run_id: str, stop: threading.Event) -> int:
    """Erase the parts of the run's plan; return how many are erased. A dry run does nothing.

    Raises PermanentError when the plan may not be carried out. A stop takes effect between two parts.
    """
    plan = executable(archive, run_id, plan_table.ERASURE)
    if plan is None:
        return 0
    subject_hashes.read_key(archive.settings)
    counts = carry_out(archive, run_id, _orders(archive, plan), recheck=Recheck(archive, None, plan.as_of), stop=stop)
    sealing.seal(archive)
    return counts[plan_table.DONE]


def _orders(archive: Archive, plan: plan_table.Plan) -> Iterator[Deletion]:
    """Yield the deletions that a plan orders; of parts that were purged before, the catalog forgets the person."""
    for page in plan_table.to_do(archive, plan.run_id, Action.ERASE):
        for row in page:
            if not _forget(archive, plan, part_of(row)):
                yield order_of(plan, row)


def _forget(archive: Archive, plan: plan_table.Plan, part: PartId) -> bool:
    """Remove personal data from the row of a purged part; return False for a part that is not purged."""
    at = archive.clock()
    with archive.catalog.write() as connection:
        row = lock_part(connection, part)
        if row.state != State.PURGED:
            return False
        unindex(connection, [row])
        connection.execute(update(recordings).where(is_part(recordings, part)).values(**without_personal_data(row)))
        outcome = {"outcome": plan_table.DONE, "why": "purged before", "certificate": row.certificate}
        plan_table.note_outcome(connection, plan.run_id, part, **outcome)
        detail = {"certificate": row.certificate, "plan": plan.sha256}
        record(connection, "erased", part, at=at, run_id=plan.run_id, actor=plan.triggered_by, detail=detail)
    return True


def _planned(row: Row[Any]) -> dict[str, Any]:
    return plan_table.planned_row(row, Action.ERASE, None, None) | {"interaction_date": day_of(row.interaction_date)}
