"""Retention rules, judged without any I/O, so that tests can try all of them at once.

Age counts from the interaction's date, in UTC: a recording has expired from ``interaction_date + days`` on. Rules
replace the default; the longest that matches wins, but one with ``maximum`` beats longer ones. A longer rule that may
match (`matching`) keeps a recording for its own days. No rule beats a hold, and nothing goes that has no date or whose
bytes were not found intact at the last reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from recording_archive.model import State
from recording_archive.retention.matching import Asked, Facts, Match

DEFAULT = "default"  # what a verdict calls the days that apply where no rule matches
ATTRIBUTES = {  # what a rule may ask for, by the name in a policy document, and its column
    "agentId": "agent_id",
    "agentName": "agent_name",
    "contactId": "contact_id",
    "direction": "direction",
    "division": "division",
    "mediaType": "media_type",
    "queueId": "queue_id",
    "queueName": "queue_name",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """Days for the recordings that match: any of the values of a field, and every field that has values.

    Text is compared as names are (`spelling.names`). ``attributes`` has the names of `ATTRIBUTES`. Raise ValueError for
    a rule that asks for nothing, which would match everything.
    """

    name: str
    days: int
    maximum: bool = False
    queues: tuple[str, ...] = ()  # id or name
    media_types: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: tuple[Asked, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fields = [
            (("queue_id", "queue_name"), self.queues),
            (("media_type",), self.media_types),
            (("division",), self.divisions),
            (("direction",), self.directions),
            *(((ATTRIBUTES[name],), values) for name, values in self.attributes.items()),
        ]
        asked = tuple(Asked.of(columns, values) for columns, values in fields if values)
        object.__setattr__(self, "asked", asked)
        if not asked or any("" in each.wanted for each in asked):
            raise ValueError(f"rule {self.name!r} must ask for something, and not for empty text")
        _require_days(self.name, self.days)

    @property
    def columns(self) -> frozenset[str]:
        """The columns of `recordings` that the rule looks at."""
        return frozenset[str]().union(*(each.needs for each in self.asked))

    def to_json(self) -> dict[str, Any]:
        """The rule as a policy document has it."""
        asked = {
            "queues": list(self.queues),
            "mediaTypes": list(self.media_types),
            "divisions": list(self.divisions),
            "directions": list(self.directions),
            "attributes": {name: list(values) for name, values in self.attributes.items()},
        }
        whole = {"name": self.name, "days": self.days, "maximum": self.maximum}
        return whole | {name: values for name, values in asked.items() if values}


@dataclass(frozen=True, slots=True)
class Policy:
    """Default days and rules; ``version`` is the SHA-256 of the document, which was read from ``origin``."""

    version: str
    name: str
    default_days: int
    rules: tuple[Rule, ...] = ()
    origin: str = field(default="", compare=False)
    document: bytes = field(default=b"", repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_days(DEFAULT, self.default_days)

    @property
    def columns(self) -> frozenset[str]:
        """The columns of `recordings` that any rule looks at."""
        return frozenset[str]().union(*(rule.columns for rule in self.rules))

    @property
    def shortest_days(self) -> int:
        """The days below which no recording expires."""
        return min((self.default_days, *(rule.days for rule in self.rules)))

    def to_json(self) -> dict[str, Any]:
        """The policy as commands and pages show it."""
        return {
            "version": self.version,
            "name": self.name,
            "origin": self.origin,
            "defaultDays": self.default_days,
            "rules": [rule.to_json() for rule in self.rules],
        }


_STORED = frozenset({State.ARCHIVED, State.QUARANTINED})


class Action(StrEnum):
    """Action on a recording. Rules never ask for an erasure: a person does."""

    QUARANTINE = "quarantine"
    PURGE = "purge"
    ERASE = "erase"


class Kept(StrEnum):
    """Why a recording stays; where several apply, the first of this order."""

    NOT_STORED = "not_stored"
    UNDATED = "undated"
    TOO_YOUNG = "too_young"
    POSSIBLY_LONGER = "possibly_longer"  # a longer rule may match, and its days are not over
    UNVERIFIED = "unverified"
    HELD = "held"
    POSSIBLY_HELD = "possibly_held"
    WAITING = "waiting"  # in quarantine, not long enough


class Governing(NamedTuple):
    """The name and the days of the rule that governs a recording for sure, and of the longest that may, if longer."""

    rule: str
    days: int
    longer: str | None = None
    longer_days: int = 0

    @property
    def last_days(self) -> int:
        """The days after which it may go, whichever rule applies."""
        return max(self.days, self.longer_days)


class HoldIds(Protocol):
    """The ids of the holds on a recording, as `holds.Holding` has them."""

    @property
    def held(self) -> tuple[str, ...]:
        """Holds that match it."""

    @property
    def possibly(self) -> tuple[str, ...]:
        """Holds that ask for an attribute it lacks."""


class Verdict(NamedTuple):
    """Action on a recording, or why it stays, and by which rule; one of the first two is None.

    ``expires_at`` is when its days end, by the governing rule and by ``longer``, a longer one that may match.
    """

    action: Action | None
    kept: Kept | None
    rule: str
    days: int
    expires_at: datetime | None
    longer: str | None = None

    @property
    def may_go(self) -> bool:
        """Say if it goes, now or when its quarantine is over, unless a hold keeps it."""
        return self.kept is None or self.kept is Kept.WAITING


def judge(row: Any, policy: Policy, *, as_of: datetime, quarantine_days: int, holding: HoldIds | None) -> Verdict:
    """Say what ``policy`` does at ``as_of`` with ``row``, which has the columns of `recordings` as attributes.

    A quarantined recording that has not expired, because the policy changed, is kept as too young. With time alone a
    recording only ever goes from kept to quarantine to purge.
    """
    governing = decide(row, policy)
    expires_at = None if row.interaction_date is None else later(row.interaction_date, governing.last_days)
    kept = _why_kept(row, governing, expires_at, as_of)
    action = Action.PURGE if row.state == State.QUARANTINED else Action.QUARANTINE
    if kept is None and action is Action.PURGE and not _has_waited(row, as_of, quarantine_days):
        kept = Kept.WAITING
    found = Verdict(None if kept else action, kept, governing.rule, governing.days, expires_at, governing.longer)
    return heed(found, holding)


def heed(verdict: Verdict, holding: HoldIds | None) -> Verdict:
    """Apply holds to a verdict: they keep a recording that would go now or later."""
    if holding is None or not verdict.may_go or not (holding.held or holding.possibly):
        return verdict
    kept = Kept.HELD if holding.held else Kept.POSSIBLY_HELD
    return verdict._replace(action=None, kept=kept)


def decide(row: Any, policy: Policy) -> Governing:
    """Find the rule that governs ``row``, the first of equals, and a longer one that may match."""
    if not policy.rules:
        return Governing(DEFAULT, policy.default_days)
    facts = Facts(row)
    matches = [(rule, facts.match(rule.asked)) for rule in policy.rules]
    sure = [rule for rule, match in matches if match is Match.SURE]
    limits = [rule for rule in sure if rule.maximum]
    if limits:  # beats whatever is longer
        rule = min(limits, key=_days)
        return Governing(rule.name, rule.days)
    longest = max(sure, key=_days, default=None)
    name, days = (longest.name, longest.days) if longest else (DEFAULT, policy.default_days)
    longer = max((rule for rule, match in matches if match is Match.POSSIBLE), key=_days, default=None)
    if longer is None or longer.days <= days:
        return Governing(name, days)
    return Governing(name, days, longer.name, longer.days)


def later(moment: datetime, days: int) -> datetime:
    """Add days of 24 hours to a moment; beyond the last moment there is, return that."""
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _why_kept(row: Any, governing: Governing, expires_at: datetime | None, as_of: datetime) -> Kept | None:
    """Say why a recording stays, holds and quarantine aside; ``expires_at`` is when the last of its days ends."""
    if row.state not in _STORED:
        return Kept.NOT_STORED
    if expires_at is None:
        return Kept.UNDATED
    if expires_at > as_of:
        young = later(row.interaction_date, governing.days) > as_of
        return Kept.TOO_YOUNG if young else Kept.POSSIBLY_LONGER
    return None if row.verified_ok is True else Kept.UNVERIFIED


def _has_waited(row: Any, as_of: datetime, quarantine_days: int) -> bool:
    return row.quarantined_at is not None and later(row.quarantined_at, quarantine_days) <= as_of


def _days(rule: Rule) -> int:
    return rule.days


def _require_days(name: str, days: int) -> None:
    if days < 1:
        raise ValueError(f"{name!r}: {days} days would let recordings go on the day they come")


def restored_until(row: Any) -> datetime | None:
    """Return the moment until which a recording that a person restored is left alone."""
    text = (row.deletion or {}).get("restoredUntil")
    return datetime.fromisoformat(text) if text else None
