"""Every recording that a sandbox offers, in order, by id, and by filter."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from genesys_sandbox.recordings.filters import Filter
from genesys_sandbox.recordings.recording import Recording


class Library:
    """Recordings in order of their date; a sequence, and a look-up by id."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self._recordings = list(recordings)
        self._dates = [recording.date for recording in self._recordings]
        self._by_id = {recording.id: recording for recording in self._recordings}

    def __len__(self) -> int:
        return len(self._recordings)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def __getitem__(self, index: int) -> Recording:
        return self._recordings[index]

    def get(self, recording_id: str) -> Recording | None:
        """The recording of that id, or None."""
        return self._by_id.get(recording_id)

    def select(self, wanted: Filter) -> list[Recording]:
        """Recordings that match every clause, oldest first; both dates are included, as in Genesys' own filter."""
        low = bisect_left(self._dates, wanted.start) if wanted.start else 0
        high = bisect_right(self._dates, wanted.end) if wanted.end else len(self)
        if wanted.ids is None:
            return self._recordings[low:high]
        found = {r.index: r for name in wanted.ids if (r := self.get(name)) is not None}
        return [found[index] for index in sorted(found) if low <= index < high]
