"""Survey of all that a search finds: how many, and how they divide by agent, queue, state; bounded in rows and time.

It looks at the newest `MOST` recordings that the search finds. Where there are more, it says so: counting millions for
a number beside a list would cost more than the list. A search whose rows are hard to find is given up in time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.search import Filters, listed
from recording_archive.catalog.tables import recordings
from recording_archive.parties.documents import NAMES
from recording_archive.spelling.names import folded

MOST = 1000
WITHIN_S = 0.04
TOP = 8
_STEPS = 2000  # of SQLite's virtual machine, between two looks at the clock
_c = recordings.c
_COLUMNS = (_c.agent_name, _c.queue_name, _c.direction, _c.media_type, _c.state, _c.verified_ok)
_NAMED = ("agent_name", "queue_name")  # of which a recording may have several


@dataclass(frozen=True, slots=True)
class Survey:
    """``counted`` recordings; ``more`` when there are others. ``facets``: values and their numbers, by column.

    A recording counts for every agent and queue that took part, as a search for one finds it.
    """

    counted: int
    more: bool
    facets: Mapping[str, list[tuple[Any, int]]] = field(default_factory=dict)


def survey(catalog: Catalog, filters: Filters) -> Survey | None:
    """Count what a search finds; None where that takes too long."""
    with catalog.read() as connection:
        rows = _within_time(connection, filters)
    if rows is None:
        return None
    counted = rows[:MOST]
    facets = {column.name: _count(counted, place, column.name) for place, column in enumerate(_COLUMNS)}
    return Survey(min(len(rows), MOST), len(rows) > MOST, facets)


def _count(rows: Sequence[Row[Any]], place: int, name: str) -> list[tuple[Any, int]]:
    """Count the values of a column that most of the rows have; names that are spelled otherwise are one."""
    if name not in _NAMED:
        values = Counter(row[place] for row in rows)
        values.pop(None, None)
        return values.most_common(TOP)
    count, spelled = Counter[str](), dict[str, str]()
    for row in rows:
        forms = _names(row[place], row[-1], NAMES[name])
        count.update(forms.keys())
        for form, name_there in forms.items():
            spelled.setdefault(form, name_there)
    return [(spelled[form], number) for form, number in count.most_common(TOP)]


def _names(main: str | None, parties: Sequence[Mapping[str, Any]] | None, key: str) -> dict[str, str]:
    """The names of everybody who took part, by their forms, the main party's first."""
    names = {_form(main): main} if main else {}
    for party in parties or ():
        if other := party.get(key):
            names.setdefault(_form(other), other)
    return names


@lru_cache(maxsize=4096)
def _form(name: str) -> str:
    return folded(name)


def _within_time(connection: Connection, filters: Filters) -> Sequence[Row[Any]] | None:
    try:
        with _bounded(connection):
            return connection.execute(listed(connection, filters, MOST + 1, *_COLUMNS, _c.parties)).all()
    except DBAPIError as error:
        if not _gave_up(error):
            raise
        return None


@contextmanager
def _bounded(connection: Connection) -> Iterator[None]:
    """Stop what runs longer than `WITHIN_S`."""
    if connection.dialect.name != "sqlite":
        connection.execute(text(f"SET LOCAL statement_timeout = {int(WITHIN_S * 1000)}"))
        yield
        return
    driver: Any = connection.connection.driver_connection
    work, clock = time.thread_time() + WITHIN_S, time.monotonic() + 10 * WITHIN_S  # a busy machine is slow, not stuck
    driver.set_progress_handler(lambda: int(time.thread_time() > work or time.monotonic() > clock), _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


def _gave_up(error: DBAPIError) -> bool:
    return "interrupted" in str(error.orig) or "statement timeout" in str(error.orig)
