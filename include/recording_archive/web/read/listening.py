"""The listening log: who heard, downloaded or exported which recording, and when, from the events of these accesses.

It tells of the recordings that the reader may see, as if there were no others: counts included. What concerns no single
recording, such as a list that was exported, is told to those who may see all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, or_, select, tuple_

from recording_archive.archive import Archive
from recording_archive.catalog.rows import has_id, same_part
from recording_archive.catalog.search import Position
from recording_archive.catalog.tables import HEARD, events, recordings
from recording_archive.catalog.visible import Visible, only
from recording_archive.model import PartId, known_date
from recording_archive.web.read.document import ApiDocument

MOST_GROUPS = 500
_c, _r = events.c, recordings.c
_EXPORT_PAGE = 1000


class Heard(StrEnum):
    """A kind of access."""

    PLAYED = "played"
    DOWNLOADED = "downloaded"
    EXPORTED = "exported"


class By(StrEnum):
    """A way to count accesses."""

    PERSON = "person"
    DAY = "day"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Asked:
    """The accesses that are asked for; all that is given must hold. ``start`` and ``end`` are half-open."""

    visible: Visible
    zone: ZoneInfo  # in which days begin
    person: str | None = None
    ids: tuple[str, ...] = ()
    kind: Heard | None = None
    start: datetime | None = None
    end: datetime | None = None


class Listen(ApiDocument):
    """One access; without ids it was to no single recording. ``detail`` names the list, report or evidence pack."""

    at: datetime
    person: str | None
    kind: Heard
    interaction_id: str | None
    recording_id: str | None
    part: int | None
    interaction_date: datetime | date | None
    agent: str | None
    queue: str | None
    detail: str | None


class ListenPage(ApiDocument):
    """A page of accesses, the latest first."""

    items: list[Listen]
    next: str | None


class Group(ApiDocument):
    """Accesses of a person, on a day, or to a recording: how many of each kind, and when the last one was.

    What the group is not of is None. ``calls`` counts the recordings, and ``people`` who had access; of a day neither.
    """

    person: str | None = None
    day: date | None = None
    interaction_id: str | None = None
    recording_id: str | None = None
    part: int | None = None
    agent: str | None = None
    queue: str | None = None
    played: int
    downloaded: int
    exported: int
    last: datetime
    calls: int | None = None
    people: int | None = None


class Groups(ApiDocument):
    """Accesses counted, those of the latest first; ``more`` says that there are more than `MOST_GROUPS` groups."""

    items: list[Group]
    more: bool


def list_listens(
    archive: Archive, asked: Asked, *, limit: int = 50, after: Position | None = None
) -> tuple[list[Listen], Position | None]:
    """The next accesses after ``after``, the latest first."""
    key = (_c.at, _c.kind, _c.uid)  # no row id: how many events lie between two must not show
    with archive.catalog.read() as connection:
        query = _of(connection, asked, _c.uid, *_SHOWN).order_by(*(each.desc() for each in key)).limit(limit + 1)
        if after is not None:
            values = (after.date, after.part.recording_id, after.part.interaction_id)
            query = query.where(tuple_(*key) < tuple_(*map(literal, values, (each.type for each in key))))
        rows = connection.execute(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    following = Position(last.at, PartId(last.uid, last.kind)) if last else None
    return [_to_listen(row._mapping) for row in rows[:limit]], following


def every_listen(archive: Archive, asked: Asked) -> Iterator[Listen]:
    """All accesses, the latest first, with no connection held between two pages of them."""
    after: Position | None = None
    while True:
        found, after = list_listens(archive, asked, limit=_EXPORT_PAGE, after=after)
        yield from found
        if after is None:
            return


def count_listens(archive: Archive, asked: Asked) -> tuple[int, int]:
    """Count accesses, and the people who had them."""
    with archive.catalog.read() as connection:
        query = _of(connection, asked, func.count(), func.count(_c.actor.distinct()))
        count, people = connection.execute(query).one()
    return int(count), int(people)


def group_listens(archive: Archive, asked: Asked, by: By) -> Groups:
    """Count accesses by person, day, or recording."""
    with archive.catalog.read() as connection:
        if by is By.DAY:
            found = _by_day(connection, asked)
        else:
            keys = [_c.actor] if by is By.PERSON else [_c.interaction_id, _c.recording_id, _c.part]
            query = _grouped(connection, asked, by, *keys).limit(MOST_GROUPS + 1)
            found = [_to_group(row._mapping, by) for row in connection.execute(query)]
    return Groups(items=found[:MOST_GROUPS], more=len(found) > MOST_GROUPS)


_SHOWN = (
    *(_c[name] for name in ("at", "actor", "kind", "interaction_id", "recording_id", "part", "detail")),
    *(_r[name] for name in ("state", "interaction_date", "agent_name", "agent_id", "queue_name", "queue_id")),
)
_NAMES = [func.max(_r[name]).label(name) for name in ("agent_name", "agent_id", "queue_name", "queue_id")]
_KINDS = [func.sum(case((_c.kind == kind, 1), else_=0)).label(kind) for kind in Heard]


def _of(connection: Connection, asked: Asked, *columns: ColumnElement[Any]) -> Select[Any]:
    """Select columns of the accesses that are asked for, and of their recordings."""
    joined = events.join(recordings, same_part(events, recordings), isouter=asked.visible.everything)
    return select(*columns).select_from(joined).where(*_conditions(asked), *only(connection, asked.visible))


def _conditions(asked: Asked) -> Iterator[ColumnElement[bool]]:
    yield HEARD
    if asked.kind:
        yield _c.kind == asked.kind
    if asked.person:
        yield func.lower(_c.actor) == asked.person.lower()
    if asked.ids:
        yield or_(has_id(_c.interaction_id, asked.ids), has_id(_c.recording_id, asked.ids))
    if asked.start:
        yield _c.at >= asked.start
    if asked.end:
        yield _c.at < asked.end


def _grouped(connection: Connection, asked: Asked, by: By, *keys: ColumnElement[Any]) -> Select[Any]:
    last = func.max(_c.at).label("last")
    among = func.count(_c.actor.distinct()) if by is By.CALL else func.count(_c.interaction_id.distinct())
    query = _of(connection, asked, *keys, *_KINDS, last, among.label("among"), *(_NAMES if by is By.CALL else []))
    return query.group_by(*keys).order_by(last.desc(), *keys)


def _by_day(connection: Connection, asked: Asked) -> list[Group]:
    """Count by minute, and sum up the minutes of each day: a day begins on a minute in every zone."""
    sqlite = connection.dialect.name == "sqlite"
    minute = func.substr(_c.at, 1, 16) if sqlite else func.date_trunc("minute", _c.at)
    query = _of(connection, asked, minute.label("minute"), *_KINDS, func.max(_c.at).label("last")).group_by("minute")
    counts: dict[date, Counter[str]] = {}
    last: dict[date, datetime] = {}
    for row in connection.execute(query):
        day = row.last.astimezone(asked.zone).date()
        counts.setdefault(day, Counter()).update({kind: getattr(row, kind) for kind in Heard})
        last[day] = max(row.last, last.get(day, row.last))
    return [
        Group(day=day, last=last[day], **{kind: counts[day][kind] for kind in Heard}) for day in sorted(counts)[::-1]
    ]


def _to_listen(row: Any) -> Listen:
    detail = row["detail"] or {}
    about = next((f"{name} {detail[name]}" for name in ("evidence", "list", "report") if name in detail), None)
    return Listen(
        **{name: row[name] for name in ("at", "kind", "interaction_id", "recording_id", "part")},
        person=row["actor"],
        interaction_date=known_date(row["state"], row["interaction_date"]) if row["state"] else None,
        agent=row["agent_name"] or row["agent_id"],
        queue=row["queue_name"] or row["queue_id"],
        detail=about,
    )


def _to_group(row: Any, by: By) -> Group:
    counts = {name: row[name] for name in (*Heard, "last")}
    if by is By.PERSON:
        return Group(person=row["actor"], calls=row["among"], **counts)
    part = {name: row[name] for name in PartId._fields}
    agent, queue = (row[f"{name}_name"] or row[f"{name}_id"] for name in ("agent", "queue"))
    return Group(**part, agent=agent, queue=queue, people=row["among"], **counts)
