"""Facets of a search: how what it finds divides, each value with the address that narrows the search to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recording_archive.catalog.survey import Survey
from recording_archive.model import State
from recording_archive.web.address import Address

_VERIFIED = {True: ("ok", "verified"), False: ("failed", "failed")}
_FACETS = {
    "queue_name": ("Queue", "queue"),
    "agent_name": ("Agent", "agent"),
    "direction": ("Direction", "direction"),
    "media_type": ("Media", "mediaType"),
    "state": ("State", "status"),
    "verified_ok": ("Integrity", "verified"),
}
_WHOLE = {"queue", "agent"}
_STATES = {State.DISCOVERED.value: "not archived yet"}


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet: its words, the number of recordings that have it, and the search for it."""

    text: str
    count: int
    address: str


def facets(found: Survey | None, address: Address) -> Iterator[tuple[str, list[Value]]]:
    """Titles with values, of what the search does not ask for already; one value alone divides nothing."""
    asked = dict(address.pairs)
    for column, pairs in (found.facets if found else {}).items():
        title, name = _FACETS[column]
        if name not in asked and len(pairs) > 1:
            yield title, [_value(address, name, value, count) for value, count in pairs]


def _value(address: Address, name: str, value: Any, count: int) -> Value:
    given, text = _VERIFIED[value] if isinstance(value, bool) else (str(value), _STATES.get(value, str(value)))
    if name in _WHOLE:
        given = f'"{given}"'  # "Agent 1" alone would find Agent 12, too
    return Value(text, count, address.but(**{name: given, "after": None}))
