"""Delete parts for good, in an order that survives a crash at any point.

intent written, in the transaction that checks hold, policy and hash (`recheck`), and the `evidence`
→ object removed, in a transaction that checks the same once more
→ rejected copies, waveform and sidecar removed → tombstone published
→ for up to 1,000 parts: certificate published → rows, plan and events in one transaction (`certificate`)

A crash leaves an intent, which the next run takes up. While its object is there the part is judged anew, and a hold
that came in between wins: the intent is taken back. Once the object is gone there is nothing left to keep, and the
deletion is finished whatever came since. The object goes first and the sidecar last, because an object without a
sidecar would look like one that a run had not committed yet, and be adopted.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, null, select, update

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.rows import is_part, pages, part_key, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.disposition.certificate import Gone, new_number
from recording_archive.disposition.certifying import certify
from recording_archive.disposition.plan_table import (
    DONE,
    FAILED,
    KEPT,
    PENDING,
    Plan,
    add_rows,
    note_outcome,
    planned_row,
)
from recording_archive.disposition.recheck import Recheck, lock_part
from recording_archive.disposition.tombstone import publish_tombstone
from recording_archive.errors import ArchiveError, RunError
from recording_archive.model import PartId, State
from recording_archive.store import sidecar
from recording_archive.store.sidecar import rejected_of

log = logging.getLogger(__name__)

CERTIFICATE_PARTS = 1000  # of one certificate at most


@dataclass(frozen=True, slots=True)
class Deletion:
    """A part to delete, and why: ``facts`` are kept with the row, in the tombstone and in the certificate.

    ``begun`` says that an unfinished attempt has written its intent.
    """

    part: PartId
    facts: Mapping[str, Any]
    begun: bool = False


def order_of(plan: Plan, row: Row[Any]) -> Deletion:
    """Make the deletion that a row of a plan orders."""
    facts = {
        "action": row.action,
        "run": plan.run_id,
        "plan": plan.sha256,
        "policy": plan.policy,
        "rule": row.rule,
        "due": row.due_at and row.due_at.isoformat(),
        "by": plan.triggered_by,
        "approvedBy": plan.approved_by,
        "approvedAt": plan.approved_at and plan.approved_at.isoformat(),
        "storedSha256": row.stored_sha256,
    }
    return Deletion(part_of(row), facts)


@dataclass(frozen=True, slots=True)
class _Removed:
    """Result for a part's bytes: gone (``row`` as it was), kept, locked until a date; or nothing to do."""

    row: Row[Any] | None = None
    why: str | None = None
    until: datetime | None = None


def carry_out(
    archive: Archive,
    run_id: str,
    orders: Iterable[Deletion],
    *,
    recheck: Recheck,
    stop: threading.Event,
    certificate_parts: int = CERTIFICATE_PARTS,
) -> Counter[str]:
    """Delete what is ordered, each part only if it may go; count the outcomes. Stops between two parts.

    All parts deleted when this returns have their certificate. Raises only errors that concern all parts.
    """
    counts, rest = Counter[str](), iter(orders)
    while not stop.is_set() and (batch := list(islice(rest, certificate_parts))):
        number = new_number(archive.clock())
        gone: list[Gone] = []
        for order in batch:
            if stop.is_set():
                break
            outcome, left = _delete(archive, run_id, order, number, recheck)
            counts[outcome] += 1
            gone += [left] if left else []
        certify(archive, run_id, gone)
    return counts


def left_open(
    archive: Archive, run_id: str, *, only: Callable[[Row[Any]], bool] = lambda _: True
) -> Iterator[Deletion]:
    """Yield unfinished deletions of all runs; they become rows of this run's plan.

    ``only`` chooses among them, by their rows of `recordings`.
    """
    begun = select(recordings).where(recordings.c.deleting_at.is_not(None))
    for page in pages(archive.catalog, begun, *part_key(recordings)):
        chosen = [row for row in page if only(row)]
        with archive.catalog.write() as connection:
            add_rows(connection, run_id, [_taken_up(row, run_id) for row in chosen])
        yield from (Deletion(part_of(row), row.deletion, begun=True) for row in chosen)


