"""The columns of a search's table: which are shown, and the addresses that sort by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from recording_archive.catalog.ordered import Order
from recording_archive.web.address import Address


class Column(StrEnum):
    """A column that can be chosen; time and interaction are always there."""

    NUMBERS = "numbers"
    AGENT = "agent"
    LENGTH = "length"
    SIZE = "size"
    INTEGRITY = "integrity"
    MEDIA = "media"
    DIVISION = "division"
    CONTACT = "contact"
    VERIFIED = "verified"
    CHECKSUM = "checksum"


SHOWN = (Column.NUMBERS, Column.AGENT, Column.LENGTH, Column.SIZE, Column.INTEGRITY)
"""Columns that are shown where none are chosen."""

TITLES = {
    Column.NUMBERS: "From and to",
    Column.AGENT: "Agent and queue",
    Column.LENGTH: "Length",
    Column.SIZE: "Size",
    Column.INTEGRITY: "Integrity",
    Column.MEDIA: "Media type",
    Column.DIVISION: "Division",
    Column.CONTACT: "Contact",
    Column.VERIFIED: "Verified",
    Column.CHECKSUM: "SHA-256",
}
ORDERS = {
    Order.NEWEST: "newest first",
    Order.OLDEST: "oldest first",
    Order.INTERACTION: "by interaction",
    Order.INTERACTION_DOWN: "by interaction, backwards",
    Order.NUMBER: "by caller",
    Order.NUMBER_DOWN: "by caller, backwards",
    Order.AGENT: "by agent",
    Order.AGENT_DOWN: "by agent, backwards",
    Order.QUEUE: "by queue",
    Order.QUEUE_DOWN: "by queue, backwards",
    Order.LENGTH_DOWN: "longest first",
    Order.LENGTH: "shortest first",
    Order.SIZE_DOWN: "largest first",
    Order.SIZE: "smallest first",
    Order.VERIFIED: "longest unverified first",
    Order.VERIFIED_DOWN: "last verified first",
}
"""Each order in words."""

_NUMERIC = frozenset({Column.LENGTH, Column.SIZE})
_ORDERS_OF = {
    "time": (Order.NEWEST, Order.OLDEST),
    "interaction": (Order.INTERACTION, Order.INTERACTION_DOWN),
    Column.NUMBERS: (Order.NUMBER, Order.NUMBER_DOWN),
    Column.AGENT: (Order.AGENT, Order.AGENT_DOWN),
    Column.LENGTH: (Order.LENGTH_DOWN, Order.LENGTH),
    Column.SIZE: (Order.SIZE_DOWN, Order.SIZE),
    Column.VERIFIED: (Order.VERIFIED, Order.VERIFIED_DOWN),
}
_RISING = frozenset(order for order in Order if not order.startswith("-") and order is not Order.NEWEST)


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a column; ``link`` sorts by it, and ``order`` (of aria-sort) says that it is sorted."""

    title: str
    link: str | None
    order: str | None
    numeric: bool
    zoned: bool  # its times are of the zone of the page


def chosen(columns: Collection[Column]) -> list[Column]:
    """The columns to show, in one order whichever way they were chosen."""
    return [column for column in Column if column in (columns or SHOWN)]


def headings(columns: Collection[Column], address: Address, order: Order) -> Iterator[Heading]:
    """Yield the heads of time, interaction and the chosen columns."""
    yield _heading("time", "Time", address, order)
    yield _heading("interaction", "Interaction", address, order)
    yield from (_heading(column, TITLES[column], address, order) for column in columns)


def _heading(name: str, title: str, address: Address, order: Order) -> Heading:
    first, second = _ORDERS_OF.get(name, (None, None))
    link = address.but(sort=second if order is first else first, after=None) if first else None
    sorted_by = None if order not in {first, second} else "ascending" if order in _RISING else "descending"
    return Heading(title, link, sorted_by, name in _NUMERIC, name in {"time", Column.VERIFIED})
