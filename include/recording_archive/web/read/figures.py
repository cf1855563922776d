"""The archive in figures, for the overview: counted by the catalog's indexes, never by reading the archive."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, cast, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.model import State
from recording_archive.web.read.days import day_window, days_between
from recording_archive.web.read.failures import Failing, count_failures
from recording_archive.web.read.figure_rows import DayFigures, Reason, Statistics, Verification, VerificationAge

AGES_DAYS = (1, 7, 30, 90, 365)
_c = recordings.c
_MOST_FAILURES = 10_000  # the latest ones are read for their reasons
_MOST_REASONS = 20
_STORED = (State.ARCHIVED, State.QUARANTINED)
# what differs between two failures of one kind: URLs, quoted values, hashes, ids, numbers
_PARTICULARS = re.compile(r"https?://\S+|'[^']*'|\"[^\"]*\"|\S*~\S*|\b(?=[\w-]*\d)[\w-]{8,}\b|\d[\d.,:]*")
_STATUS = re.compile(r"\b(HTTP |status |answered |SHA-)(\d{3})\b", re.I)


_UNRESOLVED = (_c.failed_since.is_not(None), _c.acknowledged_at.is_(None))


def read_statistics(archive: Archive, first: date | None = None, last: date | None = None) -> Statistics:
    """Figures of the whole archive, and of each day from ``first`` to ``last``, by default the last 30."""
    now, zone = archive.clock(), archive.settings.zone
    days = days_between(first, last, today=now.astimezone(zone).date(), default=30)
    with archive.catalog.read() as connection:
        states = {str(state): _totals(connection, _c.state == state) for state in State}
        stored = [states[state] for state in _STORED]
        undated = sum(_totals(connection, _c.state == state, _c.interaction_date.is_(None))[0] for state in _STORED)
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
            needs_decision=count_failures(archive, Failing.DECISION),
            retrying=count_failures(archive, Failing.RETRYING),
            verification=list(_ages(connection, now)),
            verified_failed=_failed(connection),
        )


def read_verification(archive: Archive) -> Verification:
    """When the recordings whose bytes lie in the archive were last read through."""
    now = archive.clock()
    with archive.catalog.read() as connection:
        stored = sum(_totals(connection, _c.state == state)[0] for state in _STORED)
        ages, failed = list(_ages(connection, now)), _failed(connection)
        fresh = _verified(connection, now - timedelta(days=archive.settings.verify_days), None)
    never = max(stored - failed - sum(age.recordings for age in ages), 0)
    return Verification(recordings=stored, fresh=fresh, ages=ages, failed=failed, never=never)


def _failed(connection: Connection) -> int:
    """Damaged at the last reading and still here; the few are found by their own index, then looked at."""
    failed = select(_c.state, func.count()).where(_c.verified_ok.is_(False)).group_by(_c.state)
    return sum(count for state, count in connection.execute(failed) if state in _STORED)


def _totals(connection: Connection, *conditions: Any) -> tuple[int, int, int]:
    """Number, media bytes and stored bytes."""
    sums = (func.coalesce(func.sum(column), 0) for column in (_c.size_bytes, _c.stored_bytes))
    count, media, stored = connection.execute(select(func.count(), *sums).where(*conditions)).one()
    return int(count), int(media), int(stored)


def _day(connection: Connection, archive: Archive, day: date) -> DayFigures:
    window = day_window(day, archive.settings.zone)
    within = (_c.interaction_date >= window.start, _c.interaction_date < window.end)
    each = [_totals(connection, _c.state == state, *within) for state in _STORED]
    count, media, stored = (sum(column) for column in zip(*each, strict=True))
    return DayFigures(date=day, recordings=count, bytes=media, stored_bytes=stored)


def _reasons(connection: Connection) -> list[Reason]:
    """The most frequent kinds among the latest unresolved failures."""
    latest = select(_c.last_error).where(*_UNRESOLVED).order_by(_c.failed_since.desc())
    query = latest.limit(_MOST_FAILURES)
    counts = Counter(kind_of(error or "not told") for error in connection.execute(query).scalars())
    return [Reason(reason=reason, recordings=count) for reason, count in counts.most_common(_MOST_REASONS)]


def kind_of(error: str) -> str:
    """An error without what is particular to one recording; an HTTP status is the kind itself."""
    kept = _STATUS.sub(lambda match: match[1] + "".join(chr(0xE000 + int(digit)) for digit in match[2]), error)
    plain = _PARTICULARS.sub("…", kept)
    return re.sub("[\ue000-\ue009]", lambda match: str(ord(match[0]) - 0xE000), plain)[:300]


def _ages(connection: Connection, now: datetime) -> Iterator[VerificationAge]:
    """Sound recordings by the time since they were last read, the freshest first."""
    end: datetime | None = None
    for days in AGES_DAYS:
        start = now - timedelta(days=days)
        yield VerificationAge(days=days, recordings=_verified(connection, start, end))
        end = start
    yield VerificationAge(days=None, recordings=_verified(connection, None, end))


def _verified(connection: Connection, start: datetime | None, end: datetime | None) -> int:
    within = [_c.verified_at >= start] if start else []
    within += [_c.verified_at < end] if end else []
    sound = func.coalesce(func.sum(cast(_c.verified_ok, Integer)), 0)  # index alone: a condition would take another one
    each = (connection.execute(select(sound).where(_c.state == state, *within)).scalar_one() for state in _STORED)
    return sum(map(int, each))