def _delete(archive: Archive, run_id: str, order: Deletion, number: str, recheck: Recheck) -> tuple[str, Gone | None]:
    """Delete one part. An error of this part alone is its outcome, and the next run takes it up."""
    try:
        removed = _Removed(why=_intend(archive, order, number, recheck)) if not order.begun else _Removed()
        if removed.why is None:
            removed = _remove(archive, order.part, recheck)
        if removed.row is not None:
            key, digest = publish_tombstone(archive, removed.row)
            require_root(archive)
            log.info("%s: deleted, tombstone %s", order.part, key)
            return DONE, Gone(order.part, key, digest)
        outcome, why = (PENDING, f"locked until {removed.until:%Y-%m-%d}") if removed.until else (KEPT, removed.why)
    except RunError:
        raise
    except ArchiveError as error:
        outcome, why = FAILED, str(error)
    log.info("%s: %s: %s", order.part, outcome, why)
    if why is not None:
        with archive.catalog.write() as connection:
            note_outcome(connection, run_id, order.part, outcome, why)
    return outcome, None


def _intend(archive: Archive, order: Deletion, number: str, recheck: Recheck) -> str | None:
    """Write the intent, or return why the part stays; continue with an intent of another attempt."""
    require_root(archive)
    with archive.catalog.write() as connection:
        row = lock_part(connection, order.part)
        if row.certificate is not None:
            return None
        if row.deleting_at is not None:
            other = row.deletion["action"] != order.facts["action"]
            return f"{row.deletion['action']} of it was begun by run {row.deletion['run']}" if other else None
        if why := recheck(connection, row, order.facts) or recheck.evidence.contradiction(connection, row):
            return why
        before = {"state": row.state, "deletion": row.deletion}
        # The state keeps it from being heard, and from being archived where there is nothing to remove.
        state = State.ERASED if row.key is None else State.QUARANTINED
        values = {"state": state, "deleting_at": archive.clock()}
        deletion = {**order.facts, "number": number, "before": before}
        mine = update(recordings).where(is_part(recordings, order.part))
        connection.execute(mine.values(**values, deletion=deletion))
    return None


def _remove(archive: Archive, part: PartId, recheck: Recheck) -> _Removed:
    """Remove the bytes of a part that has an intent, unless it may stay and still can."""
    require_root(archive)
    with archive.catalog.write() as connection:
        row = lock_part(connection, part)
        if row.deleting_at is None:  # another attempt finished it, or took it back
            return _Removed()
        if row.key is not None and archive.store.size(row.key) is not None:
            if why := recheck(connection, row, row.deletion):
                _take_back(connection, row)
                return _Removed(why=why)
            until = archive.store.remove(row.key)
            if until is not None:
                return _Removed(until=until)
    for key in _beside(archive, row.key) if row.key else ():
        until = archive.store.remove(key)
        if until is not None:
            return _Removed(until=until)
    require_root(archive)  # where there is no archive any more, nothing was there to remove
    return _Removed(row)


def _take_back(connection: Connection, row: Row[Any]) -> None:
    """Restore the state of a part before its intent."""
    before = row.deletion.get("before") or {"state": row.state}
    values = {"state": before["state"], "deleting_at": None, "deletion": before.get("deletion") or null()}
    connection.execute(update(recordings).where(is_part(recordings, part_of(row))).values(**values))


def _beside(archive: Archive, key: str) -> Iterator[str]:
    """Yield the keys to remove after an object: bad bytes that a repair kept, its waveform, its sidecar."""
    yield from rejected_of(archive.store, {key, sidecar.beside(key)})
    yield sidecar.peaks_beside(key)
    yield sidecar.beside(key)


def _taken_up(row: Row[Any], run_id: str) -> dict[str, Any]:
    facts = row.deletion
    due = facts.get("due") and datetime.fromisoformat(facts["due"])
    begun = f"begun by run {facts['run']}" if facts["run"] != run_id else None
    return planned_row(row, facts["action"], facts.get("rule"), due) | {"why": begun}
