"""Findings of `recording-archive check`: one line for each thing that was tried."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ProbeResult", "ProbeStatus"]


class ProbeStatus(StrEnum):
    """The end of a probe; skipped when one it needs has not passed."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one probe."""

    probe: str
    verdict: ProbeStatus
    detail: str
