"""The criteria of a hold: values of a field are alternatives, all given fields must match, dates are half-open.

A recording is compared with a hold field by field, by the values of everybody who took part (`parties.values`):

    one of the values is certain      it matches
    else, one is possible             it may match: who was on the leg, or the country of a number, is not known
    else, the recording lacks some    it may match: the source did not say
    else                              it does not

All fields match: held. None fails, some may match: possibly held. A recording without a date may match every range.
Fields match one by one, by whichever party: a hold on an agent and a queue needs not be on one and the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from recording_archive.errors import ConfigurationError
from recording_archive.model import is_safe_id
from recording_archive.phone_numbers import asked_keys, number_form
from recording_archive.spelling.ids import clean_id, is_guid
from recording_archive.spelling.names import folded

MOST_VALUES = 10_000
"""Values of one field: a longer list is several holds of one matter, and its document too large for some readers."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "interactionIds": ("interaction_id", "recording_id"),
    "numbers": ("ani", "dnis"),
    "agents": ("agent_id", "agent_name"),
    "agentIds": ("agent_id",),
    "queues": ("queue_id", "queue_name"),
    "queueIds": ("queue_id",),
}
"""The columns that each field is compared with, of every party; fields of which a value is rare come first."""

_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Criteria:
    """The criteria of a hold as they were given; ``start`` and ``end`` are aware, None without a limit.

    ``region`` reads the numbers that have no country: an ISO country, or empty. A hold keeps that of its own time.
    """

    interaction_ids: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    region: str = ""

    def terms(self) -> dict[str, tuple[str, ...]]:
        """The values of each field in the spelling that stands for all others; fields not asked for are left out.

        A name is no GUID: who gives GUIDs alone means ids, and a recording with another id is another's though the
        source left the name out. Sources that give no names would else have all of their recordings possibly held.
        Numbers are their forms, and the keys of what they may mean: no recording has one of these for certain.
        """
        given = {
            "interactionIds": self.interaction_ids,
            _kind("agent", self.agents): self.agents,
            _kind("queue", self.queues): self.queues,
            "numbers": self.numbers,
        }
        return {field: tuple(dict.fromkeys(self._spelled(field, values))) for field, values in given.items() if values}

    def _spelled(self, field: str, values: Iterable[str]) -> Iterable[str]:
        if field == "interactionIds":
            return map(clean_id, values)
        if field != "numbers":
            return map(folded, values)
        forms = [number_form(value, self.region) for value in values]
        return (*forms, *(key for form in forms for key in asked_keys(form)))

    def to_json(self) -> dict[str, Any]:
        """Return the form that documents and catalog share; without ``phoneRegion`` where there is none."""
        return {
            "interactionIds": list(self.interaction_ids),
            "agents": list(self.agents),
            "queues": list(self.queues),
            "numbers": list(self.numbers),
            "from": self.start and self.start.isoformat(),
            "to": self.end and self.end.isoformat(),
        } | ({"phoneRegion": self.region} if self.region else {})

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Criteria:
        """Read what `to_json` made; raise ValueError, KeyError or TypeError for anything else."""
        return cls(
            _texts(document["interactionIds"]),
            _texts(document["agents"]),
            _texts(document["queues"]),
            _texts(document["numbers"]),
            _moment(document["from"]),
            _moment(document["to"]),
            _text(document.get("phoneRegion", "")),
        )


def checked(criteria: Criteria) -> Criteria:
    """Clean and deduplicate the values; raise ConfigurationError when they cannot make a hold."""
    found = Criteria(
        _checked_values("id", criteria.interaction_ids),
        _checked_values("agent", criteria.agents),
        _checked_values("queue", criteria.queues),
        _checked_values("number", criteria.numbers),
        _in_utc(criteria.start),
        _in_utc(criteria.end),
        criteria.region if criteria.numbers else "",
    )
    if found == Criteria():
        raise ConfigurationError("The hold asks for nothing: name interactions, agents, queues, numbers or dates")
    if found.start and found.end and found.start >= found.end:
        raise ConfigurationError(f"The hold ends on {found.end.isoformat()}, not after {found.start.isoformat()}")
    return found


def is_storable(text: str) -> bool:
    """Tell if every database and document can hold a text: no NUL, no half of a character (an undecoded argument)."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _kind(what: str, values: tuple[str, ...]) -> str:
    return f"{what}Ids" if values and all(is_guid(clean_id(value)) for value in values) else f"{what}s"


def _checked_values(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    clean = clean_id if name == "id" else str.strip
    values = tuple(dict.fromkeys(map(clean, given)))
    if len(values) > MOST_VALUES:
        raise ConfigurationError(f"{name}: {len(values)} values are more than {MOST_VALUES}: make several holds")
    for value in values:
        if not value or len(value) > _LONGEST_VALUE or not is_storable(value):
            raise ConfigurationError(f"{name}: {value[:40]!r} is empty, longer than {_LONGEST_VALUE}, or no text")
        if name == "id" and not is_safe_id(value):
            raise ConfigurationError(
                f"id: {value!r} is no id of an interaction or recording: letters, digits, dots, dashes, underscores"
            )
    return values


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ConfigurationError(f"The date {moment.isoformat()} of the hold has no zone")
    return moment.astimezone(UTC)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("values are no list of texts")
    return tuple(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a region is no text")
    return value


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
