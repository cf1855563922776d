"""The archive in figures, for the overview: counted by the catalog's indexes, never by reading the archive."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import EVERYTHING
from recording_archive.ledger.vouched import read_vouched
from recording_archive.model import STORED, State
from recording_archive.web.read.calendar_days import day_window, days_between
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.failures import NO_REASON, Failing, count_failures, kind_of
from recording_archive.web.read.verification import VerificationAge, count_by_age, count_failed


class DayFigures(ApiDocument):
    """Archived recordings of one day of the archive's zone, by interaction date."""

    date: date
    recordings: int
    bytes: int
    stored_bytes: int


class Reason(ApiDocument):
    """Failures not resolved so far (the latest 10,000), one wording for all that differ in ids and numbers only."""

    reason: str
    recordings: int


class VouchedFigures(ApiDocument):
    """The newest segment of the ledger that was signed, stamped or witnessed; 0 for none.

    ``waiting`` segments wait for it, the oldest of them since ``since``. ``askedFor`` says that the settings want it.
    """

    kind: str
    asked_for: bool
    segment: int
    waiting: int
    since: datetime | None


class Statistics(ApiDocument):
    """The archive in figures; ``days`` is one entry for each day asked for, the rest is of the whole archive."""

    generated_at: datetime
    zone: str
    states: dict[str, int]
    recordings: int
    bytes: int
    stored_bytes: int
    undated: int
    days: list[DayFigures]
    failures: list[Reason]
    needs_decision: int
    retrying: int
    verification: list[VerificationAge]
    verified_failed: int
    vouched: list[VouchedFigures]


_c = recordings.c
_MOST_FAILURES = 10_000  # the latest ones are read for their reasons
_MOST_REASONS = 20
_UNRESOLVED = (_c.failed_since.is_not(None), _c.acknowledged_at.is_(None))


def read_statistics(archive: Archive, first: date | None = None, last: date | None = None) -> Statistics:
    """Figures of the whole archive, and of each day from ``first`` to ``last``, by default the last 30."""
    now, zone = archive.clock(), archive.settings.zone
    days = days_between(first, last, today=now.astimezone(zone).date(), default=30)
    with archive.catalog.read() as connection:
        states = {str(state): _totals(connection, _c.state == state) for state in State}
        stored = [states[state] for state in STORED]
        undated = sum(_totals(connection, _c.state == state, _c.interaction_date.is_(None))[0] for state in STORED)
        return Statistics(
            generated_at=now,
            zone=archive.settings.timezone,
            states={state: figures[0] for state, figures in states.items()},
            recordings=sum(each[0] for each in stored),
            bytes=sum(each[1] for each in stored),
            stored_bytes=sum(each[2] for each in stored),
            undated=undated,
            days=[_day(connection, archive, day) for day in days],
            failures=_reasons(connection),
            needs_decision=count_failures(archive, Failing.DECISION, EVERYTHING),
            retrying=count_failures(archive, Failing.RETRYING, EVERYTHING),
            verification=list(count_by_age(connection, now)),
            verified_failed=count_failed(connection),
            vouched=[VouchedFigures(**asdict(each)) for each in read_vouched(connection, archive.settings)],
        )


def _totals(connection: Connection, *conditions: Any) -> tuple[int, int, int]:
    """Number, media bytes and stored bytes."""
    sums = (func.coalesce(func.sum(column), 0) for column in (_c.size_bytes, _c.stored_bytes))
    count, media, stored = connection.execute(select(func.count(), *sums).where(*conditions)).one()
    return int(count), int(media), int(stored)


def _day(connection: Connection, archive: Archive, day: date) -> DayFigures:
    window = day_window(day, archive.settings.zone)
    within = (_c.interaction_date >= window.start, _c.interaction_date < window.end)
    each = [_totals(connection, _c.state == state, *within) for state in STORED]
    count, media, stored = (sum(column) for column in zip(*each, strict=True))
    return DayFigures(date=day, recordings=count, bytes=media, stored_bytes=stored)


def _reasons(connection: Connection) -> list[Reason]:
    """The most frequent kinds among the latest unresolved failures."""
    latest = select(_c.last_error).where(*_UNRESOLVED).order_by(_c.failed_since.desc())
    query = latest.limit(_MOST_FAILURES)
    counts = Counter(kind_of(error or NO_REASON) for error in connection.execute(query).scalars())
    return [Reason(reason=reason, recordings=count) for reason, count in counts.most_common(_MOST_REASONS)]
