"""Personal data in the catalog: what an erasure takes away, and the day that it leaves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from recording_archive.model import Attributes

_NAMING = ("agent_id", "agent_name", "ani", "dnis", "contact_id")


def day_of(moment: datetime | None) -> datetime | None:
    """Cut a moment to its day in UTC, which the archive's keys tell anyway."""
    return moment and moment.replace(hour=0, minute=0, second=0, microsecond=0)


def has_personal_data(row: Row[Any]) -> bool:
    """Tell if a row of `recordings` names somebody."""
    numbers = row.numbers or {}
    return bool(row.parties or numbers.get("certain") or numbers.get("possible")) or any(
        getattr(row, name) is not None for name in _NAMING
    )


def without_personal_data(row: Row[Any]) -> dict[str, Any]:
    """Return the columns of `recordings` that an erasure changes: nobody is named, the date is a day.

    The rows of `party_values` go with them (`catalog.party_index.unindex`).
    """
    nobody = {
        "parties": [],
        "numbers": {"region": (row.numbers or {}).get("region", ""), "certain": [], "possible": []},
    }
    return {
        **dict.fromkeys(Attributes.__dataclass_fields__),
        **nobody,
        "interaction_date": day_of(row.interaction_date),
    }
