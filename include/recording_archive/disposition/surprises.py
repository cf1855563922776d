"""Surprises: in what a plan differs from what was foretold for its day. Without any it needs nobody's approval.

Foretold is what the last plan said that went through, because it surprised nobody or because a person approved it; the
days since then are added together, and so is what that plan did not get done. Less than foretold is no surprise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, union_all

from recording_archive.catalog.tables import dispositions, events, fixity_runs, holds, plans, runs
from recording_archive.disposition.foretelling import (
    DAYS,
    LETS_GO,
    Foretelling,
    Foretold,
    Portion,
    days_between,
    read_foretold,
)
from recording_archive.disposition.plan_table import FAILED, KEPT, RETENTION
from recording_archive.retention.rules import Action

MORE_PERCENT, MORE = 20, 2  # no surprise: a fifth more, or two recordings
YOUNGER = timedelta(days=1)  # no surprise either: what came late of the same day
SILENCE = timedelta(days=4)  # for which nothing ran; longer is no weekend, but a clock that jumped, or an outage


@dataclass(frozen=True, slots=True)
class Expected:
    """The forecast for the day of a plan: by the plan of which run, and how much by action."""

    run_id: str
    foretold: Foretold
    goes: Mapping[str, Portion]


def expected(connection: Connection, run_id: str, now: Foretelling) -> Expected | None:
    """Return what was foretold for the plan of ``run_id``; None when no plan went through before."""
    for row in connection.execute(_before(run_id), execution_options={"yield_per": 1}):
        if not row.foretold or not row.sha256:
            continue
        foretold = read_foretold(row.foretold)
        if row.approved_by or not (row.caps or foretold.unasked):
            left = _left(connection, row.run_id)
            left[str(Action.QUARANTINE)] = left.get(str(Action.QUARANTINE), Portion()) + _released(
                connection, foretold, now.held
            )
            goes = {
                str(action): foretold.until(action, now.as_of) + left.get(str(action), Portion()) for action in LETS_GO
            }
            return Expected(row.run_id, foretold, goes)
    return None


def surprises(connection: Connection, now: Foretelling, before: Expected | None, at: datetime) -> Iterator[str]:
    """Yield a sentence for everything that was not foretold for the plan that is being made ``at`` this moment."""
    if before is None:
        yield "nothing was foretold for this day: no plan has gone through before"
        return
    yield from _changed(now, before)
    yield from _clock(connection, now, before, at)
    for action in LETS_GO:
        if str(action) in now.goes:
            yield from _more(action, now.goes[str(action)], before, now.as_of)


def _changed(now: Foretelling, before: Expected) -> Iterator[str]:
    """Compare the rules."""
    foretold = before.foretold
    if foretold.policy != now.policy.version:
        yield (
            f"the policy changed: {now.policy.version} is in force, and run {before.run_id}, which foretold this day, "
            f"went by {foretold.policy}"
        )
    if foretold.quarantine_days != now.quarantine_days:
        yield f"the quarantine changed from {foretold.quarantine_days} to {now.quarantine_days} days"


def _clock(connection: Connection, now: Foretelling, before: Expected, at: datetime) -> Iterator[str]:
    """Compare the time with that of the plan before, and with all that ran since."""
    past = before.foretold
    if at < past.at:
        yield f"the clock went back: it is {_minute(at)}, and run {before.run_id} made its plan at {_minute(past.at)}"
    start, end = max(pairwise(_moments(connection, past.at, at)), key=lambda pair: pair[1] - pair[0])
    if end - start > SILENCE:
        yield (
            f"the clock jumped, or everything stood still: nothing ran between {_minute(start)} and {_minute(end)}, "
            f"{(end - start).days} days later"
        )
    if (days := days_between(past.as_of, now.as_of)) > DAYS:
        yield f"it decides as of {days} days after run {before.run_id}, which foretold {DAYS}"


def _more(action: Action, goes: Portion, before: Expected, as_of: datetime) -> Iterator[str]:
    """Compare what goes with what was foretold."""
    last, days = before.goes[str(action)], days_between(before.foretold.as_of, as_of)
    if str(action) not in before.foretold.youngest:
        yield f"the first {action}: no plan with one has gone through before"
        return
    since = f"foretold for {'this day' if days <= 1 else f'these {days} days'}"
    most = max(last.recordings * (100 + MORE_PERCENT) // 100, last.recordings + MORE)
    if goes.recordings > most:
        yield (
            f"{action} of {goes.recordings:,} recordings; {last.recordings:,} were {since}, and {most:,} need no "
            "approval"
        )
    most = last.stored_bytes * (100 + MORE_PERCENT) // 100 + MORE * goes.stored_bytes // goes.recordings
    if goes.stored_bytes > most:
        yield (
            f"{action} of {goes.stored_bytes:,} stored bytes; {last.stored_bytes:,} were {since}, and {most:,} need no "
            "approval"
        )
    youngest = max(filter(None, (last.newest, before.foretold.youngest[str(action)])))
    if goes.newest and goes.newest > youngest + YOUNGER:
        yield (
            f"{action} of recordings as young as {_minute(goes.newest)}; the youngest foretold is of "
            f"{_minute(youngest)}"
        )


def _before(run_id: str) -> Select[Any]:
    """Select the plans of other runs, the last one first, whatever a clock says."""
    planned = (events.c.interaction_id.is_(None), events.c.kind == "planned")  # the first has an index
    real = (plans.c.kind == RETENTION, plans.c.dry_run.is_(False), plans.c.run_id != run_id)
    columns = (plans.c[name] for name in ("run_id", "sha256", "caps", "approved_by", "foretold"))
    return (
        select(*columns)
        .join(events, events.c.run_id == plans.c.run_id)
        .where(*planned, *real)
        .order_by(events.c.id.desc())
    )


def _left(connection: Connection, run_id: str) -> dict[str, Portion]:
    """Add up what a plan let go and nobody has carried out, by action."""
    c, size = dispositions.c, func.coalesce(func.sum(dispositions.c.stored_bytes), 0)
    undone = or_(c.outcome.is_(None), c.outcome.in_((KEPT, FAILED)))
    query = select(c.action, func.count(), size, func.max(c.interaction_date)).where(c.run_id == run_id, undone)
    return {
        action: Portion(count, int(sized), newest)
        for action, count, sized, newest in connection.execute(query.group_by(c.action))
    }


def _released(connection: Connection, foretold: Foretold, held: Portion) -> Portion:
    """Return what holds kept at the time of an earlier plan and keep no more, because a person released one."""
    since = select(holds.c.id).where(holds.c.released_at >= foretold.at).limit(1)
    free = foretold.held.recordings - held.recordings
    if free <= 0 or connection.execute(since).first() is None:
        return Portion()
    return Portion(free, max(0, foretold.held.stored_bytes - held.stored_bytes), foretold.held.newest)


def _moments(connection: Connection, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the two moments, and between them when a run of any kind began."""
    began = (
        select(table.c.started_at.label("at")).where(table.c.started_at > start, table.c.started_at < end)
        for table in (runs, fixity_runs, plans)
    )
    each = union_all(*began).subquery()
    between = connection.execute(select(each.c.at).order_by(each.c.at), execution_options={"yield_per": 500}).scalars()
    yield from chain([start], between, [max(start, end)])


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
