"""Ids in a search: those that a pasted text means, those that begin with a text, and those that found nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from sqlalchemy import ColumnElement, Connection, and_, literal, select

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import chunked, has_id
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import EVERYTHING, Visible, only
from recording_archive.model import is_safe_id
from recording_archive.spelling.ids import clean_id, is_guid, prefix_forms, split_ids

_SHORTEST_START = 6  # a shorter one is more likely a word, and begins too many ids
_COLUMNS = (recordings.c.interaction_id, recordings.c.recording_id)


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the ids asked for, each clean and once: ``unknown`` are not in the catalog.

    ``impossible`` are those of the unknown that no recording can have, for what they are written with.
    """

    ids: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()


def account(
    catalog: Catalog, ids: Sequence[str], text: str | None, *, found: bool, visible: Visible = EVERYTHING
) -> Account:
    """Account for the ``ids`` and the ``text`` of a search; what is not ``visible`` is unknown.

    A text that ``found`` nothing and has a word like an id is taken for ids, so that their absence can be explained.
    """
    asked = list(ids)
    if text:
        with catalog.read() as connection:
            words = split_ids(text)
            asked += ids_in(connection, text, visible) or (
                words if not found and any(map(_looks_like_id, words)) else []
            )
    unknown = unknown_ids(catalog, asked, visible) if asked else []
    impossible = tuple(each for each in unknown if not is_safe_id(each))
    return Account(tuple(dict.fromkeys(asked)), tuple(unknown), impossible)


def ids_in(connection: Connection, text: str, visible: Visible = EVERYTHING) -> list[str]:
    """Read the ids that a pasted text means, clean; none for a number or a name.

    Several lines are ids, always. One line is, when it has a GUID or an id of the catalog that is ``visible``, or all
    its words look so.
    """
    words = split_ids(text)
    lines = [line for line in text.splitlines() if clean_id(line)]
    many = len(words) > 1
    if len(lines) > 1 or any(map(is_guid, words)) or (many and all(map(_looks_like_id, words))):
        return words
    return words if words and _is_any_known(connection, words, visible) else []


def unknown_ids(catalog: Catalog, ids: Sequence[str], visible: Visible = EVERYTHING) -> list[str]:
    """Return those of ``ids`` that no ``visible`` interaction or recording of the catalog has, in their order."""
    known: set[str] = set()
    with catalog.read() as connection:
        seen = only(connection, visible)
        for chunk, column in product(chunked(ids), _COLUMNS):
            query = select(column).where(has_id(column, chunk), *seen)
            known.update(map(clean_id, connection.execute(query).scalars()))
    return [each for each in dict.fromkeys(ids) if clean_id(each) not in known]


def starts(connection: Connection, text: str) -> list[ColumnElement[bool]]:
    """Conditions of which each matches ids that begin with a text, by an index; none when no id does."""
    start = clean_id(text)
    if len(start) < _SHORTEST_START or not is_safe_id(start):
        return []
    is_sqlite = connection.dialect.name == "sqlite"
    found = [_begins(column, form, is_sqlite) for column in _COLUMNS for form in prefix_forms(start)]
    return [each for each in found if _exists(connection, each)]


def _begins(column: ColumnElement[str], start: str, is_sqlite: bool) -> ColumnElement[bool]:
    """Match a range of texts; PostgreSQL sorts by language unless it is asked for bytes, which has an index."""
    after = start[:-1] + chr(ord(start[-1]) + 1)
    if is_sqlite:
        return and_(column >= start, column < after)
    return and_(column.bool_op("~>=~")(start), column.bool_op("~<~")(after))


def _is_any_known(connection: Connection, ids: Sequence[str], visible: Visible) -> bool:
    seen = only(connection, visible)
    return any(_exists(connection, has_id(column, ids), *seen) for column in _COLUMNS)


def _exists(connection: Connection, *wanted: ColumnElement[bool]) -> bool:
    return connection.execute(select(literal(1)).select_from(recordings).where(*wanted).limit(1)).first() is not None


def _looks_like_id(word: str) -> bool:
    return is_safe_id(word) and len(word) >= _SHORTEST_START and any(map(str.isdigit, word))
