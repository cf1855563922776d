"""The archive in figures, for the overview: read from totals that the catalog keeps, never from the archive."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.day_totals import Sums, count_damaged, count_undated, sums_by_state, sums_within
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import EVERYTHING
from recording_archive.ledger.vouched import read_vouched
from recording_archive.model import STORED
from recording_archive.web.read.calendar_days import day_window, days_between
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.failures import NO_REASON, Failing, count_failures, kind_of
from recording_archive.web.read.verification import VerificationAge, count_by_age


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
    days = list(days_between(first, last, today=now.astimezone(zone).date(), default=30))
    with archive.catalog.read() as connection:
        states = sums_by_state(connection)
        stored = sum((states[state] for state in STORED), Sums())
        by_day = sums_within(connection, [day_window(day, zone) for day in days])
        return Statistics(
            generated_at=now,
            zone=archive.settings.timezone,
            states={state: sums.recordings for state, sums in states.items()},
            recordings=stored.recordings,
            bytes=stored.size_bytes,
            stored_bytes=stored.stored_bytes,
            undated=count_undated(connection),
            days=[_day(day, sums) for day, sums in zip(days, by_day, strict=True)],
            failures=_reasons(connection),
            needs_decision=count_failures(archive, Failing.DECISION, EVERYTHING),
            retrying=count_failures(archive, Failing.RETRYING, EVERYTHING),
            verification=count_by_age(connection, now),
            verified_failed=count_damaged(connection),
            vouched=[VouchedFigures(**asdict(each)) for each in read_vouched(connection, archive.settings)],
        )


def _day(day: date, sums: Sums) -> DayFigures:
    return DayFigures(date=day, recordings=sums.recordings, bytes=sums.size_bytes, stored_bytes=sums.stored_bytes)


def _reasons(connection: Connection) -> list[Reason]:
    """The most frequent kinds among the latest unresolved failures."""
    latest = select(_c.last_error).where(*_UNRESOLVED).order_by(_c.failed_since.desc())
    errors = latest.limit(_MOST_FAILURES).subquery()
    counts: Counter[str] = Counter()
    for error, count in connection.execute(select(errors.c.last_error, func.count()).group_by(errors.c.last_error)):
        counts[kind_of(error or NO_REASON)] += count
    return [Reason(reason=reason, recordings=count) for reason, count in counts.most_common(_MOST_REASONS)]
