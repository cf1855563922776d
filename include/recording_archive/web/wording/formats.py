"""Numbers, sizes, times and names as text.

Pure functions, filters of the templates. Each takes None, where the catalog may have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from recording_archive.parties.words import one_in_words, without_scheme

NONE = "–"
_UNITS = ("kB", "MB", "GB", "TB", "PB")
_AGES = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def size(count: int | None) -> str:
    """Bytes in decimal units, as disks and networks are sold: ``1.2 MB``."""
    if count is None:
        return NONE
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in _UNITS:
        value /= 1000
        if value < 999.5 or unit == _UNITS[-1]:
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def number(count: int | None) -> str:
    """A count with commas."""
    return NONE if count is None else f"{count:,}"


def duration(milliseconds: int | None) -> str:
    """A length of time as players show it: ``3:07``, ``1:02:03``."""
    if milliseconds is None:
        return NONE
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def moment(value: datetime | date | str | None) -> datetime | None:
    """A point in time, from a datetime or from the text that the API has for it."""
    known = datetime.fromisoformat(value) if isinstance(value, str) else value
    return known if isinstance(known, datetime) else None


def utc(value: datetime | date | str | None) -> str:
    """A point in time as Airflow writes it, in UTC: what the page shows until a script knows the reader's zone.

    A date alone is a day in UTC, which no zone moves.
    """
    if _is_day(value):
        return str(value)
    known = moment(value)
    return f"{known.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if known else NONE


def iso(value: datetime | date | str | None) -> str:
    """A point in time, or a day, for machines."""
    if _is_day(value):
        return str(value)
    known = moment(value)
    return known.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if known else ""


def ago(value: datetime | str | None, now: datetime) -> str:
    """Say how long ago, in one unit: ``3 days ago``; a moment ahead, by a clock that differs, is ``just now``."""
    known = moment(value)
    if known is None:
        return "never"
    for unit, name in _AGES:
        count = (now - known) // unit
        if count > 0:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def days(start: datetime | None, end: datetime | None, zone: ZoneInfo) -> str:
    """A half-open range of time as a person would say it: whole days of ``zone``, both included, where they are."""
    whole = all(each is None or each.astimezone(zone).time() == time() for each in (start, end))
    written = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M"
    first = start.astimezone(zone).strftime(written) if start else ""
    shown_end = end.astimezone(zone) - timedelta(days=1 if whole else 0) if end else None
    last = shown_end.strftime(written) if shown_end else ""
    if first and last:
        return first if first == last else f"{first} to {last}"
    return f"from {first} on" if first else f"to {last}" if last else "any"


def party(address: str | None) -> str:
    """A telephone number or address without its scheme; Genesys writes ``tel:+12025550100``."""
    return without_scheme(address) if address else NONE


def took_part(party: Mapping[str, Any]) -> str:
    """Name one of the other parties of a recording, in words that begin a line."""
    words = one_in_words(party)
    return words[0].upper() + words[1:]


def plain(error: str | None) -> str:
    """An error without the name of its recording in front, where the page says it already."""
    return re.sub(r"^\S+~\S*~\d+: ", "", error or "")


def label(name: str) -> str:
    """A camel-case field name as words: ``wrapUpCode`` is ``Wrap up code``."""
    return _CAMEL.sub(" ", name.replace("_", " ")).capitalize()


def kind_of_media(mime_type: str | None) -> str:
    """Say what a person downloads: ``audio``, ``video``, or ``file`` where it is neither."""
    kind = (mime_type or "").partition("/")[0]
    return kind if kind in {"audio", "video"} else "file"


def _is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


FILTERS = (size, number, duration, utc, iso, ago, days, party, took_part, label, plain, kind_of_media)
