"""Judge pages of candidates, and add up what a plan says of them; several processes may each take some of the pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import part_of
from recording_archive.disposition import plan_table
from recording_archive.disposition.candidates import Candidates, Page
from recording_archive.disposition.due import Due, Judge
from recording_archive.disposition.foretelling import Foretelling
from recording_archive.model import PartId
from recording_archive.retention.rules import Policy


@dataclass(frozen=True, slots=True)
class Question:
    """Question of a plan to its candidates: the run, the policy, as of when, and the days of quarantine.

    ``again``: an attempt before this one has done some of it.
    """

    run_id: str
    policy: Policy
    as_of: datetime
    quarantine_days: int
    again: bool


@dataclass(slots=True)
class Tally:
    """Share of a plan, of some candidates: rows in their order, and counts of what goes and of what stays.

    ``lines`` go into the hash of the plan.
    """

    ahead: Foretelling
    rows: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row[Any], due: Due, *, settled: bool) -> None:
        """Count a decision, and write down what is to be done; one that is ``settled`` is not in the plan any more."""
        self.ahead.add(row, due, settled=settled)
        if settled:
            return
        if due.action is None:
            self.kept[due.why] += 1
            return
        self.lines.append(f"{due.action} {part_of(row)} {row.stored_sha256}\n")
        self.counts[due.action] += 1
        self.sizes[due.action] += row.stored_bytes or 0
        self.rows.append(plan_table.planned_row(row, due.action, due.rule, due.due_at) | {"why": due.why or None})


def tallier(catalog: Catalog, asked: Question) -> Callable[[Page], Tally]:
    """Return what judges a page of candidates by the holds as they are now."""
    candidates = Candidates(catalog, asked.policy, asked.as_of)
    judge = Judge(catalog, asked.policy, asked.as_of, asked.quarantine_days)

    def tally(page: Page) -> Tally:
        rows = candidates.read(page)
        settled_before = _settled(catalog, asked, rows)
        found = Tally(Foretelling(asked.policy, asked.quarantine_days, asked.as_of))
        for row, due in zip(rows, judge.decide(rows), strict=True):
            found.add(row, due, settled=bool(settled_before) and part_of(row) in settled_before)
        return found

    return tally


def open_tallier(url: str, asked: Question) -> Callable[[Page], Tally]:
    """Open the catalog in another process, and return what judges pages there."""
    return tallier(Catalog(url), asked)


def _settled(catalog: Catalog, asked: Question, rows: Sequence[Row[Any]]) -> set[PartId]:
    """Find parts with which an earlier attempt of the run has done something."""
    if not asked.again:
        return set()
    with catalog.read() as connection:
        return plan_table.settled(connection, asked.run_id, (row.interaction_id for row in rows))
