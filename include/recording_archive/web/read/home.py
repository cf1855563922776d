"""Home: what came of the last run, and what needs a person, each with its number and where to decide it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from recording_archive.archive import Archive
from recording_archive.archiving.completeness import DayState
from recording_archive.errors import ArchiveError
from recording_archive.web.read.archiving_runs import RunDetails, list_runs, read_run
from recording_archive.web.read.coverage import CoverageDay
from recording_archive.web.read.figures import Statistics
from recording_archive.web.read.retention_plans import waiting_plans

_NEWEST = 25  # runs among which the last scheduled one is looked for


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for a person: how many, what they are, and the address below the app that decides it."""

    count: int
    words: str
    link: str


def last_run(archive: Archive) -> RunDetails | None:
    """The newest scheduled run, else the newest of any kind; None where none is, or its report cannot be read."""
    found, _ = list_runs(archive, limit=_NEWEST)
    newest = next((run for run in found if run.kind == "scheduled"), found[0] if found else None)
    with suppress(ArchiveError):  # its own page says what is wrong with the report
        return read_run(archive, newest.run_id) if newest else None
    return None


def needs(archive: Archive, statistics: Statistics, days: Iterable[CoverageDay], opened: int = 0) -> list[Need]:
    """List what needs a person, the most urgent first; nothing of what runs try again by themselves.

    ``opened`` are the calls that are open to somebody who broke the glass.
    """
    return [each for each in _needs(archive, statistics, list(days), opened) if each.count]


def _needs(archive: Archive, statistics: Statistics, days: list[CoverageDay], opened: int) -> Iterator[Need]:
    gaps, partial = (sum(day.state == state for day in days) for state in (DayState.GAP, DayState.PARTIAL))
    yield Need(statistics.verified_failed, "damaged at the last reading", "?verified=failed")
    yield Need(opened, f"{'call' if opened == 1 else 'calls'} opened by breaking the glass", "openings")
    yield Need(statistics.needs_decision, "could not be archived, and no run tries again", "failures")
    for plan in waiting_plans(archive):
        count = sum(outcomes.all for outcomes in plan.actions.values())
        yield Need(count, f"in a plan ({plan.kind}) that waits for approval", f"retention/runs/{plan.run_id}")
    yield Need(gaps, f"{_days(gaps)} with hours that were never asked for", "overview#coverage")
    yield Need(partial, f"{_days(partial)} of which the source counted more than it listed", "runs")
    for each in statistics.vouched:
        yield Need(
            each.waiting if each.asked_for else 0, f"segments of the ledger not yet {each.kind}", "overview#ledger"
        )


def _days(count: int) -> str:
    return "day" if count == 1 else "days"
