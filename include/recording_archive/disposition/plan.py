"""Make the plan of a run of `enforce_retention`; a person approves one that surprises, or exceeds a cap, by its hash.

    make_plan → approve a surprise → quarantine → purge → close

A plan only says what is due; the code that acts on it judges each recording again, in the transaction that changes it.
The next plan lets this one lapse, so that an approval never reaches further than what the person saw.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from hashlib import sha256

from sqlalchemy import update

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import plans
from recording_archive.disposition import plan_table, processes
from recording_archive.disposition.approval import require_current
from recording_archive.disposition.candidates import Candidates, Page
from recording_archive.disposition.caps import Caps, exceeding, read_limits
from recording_archive.disposition.foretelling import Foretelling, Foretold
from recording_archive.disposition.surprises import expected, surprises
from recording_archive.disposition.tally import Question, Tally, open_tallier, tallier
from recording_archive.errors import ConfigurationError
from recording_archive.retention import policy_in_force
from recording_archive.retention.rules import Policy
from recording_archive.settings import Settings

log = logging.getLogger(__name__)

PAGE = 2_000  # rows read at once, and written in one transaction: a plan may have a million
MANY = 50_000  # candidates that are worth starting processes, which each read all holds


def make_plan(
    archive: Archive,
    run_id: str,
    *,
    as_of: datetime | None = None,
    dry_run: bool = False,
    max_count: int | None = None,
    max_bytes: int | None = None,
    triggered_by: str | None = None,
    page_size: int = PAGE,
) -> plan_table.Plan:
    """Write down what is due at ``as_of`` (now by default), and if a person must approve it.

    A plan made again for the same run replaces the rows that were not done; older plans lapse, except for a dry run.
    Raises StoreError when the catalog is older than the archive, ConfigurationError for a future ``as_of`` outside of
    dry runs and drills, and for a limit above the configured one.
    """
    require_current(archive)
    at = archive.clock()
    as_of = _read_as_of(archive.settings, as_of or at, at, dry_run=dry_run)
    policy = policy_in_force.in_force(archive)
    policy_in_force.keep(archive, policy, run_id=run_id)
    with archive.catalog.write() as connection:
        holds.rows.respell(connection)
        limits = read_limits(connection, archive.settings, max_count, max_bytes)
        facts = {"dry_run": dry_run, "policy": policy.version, "triggered_by": triggered_by}
        plan_table.begin_plan(connection, run_id, plan_table.RETENTION, at=at, as_of=as_of, **facts)
        if not dry_run:
            plan_table.lapse_others(connection, run_id)
    draft = _Draft(archive, run_id, policy, as_of, at)
    draft.add_all(page_size)
    return draft.finish(limits)


class _Draft:
    """A plan while it is made, with the counts and the hash of the rows added so far."""

    def __init__(self, archive: Archive, run_id: str, policy: Policy, as_of: datetime, at: datetime) -> None:
        self._archive, self._run_id, self._policy, self._as_of, self._at = archive, run_id, policy, as_of, at
        self._candidates = Candidates(archive.catalog, policy, as_of)
        self._digest = sha256(f"{policy.version} {as_of.date()}\n".encode())
        self._counts, self._sizes, self._kept = Counter[str](), Counter[str](), self._candidates.count_the_rest()
        self._ahead = Foretelling(policy, archive.settings.quarantine_days, as_of)

    def add_all(self, page_size: int) -> None:
        """Judge all candidates, and write down what is to be done with them."""
        tallies = self._tallies(self._candidates.pages(page_size))
        gc.disable()  # the holds stay until the end: the garbage collector need not walk over them again and again
        try:
            for tally in tallies:
                self._add(tally)
                gc.collect(processes.YOUNG)
        finally:
            gc.enable()

    def _add(self, tally: Tally) -> None:
        self._digest.update("".join(tally.lines).encode())
        self._counts.update(tally.counts)
        self._sizes.update(tally.sizes)
        self._kept.update(tally.kept)
        self._ahead.join(tally.ahead)
        if tally.rows:
            with self._archive.catalog.write() as connection:
                plan_table.add_rows(connection, self._run_id, tally.rows)

    def _tallies(self, pages: Iterator[Page]) -> Iterator[Tally]:
        """Judge pages, in their order: many of them in several processes, few of them here."""
        with self._archive.catalog.read() as connection:
            again = plan_table.has_settled(connection, self._run_id)
        asked = Question(self._run_id, self._policy, self._as_of, self._archive.settings.quarantine_days, again)
        if self._candidates.count() >= MANY and processes.cores() > 1:
            return processes.in_order(partial(open_tallier, self._archive.catalog.url, asked), pages, processes.cores())
        return map(tallier(self._archive.catalog, asked), pages)

    def finish(self, limits: Caps) -> plan_table.Plan:
        """Close the list: its hash, why a person must approve it, what it foretells, its event."""
        surprising, foretold = self._compare()
        caps, digest = [*exceeding(self._counts, self._sizes, limits), *surprising], self._digest.hexdigest()
        at, kept = self._archive.clock(), {str(why): count for why, count in self._kept.items() if count}
        with self._archive.catalog.write() as connection:
            mine = update(plans).where(plans.c.run_id == self._run_id)
            connection.execute(mine.values(sha256=digest, caps=caps, kept=kept, foretold=foretold.to_json()))
            detail = {"plan": digest, "policy": self._policy.version, "asOf": self._as_of.isoformat(), "caps": caps}
            counts = {str(action): count for action, count in self._counts.items()}
            record(connection, "planned", None, at=at, run_id=self._run_id, detail={**detail, "counts": counts})
        log.info("plan %s: %s; kept %s; %s", digest, counts, kept, "; ".join(caps) or "no approval needed")
        return plan_table.required_plan(self._archive, self._run_id)

    def _compare(self) -> tuple[list[str], Foretold]:
        """Name what surprises, and foretell the days after; a plan that lets nothing go asks nobody."""
        with self._archive.catalog.read() as connection:
            self._ahead.add_the_rest(connection)
            before = expected(connection, self._run_id, self._ahead)
            found = list(surprises(connection, self._ahead, before, self._at))
        youngest, asks = before.foretold.youngest if before else {}, bool(self._ahead.goes)
        return found if asks else [], self._ahead.foretold(self._at, youngest, () if asks else tuple(found))


def _read_as_of(settings: Settings, as_of: datetime, now: datetime, *, dry_run: bool) -> datetime:
    if as_of.tzinfo is None:
        raise ConfigurationError(f"as_of: {as_of} has no time zone")
    if as_of > now and not (dry_run or settings.drill):
        raise ConfigurationError(
            f"as_of: {as_of.isoformat()} lies in the future: give dry_run as well, or set RECORDING_ARCHIVE_DRILL=true "
            "on an archive that holds no evidence"
        )
    return as_of
