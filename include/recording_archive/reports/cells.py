"""Cells of CSV files that no spreadsheet takes for a formula, and that are read back as they were."""

from __future__ import annotations

from typing import Any


def spreadsheet_cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula; `without_guard` returns the text as it was."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def without_guard(cell: str) -> str:
    """Return the text of a cell as it was before `spreadsheet_cell`."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell) else cell


def _is_formula(text: str) -> bool:
    """Tell if a spreadsheet takes a text for a formula, or would once it has lost its apostrophes."""
    return text.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r"))
