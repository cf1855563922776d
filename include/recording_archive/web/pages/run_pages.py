"""Pages of runs: the list, the compliance report of one, and the tab that Airflow shows on its DAG runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from recording_archive.archive import Archive
from recording_archive.errors import ArchiveError
from recording_archive.model import Outcome
from recording_archive.reports.reading import StoredReport, check_bytes, read_report
from recording_archive.web import access
from recording_archive.web.address import Address
from recording_archive.web.deps import ArchiveDep
from recording_archive.web.pages.fixity_pages import show_fixity_run
from recording_archive.web.pages.plan_pages import show_plan
from recording_archive.web.problem import Problem
from recording_archive.web.read.archiving_runs import RunDetails, RunRow, list_runs, read_run
from recording_archive.web.read.filters import After, write_cursor
from recording_archive.web.read.fixity_runs import read_fixity_run
from recording_archive.web.read.papers import paper_of_report
from recording_archive.web.read.report_table import COLUMNS, DEEPEST_PAGE, PAGE, Table, read_entries
from recording_archive.web.read.retention_plans import read_plan
from recording_archive.web.read.run_list import read_dated
from recording_archive.web.render import page

RUNS = 25
_OURS = frozenset({access.READ_DAG, access.DECIDE_DAG, access.VERIFY_DAG})
_SORTABLE = frozenset(name for name, _, _ in COLUMNS)
_ENDS = (
    (Outcome.SUCCESS, "archived"),
    (Outcome.FAILED, "failed"),
    (Outcome.CHECKSUM_MISMATCH, "wrong checksum"),
    (Outcome.ALREADY_ARCHIVED, "archived before"),
    (Outcome.EXCLUDED, "excluded"),
    (Outcome.MISSING, "not at the source"),
    (Outcome.DEFERRED, "not yet, comes again"),
)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PageNumber = Annotated[int, Query(alias="page", ge=1, le=DEEPEST_PAGE)]


@router.get("/runs")
def runs_page(request: Request, archive: ArchiveDep, after: After = None) -> HTMLResponse:
    """All runs, newest first, with what came of them."""
    found, following = list_runs(archive, limit=RUNS, after=read_dated(after))
    rows = [(run, _totals(archive, run)) for run in found]
    return page(request, archive, "runs.html", runs=rows, next=write_cursor(following), later=after is not None)


@router.get("/runs/by-airflow")
def run_tab(request: Request, archive: ArchiveDep, dag_id: str, run_id: str, number: PageNumber = 1) -> HTMLResponse:
    """The tab on a DAG run in Airflow: its report, or a kind word on the runs of other people's DAGs."""
    if dag_id == access.READ_DAG and (run := read_run(archive, run_id)):
        return _report(request, archive, run, number, in_tab=True)
    if dag_id == access.DECIDE_DAG and (plan := read_plan(archive, run_id)):
        return show_plan(request, archive, plan, in_tab=True)
    if dag_id == access.VERIFY_DAG and (verified := read_fixity_run(archive, run_id)):
        return show_fixity_run(request, archive, verified, in_tab=True)
    return page(request, archive, "no_report.html", dag_id=dag_id, run_id=run_id, ours=dag_id in _OURS)


@router.get("/runs/{run_id}")
def run_page(request: Request, archive: ArchiveDep, run_id: str, number: PageNumber = 1) -> HTMLResponse:
    """The compliance report of a run."""
    run = read_run(archive, run_id)
    if run is None:
        raise Problem(404, "No such run", f"The archive’s books have no run {run_id!r}.")
    return _report(request, archive, run, number, in_tab=False)


def _totals(archive: Archive, run: RunRow) -> dict[str, int]:
    """A run's totals; none where its report cannot be read, which its own page explains."""
    try:
        details = read_run(archive, run.run_id)
    except ArchiveError:
        return {}
    return details.totals if details else {}


def _report(request: Request, archive: Archive, run: RunDetails, number: int, *, in_tab: bool) -> HTMLResponse:
    report = read_report(archive.store, run.report_key) if run.report_key else None
    shown = _table(request, archive, report, number) if report else {}
    damage = _damage(archive, report) if report else None
    paper = paper_of_report(archive, access.user_name(request), run.run_id, run.report_key)
    return page(
        request, archive, "run.html", run=run, paper=paper, report=report, damage=damage, in_tab=in_tab, **shown
    )


def _damage(archive: Archive, report: StoredReport) -> str | None:
    """Describe damage of the stored report's bytes: a person signs off what this page shows."""
    try:
        check_bytes(archive.store, report.key)
    except ArchiveError as error:
        return str(error)
    return None


def _table(request: Request, archive: Archive, report: StoredReport, number: int) -> dict[str, Any]:
    """Collect what the page shows below the head of the report."""
    address = Address.of([(name, value) for name, value in request.query_params.items() if name != "page"])
    asked = dict(address.pairs)
    status, order = asked.get("status", ""), asked.get("sort", "")
    sort, down = order.removeprefix("-"), order.startswith("-")
    sort = sort if sort in _SORTABLE else ""
    table = read_entries(archive.store, report.key, status=status, sort=sort, descending=down, page=number)
    ends = [(each, title, table.counts[each]) for each, title in _ENDS]
    found = table.count(status)
    return {
        "entries": table.entries,
        "ends": ends,
        "closes": report.asked == table.count(""),
        "kinds": list(_kinds(address, ends, table, status)),
        "columns": list(_columns(address, sort, down=down)),
        "found": found,
        "first": (number - 1) * PAGE + 1,
        "before": address.but(page=str(number - 1)) if number > 1 else None,
        "following": address.but(page=str(number + 1)) if number * PAGE < found else None,
    }


def _kinds(address: Address, ends: list[Any], table: Table, status: str) -> Iterator[dict[str, Any]]:
    """Links that narrow the table to one outcome; those that occur."""
    yield {"title": "all", "count": table.count(""), "link": address.but(status=None), "chosen": not status}
    for name, title, count in ends:
        if count:
            yield {"title": title, "count": count, "link": address.but(status=name), "chosen": status == name}


def _columns(address: Address, sort: str, *, down: bool) -> Iterator[dict[str, Any]]:
    """Headings that sort; the one that sorts already turns the order round."""
    for name, title, is_number in COLUMNS:
        turned = not down if sort == name else is_number  # the largest number first, the first letter first
        link = address.but(sort=f"-{name}" if turned else name)
        order = ("descending" if down else "ascending") if sort == name else None
        yield {"title": title, "is_number": is_number, "link": link, "order": order}
