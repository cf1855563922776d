"""Disposition: carry out a plan, quarantine first and purge when the quarantine is over; and take back a quarantine.

In quarantine nothing moves: a recording cannot be heard or fetched, and that is all. Each is judged again here, in the
transaction that changes it. `deletion` removes the bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, null, select, update

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import among, is_named, is_part, part_of
from recording_archive.catalog.tables import dispositions, recordings
from recording_archive.disposition.approval import executable
from recording_archive.disposition.deletion import CERTIFICATE_PARTS, carry_out, left_open, order_of
from recording_archive.disposition.due import NO_LONGER
from recording_archive.disposition.plan_table import DONE, KEPT, RESTORE, Plan, abandon, note_outcome, read_plan, to_do
from recording_archive.disposition.recheck import Recheck, held_by, other_bytes
from recording_archive.errors import ConfigurationError
from recording_archive.ledger import sealing
from recording_archive.model import Decision, PartId, State
from recording_archive.retention import policy_in_force
from recording_archive.retention.rules import Action, HoldIds, Policy, judge, restored_until

_PAGE = 200  # parts after which policy and plan are looked at again


def quarantine(archive: Archive, run_id: str, stop: threading.Event) -> int:
    """Quarantine the parts of the run's plan, restore those that must stay now; return how many were quarantined.

    A dry run does nothing. Raises PermanentError when the plan may not be carried out. A stop ends it after a page.
    """
    plan, count = executable(archive, run_id), 0
    if plan is None:
        return 0
    for policy, page in _due(archive, plan, Action.QUARANTINE, RESTORE):
        with archive.catalog.write() as connection:
            count += _quarantine_page(archive, connection, plan, policy, page)
        if stop.is_set():
            break
    sealing.seal(archive)
    return count


def purge(archive: Archive, run_id: str, stop: threading.Event, *, certificate_parts: int = CERTIFICATE_PARTS) -> int:
    """Delete the parts of the run's plan, after those that earlier runs left half deleted; return how many are gone.

    A dry run does nothing. Raises PermanentError when the plan may not be carried out. A stop ends it after a part.
    """
    plan = executable(archive, run_id)
    if plan is None:
        return 0
    recheck = Recheck(archive, policy_in_force.in_force(archive), plan.as_of)
    delete = partial(carry_out, archive, run_id, recheck=recheck, stop=stop, certificate_parts=certificate_parts)
    counts = delete(left_open(archive, run_id))
    due = (page for _, page in _due(archive, plan, Action.PURGE))
    orders = (order_of(plan, row) for page in due for row in page)
    counts += delete(orders)
    sealing.seal(archive)
    return counts[DONE]


def restore(
    archive: Archive,
    interaction_id: str,
    *,
    reason: str,
    actor: str,
    recording: str | None = None,
    part: int | None = None,
) -> list[Decision]:
    """Take recordings of an interaction out of quarantine; an empty list means that the catalog has no such part.

    They are left alone for as long as a quarantine lasts, then they are due again unless a hold or a policy keeps them.
    The reason is kept with the event for good.
    """
    if not reason.strip():
        raise ConfigurationError("--reason is empty: say why the recording is taken back; it is kept for good")
    wanted = is_named(recordings, interaction_id, recording, part)
    at, decisions = archive.clock(), []
    until = at + timedelta(days=max(archive.settings.quarantine_days, 1))
    with archive.catalog.write() as connection:
        for row in connection.execute(select(recordings).where(wanted).with_for_update()).all():
            refused = _refusal(row)
            if refused is None:
                _bring_back(connection, row, until=until)
                detail = {"reason": reason.strip(), "restoredUntil": until.isoformat()}
                record(connection, "restored", part_of(row), at=at, actor=actor, detail=detail)
            decisions.append(Decision(part_of(row), refused))
    sealing.seal(archive)
    return decisions


def _due(archive: Archive, plan: Plan, *actions: str) -> Iterator[tuple[Policy, Sequence[Row[Any]]]]:
    """Yield pages of open rows, for as long as the plan stands and its policy is the one in force."""
    for page in to_do(archive, plan.run_id, *actions, size=_PAGE):
        policy, now = policy_in_force.in_force(archive), read_plan(archive, plan.run_id)
        if now is None or now.status is not None:
            return
        if policy.version != plan.policy:
            why = f"policy {policy.version} came into force after the plan, which was made by {plan.policy}"
            with archive.catalog.write() as connection:
                abandon(connection, dispositions.c.run_id == plan.run_id, why=why)
            return
        yield policy, page


def _quarantine_page(
    archive: Archive, connection: Connection, plan: Plan, policy: Policy, page: Sequence[Row[Any]]
) -> int:
    rows = {part_of(row): row for row in _locked(connection, [part_of(each) for each in page])}
    held, at, count = holds.holding(connection, list(rows.values())), archive.clock(), 0
    for each in page:
        row, part = rows[part_of(each)], part_of(each)
        if why := _why_not(archive, plan, each, row, policy=policy, holding=held.get(part)):
            note_outcome(connection, plan.run_id, part, KEPT, why)
            continue
        note_outcome(connection, plan.run_id, part, DONE, each.why)
        if each.action == RESTORE:
            _bring_back(connection, row)
            detail = {"reason": each.why, "plan": plan.sha256}
            record(connection, "restored", part, at=at, run_id=plan.run_id, detail=detail)
            continue
        count += 1
        values = {"state": State.QUARANTINED, "quarantined_at": at, "deletion": null()}
        connection.execute(update(recordings).where(is_part(recordings, part)).values(**values))
        about = {"plan": plan.sha256, "policy": plan.policy, "rule": each.rule, "storedSha256": row.stored_sha256}
        record(connection, "quarantined", part, at=at, run_id=plan.run_id, detail=about)
    return count


def _why_not(
    archive: Archive, plan: Plan, planned: Row[Any], row: Row[Any], *, policy: Policy, holding: HoldIds | None
) -> str | None:
    """Say why the planned action is not taken now."""
    if row.deleting_at is not None:
        return f"it is being deleted since {row.deleting_at.isoformat()}"
    days = archive.settings.quarantine_days
    verdict = judge(row, policy, as_of=plan.as_of, quarantine_days=days, holding=holding)
    if planned.action == RESTORE:
        due = row.state == State.QUARANTINED and verdict.kept in NO_LONGER
        return None if due else f"it is {row.state}, and nothing takes it out of quarantine any more"
    if row.stored_sha256 != planned.stored_sha256:
        return other_bytes(row.stored_sha256, planned.stored_sha256)
    until = restored_until(row)
    if until is not None and until > plan.as_of:
        return f"it was restored, until {until.isoformat()}"
    if verdict.action is Action.QUARANTINE:
        return None
    return held_by(holding) or str(verdict.kept or f"it is {row.state}")


def _bring_back(connection: Connection, row: Row[Any], *, until: datetime | None = None) -> None:
    """Make a part archived again; plans leave it alone ``until`` then."""
    deletion = {"restoredUntil": until.isoformat()} if until else null()
    values = {"state": State.ARCHIVED, "quarantined_at": None, "deletion": deletion}
    connection.execute(update(recordings).where(is_part(recordings, part_of(row))).values(**values))


def _refusal(row: Row[Any]) -> str | None:
    """Say why a part cannot be restored, or None when it can."""
    if row.deleting_at is not None:
        return f"it is being deleted since {row.deleting_at:%Y-%m-%d}"
    if row.state in (State.PURGED, State.ERASED):
        return f"it was {row.state}, certificate {row.certificate or 'pending'}: nothing brings it back"
    if row.state != State.QUARANTINED:
        return f"it is {row.state}, not quarantined"
    return None


def _locked(connection: Connection, parts: Sequence[PartId]) -> Sequence[Row[Any]]:
    return connection.execute(select(recordings).where(among(recordings, parts)).with_for_update()).all()
