"""How pages put values into words: sizes, lengths of time, ages, telephone numbers, events.

Pure functions, registered as filters of the templates by `render`. Each takes None, where the catalog may have none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

from recording_archive.web.read.rows import Happening

NONE = "–"
_UNITS = ("kB", "MB", "GB", "TB", "PB")
AGES = ("within a day", "within a week", "within a month", "within 3 months", "within a year", "longer ago")
"""The groups of `rows.VerificationAge`, in their order."""

_AGES = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)
_EVENTS = {
    "seen": "First listed by the source",
    "listed": "Its recordings listed by the source",
    "archived": "Archived",
    "failed": "Could not be archived",
    "verified": "Verified: every byte as it was archived",
    "repaired": "Repaired",
    "held": "Put on hold",
    "released": "Hold released",
    "played": "Played",
    "downloaded": "Downloaded",
    "exported": "Listed in an export",
    "refused": "Access refused",
    "quarantined": "Quarantined",
    "restored": "Restored",
    "purged": "Purged",
    "erased": "Erased",
    "acknowledged": "Failure accepted",
    "reported": "Report written",
    "adopted": "Policy put to use",
    "planned": "Planned",
    "approved": "Approved",
}
_BAD = frozenset({"failed", "refused"})
_OUTCOMES = {
    "success": "archived",
    "failed": "failed",
    "checksum_mismatch": "wrong checksum",
    "already_archived": "archived before",
    "excluded": "excluded",
    "missing": "not at the source",
    "deferred": "not yet, comes again",
}
_KEPT = {
    "not_stored": "not in the archive any more",
    "undated": "without a date",
    "too_young": "its days are not over",
    "unverified": "not found intact at the last reading",
    "held": "held",
    "possibly_held": "possibly held",
    "waiting": "in quarantine, not long enough",
    "restored": "restored by a person",
}
_FIXITY_KINDS = {
    "due": "what was due",
    "everything": "the whole archive",
    "asked": "interactions asked for by name",
    "sweep": "nothing: left-overs swept",
}
_FINDINGS = {
    "sound": "sound",
    "bad": "damaged",
    "repaired": "repaired",
    "gone": "left the archive meanwhile",
    "absent": "not in the archive",
    "stray": "unknown file",
}
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


def moment(value: datetime | str | None) -> datetime | None:
    """A point in time, from a datetime or from the text that the API has for it."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def utc(value: datetime | str | None) -> str:
    """A point in time as Airflow writes it, in UTC: what the page shows until a script knows the reader's zone."""
    known = moment(value)
    return f"{known.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if known else NONE


def iso(value: datetime | str | None) -> str:
    """A point in time for machines."""
    known = moment(value)
    return known.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if known else ""


def ago(value: datetime | str | None, now: datetime) -> str:
    """How long ago, in one unit: ``3 days ago``; a moment ahead, by a clock that differs, is ``just now``."""
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
    return re.sub(r"^(?:tel|sips?):", "", address) if address else NONE


def plain(error: str | None) -> str:
    """An error without the name of its recording in front, where the page says it already."""
    return re.sub(r"^\S+~\S*~\d+: ", "", error or "")


def label(name: str) -> str:
    """A camel-case field name as words: ``wrapUpCode`` is ``Wrap up code``."""
    return _CAMEL.sub(" ", name.replace("_", " ")).capitalize()


def outcome(name: str | None) -> str:
    """What a run did with a part."""
    return _OUTCOMES.get(name or "", (name or "open").replace("_", " "))


def kept(why: str | None) -> str:
    """Why a recording stays."""
    return _KEPT.get(why or "", why or NONE)


def fixity_kind(kind: str) -> str:
    """What a run of verify_archive read."""
    return _FIXITY_KINDS.get(kind, kind)


def finding(outcome: str | None) -> str:
    """What a run of verify_archive found of one recording or file."""
    return _FINDINGS.get(outcome or "", outcome or "to be read")


def happening(event: Happening) -> str:
    """What an event says in one line, without who and when."""
    kind, detail = event.kind, event.detail or {}
    if kind == "verified" and detail.get("ok") is False:
        return "Verification failed"
    return _EVENTS.get(kind, kind.capitalize())


def run_link(event: Happening) -> str:
    """Where the run of an event is told of, below the app; the three DAGs have their runs apart."""
    folder = {
        "verified": "fixity/runs",
        "repaired": "fixity/runs",
        "archived": "runs",
        "seen": "runs",
        "failed": "runs",
    }
    return f"{folder.get(event.kind, 'retention/runs')}/{quote(event.run_id or '', safe='')}"


def remark(event: Happening) -> str:
    """The part of an event's detail that is meant to be read: a reason, an error, a problem."""
    detail = event.detail or {}
    said = [str(detail[name]) for name in ("reason", "problem", "error", "why") if detail.get(name)]
    return " · ".join(dict.fromkeys(said))


def tone(event: Happening) -> str:
    """How an event is coloured: ``good``, ``bad`` or ``plain``."""
    kind, detail = event.kind, event.detail or {}
    if kind in _BAD or detail.get("ok") is False:
        return "bad"
    return "good" if kind in {"archived", "verified", "repaired", "restored"} else "plain"
