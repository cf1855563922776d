"""Query parameters of a search, the same for pages and API, and the cursor that leads to the next page.

A form sends its empty fields as empty texts: they count as not given.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Query
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from recording_archive.archive import Archive
from recording_archive.catalog.ordered import Order
from recording_archive.catalog.search import MOST_IDS, Filters, Position
from recording_archive.errors import ConfigurationError
from recording_archive.model import PartId, State
from recording_archive.params import read_moment
from recording_archive.retention.condition import by_policy
from recording_archive.settings import read_settings
from recording_archive.spelling.ids import split_ids
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.problem import Problem
from recording_archive.web.viewer import ViewerDep


class VerifiedFilter(StrEnum):
    """The result of a recording's last reading; ``never`` is what was never archived, so never read back."""

    OK = "ok"
    FAILED = "failed"
    NEVER = "never"


class Failure(StrEnum):
    """Recordings that could not be archived; a value alone, as an address has it."""

    YES = "yes"


def _given(value: Any) -> Any:
    """None for a field that was left empty."""
    return value.strip() or None if isinstance(value, str) else value


Blank = BeforeValidator(_given)
"""Takes a field that was left empty for one that was not given."""

_DAYS_AGO = {"today": 0, "yesterday": 1}


def _storable(text: str) -> str:
    """Refuse NUL, the one character that PostgreSQL has no place for."""
    if "\0" in text:
        raise ValueError("NUL may not occur")
    return text


def _said(text: str) -> str:
    """Strip a text as the rest of the archive does; Pydantic leaves separators such as U+001C, which are blank too."""
    stripped = text.strip()
    if not stripped:
        raise ValueError("it is blank")
    return stripped


Storable = AfterValidator(_storable)
Said = AfterValidator(_said)

# constraints stand inside the optional types: they must not meet the None that an empty field becomes
_Line = Annotated[str, StringConstraints(max_length=200), Storable]
_Paste = Annotated[str, Storable]  # the server limits the length of addresses
_Seconds = Annotated[float, Field(ge=0, le=10**9, allow_inf_nan=False)]
Text = Annotated[_Line | None, Blank]
Moment = Annotated[Annotated[_Line, Field(json_schema_extra={"format": "date"})] | None, Blank]
Seconds = Annotated[_Seconds | None, Blank]
Limit = Annotated[int, Query(ge=1, le=500, description="Most items of a page.")]
After = Annotated[_Paste | None, Blank, Query(description="`next` of the page before.")]
SortBy = Annotated[
    Order,
    Query(
        description="By date, or by a column (`-` for the highest first) where at most 10,000 recordings are found. "
        "Recordings without the value come last."
    ),
]


def read_asked(
    *,
    q: Annotated[
        _Paste | None, Blank, Query(description="Ids, the start of one, a number, or a part of a name.")
    ] = None,
    ids: Annotated[
        list[_Paste] | None,
        Query(alias="id", description="Interactions or recordings; may be repeated, and hold many by comma or line."),
    ] = None,
    start: Annotated[
        Moment,
        Query(
            alias="from",
            description="From this day on, or this moment (ISO 8601); or today, yesterday, or 7d: the last 7 days.",
        ),
    ] = None,
    end: Annotated[Moment, Query(alias="to", description="To the end of this day, or before this moment.")] = None,
    agent: Annotated[Text, Query(description="The id of any agent who took part, or a part of the name.")] = None,
    queue: Annotated[Text, Query(description="The id of any queue, or a part of its name.")] = None,
    number: Annotated[Text, Query(description="A number of any party, in any spelling.")] = None,
    contact: Annotated[Text, Query(description="An external contact's id.")] = None,
    direction: Text = None,
    media_type: Annotated[Text, Query(alias="mediaType")] = None,
    min_seconds: Annotated[Seconds, Query(alias="minSeconds")] = None,
    max_seconds: Annotated[Seconds, Query(alias="maxSeconds")] = None,
    status: Annotated[State | None, Blank] = None,
    verified: Annotated[VerifiedFilter | None, Blank] = None,
    unverified_since: Annotated[
        Moment, Query(alias="notVerifiedSince", description="In the archive, and not read since this day or moment.")
    ] = None,
    failure: Annotated[Failure | None, Blank, Query(description="Those that could not be archived.")] = None,
    rule: Annotated[
        Text, Query(description="In the archive, and governed by this rule of the policy in force; or `default`.")
    ] = None,
    expires_from: Annotated[
        Moment, Query(alias="expires_from", description="In the archive, and its days end on this day or later.")
    ] = None,
    expires_to: Annotated[
        Moment, Query(alias="expires_to", description="In the archive, and its days end on this day or before.")
    ] = None,
    zone: Annotated[Text, Query(description="The time zone in which days begin; by default the archive's.")] = None,
) -> Filters:
    """Read what an address asks for, whoever asks; raises Problem (400) for what cannot be understood."""
    few("q", split_ids(q or ""))
    days_of = read_zone(zone)
    return Filters(
        text=q,
        ids=_split(ids or []),
        start=day_or_moment("from", start, days_of, end=False),
        end=day_or_moment("to", end, days_of, end=True),
        agent=agent,
        queue=queue,
        number=number,
        contact=contact,
        direction=direction,
        media_type=media_type,
        min_seconds=min_seconds,
        max_seconds=max_seconds,
        state=status,
        verified=verified,
        unverified_since=day_or_moment("notVerifiedSince", unverified_since, days_of, end=False),
        failing=failure is not None,
        rule=rule,
        expires_from=day_or_moment("expires_from", expires_from, days_of, end=False),
        expires_to=day_or_moment("expires_to", expires_to, days_of, end=True),
        region=read_settings().phone_region,
    )


