"""The forecast: what expires when and by which rule, the same as the rules say one by one, and what would change."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, recordings
from recording_archive.disposition import quarantine
from recording_archive.holds import Criteria, create, holding
from recording_archive.model import PartId, State
from recording_archive.retention.forecast import forecast
from recording_archive.retention.forecast_figures import Amount, Forecast, Outlook, total
from recording_archive.retention.policy_in_force import adopt, read_policy
from recording_archive.retention.rules import Action, Kept, Policy, decide, judge, later
from support.catalog_rows import AS_OF, archived_row, fill
from support.retention_run import EXPIRED, enforce
from support.retention_run import at as at_moment

DAY = timedelta(days=1)
LONGER = read_policy(b"name: longer\ndefaultDays: 200\n", "longer.yaml")
RULES = read_policy(
    b"""name: rules
defaultDays: 40
rules:
  - {name: trading, days: 400, queues: [TRADING, q-2]}
  - {name: cards, days: 20, maximum: true, directions: [inbound], mediaTypes: [call]}
  - {name: ann, days: 100, attributes: {agentId: [ANN]}}
  - {name: nobody, days: 7, queues: [No such queue]}
""",
    "rules.yaml",
)


def everything(outlook: Outlook) -> Amount:
    """All amounts of an outlook together."""
    single = (outlook.held, outlook.possibly_held, outlook.unverified, outlook.undated, outlook.quarantined)
    single += (outlook.possibly_longer,)
    spread = (outlook.due, outlook.beyond, *(month.expiring for month in outlook.months))
    return sum(map(total, spread), sum((*single, outlook.restorable, outlook.restored), Amount()))


def months(outlook: Outlook) -> dict[str, dict[str, int]]:
    """Recordings by month and rule; months without any are left out."""
    counts = {
        each.month: {rule: amount.recordings for rule, amount in each.expiring.items()} for each in outlook.months
    }
    return {month: rules for month, rules in counts.items() if rules}


def at_random(number: int) -> list[dict[str, Any]]:
    """Recordings of all kinds, many of them of the days on which something changes."""
    dice = random.Random(3)  # noqa: S311 - the same recordings each time
    ages = (7, 20, 40, 90, 100, 400)
    rows = []
    for each in range(number):
        when = AS_OF - dice.choice(ages) * DAY + timedelta(seconds=dice.choice([-1, 0, 1]) * dice.randrange(10**5))
        state = dice.choice([*[State.ARCHIVED] * 6, *State])
        quarantined = AS_OF - dice.randrange(30) * DAY if state == State.QUARANTINED else None
        queue = dice.choice(
            [*[(None, None), (None, "Care"), ("Q-2", None)], *[("q-3", "Care"), ("q-1", "Trading")] * 3]
        )
        columns = {
            "parties": dice.choice([None, *[[]] * 9, *([party(dice)] for _ in range(6)), [party(dice), party(dice)]]),
            "agent_id": dice.choice([None, "ann", "Ann", "bob", "bob"]),
            "queue_id": queue[0],
            "queue_name": queue[1],
            "direction": dice.choice(["inbound", "outbound"]),
            "media_type": dice.choice([None, "call", "chat"]),
            "ani": dice.choice([None, "+49301", "+49302"]),
            "dnis": dice.choice([None, "+498000"]),
        }
        facts = {
            "state": state,
            "quarantined_at": quarantined,
            "verified_ok": dice.choice([True, True, True, False, None]),
        }
        rows.append(archived_row(each, dice.choice([when] * 20 + [None]), **columns, **facts))
    return rows


def party(dice: random.Random) -> dict[str, Any]:
    """Somebody beside the main parties, with a number that hardly anyone else has."""
    who = [{"queueName": "TRADING", "queueId": "q-1"}, {"queueId": "q-3"}, {"agentId": "ANN"}, {"agentId": "bob"}]
    return {**dice.choice(who), "ani": f"+49{dice.randrange(10**6)}", "certain": dice.choice([True, False])}


def counted_one_by_one(archive: Archive, policy: Policy, latest: str) -> dict[str, Any]:
    """What an outlook should say, by `judge` on every row: places, months with rules, what is later, what is due."""
    places, expiring, due = Counter[str](), defaultdict[str, Counter[str]](Counter), Counter[str]()
    beyond = Counter[str]()
    with archive.catalog.read() as connection:
        rows = connection.execute(select(recordings)).all()
        held = holding(connection, rows)
    for each in rows:
        part = PartId(each.interaction_id, each.recording_id, each.part)
        verdict = judge(each, policy, as_of=AS_OF, quarantine_days=10**4, holding=held.get(part))
        if verdict.kept is Kept.NOT_STORED:
            continue
        if each.state == State.QUARANTINED and each.interaction_date is not None:
            places["restorable" if verdict.kept in (Kept.TOO_YOUNG, Kept.POSSIBLY_LONGER) else "quarantined"] += 1
        elif verdict.kept is Kept.TOO_YOUNG:
            month = f"{later(each.interaction_date, decide(each, policy).last_days):%Y-%m}"
            (expiring[month] if month <= latest else beyond)[verdict.rule] += 1
        elif verdict.action is Action.QUARANTINE:
            due[verdict.rule] += 1
        else:
            places[str(verdict.kept)] += 1
    return {"places": +places, "months": dict(expiring), "beyond": beyond, "due": due}


def shown(outlook: Outlook) -> dict[str, Any]:
    """An outlook in the form of `counted_one_by_one`."""
    names = ("held", "possibly_held", "possibly_longer", "unverified", "undated", "quarantined", "restorable")
    return {
        "places": +Counter({name: getattr(outlook, name).recordings for name in names}),
        "months": {month: Counter(rules) for month, rules in months(outlook).items()},
        "beyond": Counter({rule: amount.recordings for rule, amount in outlook.beyond.items()}),
        "due": Counter({rule: amount.recordings for rule, amount in outlook.due.items()}),
    }


def hold(archive: Archive, **criteria: Any) -> None:
    create(archive, matter="m", reason="r", criteria=Criteria(**criteria), actor="rosa")


@pytest.mark.parametrize("most_asked", [0, 10**6])
def test_it_counts_what_the_rules_say_one_by_one(archive: Archive, most_asked: int) -> None:
    """Under both policies, with holds, in every place and month: the same as judging each recording."""
    filled = fill(archive, *at_random(1500))
    hold(filled, agents=("bob",), start=AS_OF - 95 * DAY)
    hold(filled, numbers=("+49 301",))
    found = forecast(filled, RULES, months=3, page_size=50, most_asked=most_asked)
    assert found.proposed
    for outlook, policy in ((found.in_force, found.in_force.policy), (found.proposed, RULES)):
        told = counted_one_by_one(filled, policy, "2027-01")
        assert shown(outlook) == told
        assert all(told["places"][name] for name in ("held", "possibly_held", "unverified", "undated", "quarantined"))
    assert told["places"]["possibly_longer"]
    assert all(sum(part.values()) for part in (told["due"], told["beyond"], *told["months"].values()))
    assert found.proposed.idle_rules == ("nobody",)


def test_every_recording_counts_in_one_place(archive: Archive) -> None:
    """Numbers and bytes add up to all that lies in the archive, under both policies; the difference has its signs."""
    rows = at_random(800)
    filled = fill(archive, *rows)
    hold(filled, queues=("care",))
    found = forecast(filled, RULES, months=2)
    stored = [each for each in rows if each["state"] in ("archived", "quarantined")]
    whole = Amount(len(stored), sum(each["stored_bytes"] for each in stored))
    assert found.proposed
    assert everything(found.in_force) == everything(found.proposed) == whole
    before, after = total(found.in_force.due), total(found.proposed.due)
    assert found.sooner.recordings > 0 < found.spared.recordings
    assert before + found.sooner == after + found.spared


def test_it_is_exact_to_the_microsecond(archive: Archive) -> None:
    """On the day on which recordings expire, those of later hours are still to come in this month."""
    expired = AS_OF - 90 * DAY
    filled = fill(
        archive,
        archived_row(1, expired),
        archived_row(2, expired - timedelta(microseconds=1)),
        archived_row(3, expired + timedelta(microseconds=1)),
        archived_row(4, expired.replace(hour=0, minute=0, second=0, microsecond=0)),
        archived_row(5, expired.replace(hour=23)),
    )
    outlook = forecast(filled).in_force
    assert outlook.due == {"default": Amount(3, 2 + 3 + 5)}
    assert months(outlook) == {"2026-11": {"default": 2}}
    later = forecast(filled, as_of=AS_OF + timedelta(microseconds=1)).in_force
    assert later.due == {"default": Amount(4, 2 + 3 + 4 + 5)}


def test_months_begin_at_midnight_in_utc(archive: Archive) -> None:
    """Whatever the zone of the archive's days, and that of the moment asked about."""
    start = datetime(2026, 12, 1, tzinfo=UTC) - 90 * DAY
    filled = fill(archive, archived_row(1, start), archived_row(2, start - timedelta(seconds=1)))
    filled = replace(filled, settings=filled.settings.model_copy(update={"timezone": "Pacific/Auckland"}))
    eve = datetime(2026, 11, 30, 20, tzinfo=UTC)  # the first of December in Auckland
    for zone in (UTC, filled.settings.zone):
        found = forecast(filled, as_of=eve.astimezone(zone))
        assert found.as_of == eve
        assert months(found.in_force) == {"2026-11": {"default": 1}, "2026-12": {"default": 1}}
    assert [each.month for each in found.in_force.months][:3] == ["2026-11", "2026-12", "2027-01"]
    assert len(found.in_force.months) == 24


