"""Calendar days of the archive's time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from recording_archive.archiving import completeness
from recording_archive.model import Window
from recording_archive.web.problem import Problem

MOST_DAYS = 400


def days_between(first: date | None, last: date | None, *, today: date, default: int) -> Iterator[date]:
    """The days from ``first`` to ``last``, both included; raises Problem (400) for too many, or none."""
    try:
        last = last or max(today, first or today)
        first = first or last - timedelta(days=default - 1)
    except OverflowError as error:
        raise Problem(400, "The request is malformed", "to: there are no such days") from error
    count = (last - first).days + 1
    if not 0 < count <= MOST_DAYS:
        raise Problem(400, "The request is malformed", f"from {first} to {last}: ask for 1 to {MOST_DAYS} days")
    return (first + timedelta(days=number) for number in range(count))


def day_window(day: date, zone: ZoneInfo) -> Window:
    """From midnight to midnight in ``zone``; raises Problem (400) for a day that no calendar has."""
    try:
        return completeness.day_window(day, zone)
    except OverflowError as error:
        raise Problem(400, "The request is malformed", f"{day} is no day that can be counted") from error
