"""The rules of retention as plain values: the life of one recording, holds, and what retention makes of both."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
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
    others: tuple[dict[str, Any], ...] = ()  # who else took part; "certain" or not
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
    """A number without what people write between its digits, and behind it."""
    return number and re.sub(r"\D", "", re.sub(r";.*|@.*|\(0\)", "", number))


def tail(number: str) -> str:
    """The last nine digits, by which numbers are compared when a country is not known; the world has no two alike."""
    return str(digits(number)).lstrip("0")[-9:]


def spelled(name: str) -> str:
    """A name without what people put around it."""
    return name.strip(" \u00a0\u201c\u201d").casefold()


def keeps(hold: Hold, life: Life) -> bool:
    """Test whether a recording is held or possibly held: no field that the hold asks for speaks against it."""
    every = (life.told, *life.others)
    agents, queues = (
        [pair for pair in ((each.get(f"{what}_id"), each.get(f"{what}_name")) for each in every) if any(pair)]
        for what in ("agent", "queue")
    )
    calls = [[each[way] for each in every if each.get(way)] for way in ("ani", "dnis")]
    asked: list[tuple[tuple[str, ...], list[Any], bool, Callable[[str], Any]]] = [
        (hold.ids, [life.name], False, str),
        (hold.agents, [*chain(*agents)], not agents or None in chain(*agents), spelled),
        (hold.queues, [*chain(*queues)], not queues or None in chain(*queues), spelled),
        (hold.numbers, [*chain(*calls)], not all(calls), tail),
    ]
    for values, found, lacks, spell in asked:
        if values and not lacks and not {spell(value) for value in values} & {spell(each) for each in found}:
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
