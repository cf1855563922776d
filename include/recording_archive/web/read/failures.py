"""Unresolved failures: those that need a decision, and those that runs try again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select, tuple_

from recording_archive.archive import Archive
from recording_archive.catalog.search import Page, Position
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import Visible, only
from recording_archive.model import PartId, State


def needs_decision(row: Mapping[str, Any], archive: Archive) -> bool:
    """Match failures that need a person's decision: their days of retries are over."""
    failed = row["state"] == State.DISCOVERED and row["failed_since"] is not None and row["acknowledged_at"] is None
    return bool(failed and row["failed_since"] < decided_before(archive))


def decided_before(archive: Archive) -> datetime:
    """Failures that began before this moment are not tried again."""
    return archive.clock() - timedelta(days=archive.settings.retry_days)


_c = recordings.c
_KEY = (_c.failed_since, _c.interaction_id, _c.recording_id, _c.part)


class Failing(StrEnum):
    """The state of a failure."""

    DECISION = "decision"
    RETRYING = "retrying"
    ACKNOWLEDGED = "acknowledged"


def list_failures(
    archive: Archive, kind: Failing, visible: Visible, *, limit: int = 50, after: Position | None = None
) -> Page:
    """The next failures of a kind after ``after``, the longest failing first, of those that are ``visible``."""
    conditions = _conditions(archive, kind)
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


def _conditions(archive: Archive, kind: Failing) -> list[ColumnElement[bool]]:
    failing: list[Any] = [_c.failed_since.is_not(None), _c.state == State.DISCOVERED]
    if kind is Failing.ACKNOWLEDGED:
        return [*failing, _c.acknowledged_at.is_not(None)]
    over = _c.failed_since < decided_before(archive)
    return [*failing, _c.acknowledged_at.is_(None), over if kind is Failing.DECISION else ~over]
