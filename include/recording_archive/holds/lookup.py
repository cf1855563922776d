"""The holds of a few recordings: the catalog finds those that may match, and a `Matcher` of these decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, union_all

from recording_archive.catalog.tables import hold_terms, holds
from recording_archive.holds.criteria import COLUMNS
from recording_archive.holds.matcher import Holding, Matcher, subsets
from recording_archive.holds.rows import ACTIVE, listed, overlaps
from recording_archive.holds.traits import reader
from recording_archive.model import PartId


def holding(connection: Connection, rows: Sequence[Any]) -> dict[PartId, Holding]:
    """Find the holds of each of some rows of `recordings`, as the connection sees them now.

    Reads the holds that these rows may meet, and no others. To judge the whole archive, make one `Matcher`.
    """
    return Matcher(connection, _candidates(connection, rows)).of(rows)


def _candidates(connection: Connection, rows: Sequence[Any]) -> list[str]:
    """Active holds that may hold one of the rows: each of their fields has a value of theirs, or is one they lack.

    What holds one row by one field and another row by another is among them; the matcher tells.
    """
    values: dict[str, set[str]] = {field: set() for field in COLUMNS}
    lacking: set[str] = set()
    read = reader(rows[0]) if rows else None
    for found in (read(row) for row in rows if read):
        lacking.update(found.lacking)
        for field, each in found.all().items():
            values[field].update(each)
    dates = [row.interaction_date for row in rows]
    covering = overlaps(min(dates), max(dates)) if dates and all(dates) else []
    met = _met(connection, values, covering)
    wanted = [hold_id for (hold_id, fields), matched in met.items() if set(fields.split(",")) <= matched | lacking]
    # none of these fields need be there: the matcher tells which dates are meant
    unasked = [",".join(fields) for fields in subsets(sorted(lacking))]
    query = select(holds.c.id).where(ACTIVE, holds.c.fields.in_(unasked), *covering)
    return [*wanted, *connection.execute(query).scalars()]


def _met(
    connection: Connection, values: Mapping[str, set[str]], covering: Iterable[Any]
) -> dict[tuple[str, str], set[str]]:
    """Active holds that ask for some of the values, with all their fields, and the fields of these values."""
    asked = [
        select(hold_terms.c.hold_id, hold_terms.c.field).where(
            hold_terms.c.field == field, hold_terms.c.value.in_(listed(connection, wanted))
        )
        for field, wanted in values.items()
    ]
    found = union_all(*asked).subquery()
    query = select(found.c.hold_id, holds.c.fields, found.c.field).join(holds, holds.c.id == found.c.hold_id)
    met: dict[tuple[str, str], set[str]] = defaultdict(set)
    for hold_id, fields, field in connection.execute(query.where(ACTIVE, *covering)):
        met[hold_id, fields].add(field)
    return met
