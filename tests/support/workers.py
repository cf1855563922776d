"""Work for other processes: slow, failing, dying."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial

from recording_archive.errors import ArchiveError, TransientError


class UnsendableError(Exception):
    """An error that cannot be pickled as it is."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def slower_first(process: Callable[[], int] = os.getpid) -> Callable[[int], tuple[int, int]]:
    """Return what answers late to even numbers, with the process that answered."""

    def work(item: int) -> tuple[int, int]:
        time.sleep(0.05 if item % 2 == 0 else 0)
        return item, process()

    return work


def failing(how: str) -> Callable[[int], int]:
    """Return what fails at the number 5, in one of several ways."""
    ways: dict[str, Callable[[], None]] = {
        "error": partial(_raise, TransientError("the catalog is away", retry_after_s=7)),
        "odd": lambda: _raise(UnsendableError("out of", "order")),
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    }
    if how == "at once":
        _raise(ArchiveError("nothing to begin with"))

    def work(item: int) -> int:
        if item == 5:
            ways[how]()
        return item

    return work


def _raise(error: Exception) -> None:
    raise error
