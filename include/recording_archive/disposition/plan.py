"""Plan: what a run of `enforce_retention` is about to do, which a person approves by its hash when it is much.

    make_plan → approve, above the caps → quarantine → purge (`disposition`) → close (`retention_report`)

A plan only says what is due; whatever acts on it judges each recording again, in the transaction that changes it. The
next plan lets this one lapse, so that an approval never reaches further than what the person saw.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain
from typing import Any

from sqlalchemy import Row, func, select, update

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.database import record
from recording_archive.catalog.rows import pages, part_key, part_of
from recording_archive.catalog.tables import plans, recordings
from recording_archive.disposition.approval import approve, executable, require_current
from recording_archive.disposition.caps import STORED, Caps, exceeding, read_limits
from recording_archive.disposition.plan_table import (
    RESTORE,
    RETENTION,
    Plan,
    add_rows,
    begin_plan,
    has_settled,
    lapse_others,
    planned_row,
    read_plan,
    settled,
)
from recording_archive.errors import ConfigurationError
from recording_archive.model import PartId, State
from recording_archive.retention import policy_in_force
from recording_archive.retention.rules import Action, Kept, Policy, Verdict, heed, judge, later, restored_until
from recording_archive.settings import Settings

__all__ = ["Plan", "approve", "executable", "make_plan", "read_plan", "require_current", "restored_until"]

log = logging.getLogger(__name__)

RESTORED = "restored"  # why a recording stays that a person took out of quarantine, for as long as one lasts
NO_LONGER = frozenset({Kept.HELD, Kept.POSSIBLY_HELD, Kept.TOO_YOUNG, Kept.UNDATED})
"""What takes a recording out of quarantine: it may not go now, so it belongs to the archive again."""

PAGE = 2_000  # rows held in memory at once, and written in one transaction
_NAMES = {  # columns that decide, or that a plan notes: all of them would take twice as long
    *(*PartId._fields, "state", "interaction_date", "quarantined_at", "verified_ok", "deletion"),
    *("sha256", "stored_sha256", "stored_bytes"),
    *chain.from_iterable(holds.COLUMNS.values()),
}


def make_plan(
    archive: Archive,
    run_id: str,
    *,
    as_of: datetime | None = None,
    dry_run: bool = False,
    max_count: int | None = None,
    max_bytes: int | None = None,
    triggered_by: str | None = None,
) -> Plan:
    """Write down what is due at ``as_of`` (now by default), and whether a person must approve it.

    A plan made again for the same run replaces what of it was not done; older ones lapse, unless this is a dry run.
    Raises StoreError when the catalog is older than the archive, ConfigurationError for a future ``as_of`` outside of
    dry runs and drills, and for a limit above the configured one.
    """
    require_current(archive)
    at = archive.clock()
    as_of = _read_as_of(archive.settings, as_of or at, at, dry_run=dry_run)
    policy = policy_in_force.in_force(archive)
    policy_in_force.keep(archive, policy, run_id=run_id)
    with archive.catalog.write() as connection:
        limits = read_limits(connection, archive.settings, max_count, max_bytes)
        facts = {"dry_run": dry_run, "policy": policy.version, "triggered_by": triggered_by}
        begin_plan(connection, run_id, RETENTION, at=at, as_of=as_of, **facts)
        if not dry_run:
            lapse_others(connection, run_id)
    draft = _Draft(archive, run_id, policy, as_of)
    for page in draft.candidates():
        draft.add(page)
    return draft.finish(limits)


class _Draft:
    """A plan while it is made: what was added to it so far."""

    def __init__(self, archive: Archive, run_id: str, policy: Policy, as_of: datetime) -> None:
        self._archive, self._run_id, self._policy, self._as_of = archive, run_id, policy, as_of
        self._digest = sha256(f"{policy.version} {as_of.date()}\n".encode())
        self._counts, self._sizes = Counter[str](), Counter[str]()
        self._kept = Counter[str]()
        self._rows: list[dict[str, Any]] = []  # not written yet
        with archive.catalog.read() as connection:
            self._matcher = holds.Matcher(connection)  # what is put on hold from now on is seen by the next check
            self._again = has_settled(connection, run_id)
        names = {*_NAMES, *policy.columns}
        self._columns = [column for column in recordings.c if column.name in names]

    def candidates(self) -> Iterator[Sequence[Row[Any]]]:
        """Pages of what may be due: recordings older than the shortest days, and all that are in quarantine."""
        date = recordings.c.interaction_date
        try:
            cutoff = self._as_of - timedelta(days=self._policy.shortest_days)
        except OverflowError:  # longer ago than there are dates
            cutoff = None
        self._count_the_rest(cutoff)
        if cutoff is not None:
            yield from self._pages(recordings.c.state == State.ARCHIVED, date <= cutoff)
        waiting = (recordings.c.state == State.QUARANTINED, recordings.c.deleting_at.is_(None), date.is_not(None))
        yield from self._pages(*waiting)

    def _pages(self, *where: Any) -> Iterator[Sequence[Row[Any]]]:
        """Dated rows in the order of their dates, a page at a time."""
        query = select(*self._columns).where(*where)
        yield from pages(self._archive.catalog, query, recordings.c.interaction_date, *part_key(recordings))

    def add(self, page: Sequence[Row[Any]]) -> None:
        """Judge a page, and enter what is to be done with it."""
        verdicts, touched = self._judge(page), self._touched(page)
        for row, verdict in zip(page, verdicts, strict=True):
            if touched and part_of(row) in touched:
                continue
            action, why = self._action(row, verdict)
            if action is None:
                self._kept[why] += 1
                continue
            due = verdict.expires_at
            if action == Action.PURGE:
                due = later(row.quarantined_at, self._archive.settings.quarantine_days)
            self._rows.append(planned_row(row, action, verdict.rule, due) | {"why": why or None})
            self._digest.update(f"{action} {part_of(row)} {row.stored_sha256}\n".encode())
            self._counts[action] += 1
            self._sizes[action] += row.stored_bytes or 0
        if len(self._rows) >= PAGE:
            self._flush()

    def finish(self, limits: Caps) -> Plan:
        """Close the list: its hash, what exceeds the limits, its event."""
        self._flush()
        caps, digest = list(exceeding(self._counts, self._sizes, limits)), self._digest.hexdigest()
        at, kept = self._archive.clock(), {str(why): count for why, count in self._kept.items() if count}
        with self._archive.catalog.write() as connection:
            mine = update(plans).where(plans.c.run_id == self._run_id)
            connection.execute(mine.values(sha256=digest, caps=caps, kept=kept))
            detail = {"plan": digest, "policy": self._policy.version, "asOf": self._as_of.isoformat(), "caps": caps}
            counts = {str(action): count for action, count in self._counts.items()}
            record(connection, "planned", None, at=at, run_id=self._run_id, detail={**detail, "counts": counts})
        plan = read_plan(self._archive, self._run_id)
        if plan is None:  # it was begun by make_plan, and rows of plans are never deleted
            raise AssertionError(self._run_id)
        log.info("plan %s: %s; kept %s; %s", digest, counts, kept, "; ".join(caps) or "no approval needed")
        return plan

    def _flush(self) -> None:
        with self._archive.catalog.write() as connection:
            add_rows(connection, self._run_id, self._rows)
        self._rows = []

    def _touched(self, page: Sequence[Row[Any]]) -> set[PartId]:
        """Parts with which an earlier attempt of the run has done something."""
        if not self._again:
            return set()
        with self._archive.catalog.read() as connection:
            return settled(connection, self._run_id, (row.interaction_id for row in page))

    def _judge(self, page: Sequence[Row[Any]]) -> list[Verdict]:
        """Verdicts of a page. Holds are looked up only for what is due without them, or waits in quarantine."""
        waits_days = self._archive.settings.quarantine_days
        verdicts = [
            judge(row, self._policy, as_of=self._as_of, quarantine_days=waits_days, holding=None) for row in page
        ]
        places = [place for place, verdict in enumerate(verdicts) if verdict.may_go]
        for place, holding in zip(places, self._matcher.each([page[place] for place in places], enough=1), strict=True):
            verdicts[place] = heed(verdicts[place], holding)
        return verdicts

    def _action(self, row: Row[Any], verdict: Verdict) -> tuple[str | None, str]:
        """What to do with a row, or why nothing; why it is restored."""
        until = restored_until(row)
        if row.state == State.ARCHIVED and until is not None and until > self._as_of and verdict.action is not None:
            return None, RESTORED
        if row.state == State.QUARANTINED and verdict.kept in NO_LONGER:
            return RESTORE, str(verdict.kept)
        return (None, str(verdict.kept)) if verdict.action is None else (str(verdict.action), "")

    def _count_the_rest(self, cutoff: datetime | None) -> None:
        """Count what is no candidate, so that the reasons add up to the archive."""
        date, archived = recordings.c.interaction_date, recordings.c.state == State.ARCHIVED
        young = date.is_not(None) if cutoff is None else date > cutoff
        undated = (recordings.c.state.in_(STORED), date.is_(None), recordings.c.deleting_at.is_(None))
        for why, where in ((Kept.TOO_YOUNG, (archived, young)), (Kept.UNDATED, undated)):
            with self._archive.catalog.read() as connection:
                self._kept[why] += connection.execute(
                    select(func.count()).select_from(recordings).where(*where)
                ).scalar_one()


def _read_as_of(settings: Settings, as_of: datetime, now: datetime, *, dry_run: bool) -> datetime:
    if as_of.tzinfo is None:
        raise ConfigurationError(f"as_of: {as_of} has no time zone")
    if as_of > now and not (dry_run or settings.drill):
        raise ConfigurationError(
            f"as_of: {as_of.isoformat()} lies in the future: give dry_run as well, or set RECORDING_ARCHIVE_DRILL=true "
            "on an archive that holds no evidence"
        )
    return as_of