def test_what_expires_after_the_months_is_not_lost(archive: Archive) -> None:
    """The last month is whole; a date that was made up in the year 9999 breaks nothing."""
    filled = fill(
        archive,
        archived_row(1, datetime(2026, 12, 31, 23, 59, tzinfo=UTC) - 90 * DAY),
        archived_row(2, datetime(2027, 1, 1, tzinfo=UTC) - 90 * DAY),
        archived_row(3, datetime(9999, 12, 31, tzinfo=UTC)),
    )
    outlook = forecast(filled, months=2).in_force
    assert months(outlook) == {"2026-12": {"default": 1}}
    assert outlook.beyond == {"default": Amount(2, 3 + 4)}


def test_holds_count_where_something_has_expired(archive: Archive) -> None:
    """Held now is what would go now but for its hold; what expires later is counted whether it is held or not."""
    filled = fill(
        archive, archived_row(1, AS_OF - 91 * DAY, agent_id="ann", agent_name="Ann"), archived_row(2, AS_OF - 89 * DAY)
    )
    hold(filled, start=AS_OF - 1000 * DAY)
    found = forecast(filled, LONGER)
    assert found.proposed
    assert (found.in_force.held, found.in_force.due) == (Amount(1, 2), {})
    assert months(found.in_force) == {"2026-11": {"default": 1}}
    assert found.proposed.held == Amount()
    assert (found.sooner, found.spared) == (Amount(), Amount())


