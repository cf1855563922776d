"""The foretelling of a plan: the days after it, as the rules of the forecast have them, one by one."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.disposition import foretelling
from recording_archive.disposition.foretelling import Foretold, Portion, days_between, read_foretold
from recording_archive.disposition.plan import make_plan
from recording_archive.disposition.quarantine import restore
from recording_archive.holds import Criteria
from recording_archive.model import State
from recording_archive.retention.policy_in_force import adopt
from support.catalog_rows import AS_OF, archived_row, fill
from support.contents import ids
from support.retention_run import EXPIRED, QUARANTINE, at, quarantined

DAY = timedelta(days=1)
RULES = b"""name: rules
defaultDays: 40
rules:
  - {name: trading, days: 60, queues: [TRADING]}
  - {name: cards, days: 20, maximum: true, directions: [inbound]}
"""


def source(archive: Archive, run_id: str = "retention__1", **asked: Any) -> Foretold:
    """What a plan foretells."""
    plan = make_plan(archive, run_id, **asked)
    assert plan.foretold is not None
    return read_foretold(plan.foretold)


def test_the_days_after_are_those_of_the_rules(archive: Archive) -> None:
    """Each recording counts on the day of 24 hours in which its rule lets it expire, whoever counted it."""
    adopt(archive, RULES, "p.yaml", actor="ann")
    dice = random.Random(5)  # noqa: S311 - the same recordings each time
    rows, wanted = [], defaultdict[int, Portion](Portion)
    for number in range(500):
        queue, direction = dice.choice(["Sales", "Trading"]), dice.choice(["inbound", "outbound"])
        days = 20 if direction == "inbound" else 60 if queue == "Trading" else 40
        edge = dice.choice([20, 40, 60]) * DAY + timedelta(seconds=dice.choice([-1, 0, 1]))
        when = AS_OF - dice.choice([edge, timedelta(seconds=dice.randrange(70 * 86_400))])
        rows.append(archived_row(number, when, queue_id=queue, queue_name=queue, direction=direction))
        after = -(-(when + days * DAY - AS_OF) // DAY)
        if 1 <= after <= foretelling.DAYS:
            wanted[after] += Portion(1, number + 1, when)
    told = source(fill(archive, *rows))
    assert told.days["quarantine"] == wanted
    assert len(wanted) > foretelling.DAYS - 5
    assert read_foretold(told.to_json()) == told


def test_purges_are_foretold_of_what_waits_and_of_what_goes_there(archive: Archive) -> None:
    """By the day on which the quarantine of each is over."""
    old = AS_OF - 100 * DAY
    waiting = [
        archived_row(each, old, state=State.QUARANTINED, quarantined_at=AS_OF - 14 * DAY + timedelta(hours=hours))
        for each, hours in enumerate([1, 24, 25])
    ]
    told = source(fill(archive, *waiting, archived_row(9, old + DAY)))
    purges = {day: portion.recordings for day, portion in told.days["purge"].items()}
    assert purges == {1: 2, 2: 1, 14: 1}
    assert told.days["purge"][14] == Portion(1, 10, old + DAY)


def test_what_is_held_or_restored(archived: Archive) -> None:
    """What holds alone keep is counted apart; what a person restored is due when its time is over."""
    first, second, *_ = ids(archived)
    soon = quarantined(archived)
    restore(soon, first, reason="listen", actor="ann")
    holds.create(soon, matter="M", reason="R", criteria=Criteria(interaction_ids=(second,)), actor="ann")
    told = source(soon, "retention__2")
    assert {day: each.recordings for day, each in told.days["quarantine"].items()} == {14: 1}
    assert told.held.recordings == 1
    assert soon.clock() == EXPIRED + QUARANTINE


@pytest.mark.parametrize(
    ("hours", "days"), [(-5, 0), (0, 0), (1, 1), (23, 1), (24, 1), (25, 1), (26, 1), (27, 2), (48, 2), (24 * 9, 9)]
)
def test_days_between_plans(hours: int, days: int) -> None:
    """Days of 24 hours, with room for the hour of summer time."""
    first = datetime(2026, 3, 29, 1, tzinfo=timezone(timedelta(hours=1)))
    assert days_between(first, first.astimezone(UTC) + timedelta(hours=hours)) == days


def test_a_first_plan_without_anything_due_foretells_the_days_after(archived: Archive) -> None:
    """It says why it does not count: nobody was asked."""
    told = source(at(archived, EXPIRED - 30 * DAY))
    assert sum(each.recordings for each in told.days["quarantine"].values()) == 6
    assert "no plan has gone through" in told.unasked[0]
