"""The address of a search is its state: what it asks for, in words, and the addresses next to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from recording_archive.catalog.search_terms import is_quoted
from recording_archive.model import is_safe_id
from recording_archive.spelling.ids import split_ids
from recording_archive.web.read.filters import absolute
from recording_archive.web.read.neighbours import LONGEST

_WORDS = {
    "from": "from {}",
    "to": "to {}",
    "agent": "agent {}",
    "queue": "queue {}",
    "number": "number {}",
    "contact": "contact {}",
    "direction": "{}",
    "mediaType": "media type {}",
    "minSeconds": "at least {} s",
    "maxSeconds": "at most {} s",
    "status": "state: {}",
    "verified": "integrity: {}",
    "notVerifiedSince": "not verified since {}",
    "failure": "failed",
    "rule": "rule {}",
    "expires_from": "expires from {}",
    "expires_to": "expires to {}",
}
_LAST = {"7d": "the last 7 days", "30d": "the last 30 days"}
MOMENTS = ("from", "to", "notVerifiedSince", "expires_from", "expires_to")
"""Fields that are days, and begin where the zone says."""

FIELDS = ("q", *_WORDS, "sort", "zone")
NARROW = tuple(name for name in _WORDS if name not in {"from", "to"})
"""Fields that stand folded below the search box."""

_HELD = {"agent": "agents", "queue": "queues", "number": "numbers", "from": "from", "to": "to"}
_LONGEST_CHIP = 60


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that was asked for, and the address of the same search without it."""

    text: str
    without: str


@dataclass(frozen=True, slots=True)
class Address:
    """The query of a search page as names and values, without empty ones."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, items: Sequence[tuple[str, str]]) -> Address:
        """From the query as it came."""
        return cls(tuple((name, value.strip()) for name, value in items if value.strip()))

    def fields(self) -> dict[str, str]:
        """The value of each field of the form, empty where none was given."""
        return dict.fromkeys(FIELDS, "") | dict(self.pairs)

    def chips(self, ids: Sequence[str]) -> list[Chip]:
        """All that narrows the search, of which ``ids`` are asked for by name."""
        return [Chip(text, self.but(**{name: None, "after": None})) for name, text in self._words(ids)]

    def on_days(self, zone: ZoneInfo) -> Address:
        """Put days for words such as ``today``: a hold or a pack of this search must mean the same tomorrow."""
        return Address(tuple((name, absolute(value, zone) if name in MOMENTS else value) for name, value in self.pairs))

    def without(self, *names: str) -> Address:
        """Return this search without some of its fields."""
        return Address(tuple((name, value) for name, value in self.pairs if name not in names))

    def but(self, **changes: str | None) -> str:
        """Return the address of this search with other values; None leaves a field out."""
        kept = [(name, value) for name, value in self.pairs if name not in changes]
        query = urlencode([*kept, *((name, value) for name, value in changes.items() if value is not None)])
        return f"?{query}" if query else "./"

    def carried(self) -> str | None:
        """The query that the page of a recording needs to find its neighbours; None for one too long to carry."""
        query = urlencode([(name, value) for name, value in self.pairs if name not in {"after", "format"}])
        return query if len(query) <= LONGEST else None

    def as_hold(self, ids: Sequence[str]) -> str | None:
        """The query that fills the form of a new hold with this search; None when a hold cannot ask for all of it.

        ``ids`` are those asked for by name; of these, a hold asks for what can be an id.
        """
        given = {
            name: value
            for name, value in self.pairs
            if name not in {"id", "after", "sort", "format", "zone", "columns"}
        }
        ids = [each for each in ids if is_safe_id(each)]
        if given.pop("q", None) is not None and not ids:
            return None
        fields = {"ids": " ".join(ids)} if ids else {}
        if not set(given) <= set(_HELD) or not (given or ids):
            return None
        return urlencode(fields | {_HELD[name]: _unquoted(value) for name, value in given.items()})

    def as_evidence(self, ids: Sequence[str]) -> dict[str, Any] | None:
        """The request for an evidence pack of all that this search finds; None for one that asks for nothing.

        ``ids`` are those asked for by name: where nothing else is asked, the pack accounts for each of them.
        """
        given: dict[str, Any] = {name: value for name, value in self.pairs if name in (*_WORDS, "q", "zone")}
        if named := [value for name, value in self.pairs if name == "id"]:
            given["id"] = named
        if ids and set(given) <= {"q", "id", "zone"}:
            return {"interactionIds": list(ids)}
        return {"query": given} if set(given) - {"zone"} else None

    def _words(self, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        given = dict(self.pairs)
        for name in ("q", "id"):
            if name in given:
                words = {word for key, value in self.pairs if key == name for word in split_ids(value)}
                yield name, f"{len(words)} ids" if len(words) > 1 and words <= set(ids) else _cut(given[name])
        yield from (
            (name, _LAST.get(given[name]) or words.format(_cut(given[name])))
            for name, words in _WORDS.items()
            if name in given
        )


def _unquoted(text: str) -> str:
    """A hold asks for whole names always."""
    return text[1:-1] if is_quoted(text) else text


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CHIP else f"{text[: _LONGEST_CHIP - 1]}…"
