"""Lists as files: CSV for spreadsheets, JSON lines for programs; written row by row, whatever their length."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain
from typing import Any, TypeVar

from fastapi.responses import StreamingResponse

from recording_archive.reports.cells import spreadsheet_cell
from recording_archive.web.read.document import ApiDocument

_T = TypeVar("_T")
_LINES = 200  # sent at once


class ListFormat(StrEnum):
    """A page by default; ``csv`` and ``json`` (a document in each line) are the whole list."""

    PAGE = "page"
    CSV = "csv"
    JSON = "json"


LIST_TYPES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}, "application/x-ndjson": {}}}
}
"""The answers of a route that takes a `ListFormat`, beside its page."""


def send_list(kind: type[ApiDocument], rows: Iterable[ApiDocument], format: ListFormat, name: str) -> StreamingResponse:
    """The whole list as a file called ``name``."""
    if format is ListFormat.CSV:
        return _download(as_csv(kind, rows), "text/csv; charset=utf-8", f"{name}.csv")
    return _download(as_json_lines(rows), "application/x-ndjson", f"{name}.jsonl")


def as_csv(kind: type[ApiDocument], rows: Iterable[ApiDocument]) -> Iterator[str]:
    """A header of JSON names, then a line for each row (RFC 4180); no cell is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(field.alias for field in kind.model_fields.values())
    for number, row in enumerate(rows, 1):
        writer.writerow(map(_cell, row.cells()))
        if number % _LINES == 0:
            yield _taken(text)
    yield _taken(text)


def as_json_lines(rows: Iterable[ApiDocument]) -> Iterator[str]:
    """One JSON document in each line."""
    for row in rows:
        yield row.model_dump_json(by_alias=True) + "\n"


def begun(items: Iterator[_T]) -> Iterator[_T]:
    """Fetch the first item before an answer begins: what cannot be read fails before an answer has begun."""
    first = list(zip(range(1), items, strict=False))
    return chain((item for _, item in first), items)


def _cell(value: Any) -> Any:
    """One cell; a list has its values in lines."""
    return spreadsheet_cell("\n".join(value) if isinstance(value, list) else value)


def _download(lines: Iterator[str], media_type: str, name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type=media_type, headers=headers)


def _taken(text: io.StringIO) -> str:
    written = text.getvalue()
    text.seek(0)
    text.truncate()
    return written
