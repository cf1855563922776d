"""Holds that match nothing, or some of whose ids do not, are warned of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recording_archive.archive import Archive
from recording_archive.holds import Criteria, Effect, unmatched_ids, warning
from support.contents import first_id
from support.hold_scenes import START, made_hold

FOUND, NOTHING = Effect(1, 0, 0, ()), Effect(0, 0, 0, ())
IDS = made_hold("H-1", Criteria(tuple("abcdefgh")))


@pytest.mark.parametrize(
    ("effect", "unmatched", "said"),
    [
        (FOUND, "", None),
        (Effect(0, 1, 0, ()), "", None),
        (FOUND, "a", "1 of 8 ids match nothing: a. It covers"),
        (FOUND, "abcdefg", "7 of 8 ids match nothing: a, b, c, d, e and 2 more. It covers"),
        (NOTHING, "", "this hold matches no recording that is in the archive now. It covers"),
        (NOTHING, "ab", "archive now; 2 of 8 ids match nothing: a, b. It covers"),
        (Effect(0, 0, 3, ()), "", "archive now, and 3 that match were deleted before."),
    ],
)
def test_what_matches_nothing_is_said(effect: Effect, unmatched: str, said: str | None) -> None:
    """A hold that possibly holds something matches it; a released one needs no warning."""
    found = warning(IDS, effect, tuple(unmatched))
    assert found is None if said is None else said in str(found)
    assert warning(replace(IDS, released_at=START), effect, tuple(unmatched)) is None


def test_ids_are_matched_in_any_spelling(archived: Archive) -> None:
    """Those that match nothing come in their order."""
    known = first_id(archived)
    asked = made_hold("H-1", Criteria(("b", f'"{known.upper()}"', "a")))
    assert unmatched_ids(archived, asked) == ["b", "a"]
