"""The geometry of charts and calendar: pure arithmetic, drawn as inline SVG by templates/overview.html."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from math import ceil

from recording_archive.archiving.completeness import DayState
from recording_archive.web.read.coverage import CoverageDay

WIDTH, HEIGHT = 560, 150
_LEFT, _BOTTOM, _TOP = 52, 20, 8
_CELL = 30


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: its place in the chart, what it stands for, and where a click leads."""

    x: float
    y: float
    width: float
    height: float
    day: date
    value: int


@dataclass(frozen=True, slots=True)
class Columns:
    """A column chart by day: ``ticks`` are values of the axis with their height, ``labels`` days with their place."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[int, float], ...]
    labels: tuple[tuple[date, float], ...]


def columns(values: Sequence[tuple[date, int]]) -> Columns:
    """A chart of one column a day; the axis begins at 0 and ends at a round number."""
    top = round_up(max((value for _, value in values), default=0) or 1)
    floor, high = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    step = (WIDTH - _LEFT) / max(len(values), 1)
    bars = []
    for number, (day, value) in enumerate(values):
        tall = max(value / top * high, 1.5 if value else 0)
        bars.append(Bar(_LEFT + number * step + 1, floor - tall, max(step - 2, 1), tall, day, value))
    ticks = tuple((tick, floor - tick / top * high) for tick in dict.fromkeys((0, top // 2, top)))
    every = max(ceil(len(values) / 6), 1)
    labels = tuple((bar.day, bar.x + bar.width / 2) for bar in bars[::every])
    return Columns(tuple(bars), ticks, labels)


def round_up(value: int) -> int:
    """The next round number, so that ticks read well and columns fill the chart."""
    unit: int = 10 ** (len(str(value)) - 1)
    return next(step * unit for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * unit >= value)


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of a month's calendar."""

    x: int
    y: int
    of: CoverageDay


@dataclass(frozen=True, slots=True)
class CalendarMonth:
    """A month with its days in rows of weeks that begin on Monday."""

    first: date
    cells: tuple[Cell, ...]
    width: int = 7 * _CELL
    height: int = 6 * _CELL


def months(days: Iterable[CoverageDay]) -> list[CalendarMonth]:
    """The calendar of consecutive days, month by month; months before the first that has something are left out."""
    found = list(_months(days))
    begun = (any(cell.of.state != DayState.NOTHING for cell in month.cells) for month in found)
    return found[next((number for number, has in enumerate(begun) if has), -1) :]


def _months(days: Iterable[CoverageDay]) -> Iterator[CalendarMonth]:
    for (year, month), within in groupby(days, key=lambda each: (each.date.year, each.date.month)):
        first = date(year, month, 1)
        yield CalendarMonth(first, tuple(_cell(first, each) for each in within))


def _cell(first: date, each: CoverageDay) -> Cell:
    week, weekday = divmod(first.weekday() + each.date.day - 1, 7)
    return Cell(weekday * _CELL, week * _CELL, each)


def gaps(days: Iterable[CoverageDay]) -> list[tuple[date, date]]:
    """First and last day of each stretch of days with hours that were never asked for."""
    found: list[tuple[date, date]] = []
    for each in days:
        if each.state != DayState.GAP:
            continue
        if found and found[-1][1] + timedelta(days=1) == each.date:
            found[-1] = (found[-1][0], each.date)
        else:
            found.append((each.date, each.date))
    return found
