"""Conversations that are asked again within the look-back: which have recordings that came later.

One batch request names the recordings of a hundred conversations; details and metadata are asked for only where it
names one that is not known yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from recording_archive.model import Listing, PartId
from recording_archive.sources.conversations.batches import MediaResult

__all__ = ["AskedAgain"]


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """Known parts by conversation, of those that are asked for as a whole; orphans never get more media."""

    parts: Mapping[str, Sequence[PartId]] = field(default_factory=dict)

    @classmethod
    def among(cls, asked: Sequence[PartId], known: Collection[PartId]) -> AskedAgain:
        """The conversations of ``asked`` of which parts are ``known``, and none is asked for by name."""
        wholes = {part.interaction_id for part in asked if part.is_whole}
        wholes -= {part.interaction_id for part in asked if not part.is_whole}
        found: dict[str, list[PartId]] = {}
        for part in known:
            if part.interaction_id in wholes:
                found.setdefault(part.interaction_id, []).append(part)
        return cls(found)

    @property
    def conversations(self) -> list[str]:
        """Conversations that a batch request may have more of."""
        return [name for name, parts in self.parts.items() if any(part.recording_id != name for part in parts)]

    def without_news(self, name: str, results: Sequence[MediaResult]) -> frozenset[str]:
        """Recordings of which the results have no more media than are known."""
        known = Counter(part.recording_id for part in self.parts.get(name, ()))
        given = Counter(result.recording_id for result in results if result.url)
        return frozenset(recording for recording, count in known.items() if given[recording] <= count)

    def has_news(self, name: str, results: Sequence[MediaResult]) -> bool:
        """Tell if a result is of a recording that is not known, or of none."""
        return any(result.recording_id not in self.without_news(name, results) for result in results)

    def listings(self, name: str) -> Iterator[Listing]:
        """The known parts, without media: nothing has to be fetched of them."""
        return (Listing(part, None, None, None) for part in self.parts.get(name, ()))
