"""Erasure (GDPR 17): everything of a person goes at once, whatever its age, unless a hold keeps it.

It goes the way of a purge (`deletion`), without a quarantine. What remains are the ids, which the sealed ledger has
anyway and which keep a recording from coming back; a tombstone with keyed hashes; a certificate; a report. Of what was
purged before, the catalog forgets what is personal.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select, update

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.database import record
from recording_archive.catalog.rows import is_part, pages, part_key, part_of
from recording_archive.catalog.tables import dispositions, plans, recordings
from recording_archive.disposition import subject_hashes
from recording_archive.disposition.approval import executable, require_current
from recording_archive.disposition.certificate import day_of
from recording_archive.disposition.deletion import Deletion, carry_out, order_of
from recording_archive.disposition.plan_table import (
    DONE,
    ERASURE,
    Plan,
    begin,
    enter,
    note,
    planned_row,
    read_plan,
    rows_of,
    to_do,
)
from recording_archive.disposition.recheck import Recheck, held_by, lock_part
from recording_archive.disposition.report import close
from recording_archive.errors import ConfigurationError
from recording_archive.ledger import sealing
from recording_archive.model import Attributes, PartId, State
from recording_archive.phone_numbers import canonical, spellings
from recording_archive.retention.rules import Action

_c = recordings.c
_PERSONAL = ("agent_id", "agent_name", "ani", "dnis", "contact_id")
_SEPARATORS = " ()./-"  # that people write into numbers


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom or what to erase: any of these. Numbers match in any spelling, ids those of interactions or recordings."""

    numbers: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A part that an erasure is about; ``held`` says by which holds it is kept."""

    part: PartId
    state: State
    interaction_date: datetime | None
    held: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A part that was not erased, or not yet, and why."""

    part: PartId
    why: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure came to."""

    run_id: str
    erased: int
    refused: tuple[Refusal, ...]
    certificates: tuple[str, ...]
    report_key: str
    ledger_head: str | None


def find(archive: Archive, subject: Subject) -> Iterator[Found]:
    """Every part that ``subject`` names, in whatever state, but for those that are erased. Changes nothing."""
    for page in _pages(archive, _checked(subject)):
        with archive.catalog.read() as connection:
            held = holds.holding(connection, page)
        for row in page:
            why = None if row.state == State.PURGED else held_by(held.get(part_of(row)))
            yield Found(part_of(row), State(row.state), row.interaction_date, why)


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
    run_id = run_id or f"erasure__{archive.clock():%Y%m%dT%H%M%S}_{secrets.token_hex(3)}"
    plan = plan_erasure(archive, run_id, subject, reason=reason, triggered_by=actor, approval=False)
    erase_planned(archive, plan.run_id, stop or threading.Event())
    report = close(archive, run_id)
    left = (page for page in rows_of(archive, run_id, dispositions.c.outcome != DONE))
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
) -> Plan:
    """Write down what ``subject`` names now, which is what `erase_planned` erases, once somebody else approved it.

    Without ``approval`` it may be carried out at once, up to the configured number of recordings.
    """
    require_current(archive)
    subject_hashes.read_key(archive.settings)  # before anything goes: without it no tombstone can be written
    wanted, at = _checked(subject), archive.clock()
    facts = {"dry_run": dry_run, "reason": _checked_reason(reason, wanted), "triggered_by": triggered_by}
    with archive.catalog.write() as connection:
        begin(connection, run_id, ERASURE, at=at, as_of=at, **facts)
    digest, count, most = sha256(f"{ERASURE} {at.date()}\n".encode()), 0, archive.settings.max_delete_count
    for page in _pages(archive, wanted):
        with archive.catalog.write() as connection:
            enter(connection, run_id, [_planned(row) for row in page])
        for row in page:
            digest.update(f"{Action.ERASE} {part_of(row)} {row.stored_sha256}\n".encode())
        count += len(page)
        if count > most and not approval:
            raise ConfigurationError(
                f"More than {most} recordings are named, which RECORDING_ARCHIVE_MAX_DELETE_COUNT allows: name fewer, "
                "or trigger enforce_retention with the same, where somebody else approves it"
            )
    caps = [f"erasure of {count} recordings"] if approval else []
    with archive.catalog.write() as connection:
        mine = update(plans).where(plans.c.run_id == run_id)
        connection.execute(mine.values(sha256=digest.hexdigest(), caps=caps, kept={}))
        detail = {"plan": digest.hexdigest(), "counts": {str(Action.ERASE): count}, "caps": caps}
        record(connection, "planned", None, at=at, run_id=run_id, actor=triggered_by, detail=detail)
    plan = read_plan(archive, run_id)
    if plan is None:  # it was begun above, and rows of plans are never deleted
        raise AssertionError(run_id)
    return plan


def erase_planned(archive: Archive, run_id: str, stop: threading.Event) -> int:
    """Erase what the run's plan says; return how many parts are erased. A dry run does nothing.

    Raises PermanentError when the plan may not be carried out. A stop is heard between parts.
    """
    plan = executable(archive, run_id, ERASURE)
    if plan is None:
        return 0
    subject_hashes.read_key(archive.settings)
    counts = carry_out(archive, run_id, _orders(archive, plan), Recheck(archive, None, plan.as_of), stop)
    sealing.seal(archive)
    return counts[DONE]


def _orders(archive: Archive, plan: Plan) -> Iterator[Deletion]:
    """What is to be deleted; what was purged before is forgotten on the way."""
    for page in to_do(archive, plan.run_id, Action.ERASE):
        for row in page:
            if not _forgotten(archive, plan, part_of(row)):
                yield order_of(plan, row)


def _forgotten(archive: Archive, plan: Plan, part: PartId) -> bool:
    """Let the catalog forget whom a purged recording was about."""
    at = archive.clock()
    with archive.catalog.write() as connection:
        row = lock_part(connection, part)
        if row.state != State.PURGED:
            return False
        same = is_part(recordings, part)
        day = day_of(row.interaction_date)
        values = {**dict.fromkeys(Attributes.__dataclass_fields__), "interaction_date": day}
        connection.execute(update(recordings).where(same).values(**values))
        note(connection, plan.run_id, part, DONE, "purged before", certificate=row.certificate)
        detail = {"certificate": row.certificate, "plan": plan.sha256}
        record(connection, "erased", part, at=at, run_id=plan.run_id, actor=plan.triggered_by, detail=detail)
    return True


def _planned(row: Row[Any]) -> dict[str, Any]:
    day = day_of(row.interaction_date)
    return planned_row(row, Action.ERASE, None, None) | {"interaction_date": day}


def _pages(archive: Archive, subject: Subject) -> Iterator[Sequence[Row[Any]]]:
    """Rows that the subject names, each once. What is seen is remembered: that is as much as is to be erased."""
    personal = or_(*(_c[name].is_not(None) for name in _PERSONAL))
    left = or_(_c.state.not_in((State.PURGED, State.ERASED)), _c.deleting_at.is_not(None), personal)
    seen: set[PartId] = set()
    for condition in _conditions(archive, subject):
        for page in pages(archive.catalog, select(recordings).where(condition, left), *part_key(recordings)):
            yield [row for row in page if part_of(row) not in seen]
            seen.update(map(part_of, page))


def _conditions(archive: Archive, subject: Subject) -> Iterator[ColumnElement[bool]]:
    """One for each index."""
    if subject.ids:
        yield _c.interaction_id.in_(subject.ids)
        yield _c.recording_id.in_(subject.ids)
    if subject.contacts:
        yield _c.contact_id.in_(subject.contacts)
    for column in (_c.ani, _c.dnis) if subject.numbers else ():
        if written := _as_written(archive, column, subject.numbers):
            yield column.in_(written)


def _as_written(archive: Archive, column: Any, numbers: Sequence[str]) -> list[str]:
    """How the source spelled the numbers: all of a column is compared, for it may have put blanks anywhere."""
    bare: Any = column
    for separator in _SEPARATORS:
        bare = func.replace(bare, separator, "")
    wanted = {spelling for number in numbers for spelling in (*spellings(number), f"tel:{canonical(number)}")}
    query = select(column).distinct().where(or_(bare.in_(wanted), column.in_(wanted)))
    with archive.catalog.read() as connection:
        return list(connection.execute(query).scalars())


def _checked(subject: Subject) -> Subject:
    """The same without blanks around values; raise ConfigurationError when it names nothing, or everything."""
    lists = [
        tuple(dict.fromkeys(each.strip() for each in given))
        for given in (subject.numbers, subject.contacts, subject.ids)
    ]
    if not any(lists):
        raise ConfigurationError("Nothing is named: give numbers, contacts or ids of interactions or recordings")
    if any(not each for given in lists for each in given):
        raise ConfigurationError("A number, contact or id is empty: leave it out")
    return Subject(*lists)


def _checked_reason(reason: str, subject: Subject) -> str:
    """The reason, which is kept for good, and so must not name the person."""
    if not reason.strip():
        raise ConfigurationError("The reason is empty: say why it is erased, such as the number of the request")
    digits = re.sub(r"\D", "", reason)
    told = [number for number in subject.numbers if canonical(number).isdigit() and canonical(number) in digits]
    if told or any(contact in reason for contact in subject.contacts):
        raise ConfigurationError(
            "The reason names what is to be erased, and is kept for good: name the request instead"
        )
    return reason.strip()
