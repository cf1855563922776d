"""Recordings gathered for a pack: each once, by date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from recording_archive.evidence.gathered import Found, Gathered
from recording_archive.model import PartId

AT = datetime(2026, 11, 22, tzinfo=UTC)


def found(name: str, at: datetime | None) -> Found:
    """A recording of one byte."""
    return Found(at, PartId(name, name, 0), 1)


def test_each_is_there_once_in_the_order_of_dates() -> None:
    """What has no date comes first; a moment is the same in any zone."""
    gathered = Gathered()
    later = AT.astimezone(timezone(timedelta(hours=9))) + timedelta(microseconds=1)
    gathered.add([found("c", later), found("b", AT), found("a", AT), found("d", None)])
    gathered.add([found("a", AT), found("e", AT - timedelta(days=1))])
    assert [each.part.interaction_id for each in gathered] == ["d", "e", "a", "b", "c"]
    assert len(gathered) == 5
    assert gathered.span() == (AT - timedelta(days=1), later)


def test_nothing_has_no_span() -> None:
    """An empty selection."""
    assert (len(Gathered()), list(Gathered()), Gathered().span()) == (0, [], (None, None))
