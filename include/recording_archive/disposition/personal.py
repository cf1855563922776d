"""Personal data in the catalog: what an erasure takes away, and the day that it leaves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from recording_archive.model import Attributes


def day_of(moment: datetime | None) -> datetime | None:
    """Cut a moment to its day in UTC, which the archive's keys tell anyway."""
    return moment and moment.replace(hour=0, minute=0, second=0, microsecond=0)


def without_personal_data(row: Row[Any]) -> dict[str, Any]:
    """Return the columns of `recordings` that an erasure changes: attributes are None, the date is a day."""
    return {**dict.fromkeys(Attributes.__dataclass_fields__), "interaction_date": day_of(row.interaction_date)}
