"""The date index names who covers a date."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from recording_archive.holds.date_index import MOST_NAMED, DateSpan, Spans, together
from support.hold_scenes import (
    HOURS,
)


@given(st.lists(st.tuples(st.none() | HOURS, st.none() | HOURS), max_size=40), st.none() | HOURS)
@settings(deadline=None)
def test_spans_name_who_covers_a_date(
    ends: list[tuple[datetime | None, datetime | None]], date: datetime | None
) -> None:
    """All of them while they are few; of many, ten that do; an unknown date may be covered by any that has limits."""
    spans = [
        DateSpan(str(number), *pair)
        for number, pair in enumerate(ends)
        if not all(pair) or pair[0] < pair[1]  # type: ignore[operator]  # both are there
    ]
    sure = {
        span.hold_id
        for span in spans
        if (
            not (span.start or span.end)
            if date is None
            else (span.start or date) <= date < (span.end or datetime.max.replace(tzinfo=UTC))
        )
    }
    perhaps = {span.hold_id for span in spans if span.start or span.end} if date is None else set()
    found = Spans(spans).at(date)
    for told, expected in ((found.sure, sure), (found.perhaps, perhaps)):
        assert set(told) <= expected
        assert len(told) == len(set(told)) == min(len(expected), MOST_NAMED)
    assert {each for span in spans for each in span.at(date).sure} == sure


def test_several_indexes_become_one_with_each_hold_once() -> None:
    """A hold that is met by its name and by its id is named once, and leaves room for the others."""
    spans = [DateSpan(str(number), None, None) for number in range(MOST_NAMED + 2)]
    assert together([]) is None
    one = together([spans[0]])
    several = together([Spans(spans[:6]), Spans(spans[:8]), spans[8], spans[8]])
    assert one is not None
    assert several is not None
    assert one(None).sure == ("0",)
    assert sorted(several(datetime(2026, 1, 1, tzinfo=UTC)).sure) == [str(number) for number in range(9)]
