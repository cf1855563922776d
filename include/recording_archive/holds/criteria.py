"""The criteria of a hold: values of a field are alternatives, all given fields must match, dates are half-open.

A recording is compared with a hold field by field; a field is one or two columns:

    some column has one of the values   it matches
    else, some column is empty          it may match: the source did not say
    else                                it does not

All fields match: held. None fails, some may match: possibly held. A recording without a date may match every range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from recording_archive.errors import ConfigurationError
from recording_archive.model import is_safe_id
from recording_archive.phone_numbers import canonical
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
"""The columns of `recordings` that each field is compared with; fields of which a value is rare come first."""

_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Criteria:
    """The criteria of a hold as they were given; ``start`` and ``end`` are aware, None without a limit."""

    interaction_ids: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None

    def terms(self) -> dict[str, tuple[str, ...]]:
        """The values of each field in the spelling that stands for all others; fields not asked for are left out.

        A name is no GUID: who gives GUIDs alone means ids, and a recording with another id is another's though the
        source left the name out. Sources that give no names would else have all of their recordings possibly held.
        """
        given = {
            "interactionIds": self.interaction_ids,
            _kind("agent", self.agents): self.agents,
            _kind("queue", self.queues): self.queues,
            "numbers": self.numbers,
        }
        return {
            field: tuple(dict.fromkeys(map(spelling_of(field), values))) for field, values in given.items() if values
        }

    def to_json(self) -> dict[str, Any]:
        """Return the form that documents, catalog and REST share."""
        return {
            "interactionIds": list(self.interaction_ids),
            "agents": list(self.agents),
            "queues": list(self.queues),
            "numbers": list(self.numbers),
            "from": self.start and self.start.isoformat(),
            "to": self.end and self.end.isoformat(),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Criteria:
        """Read what `to_json` made; raise ValueError, KeyError or TypeError for anything else."""
        return cls(
            _texts(told["interactionIds"]),
            _texts(told["agents"]),
            _texts(told["queues"]),
            _texts(told["numbers"]),
            _moment(told["from"]),
            _moment(told["to"]),
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
    )
    if found == Criteria():
        raise ConfigurationError("The hold asks for nothing: name interactions, agents, queues, numbers or dates")
    if found.start and found.end and found.start >= found.end:
        raise ConfigurationError(f"The hold ends on {found.end.isoformat()}, not after {found.start.isoformat()}")
    return found


def spelling_of(field: str) -> Callable[[str], str]:
    """Return the function that makes texts of a field comparable: equal results mean the same value."""
    return _SPELLINGS.get(field, folded)


_SPELLINGS: Mapping[str, Callable[[str], str]] = {"interactionIds": clean_id, "numbers": lru_cache(65536)(canonical)}


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


def _texts(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise TypeError("values are no list of texts")
    return tuple(told)


def _moment(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)
