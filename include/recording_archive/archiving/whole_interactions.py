"""Interactions whose recordings the source names only when it is asked for their media.

Such an interaction enters the books as one row (`PartId.whole`). The download task replaces it by a row for each part
that the source then lists, in one transaction with a ``listed`` event; by that event later runs know that they need
not ask again, once it came a look-back after the interaction's end: a second leg or a screen may be uploaded hours
later. The row stays, deferred, while there may be more to come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from recording_archive.archiving import entering, outcomes
from recording_archive.archiving.work_rows import OPEN, Work, open_work
from recording_archive.catalog.party_index import unindex
from recording_archive.catalog.rows import part_of
from recording_archive.catalog.tables import events, recordings, runs, work
from recording_archive.model import WHOLE, Listing, Outcome, PartId, State

_NONE = "the source has no recording of it: none was made, or a policy has deleted it"

Pair = tuple[Work, Listing | None]


def spelled_out(connection: Connection, page: Sequence[Listing], *, look_back: timedelta) -> list[Listing]:
    """A page of listings, with interactions that were listed to their end replaced by the parts known of them.

    One that ended less than ``look_back`` before it was listed is asked for again.
    """
    wholes = {each.part_id.interaction_id: each for each in page if each.part_id.is_whole}
    settled = _settled(connection, wholes, look_back)
    rest = [each for each in page if not each.part_id.is_whole or each.part_id.interaction_id not in settled]
    known = select(recordings).where(recordings.c.interaction_id.in_(settled))
    parts = (_part_id(row) for row in connection.execute(known)) if settled else ()
    return rest + [
        Listing(part, settled[part.interaction_id].interaction_date, None, None) for part in parts if not part.is_whole
    ]


def known_of(connection: Connection, jobs: Sequence[Work]) -> list[PartId]:
    """The parts that need no media any more, of interactions that are asked again as a whole though nothing waits.

    A whole that is deferred or failed has more to tell than its parts, and is asked for as if nothing was known.
    """
    names = [job.part_id.interaction_id for job in jobs if job.part_id.is_whole]
    if not names:
        return []
    mine = recordings.c.interaction_id.in_(names)
    rows = connection.execute(select(recordings).where(mine)).all()
    waiting = {row.interaction_id for row in rows if row.recording_id == WHOLE and row.retry_at is not None}
    done = [row for row in rows if row.state != State.DISCOVERED and row.interaction_id not in waiting]
    return [_part_id(row) for row in done]


def expand(
    connection: Connection, jobs: Sequence[Work], listings: Sequence[Listing], *, at: datetime, region: str
) -> list[Pair]:
    """Pair the open rows of a batch with their listings, after whole ones made room for what is listed of them."""
    listed = {each.part_id: each for each in listings}
    asked, names = {job.part_id for job in jobs}, {job.part_id.interaction_id for job in jobs}
    found = [
        each
        for part, each in listed.items()
        if part not in asked and part.interaction_id in names and not part.is_whole
    ]
    pairs: list[Pair] = [(job, listed.get(job.part_id)) for job in jobs if not job.part_id.is_whole]
    wholes = _still_open(connection, [job for job in jobs if job.part_id.is_whole])
    if not wholes and not found:
        return pairs
    before = _count(connection, jobs)
    pairs += _enter(connection, jobs, found, at=at, region=region)
    for job in wholes:
        remark = listed.get(job.part_id)
        if remark is not None and remark.defect:
            pairs.append((job, remark))
        elif remark is not None:
            outcomes.defer(connection, job, remark.deferred or "there may be more recordings to come", at=at)
    named = [
        each for part, each in listed.items() if not part.is_whole
    ]  # some may have been asked for beside the whole
    _close(connection, [job for job in wholes if job.part_id not in listed], named, at=at)
    added = _count(connection, jobs) - before
    connection.execute(update(runs).where(runs.c.run_id == jobs[0].run_id).values(asked=runs.c.asked + added))
    return pairs


def _enter(
    connection: Connection, jobs: Sequence[Work], found: Sequence[Listing], *, at: datetime, region: str
) -> Iterator[Pair]:
    """Enter the parts found into the batch of the interactions they belong to; give those that are open.

    Another attempt may have entered them already, and taken out the rows of ``jobs``.
    """
    run_id, batch = jobs[0].run_id, jobs[0].batch or 0
    entering.enter(connection, run_id, found, scheduled=False, at=at, region=region)
    for carried in (False, True):
        names = [job.part_id.interaction_id for job in jobs if job.carried_over is carried]
        new = (work.c.run_id == run_id, work.c.interaction_id.in_(names), work.c.batch.is_(None))
        connection.execute(update(work).where(*new).values(batch=batch, carried_over=carried))
    listed = {each.part_id: each for each in found}
    for job in open_work(connection, run_id, batch, staged=False):
        if job.part_id in listed:
            yield job, listed[job.part_id]


def _close(connection: Connection, jobs: Sequence[Work], found: Sequence[Listing], *, at: datetime) -> None:
    """Take rows of wholes out of the books, or say that there is nothing; either way all of them is known now."""
    parts: dict[str, list[str]] = {job.part_id.interaction_id: [] for job in jobs}
    for each in found:
        if each.part_id.interaction_id in parts:
            parts[each.part_id.interaction_id].append(each.part_id.recording_id)
    if not jobs:
        return
    full = [job.id for job in jobs if parts[job.part_id.interaction_id]]
    empty = [job.id for job in jobs if not parts[job.part_id.interaction_id]]
    connection.execute(delete(work).where(work.c.id.in_(full)))
    kind = connection.execute(select(runs.c.kind).where(runs.c.run_id == jobs[0].run_id)).scalar()
    outcome = Outcome.MISSING if kind == "asked" else Outcome.EXCLUDED
    connection.execute(update(work).where(work.c.id.in_(empty)).values(outcome=outcome, error=_NONE))
    mine = (recordings.c.interaction_id.in_(list(parts)), recordings.c.recording_id == WHOLE)
    unindex(connection, connection.execute(select(recordings).where(*mine)).all())
    connection.execute(delete(recordings).where(*mine))
    event = {"at": at, "kind": "listed", "run_id": jobs[0].run_id}
    details = {name: {"recordings": len(set(ids)), "parts": len(ids)} for name, ids in parts.items()}
    rows = [{**event, "interaction_id": name, "detail": detail} for name, detail in details.items()]
    connection.execute(insert(events), rows)


def _still_open(connection: Connection, jobs: Sequence[Work]) -> list[Work]:
    """Return the rows that no other attempt has replaced meanwhile."""
    ids = select(work.c.id).where(work.c.id.in_([job.id for job in jobs]), OPEN)
    left = set(connection.execute(ids).scalars())
    return [job for job in jobs if job.id in left]


def _settled(connection: Connection, wholes: Mapping[str, Listing], look_back: timedelta) -> dict[str, Listing]:
    """Return the conversations that were listed long enough after their end."""
    if not wholes:
        return {}
    last = (
        select(events.c.interaction_id, func.max(events.c.at).label("at"))
        .where(events.c.kind == "listed", events.c.interaction_id.in_(list(wholes)))
        .group_by(events.c.interaction_id)
    )
    found = {row.interaction_id: row.at for row in connection.execute(last)}
    return {
        name: each
        for name, each in wholes.items()
        if name in found and each.ended_at is not None and found[name] >= each.ended_at + look_back
    }


def _count(connection: Connection, jobs: Sequence[Work]) -> int:
    """Rows of these interactions in the run."""
    names = [job.part_id.interaction_id for job in jobs]
    mine = (work.c.run_id == jobs[0].run_id, work.c.interaction_id.in_(names))
    return connection.execute(select(func.count()).select_from(work).where(*mine)).scalar_one()


def _part_id(row: Row[Any]) -> PartId:
    return part_of(row)
