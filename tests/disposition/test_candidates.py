"""Candidates: everything that may be due, each once, however many lie at the same moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recording_archive.archive import Archive
from recording_archive.disposition.candidates import Candidates
from recording_archive.model import State
from recording_archive.retention.rules import Policy
from support.contents import change, ids
from support.retention_run import EXPIRED

AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_every_page_size_finds_each_once(archived: Archive, size: int) -> None:
    """By state, then by date; recordings of one moment fall on several pages, and what is too young on none."""
    names = ids(archived)
    for name in names[1:4]:
        change(archived, name, interaction_date=AT)
    change(archived, names[0], interaction_date=EXPIRED)
    change(archived, names[5], state=State.QUARANTINED, interaction_date=AT - timedelta(days=1))
    candidates = Candidates(archived.catalog, Policy("1", "short", 90), EXPIRED)
    found = [row for page in candidates.pages(size) for row in candidates.read(page)]
    assert [row.interaction_id for row in found] == [*names[1:5], names[5]]
    assert candidates.count() == len(found)
    assert candidates.count_the_rest() == {"too_young": 1, "undated": 0}


def test_what_arrives_on_the_way_is_on_one_page(archived: Archive) -> None:
    """A page has what lies between its keys when it is read, so that nothing is judged twice."""
    names = ids(archived)
    candidates = Candidates(archived.catalog, Policy("1", "short", 90), EXPIRED)
    pages = list(candidates.pages(2))
    first = [row.interaction_id for row in candidates.read(pages[0])]
    change(archived, next(name for name in names if name not in first), interaction_date=AT - timedelta(days=1))
    found = [row.interaction_id for page in pages for row in candidates.read(page)]
    assert sorted(found) == names
