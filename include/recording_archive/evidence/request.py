"""A request for an evidence pack: named interactions, a hold, a run or a search; and the reason, which is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recording_archive.catalog.search import Filters
from recording_archive.errors import ConfigurationError

_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """One of ``ids``, ``hold``, ``run`` and ``filters``, and why; ``given`` is how the pack repeats it.

    Raises ConfigurationError when none or several of them are given, or no reason.
    """

    reason: str
    ids: tuple[str, ...] = ()
    hold: str | None = None
    run: str | None = None
    filters: Filters | None = None
    given: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if sum(each not in (None, ()) for each in (self.ids, self.hold, self.run, self.filters)) != 1:
            raise ConfigurationError("Name what the pack is to hold by one of these: ids, a hold, a run, or a search")
        if not 0 < len(self.reason.strip()) <= _LONGEST_REASON:
            raise ConfigurationError(f"A pack needs a reason, of at most {_LONGEST_REASON} characters; it is kept")
