"""Searches in the order of a column: every recording once, from page to page, and what cannot be sorted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from recording_archive.catalog import ordered
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.ordered import Order, beside_in, export_in, search_in
from recording_archive.catalog.party_index import index
from recording_archive.catalog.search import Filters, Position
from recording_archive.catalog.tables import recordings
from recording_archive.errors import ConfigurationError
from recording_archive.model import PartId
from support.catalog_rows import archived_row

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("Zoë", "anna", "Änne", None, "Bo")
COLUMNS = {
    "interaction": lambda row: row["interaction_id"],
    "agent": lambda row: row["agent_name"] and row["agent_name"].casefold(),
    "length": lambda row: row["duration_ms"],
    "size": lambda row: row["size_bytes"],
    "verified": lambda row: row["verified_at"],
}
ROWS = [
    archived_row(
        number,
        START + timedelta(hours=number // 3) if number % 7 else None,
        agent_name=NAMES[number % 5],
        queue_name="Sales" if number % 2 else "Billing",
        duration_ms=number % 6 * 1000 if number % 4 else None,
        size_bytes=10_000_000_000 + number % 9,
        verified_at=START + timedelta(minutes=number * 37 % 50) if number % 3 else None,
        parties=[],
    )
    for number in range(60)
]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Sixty recordings with equal, lacking and differently written values."""
    catalog = Catalog(f"sqlite:///{tmp_path_factory.mktemp('ordered')}/catalog.db")
    with catalog.write() as connection:
        connection.execute(insert(recordings), ROWS)
        index(connection, ROWS)
    yield catalog
    catalog.close()


def part(row: Any) -> PartId:
    return PartId(row["interaction_id"], row["recording_id"], row["part"])


def paged(catalog: Catalog, filters: Filters, order: Order, limit: int) -> list[PartId]:
    """All parts, a page at a time."""
    parts, after = [], None
    while True:
        page = search_in(catalog, filters, order, limit=limit, after=after)
        parts += [part(row) for row in page.rows]
        if (after := page.next) is None:
            return parts


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("sign", ["", "-"])
def test_each_recording_comes_once_in_the_order_of_the_column(catalog: Catalog, name: str, sign: str) -> None:
    """In pages of any size, in the export and among neighbours alike; what lacks the value comes last."""
    order, filters = Order(sign + name), Filters(queue="Billing")
    rows = {part(row): row for row in ROWS if row["queue_name"] == "Billing"}
    parts = paged(catalog, filters, order, 7)
    assert sorted(parts) == sorted(rows)
    values = [COLUMNS[name](rows[each]) for each in parts]
    known = [value for value in values if value is not None]
    assert values == [*known, *[None] * (len(values) - len(known))]
    if name != "agent":
        assert known == sorted(known, reverse=bool(sign))
    assert paged(catalog, filters, order, 500) == parts
    assert [part(row) for page in export_in(catalog, filters, order) for row in page] == parts
    for place, each in enumerate(parts):
        beside = (parts[place - 1] if place else None, parts[place + 1] if place + 1 < len(parts) else None)
        assert beside_in(catalog, filters, order, Position(rows[each]["interaction_date"], each)) == beside


def test_names_are_sorted_as_they_are_compared(catalog: Catalog) -> None:
    """Capitals do not matter, and recordings of one agent come newest first."""
    page = search_in(catalog, Filters(), Order.AGENT, limit=60)
    names = [row["agent_name"] for row in page.rows]
    assert list(dict.fromkeys(names)) == ["anna", "Bo", "Zoë", "Änne", None]
    dates = [row["interaction_date"] for row in page.rows if row["agent_name"] == "Bo" and row["interaction_date"]]
    assert dates == sorted(dates, reverse=True)


def test_too_many_are_not_sorted(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shown by date alone, which the error says; a search that finds fewer is sorted."""
    monkeypatch.setattr(ordered, "MOST_SORTED", 30)
    with pytest.raises(ConfigurationError, match=r"More than 30 recordings .* Narrow the search to sort it by size"):
        search_in(catalog, Filters(), Order.SIZE_DOWN)
    assert len(search_in(catalog, Filters(queue="Sales"), Order.SIZE_DOWN).rows) == 30
    assert len(paged(catalog, Filters(), Order.OLDEST, 20)) == 60


def test_a_page_after_what_is_not_found_any_more_says_so(catalog: Catalog) -> None:
    """Where the last row of a page left the search, the next page cannot tell where it was."""
    gone = Position(START, PartId("gone", "gone", 0))
    with pytest.raises(ConfigurationError, match="begin with the first page"):
        search_in(catalog, Filters(), Order.LENGTH, after=gone)
    assert beside_in(catalog, Filters(), Order.LENGTH, gone) == (None, None)
