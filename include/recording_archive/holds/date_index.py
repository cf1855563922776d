"""An index of holds by date: at most ten holds that cover a date, found by one look-up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

MOST_NAMED = 10
"""Holds named for one recording: more of them say nothing new."""

_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Covering(NamedTuple):
    """Ids of holds that cover a date, and of those that may cover it, because the date is not known."""

    sure: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()


_NONE = Covering()


@dataclass(frozen=True, slots=True)
class DateSpan:
    """The dates of one hold, half-open; None without a limit."""

    hold_id: str
    start: datetime | None
    end: datetime | None

    def at(self, date: datetime | None) -> Covering:
        """Tell if the hold covers a date."""
        if date is None:
            return Covering((), (self.hold_id,)) if self.limited else Covering((self.hold_id,))
        inside = (self.start is None or self.start <= date) and (self.end is None or date < self.end)
        return Covering((self.hold_id,)) if inside else _NONE

    @property
    def limited(self) -> bool:
        """Tell if there is a date that the hold does not cover."""
        return self.start is not None or self.end is not None


class Spans:
    """The dates of several holds, cut where the holds that cover them change, once they are asked."""

    def __init__(self, spans: Sequence[DateSpan]) -> None:
        self.spans = spans
        self._covering: list[Covering] = []

    def at(self, date: datetime | None) -> Covering:
        """Return the holds that cover a date; of more than ten, the ten that last the longest."""
        if date is None:
            return Covering(
                tuple(span.hold_id for span in self.spans if not span.limited)[:MOST_NAMED],
                tuple(span.hold_id for span in self.spans if span.limited)[:MOST_NAMED],
            )
        if not self._covering:
            self._bounds, self._covering = _cut(self.spans)
        return self._covering[bisect_right(self._bounds, date)]


def together(found: Sequence[DateSpan | Spans]) -> Callable[[datetime | None], Covering] | None:
    """Return one look-up by date for all holds of some indexes, each hold once; None when there are none."""
    if len(found) <= 1:
        return found[0].at if found else None
    every = (span for each in found for span in ([each] if isinstance(each, DateSpan) else each.spans))
    return Spans(list(dict.fromkeys(every))).at


def _cut(spans: Iterable[DateSpan]) -> tuple[list[datetime], list[Covering]]:
    """The dates at which something changes, and who covers the time before the first, between them, after the last.

    Of those that have begun only the ten with the latest end are kept: while one that was dropped would still hold, so
    do the ten that it was dropped for.
    """
    begun: list[tuple[datetime, str]] = []
    bounds: list[datetime] = []
    covering: list[Covering] = [_NONE]
    for date, starting in _changes(spans):
        begun = sorted([*(each for each in begun if each[0] > date), *starting], reverse=True)[:MOST_NAMED]
        bounds.append(date)
        covering.append(Covering(tuple(hold_id for _, hold_id in begun)))
    return bounds, covering


def _changes(spans: Iterable[DateSpan]) -> list[tuple[datetime, list[tuple[datetime, str]]]]:
    """Each date at which a hold begins or ends, with the ends and ids of those that begin."""
    changes: dict[datetime, list[tuple[datetime, str]]] = {}
    for span in spans:
        end = span.end or _END
        changes.setdefault(span.start or _BEGINNING, []).append((end, span.hold_id))
        changes.setdefault(end, [])
    return sorted(changes.items())
