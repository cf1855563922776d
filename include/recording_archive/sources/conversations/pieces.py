"""Pages that fail as a whole, asked for in smaller ones until what is wrong with them is alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from recording_archive.errors import ArchiveError
from recording_archive.sources.conversations.troubles import FEW, IN_A_ROW, ONE, Trouble, is_of_one
from recording_archive.sources.replies import UnreadableError

__all__ = ["Unlisted", "in_pieces"]

T = TypeVar("T")

Page = tuple[int, int]
"""Number from 1, and size."""

SMALLER: Mapping[int, int] = {100: 50, 50: 25, 25: 5, 5: 1}


@dataclass(frozen=True, slots=True)
class Unlisted:
    """One entry of a list that cannot be had; ``name`` is the conversation's id where the reply's text still has it."""

    trouble: Trouble
    name: str | None


def in_pieces(
    ask: Callable[[Page, int | None], Sequence[T]], page: Page, first: ArchiveError
) -> Iterator[Sequence[T] | Unlisted]:
    """Ask for the entries of ``page``, which failed with ``first``, in smaller pages, to the end of page or list.

    ``ask`` takes a page and the number of attempts. Raises ``first`` when as many requests in a row fail as no single
    entry explains.
    """
    left, row = _smaller(page), 1
    while left:
        number, size = left.pop()
        try:
            found = ask((number, size), FEW if size > 1 else ONE)
        except ArchiveError as error:
            row += 1
            if not is_of_one(error):
                raise
            if row > IN_A_ROW:
                raise first from None
            if size > 1:
                left += _smaller((number, size))
            else:
                yield Unlisted(Trouble.of(error), _name_in(error))
            continue
        row = 0
        yield found
        if len(found) < size:
            return


def _smaller(page: Page) -> list[Page]:
    """The pages that make up one, last first."""
    number, size = page
    pieces = size // SMALLER[size]
    return [(n, SMALLER[size]) for n in range(number * pieces, (number - 1) * pieces, -1)]


def _name_in(error: ArchiveError) -> str | None:
    names = set(error.names) if isinstance(error, UnreadableError) else set()
    return names.pop() if len(names) == 1 else None
