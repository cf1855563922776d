"""Figures of a forecast: recordings and bytes by place, month and rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recording_archive.retention.rules import Policy


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of recordings, and their bytes in the archive."""

    recordings: int = 0
    stored_bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.recordings + other.recordings, self.stored_bytes + other.stored_bytes)

    def to_json(self) -> dict[str, int]:
        """Return the JSON of commands and the REST API."""
        return {"recordings": self.recordings, "storedBytes": self.stored_bytes}


ByRule = Mapping[str, Amount]


def total(by_rule: ByRule) -> Amount:
    """Sum up all rules."""
    return sum(by_rule.values(), Amount())


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """Recordings that expire in one month in UTC, such as ``2027-03``; in the current month those still to come."""

    month: str
    expiring: ByRule


@dataclass(frozen=True, slots=True)
class Outlook:
    """The effect of one policy on all stored recordings; each recording counts in one place.

    ``due`` would go into quarantine at once; ``held``, ``possibly_held``, ``unverified`` and ``restored`` have expired
    as well and stay, and so do ``possibly_longer``, to which a longer rule may apply. Nobody knows the holds of later
    months, so all that expires then is counted there; what a longer rule may apply to when that one's days are over.
    """

    policy: Policy
    due: ByRule
    held: Amount
    possibly_held: Amount
    possibly_longer: Amount
    unverified: Amount
    months: tuple[MonthForecast, ...]
    beyond: ByRule  # expires after the last of the months
    undated: Amount
    quarantined: Amount  # already, and still expired
    restorable: Amount  # quarantined, and not expired under this policy
    restored: Amount = Amount()  # expired, and left alone for now by a person's decision
    idle_rules: tuple[str, ...] = ()  # govern nothing that lies in the archive

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of commands and the REST API."""
        return {
            "policy": self.policy.to_json(),
            "due": _json(self.due),
            "held": self.held.to_json(),
            "possiblyHeld": self.possibly_held.to_json(),
            "possiblyLonger": self.possibly_longer.to_json(),
            "unverified": self.unverified.to_json(),
            "months": [{"month": each.month, **_json(each.expiring)} for each in self.months],
            "beyond": _json(self.beyond),
            "undated": self.undated.to_json(),
            "quarantined": self.quarantined.to_json(),
            "restorable": self.restorable.to_json(),
            "restored": self.restored.to_json(),
            "idleRules": list(self.idle_rules),
        }


@dataclass(frozen=True, slots=True)
class Forecast:
    """The effect of the policy in force as of a moment, and of a proposed one instead.

    ``sooner`` is due at once under the proposed policy alone, ``spared`` under the one in force alone.
    """

    as_of: datetime
    quarantine_days: int
    in_force: Outlook
    proposed: Outlook | None = None
    sooner: Amount = Amount()
    spared: Amount = Amount()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of commands and the REST API, without ``proposed`` and the difference when there is none."""
        shown: dict[str, Any] = {
            "asOf": self.as_of.isoformat(),
            "quarantineDays": self.quarantine_days,
            "inForce": self.in_force.to_json(),
        }
        if self.proposed:
            shown["proposed"] = self.proposed.to_json()
            shown |= {"sooner": self.sooner.to_json(), "spared": self.spared.to_json()}
        return shown


def _json(by_rule: ByRule) -> dict[str, Any]:
    return {**total(by_rule).to_json(), "rules": {name: amount.to_json() for name, amount in by_rule.items()}}
