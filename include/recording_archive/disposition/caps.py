"""The caps of a plan: how many recordings, and how many bytes, may ever go without a person's approval.

They are a bound for what is foretold as well; what is not foretold needs an approval below them (`surprises`).
"""

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
    """Limits for quarantines and for purges each; above either of them a person must approve. None: no limit."""

    count: int | None
    size_bytes: int | None


def read_limits(connection: Connection, settings: Settings, max_count: int | None, max_bytes: int | None) -> Caps:
    """Return the limits of a run, which may only lower the configured ones; raise ConfigurationError otherwise."""
    most_bytes = _most_bytes(connection, settings)
    chosen = []
    for name, given, most in (("count", max_count, settings.max_delete_count), ("bytes", max_bytes, most_bytes)):
        if given is not None and (given < 0 or (most is not None and given > most)):
            raise ConfigurationError(
                f"max_delete_{name}: {given} is not between 0 and {most}, which RECORDING_ARCHIVE_MAX_DELETE_"
                f"{name.upper()} allows: it may only be lowered"
            )
        chosen.append(most if given is None else given)
    return Caps(*chosen)


def exceeding(counts: Mapping[str, int], sizes: Mapping[str, int], limits: Caps) -> Iterator[str]:
    """Yield a sentence for each limit that is exceeded."""
    for action in (Action.QUARANTINE, Action.PURGE):
        if limits.count is not None and counts[action] > limits.count:
            yield f"{action} of {counts[action]:,} recordings; up to {limits.count:,} need no approval"
        if limits.size_bytes is not None and sizes[action] > limits.size_bytes:
            yield f"{action} of {sizes[action]:,} stored bytes; up to {limits.size_bytes:,} need no approval"


def _most_bytes(connection: Connection, settings: Settings) -> int:
    """Return the limit of bytes; a share is one of all that is stored."""
    share = settings.max_delete_share
    if share is None:
        return int(settings.max_delete_bytes)
    stored = select(func.coalesce(func.sum(recordings.c.stored_bytes), 0))
    return int(int(connection.execute(stored.where(recordings.c.state.in_(STORED))).scalar_one()) * share / 100)
