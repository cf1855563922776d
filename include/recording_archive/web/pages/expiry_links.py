"""Addresses of the recordings that a forecast counts: below the app, and in UTC, as the forecast counts them."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from urllib.parse import urlencode

from recording_archive.model import State


def expired(at: datetime, **more: str) -> str:
    """Find what has expired at a moment, and is not in quarantine."""
    return _search(status=State.ARCHIVED, expires_to=_moment(at), **more)


def in_months(first: str, last: str, at: datetime, rule: str | None = None) -> str:
    """Find what expires in the months from ``first`` to ``last``, such as ``2027-03``, by one rule or all.

    In the month that has begun it is what expires after ``at``, the moment of the forecast.
    """
    begins, ends = days_of(first)[0], days_of(last)[1]
    begun = begins <= f"{at:%Y-%m-%d}"
    return _search(status=State.ARCHIVED, expires_from=_moment(at) if begun else begins, expires_to=ends, rule=rule)


def after_month(month: str) -> str:
    """Find what expires after a month."""
    year, number = map(int, month.split("-"))
    last = datetime(year, number, monthrange(year, number)[1])  # noqa: DTZ001 - a day
    return _search(status=State.ARCHIVED, expires_from=f"{last + timedelta(days=1):%Y-%m-%d}")


def in_quarantine(at: datetime, *, expired: bool) -> str:
    """Find what is in quarantine and would go by the policy in force; or would not, and comes back."""
    return _search(status=State.QUARANTINED, **{"expires_to" if expired else "expires_from": _moment(at)})


def days_of(month: str) -> tuple[str, str]:
    """The first and the last day of a month."""
    year, number = map(int, month.split("-"))
    return f"{month}-01", f"{month}-{monthrange(year, number)[1]:02}"


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _search(**asked: str | None) -> str:
    return f"?{urlencode({name: value for name, value in asked.items() if value is not None} | {'zone': 'UTC'})}"