def read_filters(archive: ArchiveDep, seen: ViewerDep, asked: Annotated[Filters, Depends(read_asked)]) -> Filters:
    """A dependency: what the address asks for, among what the signed-in person may see."""
    return replace(judged(archive, asked), visible=seen.sees)


def judged(archive: Archive, asked: Filters) -> Filters:
    """Let the policy in force say what a search for a rule means; raises Problem (400) for a rule that it lacks."""
    try:
        return by_policy(archive, asked)
    except ConfigurationError as error:
        raise Problem(400, "The request is malformed", str(error)) from error


def read_zone(name: str | None) -> ZoneInfo:
    """The zone of this name, the archive's without one; raises Problem (400) for a name that is none."""
    if name is None:
        return read_settings().zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Problem(
            400, "The request is malformed", f"zone: {name!r} is no time zone, such as Europe/Berlin"
        ) from error


def absolute(text: str, zone: ZoneInfo) -> str:
    """A day for a word that means one: ``today``, ``yesterday``, ``7d`` (the first of the last 7 days)."""
    today = datetime.now(UTC).astimezone(zone).date()
    if text in _DAYS_AGO:
        return (today - timedelta(days=_DAYS_AGO[text])).isoformat()
    if found := re.fullmatch(r"([1-9]\d{0,3})d", text):
        return (today - timedelta(days=int(found[1]) - 1)).isoformat()
    return text


def write_cursor(position: Position | None) -> str | None:
    """A position as the opaque text that `read_cursor` takes."""
    if position is None:
        return None
    date = position.date.isoformat() if position.date else None
    return base64.urlsafe_b64encode(json.dumps([date, *position.part]).encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> Position | None:
    """The position that a cursor stands for; raises Problem (400) when it is none of ours."""
    if text is None:
        return None
    try:
        date, interaction, recording, part = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        names_part = type(interaction) is str and type(recording) is str and type(part) is int and 0 <= part < 2**31
        moment = datetime.fromisoformat(date) if date is not None else None
        if not names_part or "\0" in interaction + recording or (moment and moment.tzinfo is None):
            raise ValueError("it names no part")  # noqa: TRY301 - told as every other flaw
        (interaction + recording).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise Problem(400, "The cursor is malformed", "after: give `next` of the page before as it was.") from error
    return Position(moment, PartId(interaction, recording, part))


def _split(given: list[str]) -> tuple[str, ...]:
    return few("id", tuple(dict.fromkeys(each for text in given for each in split_ids(text))))


def few(name: str, ids: Sequence[str]) -> tuple[str, ...]:
    """Take ids that can be searched at once; raises Problem (400) for more."""
    if len(ids) > MOST_IDS:
        raise Problem(400, "Too many ids", f"{name}: {len(ids)} were given, at most {MOST_IDS} are searched at once.")
    return tuple(ids)


def day_or_moment(name: str, text: str | None, zone: ZoneInfo, *, end: bool) -> datetime | None:
    """Read a day, the word for one, or a moment; raises Problem (400), which calls it ``name``."""
    if text is None:
        return None
    try:
        return read_moment(name, absolute(text, zone).replace(" ", "+"), zone, end=end)  # "+" in a query is a space
    except ConfigurationError as error:
        raise Problem(400, "The request is malformed", str(error)) from error
