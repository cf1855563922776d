"""Unresolved failures: those that need a decision, and those that runs try again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select, tuple_

from recording_archive.archive import Archive
from recording_archive.catalog.search import Page, Position
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import Visible, only
from recording_archive.model import PartId, State
from recording_archive.web.read.document import ApiDocument


def needs_decision(row: Mapping[str, Any], archive: Archive) -> bool:
    """Match failures that need a person's decision: their days of retries are over."""
    failed = row["state"] == State.DISCOVERED and row["failed_since"] is not None and row["acknowledged_at"] is None
    return bool(failed and row["failed_since"] < decided_before(archive))


def decided_before(archive: Archive) -> datetime:
    """Failures that began before this moment are not tried again."""
    return archive.clock() - timedelta(days=archive.settings.retry_days)


GAP = "…"
NO_REASON = "no reason given"
MOST_READ, MOST_CAUSES = 5000, 20
_LONGEST, _EXPORT_PAGE = 300, 1000
# what differs between two failures of one kind: URLs, quoted values, hashes, ids, numbers
_PARTICULARS = re.compile(r"https?://\S+|'[^']*'|\"[^\"]*\"|\S*~\S*|\b(?=[\w-]*\d)[\w-]{8,}\b|\d[\d.,:]*")
_STATUS = re.compile(r"\b(HTTP |status |answered |SHA-)(\d{3})\b", re.I)
_c = recordings.c
_KEY = (_c.failed_since, _c.interaction_id, _c.recording_id, _c.part)


class Failing(StrEnum):
    """The state of a failure."""

    DECISION = "decision"
    RETRYING = "retrying"
    ACKNOWLEDGED = "acknowledged"


class Cause(ApiDocument):
    """A wording of errors without what is particular to one recording, and how many failed with it."""

    cause: str
    recordings: int


def list_failures(
    archive: Archive,
    kind: Failing,
    visible: Visible,
    *,
    limit: int = 50,
    after: Position | None = None,
    cause: str | None = None,
) -> Page:
    """The next failures of a kind after ``after``, the longest failing first, of those that are ``visible``.

    With a ``cause`` only those whose error is of that wording (`kind_of`).
    """
    conditions = _conditions(archive, kind)
    if cause is not None:
        conditions.append(_caused_by(cause))
    if after is not None:
        values = zip(_KEY, (after.date, *after.part), strict=True)
        conditions.append(tuple_(*_KEY) > tuple_(*(literal(value, column.type) for column, value in values)))
    query = select(recordings).where(*conditions).order_by(*_KEY).limit(limit + 1)
    with archive.catalog.read() as connection:
        query = query.where(*only(connection, visible))
        rows = tuple(dict(row) for row in connection.execute(query).mappings())
    if len(rows) <= limit:
        return Page(rows, None)
    last = rows[limit - 1]
    part = PartId(last["interaction_id"], last["recording_id"], last["part"])
    return Page(rows[:limit], Position(last["failed_since"], part))


def count_failures(archive: Archive, kind: Failing, visible: Visible) -> int:
    """Count the failures in a state that are ``visible``."""
    query = select(func.count()).select_from(recordings).where(*_conditions(archive, kind))
    with archive.catalog.read() as connection:
        return connection.execute(query.where(*only(connection, visible))).scalar_one()


def every_failure(
    archive: Archive, kind: Failing, visible: Visible, *, cause: str | None = None
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """All failures of a kind in pages, with no connection held between two of them."""
    after: Position | None = None
    while True:
        page = list_failures(archive, kind, visible, limit=_EXPORT_PAGE, after=after, cause=cause)
        yield page.rows
        if (after := page.next) is None:
            return


def causes(archive: Archive, kind: Failing, visible: Visible) -> list[Cause]:
    """Count the causes of up to `MOST_READ` failures of a kind, the longest failing ones, the most frequent first."""
    query = select(_c.last_error).where(*_conditions(archive, kind)).order_by(*_KEY).limit(MOST_READ)
    with archive.catalog.read() as connection:
        errors = Counter(connection.execute(query.where(*only(connection, visible))).scalars())
    counts: Counter[str] = Counter()
    for error, count in errors.items():
        counts[kind_of(error or NO_REASON)] += count
    return [Cause(cause=cause, recordings=count) for cause, count in counts.most_common(MOST_CAUSES)]


@lru_cache(maxsize=MOST_READ)
def kind_of(error: str) -> str:
    """An error without what is particular to one recording; an HTTP status is the kind itself."""
    kept = _STATUS.sub(lambda match: match[1] + "".join(chr(0xE000 + int(digit)) for digit in match[2]), error)
    plain = _PARTICULARS.sub(GAP, kept)
    return re.sub("[\ue000-\ue009]", lambda match: str(ord(match[0]) - 0xE000), plain)[:_LONGEST]


def _caused_by(cause: str) -> ColumnElement[bool]:
    """Match errors of a wording: whatever stands where it has a gap."""
    if cause == NO_REASON:
        return _c.last_error.is_(None)
    escaped = re.sub(r"([%_\\])", r"\\\1", cause)
    return _c.last_error.like(escaped.replace(GAP, "%") + ("%" if len(cause) == _LONGEST else ""), escape="\\")


def _conditions(archive: Archive, kind: Failing) -> list[ColumnElement[bool]]:
    waits = func.coalesce(_c.state, "") == State.DISCOVERED  # not by the index of all states, which SQLite prefers
    failing: list[Any] = [_c.failed_since.is_not(None), waits]
    if kind is Failing.ACKNOWLEDGED:
        return [*failing, _c.acknowledged_at.is_not(None)]
    over = _c.failed_since < decided_before(archive)
    return [*failing, _c.acknowledged_at.is_(None), over if kind is Failing.DECISION else ~over]
