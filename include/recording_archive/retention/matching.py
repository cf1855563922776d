"""A rule compared with a recording: it matches, may match, or does not, by the values of everybody who took part.

A rule matches when each of its fields has a certain value that it asks for. It may match when it does so with values
that are only possible, or that the recording lacks (`parties.values`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from recording_archive.parties.documents import NAMES
from recording_archive.parties.main import TOGETHER
from recording_archive.parties.values import Values, values_of
from recording_archive.spelling.ids import is_guid
from recording_archive.spelling.names import folded

PARTIES = "parties"  # the column that has everybody beside the main parties


class Match(Enum):
    """The extent to which a rule applies to a recording."""

    SURE = "sure"
    POSSIBLE = "possible"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Asked:
    """One field of a rule: columns that name one thing, and the values asked for, as `folded` has them."""

    columns: tuple[str, ...]
    wanted: frozenset[str]

    @classmethod
    def of(cls, columns: tuple[str, ...], values: Iterable[str]) -> Asked:
        """Ask for some values. Who gives GUIDs alone means ids: that a source gives no names does not matter then."""
        wanted = frozenset(map(folded, values))
        return cls(columns[:1] if wanted and all(map(is_guid, wanted)) else columns, wanted)

    @property
    def needs(self) -> frozenset[str]:
        """The columns of `recordings` by which the field is compared."""
        if self.columns[0] not in NAMES:
            return frozenset(self.columns)
        return frozenset({PARTIES}.union(*(names for names in TOGETHER if self.columns[0] in names)))


class Facts:
    """Facts that rules ask of one recording, each looked up once."""

    def __init__(self, row: Any) -> None:
        """Ask a row of `recordings` that has the columns which the rules need."""
        self._row = row
        self._found = dict[tuple[str, ...], Values]()

    def match(self, fields: Iterable[Asked]) -> Match:
        """Compare the recording with all fields of a rule."""
        found = Match.SURE
        for asked in fields:
            values = self._values(asked.columns)
            if not asked.wanted.isdisjoint(values.certain):
                continue
            if not values.lacks and asked.wanted.isdisjoint(values.possible):
                return Match.NONE
            found = Match.POSSIBLE
        return found

    def _values(self, columns: tuple[str, ...]) -> Values:
        if columns not in self._found:
            self._found[columns] = _read(self._row, columns)
        return self._found[columns]


def _read(row: Any, columns: tuple[str, ...]) -> Values:
    if columns[0] in NAMES:
        found = values_of(row, columns)
        return Values(frozenset(map(folded, found.certain)), frozenset(map(folded, found.possible)), found.lacks)
    texts = [text for name in columns if (text := getattr(row, name))]
    return Values(frozenset(map(folded, texts)), frozenset(), lacks=not texts)
