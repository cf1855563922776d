"""Tables and lists of a pack that are complete only at its end: kept aside meanwhile, on disk when they grow."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import Any

from recording_archive.reports.cells import spreadsheet_cell

_MEMORY, _PIECE = 2**20, 2**16


class Aside:
    """Text that is kept until its turn comes."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_MEMORY)  # noqa: SIM115 - it is closed when it was read, or dropped

    def add(self, text: str) -> None:
        """Append a text."""
        self._file.write(text.encode(errors="backslashreplace"))

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it, once."""
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            yield piece
        self._file.close()


class Table(Aside):
    """A CSV file with named columns; no cell of it is a formula to a spreadsheet."""

    def __init__(self, columns: Sequence[str]) -> None:
        super().__init__()
        self._columns, self.rows = columns, 0
        self._write(columns)

    def row(self, values: Mapping[str, Any]) -> None:
        """Append a row; a column without a value is empty."""
        self.rows += 1
        self._write([_cell(values.get(name)) for name in self._columns])

    def _write(self, cells: Sequence[Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(cells)  # RFC 4180
        self.add(line.getvalue())


def _cell(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else spreadsheet_cell(value)
