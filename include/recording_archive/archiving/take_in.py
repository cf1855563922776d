"""Take in: what the source's inventory has, and no run has seen, is handed to a run.

Only recordings of ranges that runs have covered are taken in: what is older is left to a backfill, so that a new
archive does not begin with years in one night.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select

from recording_archive.archive import Archive
from recording_archive.archiving import coverage, entering
from recording_archive.archiving.reconcile import Compared, Standing, reconcile
from recording_archive.catalog.rows import chunked, insert_missing
from recording_archive.catalog.tables import events, recordings, runs
from recording_archive.errors import ArchiveError, Stopped
from recording_archive.model import Listing, PartId, State, Window, is_safe_id
from recording_archive.sources import Inventoried, Source, Stored

WITHIN = timedelta(days=30)  # how near a delete date must be to be a risk
_SLACK = timedelta(hours=12)  # so that a weekly comparison stays on its day of the week
_FOUND = "found by reconcile: the source has it, and no run was told of it"


def take_in(
    archive: Archive,
    name: str,
    inventory: Iterable[Stored],
    enter: Callable[[Connection, Sequence[PartId]], None] | None,
    *,
    within: timedelta = WITHIN,
    tell: Callable[[Compared, bool], None] = lambda *_: None,
) -> dict[str, int]:
    """Compare with the inventory of the source called ``name``, and ``enter`` what is unknown, page by page.

    Without ``enter`` nothing is taken in. ``tell`` is called for each recording, with True when it was taken in. Return
    the figures of the comparison.
    """
    counts = Counter({str(standing): 0 for standing in Standing} | {"atRisk": 0, "takenIn": 0, "neverAskedFor": 0})
    with archive.catalog.read() as connection:
        covered = coverage.ranges(connection, name)
    for page in chunked(reconcile(archive, inventory, within=within)):
        unknown = [each for each in page if each.standing is Standing.UNKNOWN]
        asked = [each for each in unknown if _is_within(each.stored.created_at, covered)]
        if asked and enter is not None:
            with archive.catalog.write() as connection:
                enter(connection, [PartId(each.stored.interaction_id, each.stored.recording_id, 0) for each in asked])
        counts.update(str(each.standing) for each in page)
        counts.update(atRisk=sum(each.at_risk for each in page))
        taken = {id(each) for each in asked} if enter is not None else set()
        counts.update(takenIn=len(taken), neverAskedFor=len(unknown) - len(asked))
        for each in page:
            tell(each, id(each) in taken)
    return dict(counts)


def take_in_when_due(archive: Archive, source: Source, run_id: str) -> tuple[Mapping[str, int] | None, list[str]]:
    """Take what is unknown into a scheduled run, when the last comparison was long enough ago.

    None is due before the first run has covered a range: nothing could be taken in.
    Return its figures, None when none was due or possible, and notes for the report. A comparison that fails stops no
    run: the next one tries again.
    """
    days, at, region = archive.settings.reconcile_days, archive.clock(), archive.settings.phone_region
    if not days or not isinstance(source, Inventoried):
        return None, []
    with archive.catalog.read() as connection:
        if not _is_due(connection, source.name, run_id, at - timedelta(days=days) + _SLACK):
            return None, []

    def enter(connection: Connection, parts: Sequence[PartId]) -> None:
        entering.enter(connection, run_id, [_listing(part) for part in parts], scheduled=True, at=at, region=region)

    try:
        counts = take_in(archive, source.name, source.inventory(), enter)
    except Stopped:
        raise
    except ArchiveError as error:
        return None, [f"the archive could not be compared with the source's inventory: {error}"]
    risk = f"{counts['atRisk']} recordings are deleted at the source within {WITHIN.days} days and are not archived"
    return counts, [f"{risk}: `recording-archive reconcile` names them"] if counts["atRisk"] else []


def leave_to_next_run(connection: Connection, parts: Sequence[PartId], *, at: datetime, actor: str) -> None:
    """Enter parts so that the next scheduled run takes them up."""
    rows = [
        {**part._asdict(), "state": State.DISCOVERED, "retry_at": at, "last_error": _FOUND}
        for part in parts
        if is_safe_id(part.interaction_id) and is_safe_id(part.recording_id)
    ]
    insert_missing(connection, recordings, rows)
    event = {"at": at, "kind": "seen", "actor": actor, "detail": {"by": "reconcile"}}
    if rows:
        connection.execute(insert(events), [{name: row[name] for name in PartId._fields} | event for row in rows])


def _is_due(connection: Connection, source: str, run_id: str, since: datetime) -> bool:
    if not coverage.ranges(connection, source):
        return False
    mine = (runs.c.source == source, runs.c.started_at > since, runs.c.run_id != run_id)
    listings = connection.execute(select(runs.c.listing).where(*mine)).scalars()
    return not any((listing or {}).get("reconciled") for listing in listings)


def _is_within(moment: datetime | None, covered: Sequence[Window]) -> bool:
    return moment is None or any(moment in window for window in covered)


def _listing(part: PartId) -> Listing:
    safe = is_safe_id(part.interaction_id) and is_safe_id(part.recording_id)
    defect = None if safe else f"id {part.interaction_id!r:.120} or {part.recording_id!r:.120} cannot be part of a name"
    return Listing(part, None, None, None, defect=defect)