def test_a_proposed_policy_is_compared_before_it_is_used(archive: Archive) -> None:
    """What goes at once by it alone, and what it spares; nothing is written, and no policy is kept."""
    care = {"agent_id": "bob", "queue_id": "q-3", "queue_name": "Care", "direction": "outbound"}
    filled = fill(
        archive,
        archived_row(1, AS_OF - 50 * DAY, **care),
        archived_row(2, AS_OF - 95 * DAY, queue_name="Trading"),
        archived_row(3, AS_OF - 95 * DAY, **care),
        archived_row(4, AS_OF - 95 * DAY, state=State.QUARANTINED, quarantined_at=AS_OF, queue_name="trading"),
    )
    before = list(filled.store.list(""))
    found = forecast(filled, RULES)
    assert found.proposed
    assert (found.sooner, found.spared) == (Amount(1, 2), Amount(1, 3))
    assert found.in_force.due == {"default": Amount(2, 3 + 4)}
    assert found.proposed.due == {"default": Amount(2, 2 + 4)}
    assert (found.in_force.quarantined, found.proposed.restorable) == (Amount(1, 5), Amount(1, 5))
    assert list(filled.store.list("")) == before
    with filled.catalog.read() as connection:
        assert connection.execute(select(events)).all() == []


def test_it_says_what_the_next_plan_does(archived: Archive) -> None:
    """What is due is what the next run quarantines; what a person restored is left alone, and said to be."""
    later = at_moment(archived, EXPIRED)
    policy = adopt(later, b"name: p\ndefaultDays: 90\n", "p.yaml", actor="rosa")
    assert total(forecast(later).in_force.due).recordings == enforce(later, "retention__1").quarantined == 6
    after = forecast(later).in_force
    assert (after.policy, after.due, after.quarantined.recordings) == (policy, {}, 6)
    with later.catalog.read() as connection:
        interaction = connection.execute(select(recordings.c.interaction_id).limit(1)).scalar_one()
    made = quarantine.restore(later, interaction, reason="asked for", actor="rosa")
    assert [each.refused for each in made] == [None]
    outlook = forecast(later).in_force
    assert (outlook.restored.recordings, outlook.due) == (1, {})
    long_after = at_moment(archived, EXPIRED + 400 * DAY)
    assert total(forecast(long_after).in_force.due).recordings == 1


