"""The caps of a plan: how many recordings, and how many bytes, may go without a person's approval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from recording_archive.catalog.tables import recordings
from recording_archive.errors import ConfigurationError
from recording_archive.model import State
from recording_archive.retention.rules import Action
from recording_archive.settings import Settings

STORED = (State.ARCHIVED, State.QUARANTINED)


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits for quarantines and for purges each; above either of them a person must approve."""

    count: int
    size_bytes: int


def read_limits(connection: Connection, settings: Settings, max_count: int | None, max_bytes: int | None) -> Caps:
    """Return the limits of a run, which may only lower the configured ones; raise ConfigurationError otherwise."""
    most_bytes = settings.max_delete_bytes
    if most_bytes is None:
        stored = select(func.coalesce(func.sum(recordings.c.stored_bytes), 0))
        most_bytes = int(connection.execute(stored.where(recordings.c.state.in_(STORED))).scalar_one()) // 100
    chosen = []
    for name, given, most in (("count", max_count, settings.max_delete_count), ("bytes", max_bytes, most_bytes)):
        if given is not None and not 0 <= given <= most:
            raise ConfigurationError(
                f"max_delete_{name}: {given} is not between 0 and {most}, which RECORDING_ARCHIVE_MAX_DELETE_"
                f"{name.upper()} allows: it may only be lowered"
            )
        chosen.append(most if given is None else given)
    return Caps(*chosen)


def exceeding(counts: Mapping[str, int], sizes: Mapping[str, int], limits: Caps) -> Iterator[str]:
    """Yield a sentence for each limit that is exceeded."""
    for action in (Action.QUARANTINE, Action.PURGE):
        if counts[action] > limits.count:
            yield f"{action} of {counts[action]:,} recordings; up to {limits.count:,} need no approval"
        if sizes[action] > limits.size_bytes:
            yield f"{action} of {sizes[action]:,} stored bytes; up to {limits.size_bytes:,} need no approval"
