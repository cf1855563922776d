"""Pages that fail are asked for in smaller ones; only the entries with which they fail are lost, and told."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from recording_archive.errors import AccessError, ArchiveError, TransientError
from recording_archive.sources.conversations.pieces import Page, Unlisted, in_pieces
from recording_archive.sources.replies import RejectedError, UnreadableError


class Shelf:
    """A list of so many entries, of which some make each page fail that they are on."""

    def __init__(self, count: int, bad: Iterable[int], error: ArchiveError) -> None:
        self.count, self.bad, self.error, self.asked = count, set(bad), error, 0

    def ask(self, page: Page, attempts: int | None) -> list[int]:
        assert attempts
        self.asked += 1
        number, size = page
        found = list(range(self.count)[(number - 1) * size : number * size])
        if self.bad & set(found):
            raise self.error
        return found


@pytest.mark.parametrize("count", [1, 7, 99, 100, 150, 200, 260])
@pytest.mark.parametrize("bad", [{0}, {99}, {49, 50}, {3, 97}])
def test_all_others_of_a_page_come(count: int, bad: set[int]) -> None:
    """Whatever the length of the list; entries that it does not have cost nothing."""
    shelf = Shelf(count, bad, RejectedError("no"))
    found = list(in_pieces(shelf.ask, (1, 100), RejectedError("first")))
    assert [entry for piece in found if not isinstance(piece, Unlisted) for entry in piece] == [
        entry for entry in range(min(count, 100)) if entry not in bad
    ]
    assert sum(isinstance(piece, Unlisted) for piece in found) == sum(entry < count for entry in bad)
    assert shelf.asked <= 30 * len(bad)


def test_another_page_than_the_first_is_divided_in_its_own_place() -> None:
    """The third hundred has the entries from 200 on."""
    shelf = Shelf(450, {250}, RejectedError("no"))
    found = list(in_pieces(shelf.ask, (3, 100), RejectedError("first")))
    listed = {entry for piece in found if not isinstance(piece, Unlisted) for entry in piece}
    assert listed == {*range(200, 300)} - {250}


def test_a_list_of_which_nothing_is_answered_raises_its_first_error() -> None:
    """It is no entry's fault, and found out soon."""
    shelf = Shelf(100, range(100), TransientError("503"))
    with pytest.raises(TransientError, match="first"):
        list(in_pieces(shelf.ask, (1, 100), TransientError("first")))
    assert shelf.asked <= 10


def test_what_concerns_all_is_raised_at_once() -> None:
    """A token that is refused."""
    with pytest.raises(AccessError, match="401"):
        list(in_pieces(Shelf(9, {1}, AccessError("401")).ask, (1, 100), RejectedError("first")))


@pytest.mark.parametrize(("names", "name"), [(("a",), "a"), (("a", "a"), "a"), (("a", "b"), None), ((), None)])
def test_an_unreadable_entry_is_named_by_its_text(names: tuple[str, ...], name: str | None) -> None:
    """Only where the text leaves no doubt."""
    shelf = Shelf(3, {1}, UnreadableError("not JSON", names))
    (unlisted,) = (
        piece for piece in in_pieces(shelf.ask, (1, 100), RejectedError("first")) if isinstance(piece, Unlisted)
    )
    assert unlisted.name == name
