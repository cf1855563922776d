"""Age of the last verification of each recording, counted by groups."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from recording_archive.archive import Archive
from recording_archive.catalog.day_totals import count_damaged, count_sound, sums_by_state
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


AGES_DAYS = (1, 7, 30, 90, 365)


def read_verification(archive: Archive) -> Verification:
    """Count recordings in the archive by the age of their last reading."""
    now = archive.clock()
    with archive.catalog.read() as connection:
        states = sums_by_state(connection)
        ages, failed = count_by_age(connection, now), count_damaged(connection)
        _, fresh = count_sound(connection, [now - timedelta(days=archive.settings.verify_days)])
    stored = sum(states[state].recordings for state in STORED)
    never = max(stored - failed - sum(age.recordings for age in ages), 0)
    return Verification(recordings=stored, fresh=fresh, ages=ages, failed=failed, never=never)


def count_by_age(connection: Connection, now: datetime) -> list[VerificationAge]:
    """Sound recordings by the time since they were last read, the freshest first."""
    everything, *since = count_sound(connection, [now - timedelta(days=days) for days in AGES_DAYS])
    return [
        VerificationAge(days=days, recordings=later - earlier)
        for days, later, earlier in zip((*AGES_DAYS, None), (*since, everything), (0, *since), strict=True)
    ]
