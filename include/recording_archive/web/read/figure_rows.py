"""What the API says of the archive as a whole: figures, ages of readings, completeness by day."""

from __future__ import annotations

from datetime import date, datetime

from recording_archive.web.read.rows import ApiDocument


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


class VerificationAge(ApiDocument):
    """How many recordings were last verified within ``days`` (None: longer ago than the other groups)."""

    days: int | None
    recordings: int


class Verification(ApiDocument):
    """When sound recordings were last read, by age, and how many were ``failed`` at their last reading.

    ``fresh`` were read within the days in which the whole archive is to be read.
    """

    recordings: int
    fresh: int
    ages: list[VerificationAge]
    failed: int
    never: int


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


class CoverageDay(ApiDocument):
    """``complete``: all recordings of the day are in the books; ``gap``: some hours are not; ``nothing``: not due."""

    date: date
    state: str


class Coverage(ApiDocument):
    """Completeness by day of the archive's zone."""

    zone: str
    days: list[CoverageDay]
