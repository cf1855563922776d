"""Cells of reports: text to every spreadsheet, and read back as they were."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from recording_archive.reports.cells import spreadsheet_cell, without_guard


@given(st.text(alphabet="'=+-@\t\ra ", max_size=6))
@example("'=0")
@example("''@")
def test_a_cell_is_no_formula_and_is_read_back_as_it_was(text: str) -> None:
    """Whatever a source writes, apostrophes before a formula included."""
    cell = spreadsheet_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert without_guard(cell) == text
