"""Troubles of single conversations: each stays with its conversation, until many in a row show that it is not them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from recording_archive.errors import ArchiveError, RunError, Stopped, TransientError
from recording_archive.model import Listing, PartId
from recording_archive.sources.replies import ForbiddenError

__all__ = ["Trouble", "Troubles", "halved", "hindered", "is_of_one"]

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item

IN_A_ROW = 10  # refusals without an answer between them: the role lacks a permission, or the service is down
FEW, ONE = 1, 2  # attempts for a part of a list that failed as a whole, and for one item of it


@dataclass(frozen=True, slots=True)
class Trouble:
    """Reason why something about one conversation could not be had; ``passing`` when a later run may have it."""

    reason: str
    passing: bool = False

    @classmethod
    def of(cls, error: ArchiveError) -> Trouble:
        """The trouble that an error is."""
        return cls(str(error), isinstance(error, TransientError))

    def after(self, words: str) -> Trouble:
        """Put words before the reason."""
        return Trouble(f"{words}: {self.reason}", self.passing)

    def remark(self, *, old: bool) -> dict[str, str]:
        """The field of a listing that it fills: a trouble that passes is none yet, unless it had days to pass."""
        return {"deferred" if self.passing and not old else "defect": self.reason}


def is_of_one(error: ArchiveError) -> bool:
    """Tell if an error may be of what was asked alone, and not of the client, its settings or a stop signal."""
    return isinstance(error, ForbiddenError) or not isinstance(error, RunError | Stopped)


class Troubles:
    """Asks about single conversations, and counts by the kind of request how often in a row that led nowhere.

    Silence and a missing permission count; a refusal that names something else is of the one it was about.
    """

    def __init__(self) -> None:
        self._row: Counter[str] = Counter()

    def ask(self, kind: str, call: Callable[[], T]) -> T | Trouble:
        """Result of ``call``, or the trouble it met; raise the error when it is the last of too many in a row."""
        try:
            found = call()
        except ArchiveError as error:
            if not is_of_one(error):
                raise
            if isinstance(error, TransientError) or (isinstance(error, ForbiddenError) and error.lacks_permission):
                self._row[kind] += 1
                if self._row[kind] >= IN_A_ROW:
                    raise
            return Trouble.of(error)
        self._row[kind] = 0
        return found


def hindered(
    part: PartId,
    trouble: Trouble,
    *,
    old: bool = False,
    started_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> Listing:
    """Listing of a part, or of a whole interaction, that is in trouble."""
    remark = trouble.remark(old=old)
    return Listing(
        part,
        started_at,
        None,
        None,
        defect=remark.get("defect"),
        deferred=remark.get("deferred"),
        ended_at=ended_at,
    )


def halved(
    items: Sequence[I], ask: Callable[[Sequence[I], int | None], T]
) -> Iterator[tuple[Sequence[I], T | Trouble]]:
    """Ask for a list, and for halves of one that fails, until what is wrong with it is alone: that is a trouble.

    ``ask`` takes items and the number of attempts (None: as usual). Raises the first error when as many requests in a
    row fail as no single item explains.
    """
    most = len(items).bit_length() + IN_A_ROW
    left, row, first = [items], 0, None
    while left:
        some = left.pop()
        attempts = None if len(some) == len(items) else FEW if len(some) > 1 else ONE
        try:
            found: T | Trouble = ask(some, attempts)
        except ArchiveError as error:
            row, first = row + 1, first or error
            if not is_of_one(error):
                raise
            if row > most:
                raise first from None
            if len(some) > 1:
                middle = len(some) // 2
                left += [some[middle:], some[:middle]]
                continue
            found = Trouble.of(error)
        else:
            row, first = 0, None
        yield some, found
