"""Expiring recordings by month and rule, as the geometry of a stacked column chart and as the table beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from recording_archive.retention.forecast_figures import Amount, MonthForecast, Outlook, total
from recording_archive.web.pages.charts import round_up
from recording_archive.web.pages.expiry_links import in_months

WIDTH, HEIGHT = 560, 200
MOST_RULES = 6
"""Rules with a colour of their own; what the others let go is one more."""
OTHERS = "other rules"
_LEFT, _BOTTOM, _TOP = 52, 20, 8


@dataclass(frozen=True, slots=True)
class Block:
    """The recordings that one rule lets go in one month; ``colour`` is the rule's place in the legend."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    month: str
    rule: str
    amount: Amount
    link: str | None  # to the recordings, below the app


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A line of the table: a month, all that expires in it, and what each rule of the legend lets go; with links."""

    month: str
    all: Amount
    by_rule: tuple[Amount, ...]
    link: str | None
    links: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class OutlookChart:
    """Columns by month, stacked by rule; ``ticks`` are values of the axis with their height.

    ``rules`` are those of the legend, ``links`` what each lets go in all of these months.
    """

    rules: tuple[str, ...]
    links: tuple[str | None, ...]
    blocks: tuple[Block, ...]
    ticks: tuple[tuple[int, float], ...]
    labels: tuple[tuple[str, float], ...]
    rows: tuple[MonthRow, ...]


def draw(outlook: Outlook, beside: Outlook | None = None, at: datetime | None = None) -> OutlookChart:
    """Chart and table of the months of an outlook; the rules that let most go come first.

    Two that are drawn ``beside`` each other have the same axis, and one colour for each rule. With the moment of a
    forecast of the policy in force, each part leads to its recordings; a search knows no other policy.
    """
    both = (*outlook.months, *(beside.months if beside else ()))
    rules = _rules(both)
    rows = tuple(_row(month, rules, at) for month in outlook.months)
    top = round_up(max((total(month.expiring).recordings for month in both), default=0) or 1)
    floor, high = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    step = (WIDTH - _LEFT) / max(len(rows), 1)
    blocks = tuple(
        block
        for number, row in enumerate(rows)
        for block in _stack(row, rules, x=_LEFT + number * step + 1, width=max(step - 2, 1), scale=high / top)
    )
    ticks = tuple((tick, floor - tick / top * high) for tick in dict.fromkeys((0, top // 2, top)))
    every = max(-(-len(rows) // 8), 1)
    labels = tuple((row.month, _LEFT + (n + 0.5) * step) for n, row in enumerate(rows) if n % every == 0)
    links = tuple(_link(rows[0].month, rows[-1].month, rule, at) if rows else None for rule in rules)
    return OutlookChart(rules, links, blocks, ticks, labels, rows)


def _rules(months: Sequence[MonthForecast]) -> tuple[str, ...]:
    """The legend: the rules by what they let go, the smallest of too many as one."""
    sums: Counter[str] = Counter()
    for month in months:
        sums.update({rule: amount.recordings for rule, amount in month.expiring.items()})
    found = [rule for rule, count in sums.most_common() if count]
    return tuple(found) if len(found) <= MOST_RULES else (*found[: MOST_RULES - 1], OTHERS)


def _link(first: str, last: str, rule: str, at: datetime | None) -> str | None:
    return None if at is None or rule == OTHERS else in_months(first, last, at, rule)


def _row(month: MonthForecast, rules: Sequence[str], at: datetime | None) -> MonthRow:
    named = {rule: month.expiring.get(rule, Amount()) for rule in rules if rule != OTHERS}
    if OTHERS in rules:
        named[OTHERS] = total({rule: amount for rule, amount in month.expiring.items() if rule not in named})
    links = tuple(_link(month.month, month.month, rule, at) for rule in named)
    whole = None if at is None else in_months(month.month, month.month, at)
    return MonthRow(month.month, total(month.expiring), tuple(named.values()), whole, links)


def _stack(row: MonthRow, rules: Sequence[str], *, x: float, width: float, scale: float) -> list[Block]:
    heights = [max(amount.recordings * scale, 1.5 if amount.recordings else 0) for amount in row.by_rule]
    tops = accumulate(heights, lambda y, height: y - height, initial=float(HEIGHT - _BOTTOM))
    next(tops)
    return [
        Block(x, y, width, height, colour, row.month, rule, amount, link)
        for colour, (rule, amount, height, y, link) in enumerate(
            zip(rules, row.by_rule, heights, tops, row.links, strict=True)
        )
        if amount.recordings
    ]
