"""Phone numbers are the same in any spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.phone_numbers import canonical, spellings
from support.hold_scenes import (
    NUMBERS,
)


@given(
    st.sampled_from([*NUMBERS]) | st.text(max_size=20) | st.from_regex(r"(tel:)?\+?[0-9 ()./-]{1,20}", fullmatch=True)
)
def test_all_spellings_of_a_number_are_one(number: str) -> None:
    """Whatever a search finds for a number, a hold for it matches; and the one spelling is its own."""
    assert {canonical(spelled) for spelled in spellings(number)} == {canonical(number)}
    assert canonical(canonical(number)) == canonical(number)


@pytest.mark.parametrize("one", NUMBERS)
@pytest.mark.parametrize("other", NUMBERS)
def test_numbers_are_the_same_in_any_spelling(one: str, other: str) -> None:
    """Blanks, ``tel:`` and plus do not matter; a trunk prefix does, for nobody knows whose it is."""
    assert (canonical(one) == canonical(other)) is (NUMBERS[one] == NUMBERS[other])
