"""What pages are made of, without pages: words, addresses, charts, and the rows of a report."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest

from recording_archive.archive import Archive
from recording_archive.archiving.completeness import DayState
from recording_archive.archiving.report_files import CSV_COLUMNS
from recording_archive.web.address import Address
from recording_archive.web.pages import charts
from recording_archive.web.read.coverage import CoverageDay
from recording_archive.web.read.report_table import PAGE, read_entries
from recording_archive.web.wording import formats

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9949, "9.9 kB"), (9950, "10 kB"), (999_600, "1.0 MB")],
)
def test_sizes_have_two_digits_or_more(count: int | None, text: str) -> None:
    """A size is never ``1000 kB`` and never more exact than anyone can use."""
    assert formats.size(count) == text


@pytest.mark.parametrize(("ms", "text"), [(999, "0:00"), (61_999, "1:01"), (3_600_000, "1:00:00"), (None, "–")])
def test_lengths_are_cut_as_players_cut_them(ms: int | None, text: str) -> None:
    """The table and the player show the same length."""
    assert formats.duration(ms) == text


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=364), "12 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(hours=-3), "just now"),
    ],
)
def test_ages_are_told_in_one_unit(back: timedelta, text: str) -> None:
    """The largest unit that fits, and nothing odd for a clock that is ahead."""
    assert formats.ago(NOW - back, NOW) == text


def test_each_chip_takes_one_thing_away() -> None:
    """A chip's link is the same search without it, from its first page."""
    address = Address.of([("q", "a b"), ("agent", ""), ("from", "2026-11-01"), ("after", "xyz"), ("sort", "oldest")])
    assert [(chip.text, chip.without) for chip in address.chips([])] == [
        ("a b", "?from=2026-11-01&sort=oldest"),
        ("from 2026-11-01", "?q=a+b&sort=oldest"),
    ]
    pasted = Address.of([("q", "'call-1'\ncall-2"), ("id", "call-3")])
    assert [chip.text for chip in pasted.chips(["call-1", "call-2", "call-3"])] == ["2 ids", "call-3"]


@pytest.mark.parametrize(
    ("asked", "ids", "hold"),
    [
        ([("q", "a/b call-1"), ("id", "call-2")], ["call-2", "a/b", "call-1"], "ids=call-2+call-1"),
        ([("q", "a/b")], ["a/b"], None),
        (
            [("agent", "Änne"), ("from", "2026-11-01"), ("sort", "oldest"), ("after", "x")],
            [],
            "agents=%C3%84nne&from=2026-11-01",
        ),
        ([("number", "+1 2"), ("queue", "Q")], [], "numbers=%2B1+2&queues=Q"),
        ([("q", "Änne")], [], None),  # a part of a name: of agent or queue
        ([("agent", "A"), ("minSeconds", "3")], [], None),  # a hold would cover more than was found
        ([("status", "quarantined")], [], None),
        ([], [], None),
    ],
)
def test_a_search_becomes_a_hold_only_whole(asked: list[tuple[str, str]], ids: list[str], hold: str | None) -> None:
    """The form of a hold is filled in by a search when it can ask for all that the search asks for, and not else.

    What can be no id is left out: the page names it.
    """
    filled = Address.of(asked).as_hold(ids)
    assert (filled and sorted(filled.split("&"))) == (hold and sorted(hold.split("&")))


@pytest.mark.parametrize("most", [0, 1, 3, 7, 99, 1001, 123_456_789])
def test_columns_stay_inside_the_chart(most: int) -> None:
    """The largest value reaches at most the last tick, and what is not nothing can be seen."""
    days = [(date(2026, 11, 1) + timedelta(days=number), value) for number, value in enumerate((most, 0, 1))]
    chart = charts.columns(days)
    assert max(tick for tick, _ in chart.ticks) >= most
    assert all(
        bar.y >= 0 and bar.y + bar.height <= charts.HEIGHT and bar.x + bar.width <= charts.WIDTH for bar in chart.bars
    )
    assert [bar.height > 1 for bar in chart.bars] == [most > 0, False, True]


