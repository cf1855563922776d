"""What all tables with a part in them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PAGE = 500  # rows held in memory at once


@dataclass(frozen=True, slots=True)
class Batch:
    """Parts that one mapped task handles."""

    number: int
    parts: int
    expected_bytes: int


NO_FAILURE: dict[str, Any] = {
    "failed_since": None,
    "retry_at": None,
    "last_error": None,
    "acknowledged_at": None,
    "failures": 0,
}

MOST_BATCHES = 400  # two mapped tasks each: well below Airflow's max_map_length and under 1,000 task instances
