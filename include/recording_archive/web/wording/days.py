"""Words for the coverage of a day and of a run: complete, missing, damaged, gap, partial, nothing expected.

Pure functions, filters of the templates.
"""

from __future__ import annotations

from collections.abc import Mapping

from recording_archive.archiving.completeness import DayState
from recording_archive.reports.reading import StoredReport
from recording_archive.web.read.coverage import CoverageDay
from recording_archive.web.wording.formats import number

STATES: Mapping[DayState, str] = {
    DayState.COMPLETE: "complete: every recording of the day is archived",
    DayState.MISSING: "missing: some could not be archived so far",
    DayState.DAMAGED: "damaged: some were not intact at their last reading",
    DayState.PARTIAL: "partial: the source counted more than it listed",
    DayState.GAP: "gap: some hours were never asked for",
    DayState.NOTHING: "nothing expected",
}
"""The states of a day, from the best to the worst, with what they mean."""

ENDS = (
    ("successful", "archived"),
    ("alreadyArchived", "archived before"),
    ("failed", "failed"),
    ("checksumErrors", "wrong checksum"),
    ("missing", "not at the source"),
    ("excluded", "excluded"),
    ("deferred", "not yet"),
)
"""The totals of a run that add up to what it asked for, and their words."""


def day_words(day: CoverageDay) -> str:
    """Say how a day stands, with the numbers of what is wrong."""
    counts = {"missing": day.missing, "of them accepted by a person": day.accepted, "damaged": day.damaged}
    numbers = [f"{number(count)} {what}" for what, count in counts.items() if count]
    said = [] if day.state in (DayState.MISSING, DayState.DAMAGED) else [STATES[day.state].partition(": every")[0]]
    return ", ".join([*said, *numbers])


def coverage_words(report: StoredReport) -> str:
    """Say how a run left its range."""
    if report.window is None:
        return "none: single interactions"
    if not report.covers:
        return "gap: not all of the range was asked for"
    if (report.listing or {}).get("gaps"):
        return STATES[DayState.PARTIAL]
    missing = sum(report.totals.get(name, 0) for name in ("failed", "checksumErrors", "deferred"))
    return f"{number(missing)} missing: later runs try them again" if missing else "complete"


FILTERS = (day_words, coverage_words)