def test_weeks_begin_on_monday_and_empty_months_are_left_out() -> None:
    """1 November 2026 is a Sunday: the last cell of the first week."""
    days = [CoverageDay(date=date(2026, 9, 1) + timedelta(days=n), state=DayState.NOTHING) for n in range(61)]
    days += [CoverageDay(date=date(2026, 11, n), state=DayState.COMPLETE) for n in (1, 2)]
    (november,) = charts.months(days)
    assert [(cell.of.date.day, cell.x, cell.y) for cell in november.cells] == [(1, 180, 0), (2, 0, 30)]


def test_gaps_are_joined() -> None:
    """Days in a row are one gap, with one command to close it."""
    states = ("gap", "complete", "gap", "gap", "nothing", "gap")
    days = [CoverageDay(date=date(2026, 11, n), state=DayState(state)) for n, state in enumerate(states, 1)]
    assert [(first.day, last.day) for first, last in charts.gaps(days)] == [(1, 1), (3, 4), (6, 6)]


ROWS = (  # interaction, outcome, size, error: some without a size, some alike
    ("c-3", "success", "900", ""),
    ("a-1", "failed", "", "timed out"),
    ("B-2", "success", "1000", ""),
    ("d-4", "missing", "", "not there"),
    ("e-5", "success", "900", ""),
    ("f-6", "checksum_mismatch", "", "Timed out"),
)


@pytest.fixture
def mixed(archive: Archive) -> str:
    """The key of a report with all kinds of rows."""
    lines = [dict(zip(("interactionId", "status", "bytes", "error"), row, strict=True)) for row in ROWS]
    table = io.StringIO()
    writer = csv.DictWriter(table, CSV_COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(lines)
    archive.store.put("reports/x/compliance_report.csv", table.getvalue().encode())
    return "reports/x/compliance_report.json"


@pytest.mark.parametrize(
    ("sort", "descending", "order"),
    [
        ("", False, "fadcBe"),  # what went wrong first
        ("interactionId", False, "aBcdef"),
        ("interactionId", True, "fedcBa"),
        ("bytes", False, "ceBadf"),  # as numbers; without one comes last
        ("bytes", True, "Bceadf"),
        ("error", False, "dafcBe"),
    ],
)
def test_a_report_sorts(archive: Archive, mixed: str, sort: str, order: str, *, descending: bool) -> None:
    """By number or letter, either way; rows that have none come last, and equal ones stay in their order."""
    table = read_entries(archive.store, mixed, sort=sort, descending=descending)
    assert "".join(entry.interaction_id[0] for entry in table.entries) == order


def test_a_report_can_be_narrowed_to_one_outcome(archive: Archive, mixed: str) -> None:
    """Rows of other outcomes are left out, but counted."""
    table = read_entries(archive.store, mixed, status="success")
    assert [entry.bytes for entry in table.entries] == [900, 1000, 900]
    assert (table.count("success"), table.count("missing"), table.count("")) == (3, 1, 6)


def test_a_report_has_pages(archive: Archive) -> None:
    """Page by page each row comes once."""
    head = ",".join(CSV_COLUMNS)
    rows = "".join(f"id-{number:03},,,success{',' * (len(CSV_COLUMNS) - 4)}\n" for number in range(2 * PAGE + 1))
    archive.store.put("reports/y/compliance_report.csv", f"{head}\n{rows}".encode())
    pages = [read_entries(archive.store, "reports/y/compliance_report.json", page=page) for page in (1, 2, 3, 4)]
    assert [len(page.entries) for page in pages] == [PAGE, PAGE, 1, 0]
    assert len({entry.interaction_id for page in pages for entry in page.entries}) == 2 * PAGE + 1