def test_an_empty_archive_has_an_empty_forecast(archive: Archive) -> None:
    """Months are there, and nothing expires in them."""
    found = forecast(archive, months=1)
    assert isinstance(found, Forecast)
    assert everything(found.in_force) == Amount()
    assert len(found.in_force.months) == 1


def test_it_looks_back_before_the_beginning_of_time(archive: Archive) -> None:
    """A moment so early that nothing can have expired is answered all the same."""
    filled = fill(archive, archived_row(1, AS_OF))
    hold(filled, agents=("ann",))
    outlook = forecast(filled, as_of=datetime(1, 1, 20, tzinfo=UTC)).in_force
    assert outlook.beyond == {"default": Amount(1, 2)}


def test_json_has_every_amount(archive: Archive) -> None:
    """What programs read has numbers and bytes of each place, month and rule."""
    filled = fill(archive, archived_row(1, AS_OF - 91 * DAY), archived_row(2, AS_OF - 80 * DAY), archived_row(3, None))
    told = json.loads(json.dumps(forecast(filled, LONGER, months=1).to_json()))
    assert set(told) == {"asOf", "quarantineDays", "inForce", "proposed", "sooner", "spared"}
    assert told["asOf"] == AS_OF.isoformat()
    assert told["inForce"]["due"] == {
        "recordings": 1,
        "storedBytes": 2,
        "rules": {"default": {"recordings": 1, "storedBytes": 2}},
    }
    assert told["inForce"]["months"] == [{"month": "2026-11", "recordings": 0, "storedBytes": 0, "rules": {}}]
    assert told["inForce"]["beyond"]["recordings"] == 1
    assert told["inForce"]["undated"] == {"recordings": 1, "storedBytes": 4}
    assert told["proposed"]["policy"]["defaultDays"] == 200
    assert told["spared"] == {"recordings": 1, "storedBytes": 2}
    assert set(forecast(filled).to_json()) == {"asOf", "quarantineDays", "inForce"}
