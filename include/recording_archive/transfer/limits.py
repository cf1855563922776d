"""The limits of transfers: timeouts, retries and space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from recording_archive.settings import Settings


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """The timeouts, retries and space of a transfer; the defaults are those of the settings."""

    connect_timeout_s: float = 10
    read_timeout_s: float = 60
    min_bytes_per_s: float = 1024
    attempts: int = 6
    retry_after_max_s: float = 300
    max_media_bytes: int = 20 * 2**30
    free_space_reserve_bytes: int = 256 * 2**20
    backoff_base_s: float = 1
    refills: int = 100  # times the attempts that a transfer gets in all, however steadily it advances
    room_check_bytes: int = 64 * 2**20  # written between two looks at the free space
    helpers: int = 1  # threads that deflate large files, beside those that receive

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that the settings ask for."""
        return cls(
            connect_timeout_s=settings.connect_timeout_s,
            read_timeout_s=settings.read_timeout_s,
            min_bytes_per_s=settings.min_bytes_per_s,
            attempts=settings.media_attempts,
            retry_after_max_s=settings.retry_after_max_s,
            max_media_bytes=settings.max_media_bytes,
            free_space_reserve_bytes=settings.free_space_reserve_bytes,
            helpers=settings.compressors,
        )
