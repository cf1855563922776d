"""Account of a listing: what came of what the source counted, and the gaps that leave the coverage of a run partial.

It is kept as JSON with the run. A gap that stays may be acknowledged, which closes the coverage of its range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from recording_archive.archive import Archive
from recording_archive.archiving import coverage
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import coverage as covered
from recording_archive.catalog.tables import runs
from recording_archive.errors import ConfigurationError
from recording_archive.model import Window
from recording_archive.sources import Account, Gap

ACKNOWLEDGED = "acknowledged"
SHOWN = 3  # gaps that a run's problem names one by one
ALIKE = 40  # characters by which notes of several tasks are alike
KEPT = 200  # gaps that are kept one by one: the head of a report is read as a whole


def note(
    connection: Connection,
    run_id: str,
    account: Account,
    *,
    reconciled: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Keep the account of a run's listing; gaps beyond `KEPT` become one that spans them.

    ``reconciled`` are the figures of a comparison with the source's inventory, if one was made.
    """
    kept, rest = account.gaps[:KEPT], account.gaps[KEPT:]
    if rest:
        span = Window(min(gap.window.start for gap in rest), max(gap.window.end for gap in rest))
        kept += (Gap(span, sum(gap.missing for gap in rest), f"{len(rest)} more gaps"),)
    gaps = [
        {
            "start": gap.window.start.isoformat(),
            "end": gap.window.end.isoformat(),
            "missing": gap.missing,
            "reason": gap.reason,
        }
        for gap in kept
    ]
    document: dict[str, Any] = {"listed": account.listed, "counted": account.counted, "gaps": gaps}
    document["notes"] = [*account.notes, *notes]
    document |= {"reconciled": dict(reconciled)} if reconciled is not None else {}
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(listing=document))


def add_notes(connection: Connection, run_id: str, notes: Sequence[str]) -> None:
    """Add notes of a task to those of its run, the first `SHOWN` that begin alike: many tasks have the same to tell."""
    if not notes:
        return
    mine = runs.c.run_id == run_id
    listing = connection.execute(select(runs.c.listing).where(mine).with_for_update()).scalar()
    kept = list((listing or {}).get("notes", ()))
    kept += [
        each for each in notes if sum(other[:ALIKE] == each[:ALIKE] for other in kept) < SHOWN and each not in kept
    ]
    changed = (listing or {"listed": 0, "counted": None, "gaps": []}) | {"notes": kept}
    connection.execute(update(runs).where(mine).values(listing=changed))


def open_gaps(connection: Connection, run: Row[Any]) -> list[Gap]:
    """The gaps of a run's listing that nobody has acknowledged."""
    gaps = list(read_gaps(run.listing))
    rows = select(covered.c.start, covered.c.end).where(covered.c.source == run.source, covered.c.kind == ACKNOWLEDGED)
    decided = [Window(row.start, row.end) for row in connection.execute(rows)] if gaps else []
    return [gap for gap in gaps if list(coverage.without(gap.window, decided))]


def describe(gaps: Sequence[Gap]) -> list[str]:
    """Say to the operator what could not be listed, and what to do."""
    if not gaps:
        return []
    each = [
        f"{gap.missing or 'an unknown number'} between {_shown(gap.window.start)} and {_shown(gap.window.end)} "
        f"({gap.reason})"
        for gap in gaps
    ]
    shown = "; ".join(each[:SHOWN]) + (f"; and in {len(each) - SHOWN} more ranges" if len(each) > SHOWN else "")
    many = f"{sum(gap.missing for gap in gaps)} interactions" if all(gap.missing for gap in gaps) else "Interactions"
    return [
        f"{many} could not be listed: {shown}. The next scheduled run asks "
        "again; `recording-archive acknowledge-range START END --reason …` accepts a range as it is"
    ]


def acknowledge_gaps(archive: Archive, window: Window, *, reason: str, actor: str) -> list[str]:
    """Accept the gaps of a range: it counts as covered from now on. Return the sources that had any."""
    if not reason.strip():
        raise ConfigurationError("--reason is empty: say why the gap is accepted; it is kept for good")
    at = archive.clock()
    with archive.catalog.write() as connection:
        found = _sources_with_gaps(connection, window)
        for source, run_id in found.items():
            coverage.close(connection, source=source, window=window, run_id=run_id, kind=ACKNOWLEDGED, at=at)
            bounds = {"start": window.start.isoformat(), "end": window.end.isoformat()}
            detail = {"source": source, **bounds, "reason": reason.strip()}
            record(connection, "acknowledged", None, at=at, run_id=run_id, actor=actor, detail=detail)
    return sorted(found)


def _sources_with_gaps(connection: Connection, window: Window) -> dict[str, str]:
    """Each source with the last of its runs that left an open gap in the range."""
    rows = connection.execute(
        select(runs)
        .where(runs.c.listing.is_not(None), runs.c.range_end > window.start, runs.c.range_start < window.end)
        .order_by(runs.c.started_at)
    )
    return {
        row.source: row.run_id
        for row in rows.all()
        if any(gap.window.start < window.end and window.start < gap.window.end for gap in open_gaps(connection, row))
    }


def read_gaps(listing: Mapping[str, Any] | None) -> Iterator[Gap]:
    """The gaps of an account as it is kept; none where there is none."""
    for each in (listing or {}).get("gaps", ()):
        window = Window(datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"]))
        yield Gap(window, each["missing"], each["reason"])


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
