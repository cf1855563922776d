"""Home: the last run, what needs a person, the calendar of complete days, and the archive in figures."""

from __future__ import annotations

from datetime import date, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from recording_archive.web.deps import ArchiveDep
from recording_archive.web.pages import charts
from recording_archive.web.read.coverage import read_coverage
from recording_archive.web.read.figures import read_statistics
from recording_archive.web.read.home import last_run, needs
from recording_archive.web.render import page
from recording_archive.web.viewer import open_now
from recording_archive.web.wording.days import ENDS, STATES
from recording_archive.web.wording.terms import VERIFICATION_AGES

MONTHS = 6
CHART_DAYS = 30
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/overview")
def overview_page(request: Request, archive: ArchiveDep, until: date | None = None) -> HTMLResponse:
    """The page to begin a day with; ``until`` lies in the last month of its calendar."""
    today = archive.clock().astimezone(archive.settings.zone).date()
    first, last = _months_until(min(until or today, today))
    statistics = read_statistics(archive, today - timedelta(days=CHART_DAYS - 1), today)
    covered = read_coverage(archive, first, last)
    return page(
        request,
        archive,
        "overview.html",
        statistics=statistics,
        run=last_run(archive),
        ends=ENDS,
        needs=needs(archive, statistics, covered.days, len(open_now(archive))),
        recordings_by_day=charts.columns([(day.date, day.recordings) for day in statistics.days]),
        bytes_by_day=charts.columns([(day.date, day.bytes) for day in statistics.days]),
        months=charts.months(covered.days),
        gaps=charts.gaps(covered.days),
        states=STATES,
        ages=VERIFICATION_AGES,
        today=today,
        earlier=first - timedelta(days=1),
        later=_months_until(last + timedelta(days=200))[1] if last < today else None,
    )


def _months_until(day: date) -> tuple[date, date]:
    """The first and last day of the months up to the one of ``day``."""
    month = day.year * 12 + day.month - 1
    first, following = month - MONTHS + 1, month + 1
    return date(first // 12, first % 12 + 1, 1), date(following // 12, following % 12 + 1, 1) - timedelta(days=1)
