"""Forecast of expiring recordings by month and rule, also under another policy before it is adopted.

Recordings that are alike in all that the policies ask about are counted by the database, a lot at a time: a million
take seconds, or milliseconds where only dates are asked for, as the totals of days tell then. What has expired
already is looked at one by one only where it may be held, or was restored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Date, Row, Time, cast, false, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.day_totals import Verdict, stored_by_day
from recording_archive.catalog.rows import PAGE, pages, part_key, part_of
from recording_archive.catalog.tables import holds, recordings
from recording_archive.holds import LOOKED_AT, Matcher, holding
from recording_archive.model import State
from recording_archive.retention import policy_in_force
from recording_archive.retention.forecast_counting import Count, ForecastCell, Lot
from recording_archive.retention.forecast_figures import Amount, Forecast
from recording_archive.retention.forecast_parties import alike, common_parties
from recording_archive.retention.matching import PARTIES
from recording_archive.retention.rules import ATTRIBUTES, Policy, later, restored_until

MOST_ASKED = 20_000  # recordings whose holds are asked for a page at a time
_STORED = (State.ARCHIVED, State.QUARANTINED)
_c = recordings.c
_NAMES = {"state", "verified_ok", "stored_bytes", "deletion", *ATTRIBUTES.values(), *LOOKED_AT}
_LOOKED_AT = tuple(_c[name] for name in sorted(_NAMES))  # all columns would take twice as long


def forecast(
    archive: Archive,
    policy: Policy | None = None,
    *,
    months: int = 24,
    as_of: datetime | None = None,
    page_size: int = PAGE,
    most_asked: int = MOST_ASKED,
) -> Forecast:
    """Forecast the policy in force at ``as_of``, by default now, and for ``months`` months, that one included.

    With ``policy`` also what that one would do instead. Nothing is changed. Holds are asked for a page at a time when
    up to ``most_asked`` recordings are due, and read all at once above.
    """
    at = (as_of or archive.clock()).astimezone(UTC)
    compared = [each for each in (policy_in_force.in_force(archive), policy) if each]
    count = Count(compared, at, months)
    with archive.catalog.read() as connection:
        for lot in _lots_of_days(connection, count, at) if not count.columns else lots(connection, count, at):
            count.add(lot)
        if count.due() and (count.restored or _any_hold(connection)):
            for lot, place in _staying(connection, count, at, page_size=page_size, all_holds=count.due() > most_asked):
                count.add(lot, times=-1)
                count.add(lot, place)
    return count.forecast(at, archive.settings.quarantine_days)


def lots(connection: Connection, count: Count, at: datetime, *where: Any) -> Iterator[Lot]:
    """Yield stored recordings, counted by the database, and joined where the same rules govern them.

    ``at`` is the forecast's moment in UTC, to which a lot's `Lot.early` refers. ``where`` narrows them down.
    """
    day, early = _by_the_clock(connection.dialect.name, at)
    alike = {"state": _c.state, "verified": func.coalesce(_c.verified_ok, false()), "day": day, "early": early}
    keys = [column.label(name) for name, column in alike.items()]
    common = {PARTIES: common_parties(connection.dialect.name, count.party_names)}
    keys += [common.get(name, _c[name]).label(f"asked_{name}") for name in count.columns]
    sums = func.count(), func.coalesce(func.sum(_c.stored_bytes), 0), func.count(_c.deletion)
    newest = func.max(_c.interaction_date)
    # Grouped by label: with parameters in them, PostgreSQL takes an expression and its repetition for two.
    query = select(*sums, newest, *keys).where(_c.state.in_(_STORED), *where).group_by(*(key.name for key in keys))
    joined: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    latest: dict[tuple[Any, ...], datetime] = {}
    for row in connection.execute(query, execution_options={"yield_per": PAGE}):
        same = (*row[4:8], count.govern(tuple(row[8:])))
        for number in range(3):
            joined[same][number] += int(row[number])
        if row[3] is not None:
            latest[same] = max(row[3], latest.get(same, row[3]))
    for same, (number, stored_bytes, restored) in joined.items():
        state, verified, when, before, governed = same
        midnight = None if when is None else datetime.fromisoformat(str(when)).replace(tzinfo=UTC)
        amount = Amount(number, stored_bytes)
        yield Lot(state, bool(verified), midnight, bool(before), governed, amount, restored, latest.get(same))


def _lots_of_days(connection: Connection, count: Count, at: datetime) -> Iterator[Lot]:
    """Yield all stored recordings by the totals of days, where the rules ask for nothing of a recording but its date.

    Those whose days end in the same month are one lot. Those of a day that is over for a rule just now are counted, for
    the time of day decides.
    """
    governed, today = count.govern(()), at.date()
    spans = {days for each in governed for days in (each.days, each.last_days)}
    ending = {_before(today, days) for days in spans}
    counted = set[datetime]()
    alike: dict[tuple[Any, ...], tuple[datetime | None, list[int]]] = {}
    for state, verdict, text, *amounts in stored_by_day(connection):
        day = datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
        if day and text in ending:
            counted.add(day)
            continue
        ends = [later(day, days).date() for days in spans] if day else []
        same = (state, verdict == Verdict.SOUND, bool(day), *((end < today, end.year, end.month) for end in ends))
        sums = alike.setdefault(same, (day, [0, 0, 0]))[1]
        sums[:] = (mine + its for mine, its in zip(sums, amounts, strict=True))
    for (state, sound, *_), (day, (number, stored_bytes, decided)) in alike.items():
        yield Lot(
            state, sound, day, early=True, governed=governed, amount=Amount(number, stored_bytes), restored=decided
        )
    for day in sorted(counted):
        yield from lots(connection, count, at, _c.interaction_date >= day, _c.interaction_date < later(day, 1))


def _before(day: date, days: int) -> str:
    """Return the day so many days before another one, as a text; none where there are no dates any more."""
    try:
        return str(day - timedelta(days=days))
    except OverflowError:
        return ""


def _by_the_clock(dialect: str, at: datetime) -> tuple[Any, Any]:
    """Select the day of the interaction in UTC, and a flag: its time of day is not after that of ``at``."""
    if dialect == "sqlite":  # keeps dates as text: 2026-11-20 16:57:55.000000
        return func.substr(_c.interaction_date, 1, 10), func.substr(_c.interaction_date, 12) <= f"{at:%H:%M:%S.%f}"
    moment = func.timezone("UTC", _c.interaction_date)
    return cast(moment, Date), cast(moment, Time) <= at.time()


def _any_hold(connection: Connection) -> bool:
    return connection.execute(select(holds.c.id).where(holds.c.released_at.is_(None)).limit(1)).first() is not None


def _staying(
    connection: Connection, count: Count, at: datetime, *, page_size: int, all_holds: bool
) -> Iterator[tuple[Lot, ForecastCell]]:
    """Yield the recordings that would be due but are held, possibly held or lately restored, one by one."""
    # A matcher reads all holds once; asking for a page reads those that its recordings may meet.
    holding_of = Matcher(connection).of if all_holds else partial(holding, connection)
    # By date alone: another condition would take another index.
    expired = select(*_LOOKED_AT).where(_c.interaction_date <= at - timedelta(days=count.days_until_due()))
    for page in pages(connection, expired, _c.interaction_date, *part_key(recordings), size=page_size):
        stored = {part_of(row): row for row in page if row.state in _STORED}
        lots = {part: _lot_of(row, count, at) for part, row in stored.items()}
        due = [row for part, row in stored.items() if count.is_due(lots[part])]
        for part, held_by in (holding_of(due) if due else {}).items():
            if held_by:
                yield lots[part], ForecastCell.HELD if held_by.held else ForecastCell.POSSIBLY_HELD
            elif (until := restored_until(stored[part])) and until > at:
                yield lots[part], ForecastCell.RESTORED


def _lot_of(row: Row[Any], count: Count, at: datetime) -> Lot:
    when: datetime = row.interaction_date
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    asked = {PARTIES: alike(row.parties, count.party_names)}
    governed = count.govern(tuple(asked[name] if name in asked else getattr(row, name) for name in count.columns))
    early = when.time() <= at.time()
    return Lot(row.state, row.verified_ok is True, midnight, early, governed, Amount(1, row.stored_bytes or 0))
