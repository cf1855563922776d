"""Phone numbers are the same in any spelling, and may be the same where a country is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording_archive.phone_numbers import asked_keys, is_region, number_form, old_form, recorded_keys

LONDON = "+442079460958"
WITH_COUNTRY = (
    "+442079460958",
    "+44 20 7946 0958",
    "+44 (0)20 7946 0958",
    "+44.20.7946.0958",
    "tel:+442079460958",
    "TEL:+44-20-7946-0958",
    "tel:+44-20-7946-0958;ext=12",
    "tel:020-7946-0958;phone-context=+44",
    "sip:+442079460958@acme.example",
    "sips:+442079460958;user=phone@acme.example",
    "sip:%2B442079460958@acme.example;user=phone",
    "\u202a+44 20 7946 0958\u202c",
    "+44\u201120\u20117946\u20110958",
    "+44\u00a020\u00a07946\u00a00958",
    "+４４２０７９４６０９５８",
    "+44 20 7946 0958 ext. 12",
)
WITHOUT_COUNTRY = ("0044 20 7946 0958", "020 7946 0958", "(020) 7946-0958", "00442079460958", "011 44 20 7946 0958")


def may_be(asked: str, recorded: str, region: str = "") -> bool:
    """Tell if a recorded number possibly is one that is asked for."""
    forms = (number_form(asked, region), number_form(recorded, region))
    return forms[0] == forms[1] or not set(asked_keys(forms[0])).isdisjoint(recorded_keys(forms[1]))


@pytest.mark.parametrize("spelling", WITH_COUNTRY)
def test_a_number_with_its_country_is_one_in_any_spelling(spelling: str) -> None:
    """The setting has no part in it."""
    assert number_form(spelling) == number_form(spelling, "US") == LONDON


@pytest.mark.parametrize("spelling", WITHOUT_COUNTRY[:4])
def test_a_number_of_the_region_is_one_in_any_spelling(spelling: str) -> None:
    """The region knows its trunk and international prefixes."""
    assert number_form(spelling, "GB") == LONDON


@pytest.mark.parametrize("spelling", ["(202) 555-0153", "2025550153", "011 1 202 555 0153", "1-202-555-0153"])
def test_an_american_number_is_read_in_its_region(spelling: str) -> None:
    """Without the region it may be meant."""
    assert number_form(spelling, "US") == "+12025550153"
    assert may_be(spelling, "+12025550153")
    assert may_be("+12025550153", spelling)


@pytest.mark.parametrize("asked", [*WITH_COUNTRY[:3], *WITHOUT_COUNTRY])
@pytest.mark.parametrize("recorded", [*WITH_COUNTRY[:3], *WITHOUT_COUNTRY])
def test_without_a_country_equal_last_digits_may_be_one(asked: str, recorded: str) -> None:
    """Both directions: whoever asks, and whatever was recorded."""
    assert may_be(asked, recorded)


def test_two_countries_are_never_one() -> None:
    """Equal last digits mean nothing between two numbers that have a country each."""
    assert not may_be("+442079460958", "+12079460958")
    assert may_be("2079460958", "+12079460958")


def test_a_short_number_is_compared_behind_its_trunk_prefix() -> None:
    """German and Austrian numbers may have as few as five digits; an extension is no telephone number."""
    assert may_be("030123", "+4930123")
    assert may_be("+4930123", "004930123")
    assert not may_be("1001", "+44 20 7946 1001")


@pytest.mark.parametrize("text", ["sip:desk@acme.example", "anonymous", "Desk 42", "1-800-FLOWERS", "", "+", "@", ";"])
def test_what_is_no_number_is_compared_as_a_name(text: str) -> None:
    """It keeps to itself, in any case."""
    assert number_form(text) == number_form(text.upper())
    assert [*recorded_keys(number_form(text)), *asked_keys(number_form(text))] == []


@given(
    st.text(max_size=30) | st.from_regex(r"(tel:|sip:)?\+?[0-9 ()./-]{1,20}(@x)?", fullmatch=True),
    st.sampled_from(["", "GB", "US", "DE"]),
)
def test_every_text_has_a_form(text: str, region: str) -> None:
    """Whatever the text, it may be itself."""
    assert may_be(text, text, region)


def test_old_hashes_are_made_of_digits() -> None:
    """Keyed hashes of persons erased before stay checkable."""
    assert old_form("tel:+1 (202) 555-0153") == "12025550153"
    assert old_form(" sip:desk ") == "sip:desk"


def test_regions_are_iso_countries() -> None:
    """Two letters that have a numbering plan."""
    assert is_region("GB")
    assert not is_region("XX")
