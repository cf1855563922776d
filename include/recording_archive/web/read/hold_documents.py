"""Holds as API and pages show them, and what a person or a program asks a new one to cover."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from recording_archive.archive import Archive
from recording_archive.errors import ConfigurationError
from recording_archive.holds import MOST_VALUES, Criteria, Effect, Hold, unmatched_ids, warning
from recording_archive.holds.criteria import checked
from recording_archive.model import PartId
from recording_archive.params import read_moment
from recording_archive.spelling.ids import split_ids
from recording_archive.web.problem import Problem
from recording_archive.web.read.document import ApiDocument
from recording_archive.web.read.filters import Said, Storable

_LISTS = ("interaction_ids", "agents", "queues", "numbers")
_Value = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), Storable, Said]
_Values = Annotated[list[_Value], Field(max_length=MOST_VALUES)]
_Moment = Annotated[str, StringConstraints(max_length=40), Storable]


class HoldRequest(ApiDocument):
    """The scope of a new hold: any value of a field, and all fields that are given; at least one.

    ``from`` and ``to``: a date is the whole day in the archive's zone, the last one included; a date-time is exact, its
    end left out.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    interaction_ids: _Values = Field([], description="Interactions or recordings.")
    agents: _Values = Field([], description="Ids or whole names, in any spelling.")
    queues: _Values = Field([], description="Ids or whole names, in any spelling.")
    numbers: _Values = Field([], description="Of either party, with its country.")
    start: _Moment | None = Field(None, alias="from", description="A date, or a date-time.")
    end: _Moment | None = Field(None, alias="to", description="A date, or a date-time.")


class NewHold(HoldRequest):
    """A hold that is to be made. Matter and reason are kept for good."""

    matter: Annotated[str, Storable, Said] = Field(min_length=1, max_length=200, description="Such as a case number.")
    reason: Annotated[str, Storable, Said] = Field(min_length=1, max_length=2000)


class HoldRow(ApiDocument):
    """One hold; ``from`` and ``to`` are half-open, None without a limit. ``released_at`` is None while it holds."""

    id: str
    matter: str
    reason: str
    owner: str
    created_at: datetime
    interaction_ids: list[str]
    agents: list[str]
    queues: list[str]
    numbers: list[str]
    start: datetime | None = Field(alias="from")
    end: datetime | None = Field(alias="to")
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None


class HoldPage(ApiDocument):
    """A page of holds, newest first."""

    items: list[HoldRow]
    next: str | None


class Part(ApiDocument):
    """The name of one media file."""

    interaction_id: str
    recording_id: str
    part: int


class HoldEffect(ApiDocument):
    """Counts of what a hold holds now, may hold because the source did not say enough, and of what was deleted before.

    ``examples`` are some of the first two.
    """

    held: int
    possibly_held: int
    purged: int
    examples: list[Part]


class HoldDetails(HoldRow):
    """A hold with what it does now. ``released`` ones do nothing any more; ``effect`` is what they would hold.

    ``unmatched_ids`` are those of its ids that the catalog has not; ``warning`` says if it matches nothing.
    """

    effect: HoldEffect
    unmatched_ids: list[str]
    warning: str | None


def read_criteria(archive: Archive, wanted: HoldRequest) -> Criteria:
    """Read the criteria of ``wanted``; raise Problem (400) when they cannot make a hold."""
    lists = {name: tuple(getattr(wanted, name)) for name in _LISTS}
    try:
        start, end = _moment(archive, "from", wanted.start), _moment(archive, "to", wanted.end, end=True)
        return checked(Criteria(**lists, start=start, end=end, region=archive.settings.phone_region))
    except ConfigurationError as error:
        raise Problem(400, "The request is malformed", str(error)) from error


def split_values(text: str | None, *, words: bool = False) -> list[str]:
    """The values of a field that a person filled in: one in each line; ids also by comma and space."""
    if words:
        return split_ids(text or "")
    parts = re.split(r"[\r\n;]+", text or "")
    return list(dict.fromkeys(stripped for part in parts if (stripped := part.strip())))


def to_hold(hold: Hold) -> HoldRow:
    """A hold as API and pages show it."""
    return HoldRow.model_validate(_fields(hold))


def to_details(archive: Archive, hold: Hold, effect: Effect) -> HoldDetails:
    """A hold with what it does now."""
    unmatched = unmatched_ids(archive, hold)
    found = {"effect": to_effect(effect), "unmatched_ids": unmatched, "warning": warning(hold, effect, unmatched)}
    return HoldDetails.model_validate(_fields(hold) | found)


def to_effect(effect: Effect) -> HoldEffect:
    """Return the effect of a hold, as API and pages show it."""
    return HoldEffect(
        held=effect.held,
        possibly_held=effect.possibly_held,
        purged=effect.purged,
        examples=[to_part(part) for part in effect.examples],
    )


def to_part(part: PartId) -> Part:
    """The name of a part as the API writes it."""
    return Part(**part._asdict())


def _fields(hold: Hold) -> dict[str, object]:
    criteria = hold.criteria
    names = ("id", "matter", "reason", "owner", "created_at", "released_at", "released_by", "release_reason")
    return {
        **{name: getattr(hold, name) for name in names},
        **{name: list(getattr(criteria, name)) for name in _LISTS},
        "start": criteria.start,
        "end": criteria.end,
    }


def _moment(archive: Archive, name: str, text: str | None, *, end: bool = False) -> datetime | None:
    return read_moment(name, text, archive.settings.zone, end=end) if text else None
