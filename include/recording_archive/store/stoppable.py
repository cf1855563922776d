"""A file that can be read until the stop: a large one takes longer than a stopped task may live."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from recording_archive.errors import Stopped

if TYPE_CHECKING:
    from _typeshed import SupportsRead

__all__ = ["Stoppable"]


class Stoppable:
    """Raises Stopped in the middle, which lets a draft drop its temporary name and leaves the work to the next try."""

    def __init__(self, file: SupportsRead[bytes], stop: threading.Event) -> None:
        self._file, self._stop = file, stop

    def read(self, size: int = -1, /) -> bytes:
        if self._stop.is_set():
            raise Stopped("stopped")
        return self._file.read(size)
