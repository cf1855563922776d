"""Totals of recordings by day, read and compared: whole days from `day_totals`, parts of a day from the rows.

So figures of the whole archive cost what its days cost, not its recordings. `total_triggers` keeps the totals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    case,
    cast,
    delete,
    func,
    literal_column,
    select,
    text,
    union_all,
)

from recording_archive.catalog.tables import day_totals, recordings
from recording_archive.catalog.total_triggers import AXES, COLUMNS, FOLDING, counted, fill
from recording_archive.model import STORED, State, Window

_t, _c = day_totals.c, recordings.c
_KEY, _SUMS = COLUMNS[:4], COLUMNS[4:]
_DAY = timedelta(days=1)
_MOST_AT_ONCE = 400  # of SQLite's 500 terms of a UNION


class Axis(StrEnum):
    """The date by whose day, in UTC, recordings are counted: that of the call, or of the last reading."""

    CALL = "call"
    READ = "read"


class Verdict(StrEnum):
    """The outcome of the last reading."""

    SOUND = "sound"
    DAMAGED = "damaged"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Sums:
    """Recordings, the bytes of their media, and of what is stored of it."""

    recordings: int = 0
    size_bytes: int = 0
    stored_bytes: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) + getattr(other, name) for name in _SUMS[:3]))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) - getattr(other, name) for name in _SUMS[:3]))


def sums_by_state(connection: Connection) -> dict[State, Sums]:
    """Count all recordings."""
    query = select(_t.state, *_summed()).where(_t.axis == Axis.READ).group_by(_t.state)
    found = {State(state): _sums(sums) for state, *sums in connection.execute(query)}
    return {state: found.get(state, Sums()) for state in State}


def stored_by_day(connection: Connection) -> Iterator[tuple[str, str, str, int, int, int]]:
    """Yield what is in the archive by state, verdict and day of the call: recordings, bytes stored, decided about."""
    key = (_t.state, _t.verdict, _t.day)
    sums = (func.sum(column) for column in (_t.recordings, _t.stored_bytes, _t.decided))
    query = select(*key, *sums).where(_t.axis == Axis.CALL, _t.state.in_(STORED)).group_by(*key)
    for state, verdict, day, number, stored_bytes, decided in connection.execute(query).all():
        if number:
            yield state, verdict, day, int(number), int(stored_bytes), int(decided)


def count_undated(connection: Connection) -> int:
    """Count what is in the archive and has no date."""
    return _counted(connection, _t.axis == Axis.CALL, _t.day == "")


def count_damaged(connection: Connection) -> int:
    """Count what is in the archive and was damaged at its last reading."""
    return _counted(connection, _t.axis == Axis.READ, _t.verdict == Verdict.DAMAGED)


def count_sound(connection: Connection, since: Sequence[datetime]) -> list[int]:
    """Count what is in the archive and was sound at its last reading; for each moment, what was read since then."""
    edges = [moment.astimezone(UTC) for moment in since]
    after = [func.sum(case((_t.day > _text(edge), _t.recordings), else_=0)) for edge in edges]
    sound = (_t.axis == Axis.READ, _t.day != "", _t.verdict == Verdict.SOUND, _t.state.in_(STORED))
    whole = connection.execute(select(func.coalesce(func.sum(_t.recordings), 0), *after).where(*sound)).one()
    # The index alone: a condition on the verdict would take another one.
    read = func.coalesce(func.sum(cast(_c.verified_ok, Integer)), 0)
    parts = [
        select(read).where(_c.state == state, _c.verified_at >= edge, _c.verified_at < _midnight(edge) + _DAY)
        for edge in edges
        for state in STORED
    ]
    rest = [int(row[0]) for row in _each(connection, parts)]
    per = len(STORED)
    return [int(whole[0]), *(int(whole[n + 1] or 0) + sum(rest[n * per : (n + 1) * per]) for n in range(len(edges)))]


def sums_within(connection: Connection, windows: Sequence[Window]) -> list[Sums]:
    """Count what is in the archive of each window of interaction dates."""
    if not windows:
        return []
    edges = sorted({moment.astimezone(UTC) for window in windows for moment in (window.start, window.end)})
    days = _by_day(connection, _text(edges[0]), _text(edges[-1]))
    parts = _before(connection, [edge for edge in edges if edge != _midnight(edge)])
    past, so_far, day = dict[datetime, Sums](), Sums(), _midnight(edges[0])
    for edge in edges:
        while day < _midnight(edge):
            so_far, day = so_far + days.get(_text(day), Sums()), day + _DAY
        past[edge] = so_far + parts.get(edge, Sums())
    return [past[window.end.astimezone(UTC)] - past[window.start.astimezone(UTC)] for window in windows]


def recount(connection: Connection) -> None:
    """Count all recordings anew; others who write wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": FOLDING})
        connection.execute(text("LOCK TABLE recordings IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(delete(day_totals))
    fill(connection)


def differing(connection: Connection) -> Iterator[str]:
    """Name each total that is not what a count of all recordings gives; as long as that count takes."""
    summed = (func.sum(_t[name]) for name in _SUMS)
    totals = _keyed(connection.execute(select(*(_t[name] for name in _KEY), *summed).group_by(*(_t[n] for n in _KEY))))
    rows: dict[tuple[str, ...], list[int]] = {}
    for axis in AXES:
        rows |= _keyed(connection.exec_driver_sql(counted(connection.dialect.name, axis)))
    for key in sorted(totals.keys() | rows.keys()):
        kept, found = (each.get(key, [0] * len(_SUMS)) for each in (totals, rows))
        if kept != found:
            yield f"{' '.join(filter(None, key))}: {kept}, counted {found}"


def _keyed(found: Any) -> dict[tuple[str, ...], list[int]]:
    return {tuple(row[: len(_KEY)]): [int(value) for value in row[len(_KEY) :]] for row in found}


def _counted(connection: Connection, *where: Any) -> int:
    """Count what is in the archive, by totals of one axis."""
    query = select(func.coalesce(func.sum(_t.recordings), 0)).where(_t.state.in_(STORED), *where)
    return int(connection.execute(query).scalar_one())


def _by_day(connection: Connection, first: str, last: str) -> Mapping[str, Sums]:
    query = select(_t.day, *_summed()).where(_t.axis == Axis.CALL, _t.day >= first, _t.day <= last)
    found = connection.execute(query.where(_t.state.in_(STORED)).group_by(_t.day))
    return {day: _sums(sums) for day, *sums in found}


def _before(connection: Connection, edges: Sequence[datetime]) -> dict[datetime, Sums]:
    """Count between the midnight before each edge and the edge."""
    sums = (func.count(), *(func.coalesce(func.sum(column), 0) for column in (_c.size_bytes, _c.stored_bytes)))
    parts = [
        select(*sums).where(_c.state.in_(STORED), _c.interaction_date >= _midnight(edge), _c.interaction_date < edge)
        for edge in edges
    ]
    return {edge: _sums(row) for edge, row in zip(edges, _each(connection, parts), strict=True)}


def _each(connection: Connection, queries: Sequence[Select[Any]]) -> list[Sequence[Any]]:
    """Ask for one row each by as few statements as SQLite allows."""
    found: list[Sequence[Any]] = []
    for start in range(0, len(queries), _MOST_AT_ONCE):
        some = queries[start : start + _MOST_AT_ONCE]
        numbered = (query.add_columns(literal_column(str(number))) for number, query in enumerate(some))
        rows: list[Row[Any]] = sorted(connection.execute(union_all(*numbered)), key=lambda row: row[-1])
        found += [row[:-1] for row in rows]
    return found


def _summed() -> list[Any]:
    return [func.coalesce(func.sum(_t[name]), 0) for name in _SUMS[:3]]


def _sums(values: Sequence[Any]) -> Sums:
    return Sums(*map(int, values))


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _text(moment: datetime | date) -> str:
    return f"{moment:%Y-%m-%d}"
