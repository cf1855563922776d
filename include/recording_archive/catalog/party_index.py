"""The index of parties: rows of `party_values`, written with the rows of `recordings` that they find."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from recording_archive.catalog.distinct import distinct
from recording_archive.catalog.engines import FOLDED
from recording_archive.catalog.rows import insert_missing, part_key, same_part
from recording_archive.catalog.search_driver import Term
from recording_archive.catalog.tables import UNDATED, party_values, recordings
from recording_archive.model import PartId
from recording_archive.parties.documents import NAMES
from recording_archive.parties.values import LACKS, to_rows
from recording_archive.spelling.names import folded

Texts = Sequence[str] | Select[Any]
_KEY = [column.name for column in party_values.primary_key]
_COLUMNS = (*PartId._fields, "interaction_date", *NAMES, "parties", "numbers")
WALKED = party_values.alias("walked")
"""The index where a search walks through it (`Term.walked`); its other conditions look into it as well."""

_MOST_WALKED = 8  # values whose recordings are merged in order; those of more are sorted


def index(connection: Connection, rows: Iterable[Any]) -> None:
    """Let rows of `recordings`, of the catalog or about to be entered, be found by their parties."""
    insert_missing(connection, party_values, [value for row in rows for value in _values(row)])


def unindex(connection: Connection, rows: Iterable[Any]) -> None:
    """Let rows of the catalog no longer be found so, before their parties change or are erased."""
    found = [{f"its_{name}": value[name] for name in _KEY} for row in rows for value in _values(row)]
    if found:
        same = and_(*(party_values.c[name] == bindparam(f"its_{name}") for name in _KEY))
        connection.execute(delete(party_values).where(same), found)


def reindex(connection: Connection, changes: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
    """Index rows anew that are about to get other values, each given with these."""
    changed = [(row, new) for row, new in changes if any(getattr(row, name) != new[name] for name in _COLUMNS)]
    unindex(connection, (row for row, _ in changed))
    index(connection, (new for _, new in changed))


def is_party(field: str, values: Texts, *, certain: bool | None = None) -> ColumnElement[bool]:
    """Match recordings that have one of some values, in the spelling that stands for all others; rows are looked up.

    ``field`` is one of `parties.values.FIELDS`. ``certain``: match those that have it for sure, or possibly, alone.
    """
    wanted = _wanted(field, values, certain)
    return exists(select(1).where(of_recording(party_values), *wanted))


def of_recording(values: FromClause) -> ColumnElement[bool]:
    """Match the values of a row of `recordings`, by all of the key that follows a value."""
    dated = func.coalesce(recordings.c.interaction_date, literal(UNDATED, values.c.interaction_date.type))
    return and_(values.c.interaction_date == dated, same_part(values, recordings))


def names_one_of(field: str, values: Sequence[str]) -> ColumnElement[bool]:
    """Match the same as `is_party`, by the parties in the row itself; on SQLite, for many names, soon found in none."""
    each = func.json_each(recordings.c.parties).table_valued("value").c.value
    name = getattr(func, FOLDED)(func.json_extract(each, f"$.{NAMES[field]}"))
    return exists(select(1).select_from(each.table).where(name.in_(values)))


def lacks(names: Sequence[str]) -> ColumnElement[bool]:
    """Match recordings that lack one of some columns of `parties.values.NAMED`, or `NUMBER`, as `values_of` says."""
    lacking = select(*part_key(party_values)).where(party_values.c.field == LACKS, party_values.c.value.in_(names))
    other = recordings.alias()  # by its index of these alone
    unread = select(*part_key(other)).where(other.c.parties.is_(None))
    return or_(*(tuple_(*part_key(recordings)).in_(found) for found in (lacking, unread)))


def among_parties(field: str, values: Texts, *, certain: bool | None = None) -> ColumnElement[bool]:
    """Match the same as `is_party`; here the values are looked up, and lead to the recordings that have them."""
    found = select(*part_key(party_values)).where(*_wanted(field, values, certain))
    return tuple_(*part_key(recordings)).in_(found)


def party_rows(field: str, values: Texts) -> Select[Any]:
    """Select a row for each value of a recording that is one of ``values``, to count them."""
    return select(literal(1)).select_from(party_values).where(*_wanted(field, values, None))


def party_term(field: str, values: Sequence[str], *, certain: bool | None = None) -> Term:
    """Make the term of a search for recordings that have one of some values."""
    few = 0 < len(values) <= _MOST_WALKED
    of_one = [] if certain is None else [WALKED.c.certain.is_(certain)]
    walked = [and_(WALKED.c.field == field, WALKED.c.value == value, *of_one) for value in values if few]
    check, counted = is_party(field, values, certain=certain), party_rows(field, values)
    return Term(among_parties(field, values, certain=certain), few, check, counted, walked=tuple(walked))


def named_terms(
    connection: Connection, name: str, wanted: Collection[str], *, sure: bool, values: Iterable[str] | None = None
) -> Iterator[Term]:
    """Yield terms of which one holds where some party has in column ``name`` a value that is wanted, folded.

    ``sure``: has it for certain. ``values`` are all of the column; without them it must be the first of an index.
    """
    column = recordings.c[name]
    known = distinct(connection, column) if values is None else values
    meant = [value for value in known if folded(value) in wanted]
    yield from (Term(column == value, check=and_(column.is_not(None), column == value)) for value in meant)
    yield party_term(name, sorted(wanted), certain=True if sure else None)


def _wanted(field: str, values: Texts, certain: bool | None) -> list[ColumnElement[bool]]:
    wanted = [party_values.c.field == field, party_values.c.value.in_(values)]
    return wanted if certain is None else [*wanted, party_values.c.certain.is_(certain)]


def _values(row: Any) -> Iterator[dict[str, Any]]:
    row = SimpleNamespace(**row) if isinstance(row, Mapping) else row
    date = UNDATED if row.interaction_date is None else row.interaction_date
    yield from ({**value, "interaction_date": date} for value in to_rows(row))


def has_unread(connection: Connection) -> bool:
    """Tell if parties of recordings from before an upgrade are not in the index yet: a search misses their numbers."""
    unread = select(recordings.c.part).where(recordings.c.parties.is_(None)).limit(1)
    return connection.execute(unread).first() is not None
