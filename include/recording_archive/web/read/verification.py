"""Age of the last verification of each recording, counted by groups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, Integer, cast, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.model import STORED
from recording_archive.web.read.document import ApiDocument


class VerificationAge(ApiDocument):
    """The number of recordings last verified within ``days`` (None: longer ago than the other groups)."""

    days: int | None
    recordings: int


class Verification(ApiDocument):
    """Sound recordings by the age of their last reading, and the number that ``failed`` theirs.

    ``fresh`` were read within the days in which the whole archive is to be read.
    """

    recordings: int
    fresh: int
    ages: list[VerificationAge]
    failed: int
    never: int


_c = recordings.c
AGES_DAYS = (1, 7, 30, 90, 365)


def read_verification(archive: Archive) -> Verification:
    """Count recordings in the archive by the age of their last reading."""
    now = archive.clock()
    with archive.catalog.read() as connection:
        stored = connection.execute(select(func.count()).where(_c.state.in_(STORED))).scalar_one()
        ages, failed = list(count_by_age(connection, now)), count_failed(connection)
        fresh = _verified(connection, now - timedelta(days=archive.settings.verify_days), None)
    never = max(stored - failed - sum(age.recordings for age in ages), 0)
    return Verification(recordings=stored, fresh=fresh, ages=ages, failed=failed, never=never)


def count_failed(connection: Connection) -> int:
    """Damaged at the last reading and still here; the few are found by their own index, then looked at."""
    failed = select(_c.state, func.count()).where(_c.verified_ok.is_(False)).group_by(_c.state)
    return sum(count for state, count in connection.execute(failed) if state in STORED)


def count_by_age(connection: Connection, now: datetime) -> Iterator[VerificationAge]:
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
    each = (connection.execute(select(sound).where(_c.state == state, *within)).scalar_one() for state in STORED)
    return sum(map(int, each))
