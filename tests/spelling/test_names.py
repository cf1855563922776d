"""Names in the spellings that people and sources use."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recording_archive.spelling.names import folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Änne Straße", "ÄNNE STRASSE"),
        ("Änne", normalize("NFD", "änne")),
        ("Jane Doe", " jane\u00a0\u00a0 DOE\u200b "),
        ("Jane Doe", "“Jane Doe”"),
        ("Jane Doe", "Ｊａｎｅ　Ｄｏｅ"),
        ("Jane Doe", "\u202aJane Doe\u202c"),
        ("O'Brien", "O’BRIEN"),
        ("Smith-Jones", "Smith\u2011Jones"),
        ("Office", "Oﬃce"),
        ("İstanbul", "i̇stanbul"),
    ],
)
def test_one_name_in_two_spellings(one: str, other: str) -> None:
    """Both have the same form."""
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Bo", "Bob"), ("Bo", "b0"), ("Jane Doe", "JaneDoe"), ("Ann", "Änn"), ("a'b", "ab"), ("", '""')]
)
def test_other_names_stay_others(one: str, other: str) -> None:
    """No letter, blank or quote inside is left out, and a text of quotes alone is not nothing."""
    assert folded(one) != folded(other)


@given(st.text(max_size=20))
@example("\u0345\u0301")
@example("\" \u200b'")
def test_a_form_stands_for_itself_and_is_never_empty(text: str) -> None:
    """Folding twice changes nothing; a text that is something is not compared as nothing."""
    assert folded(folded(text)) == folded(text)
    assert bool(folded(text)) is bool(text)
