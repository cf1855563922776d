"""Recordings counted by lots: the effect of a policy on each lot, and the difference of two policies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from recording_archive.model import State
from recording_archive.parties.documents import NAMES
from recording_archive.retention.forecast_figures import Amount, ByRule, Forecast, MonthForecast, Outlook
from recording_archive.retention.forecast_parties import read_parties
from recording_archive.retention.matching import PARTIES
from recording_archive.retention.rules import DEFAULT, Governing, Policy, decide, later

_MOST_DECISIONS = 10_000  # remembered


class ForecastCell(StrEnum):
    """The place in an outlook where a recording counts."""

    DUE = "due"
    HELD = "held"
    POSSIBLY_HELD = "possibly held"
    POSSIBLY_LONGER = "possibly longer"
    UNVERIFIED = "unverified"
    RESTORED = "restored"
    EXPIRING = "expiring"
    BEYOND = "beyond"
    UNDATED = "undated"
    QUARANTINED = "quarantined"
    RESTORABLE = "restorable"


@dataclass(frozen=True, slots=True)
class Lot:
    """Recordings alike in all that decides about them, and the rules that govern them."""

    state: str
    verified: bool
    day: datetime | None  # midnight in UTC before the interaction
    early: bool  # its time of day is not after that of the forecast
    governed: tuple[Governing, ...]  # by a rule of each policy
    amount: Amount
    restored: int = 0  # how many of them a person took out of quarantine, lately or long ago
    newest: datetime | None = None  # the latest interaction of the lot, where the caller asks for it


class Side:
    """One policy, and what it does with everything counted so far."""

    def __init__(self, policy: Policy, at: datetime, months: int) -> None:
        self.policy = policy
        self._today = at.date()
        self._months = [_month(_nth_month(self._today, number)) for number in range(months)]
        self._amounts: defaultdict[tuple[ForecastCell, str, str], Amount] = defaultdict(Amount)
        self._longer = set[str | None]()

    def place(self, lot: Lot, governed: Governing, stays: ForecastCell | None = None) -> tuple[ForecastCell, str, str]:
        """Return place, month and rule of a lot; the place is ``stays`` for a lot that would be due."""
        rule = governed.rule
        self._longer.add(governed.longer)
        if lot.day is None:
            return ForecastCell.UNDATED, "", rule
        expired = days_until_due(lot, governed.last_days, self._today) <= 0
        if lot.state == State.QUARANTINED:
            return ForecastCell.QUARANTINED if expired else ForecastCell.RESTORABLE, "", rule
        if not expired and days_until_due(lot, governed.days, self._today) <= 0:
            return ForecastCell.POSSIBLY_LONGER, "", rule
        if not expired:
            month = _month(later(lot.day, governed.last_days).date())
            return (
                (ForecastCell.EXPIRING, month, rule) if month <= self._months[-1] else (ForecastCell.BEYOND, "", rule)
            )
        return (stays or ForecastCell.DUE) if lot.verified else ForecastCell.UNVERIFIED, "", rule

    def add(self, place: tuple[ForecastCell, str, str], amount: Amount) -> None:
        """Count ``amount`` at a place."""
        self._amounts[place] += amount

    def outlook(self) -> Outlook:
        """Return all that was counted."""
        governing = self._longer | {rule for (_, _, rule), amount in self._amounts.items() if amount.recordings}
        return Outlook(
            policy=self.policy,
            due=self._by_rule(ForecastCell.DUE),
            held=self._total(ForecastCell.HELD),
            possibly_held=self._total(ForecastCell.POSSIBLY_HELD),
            possibly_longer=self._total(ForecastCell.POSSIBLY_LONGER),
            unverified=self._total(ForecastCell.UNVERIFIED),
            months=tuple(MonthForecast(month, self._by_rule(ForecastCell.EXPIRING, month)) for month in self._months),
            beyond=self._by_rule(ForecastCell.BEYOND),
            undated=self._total(ForecastCell.UNDATED),
            quarantined=self._total(ForecastCell.QUARANTINED),
            restorable=self._total(ForecastCell.RESTORABLE),
            restored=self._total(ForecastCell.RESTORED),
            idle_rules=tuple(rule.name for rule in self.policy.rules if rule.name not in governing),
        )

    def _by_rule(self, place: ForecastCell, month: str = "") -> ByRule:
        """Sum up by the rules that govern any, in the order of the policy."""
        names = (*(rule.name for rule in self.policy.rules), DEFAULT)
        amounts = {name: self._amounts.get((place, month, name), Amount()) for name in names}
        return {name: amount for name, amount in amounts.items() if amount.recordings}

    def _total(self, place: ForecastCell) -> Amount:
        return sum((amount for key, amount in self._amounts.items() if key[0] is place), Amount())


class Count:
    """Recordings counted under one policy or two, with the difference of the two."""

    def __init__(self, policies: Sequence[Policy], at: datetime, months: int) -> None:
        self._sides = [Side(policy, at, months) for policy in policies]
        self._due: defaultdict[tuple[bool, ...], Amount] = defaultdict(Amount)
        self.columns = sorted({column for policy in policies for column in policy.columns})
        self.govern = lru_cache(maxsize=_MOST_DECISIONS)(self._govern)
        """Decide which rule of each policy governs recordings with such values in `columns`; cached, as few differ.

        Their parties are a text of `forecast_parties`, of `party_names` alone.
        """
        self.party_names = [name for name in self.columns if name in NAMES]
        self.restored = 0

    def add(self, lot: Lot, stays: ForecastCell | None = None, *, times: int = 1) -> None:
        """Count a lot in; with ``times`` -1 count it out again."""
        amount = Amount(times * lot.amount.recordings, times * lot.amount.stored_bytes)
        places = self._places(lot, stays)
        for side, place in zip(self._sides, places, strict=True):
            side.add(place, amount)
        self._due[tuple(place[0] is ForecastCell.DUE for place in places)] += amount
        self.restored += times * lot.restored

    def is_due(self, lot: Lot) -> bool:
        """Say if a lot is due under any of the policies, unless something else lets it stay."""
        return any(place[0] is ForecastCell.DUE for place in self._places(lot))

    def due(self) -> int:
        """Count the recordings that are due, so far."""
        return sum(amount.recordings for due, amount in self._due.items() if any(due))

    def days_until_due(self) -> int:
        """Return the days below which no recording is due."""
        return min(side.policy.shortest_days for side in self._sides)

    def forecast(self, at: datetime, quarantine_days: int) -> Forecast:
        """Return the forecast of all that was counted."""
        in_force, *proposed = (side.outlook() for side in self._sides)
        sooner, spared = self._due[False, True], self._due[True, False]
        return Forecast(at, quarantine_days, in_force, proposed[0] if proposed else None, sooner, spared)

    def _places(self, lot: Lot, stays: ForecastCell | None = None) -> list[tuple[ForecastCell, str, str]]:
        return [side.place(lot, governed, stays) for side, governed in zip(self._sides, lot.governed, strict=True)]

    def _govern(self, asked: tuple[str | None, ...]) -> tuple[Governing, ...]:
        values: dict[str, Any] = dict(zip(self.columns, asked, strict=True))
        if PARTIES in values:
            values[PARTIES] = read_parties(values[PARTIES])
        alike = SimpleNamespace(**values)
        return tuple(decide(alike, side.policy) for side in self._sides)


def days_until_due(lot: Lot, days: int, today: date) -> int:
    """Count the days from a forecast until a dated lot has expired; 0 or fewer: it has already."""
    if lot.day is None:
        raise ValueError("a lot without a date never expires")
    return (later(lot.day, days).date() - today).days + (not lot.early)


def _nth_month(first: date, number: int) -> date:
    years, month = divmod(first.month - 1 + number, 12)
    return date(first.year + years, month + 1, 1)


def _month(day: date) -> str:
    return f"{day:%Y-%m}"
