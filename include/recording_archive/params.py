"""Readers of the values that people enter at trigger time: ids and moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from recording_archive.errors import ConfigurationError
from recording_archive.spelling.ids import split_ids


def read_ids(name: str, given: Any) -> tuple[str, ...]:
    """Clean ids of a text, or an array of texts, that may hold many by comma, blank or line; each once.

    Empty when nothing was given as ``name``.
    """
    if given is None:
        return ()
    entries = [given] if isinstance(given, str) else given
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise ConfigurationError(f"{name}: give a text, a comma list or a JSON array of texts")
    ids = tuple(dict.fromkeys(each for entry in entries for each in split_ids(entry)))
    if not ids:
        raise ConfigurationError(f"{name}: no id was given; leave the field out instead")
    return ids


def read_moment(name: str, text: Any, zone: ZoneInfo, *, end: bool) -> datetime:
    """A date is a whole local day (the end inclusive); a date-time is exact (the end exclusive)."""
    try:
        if len(text) == len("2026-01-31"):
            day = date.fromisoformat(text)
            return midnight(day + timedelta(days=1) if end else day, zone)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigurationError(
            f"{name}: {text!r} is neither a date (2026-01-31) nor a date-time (2026-01-31T08:00:00+01:00)"
        ) from error


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
