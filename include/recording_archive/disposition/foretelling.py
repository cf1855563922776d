"""Foretell what the policy in force makes due in the days after a plan; later plans are compared to it (`surprises`).

Counted while a plan is made, by the rules of the forecast: what the plan looks at one by one is counted on the way, and
what is too young for that by the database, a day at a time. Nobody knows the holds of later days, so what expires then
counts whether it is held today or not. Purges are foretold of what is in quarantine, or goes there by this plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from recording_archive.catalog.tables import recordings
from recording_archive.disposition.due import RESTORED, Due
from recording_archive.model import State
from recording_archive.retention.forecast import lots
from recording_archive.retention.forecast_counting import Count, days_until_due
from recording_archive.retention.rules import Action, Kept, Policy, later, restored_until

DAYS = 35  # foretold by each plan
LETS_GO = (Action.QUARANTINE, Action.PURGE)
_HELD = (Kept.HELD, Kept.POSSIBLY_HELD)
_DAY = timedelta(days=1)


class Portion(NamedTuple):
    """Recordings together: how many, their stored bytes, and the date of the youngest of them."""

    recordings: int = 0
    stored_bytes: int = 0
    newest: datetime | None = None

    def __add__(self, other: Portion) -> Portion:  # type: ignore[override]  # portions are added, not joined
        newest = self.newest
        if newest is None or (other.newest is not None and other.newest > newest):
            newest = other.newest
        return Portion(self.recordings + other.recordings, self.stored_bytes + other.stored_bytes, newest)

    def to_json(self) -> dict[str, Any]:
        """Return the portion as a plan keeps it."""
        newest = self.newest and self.newest.isoformat()
        return {"recordings": self.recordings, "storedBytes": self.stored_bytes, "newest": newest}


def read_portion(document: Mapping[str, Any]) -> Portion:
    """Read what `Portion.to_json` wrote."""
    newest = document["newest"] and datetime.fromisoformat(document["newest"])
    return Portion(document["recordings"], document["storedBytes"], newest)


Days = Mapping[str, Mapping[int, Portion]]


@dataclass(frozen=True, slots=True)
class Foretold:
    """The forecast of a plan: what becomes due by action and day; the days have 24 hours and begin at ``as_of``.

    ``youngest`` is the date of the youngest that ever went by an action, ``held`` what holds alone keep. ``unasked``
    says why a person would have been asked if anything had been due: such a plan foretells nothing for later ones.
    """

    policy: str
    quarantine_days: int
    at: datetime
    as_of: datetime
    days: Days
    youngest: Mapping[str, datetime]
    held: Portion
    unasked: tuple[str, ...] = ()

    def until(self, action: str, as_of: datetime) -> Portion:
        """Add up the days until ``as_of``."""
        last = days_between(self.as_of, as_of)
        return sum((each for day, each in self.days.get(action, {}).items() if day <= last), Portion())

    def to_json(self) -> dict[str, Any]:
        """Return the document in `plans.foretold`."""
        days = {str(action): _by_day(portions) for action, portions in self.days.items()}
        return {
            "policy": self.policy,
            "quarantineDays": self.quarantine_days,
            "at": self.at.isoformat(),
            "asOf": self.as_of.isoformat(),
            "reaches": DAYS,
            "days": days,
            "youngest": {str(action): when.isoformat() for action, when in self.youngest.items()},
            "held": self.held.to_json(),
            "unasked": list(self.unasked),
        }


def read_foretold(document: Mapping[str, Any]) -> Foretold:
    """Read what `Foretold.to_json` wrote."""
    return Foretold(
        document["policy"],
        document["quarantineDays"],
        datetime.fromisoformat(document["at"]),
        datetime.fromisoformat(document["asOf"]),
        {
            action: {int(day): read_portion(each) for day, each in days.items()}
            for action, days in document["days"].items()
        },
        {action: datetime.fromisoformat(when) for action, when in document["youngest"].items()},
        read_portion(document["held"]),
        tuple(document["unasked"]),
    )


def days_between(earlier: datetime, as_of: datetime) -> int:
    """Count the days from one plan to another; up to two hours more, as clocks are changed, are no day more."""
    if as_of <= earlier:
        return 0
    return max(1, -(-(as_of - earlier - timedelta(hours=2)) // _DAY))


@dataclass(slots=True)
class Foretelling:
    """The days after ``as_of`` and what is due in them, counted while the plan is made."""

    policy: Policy
    quarantine_days: int
    as_of: datetime
    goes: defaultdict[str, Portion] = field(default_factory=lambda: defaultdict(Portion))
    """Recordings that the plan itself lets go, by action."""
    held: Portion = field(default_factory=Portion)
    _days: defaultdict[str, defaultdict[int, Portion]] = field(default_factory=lambda: defaultdict(_no_days))

    def add(self, row: Row[Any], due: Due, *, settled: bool = False) -> None:
        """Count a recording that the plan looked at; one that is ``settled`` is not in the plan any more."""
        portion = Portion(1, row.stored_bytes or 0, row.interaction_date)
        if due.why in _HELD:
            self.held += portion
        elif due.why in (Kept.TOO_YOUNG, Kept.POSSIBLY_LONGER):
            self._add(Action.QUARANTINE, due.due_at, portion)
        elif due.why == Kept.WAITING:
            self._add(Action.PURGE, later(row.quarantined_at, self.quarantine_days), portion)
        elif due.why == RESTORED:
            self._add(Action.QUARANTINE, restored_until(row), portion)
        elif due.action in LETS_GO and not settled:
            self.goes[str(due.action)] += portion
            if due.action == Action.QUARANTINE:
                self._add(Action.PURGE, later(self.as_of, max(1, self.quarantine_days)), portion)

    def join(self, other: Foretelling) -> None:
        """Add what another one counted of the same plan."""
        self.held += other.held
        for action, portion in other.goes.items():
            self.goes[action] += portion
        for action, days in other._days.items():
            for day, portion in days.items():
                self._days[action][day] += portion

    def add_the_rest(self, connection: Connection) -> None:
        """Count what is too young for the plan to look at it, and expires in the days that are foretold."""
        at, shortest = self.as_of.astimezone(UTC), timedelta(days=self.policy.shortest_days)
        count, date = Count([self.policy], at, 0), recordings.c.interaction_date
        try:
            window = (date > at - shortest, date <= at - shortest + DAYS * _DAY)
        except OverflowError:  # longer ago than there are dates
            return
        for lot in lots(connection, count, at, recordings.c.state == State.ARCHIVED, *window):
            (governed,) = lot.governed
            portion = Portion(lot.amount.recordings, lot.amount.stored_bytes, lot.newest)
            self._add_day(Action.QUARANTINE, days_until_due(lot, governed.last_days, at.date()), portion)

    def foretold(self, at: datetime, youngest: Mapping[str, datetime], unasked: tuple[str, ...] = ()) -> Foretold:
        """Return the document; ``youngest`` is what went before this plan."""
        went = {action: portion.newest for action, portion in self.goes.items() if portion.newest}
        youngest = {**youngest, **{action: max(when, youngest.get(action, when)) for action, when in went.items()}}
        return Foretold(
            self.policy.version, self.quarantine_days, at, self.as_of, self._days, youngest, self.held, unasked
        )

    def _add(self, action: Action, due_at: datetime | None, portion: Portion) -> None:
        if due_at is not None:
            self._add_day(action, max(1, -(-(due_at - self.as_of) // _DAY)), portion)

    def _add_day(self, action: Action, day: int, portion: Portion) -> None:
        if day <= DAYS:
            self._days[str(action)][day] += portion


def _no_days() -> defaultdict[int, Portion]:
    return defaultdict(Portion)


def _by_day(portions: Mapping[int, Portion]) -> dict[str, Any]:
    return {str(day): portions[day].to_json() for day in sorted(portions)}
