"""The rules of retention as plain values: the life of one recording, holds, and what retention makes of both."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

DAWN = datetime(2026, 1, 1, tzinfo=UTC)
DAY, QUARANTINE = timedelta(days=1), timedelta(days=7)


@dataclass
class Life:
    """Model of one recording; ``state`` is absent, archived, quarantined, deleting, purged or erased.

    ``past`` are facts that may be the last ones the archive tells, because what came after was cut short.
    """

    name: str
    date: datetime | None
    told: dict[str, Any]
    state: str = "absent"
    since: datetime | None = None  # in quarantine
    spared: datetime | None = None  # until then a person's restore stands
    verified: bool = True
    rotten: bool = False
    torn: bool = False  # its object went, and a lost catalog forgot that it was on its way out
    nameless: bool = False  # the catalog knows nothing of it but ids
    action: str = ""  # of a deletion that was begun
    before: tuple[str, datetime | None] = ("", None)  # state and spared, for a deletion that is taken back
    past: list[tuple[str, datetime | None, datetime | None]] = field(default_factory=list)

    @property
    def stored(self) -> bool:
        """Test whether the recording is in the archive, and to stay there for now."""
        return self.state in ("archived", "quarantined")

    @property
    def facts(self) -> tuple[str, datetime | None, datetime | None]:
        """Facts that change during its life."""
        return self.state, self.since, self.spared

    def become(self, state: str, since: datetime | None = None, spared: datetime | None = None) -> None:
        """Change its facts."""
        self.state, self.since, self.spared = state, since, spared

    def back(self) -> tuple[str, datetime | None, datetime | None]:
        """Its facts when its deletion is taken back."""
        return self.before[0], self.since, self.before[1]


@dataclass(frozen=True)
class Hold:
    """Criteria of a hold: values by field; days from and to, the second not included."""

    ids: tuple[str, ...]
    agents: tuple[str, ...]
    queues: tuple[str, ...]
    numbers: tuple[str, ...]
    first: int | None
    last: int | None


def digits(number: str | None) -> str | None:
    """A number in the one spelling that stands for all."""
    return number and re.sub(r"\D", "", number)


def keeps(hold: Hold, life: Life) -> bool:
    """Test whether a recording is held or possibly held: no field that the hold asks for speaks against it."""
    get = life.told.get
    asked: list[tuple[tuple[str, ...], list[Any], Callable[[str], Any]]] = [
        (hold.ids, [life.name], str),
        (hold.agents, [get("agent_id"), get("agent_name")], str.casefold),
        (hold.queues, [get("queue_id"), get("queue_name")], str.casefold),
        (hold.numbers, [get("ani"), get("dnis")], digits),
    ]
    for values, found, spell in asked:
        wanted = {spell(value) for value in values}
        if wanted and None not in found and not wanted & {spell(each) for each in found}:
            return False
    if life.date is None:
        return True
    inside = hold.first is None or life.date >= DAWN + hold.first * DAY
    return inside and (hold.last is None or life.date < DAWN + hold.last * DAY)


def why_kept(life: Life, *, now: datetime, days: int, held: bool) -> str | None:
    """Why a recording may not go, in the order in which reasons count; None when it may."""
    if life.date is None:
        return "undated"
    if life.date + days * DAY > now:
        return "young"
    if not life.verified:
        return "unverified"
    return "held" if held else None


def fate(life: Life, *, now: datetime, days: int, held: bool, gone: bool) -> tuple[str, datetime | None, Any]:
    """The facts of a recording after a whole run of retention; ``gone``: its deletion was begun and its object went."""
    why = why_kept(life, now=now, days=days, held=held)
    if life.state == "deleting":
        if gone or (life.action == "erase" and not held):
            return {"purge": "purged", "erase": "erased"}[life.action], None, None
        due = life.action == "purge" and why is None and life.since is not None and life.since + QUARANTINE <= now
        return ("purged", None, None) if due else life.back()
    if life.state == "quarantined":
        if why in ("held", "young"):
            return "archived", None, None
        waited = life.since is not None and life.since + QUARANTINE <= now
        return ("purged", None, None) if why is None and waited else life.facts
    if life.state == "archived" and why is None and not (life.spared and life.spared > now):
        return "quarantined", now, None
    return life.facts
