"""Dates in the index of parties, so that it gives the recordings of an agent, a queue or a number in order.

The rows are copied a stretch of values at a time, each with the date of its recording: memory stays small, and the log
tells how far it is.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

log = logging.getLogger("recording_archive.catalog.migrations")

_STRETCH = 100_000  # rows, at least one value
_UNDATED = datetime(1, 1, 1, microsecond=1, tzinfo=UTC)  # of recordings without a date
_PART = ("interaction_id", "recording_id", "part")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MOMENT = sa.DateTime(timezone=True)
_recordings = sa.table("recordings", *map(sa.column, _PART), sa.column("interaction_date", _MOMENT))


def upgrade() -> None:
    """Copy all rows into a table whose key has the date after the value."""
    old, new = _made_anew(["field", "value", "interaction_date", *_PART])
    same = sa.and_(*(old.c[name] == _recordings.c[name] for name in _PART))
    date = sa.func.coalesce(_recordings.c.interaction_date, sa.literal(_UNDATED, _MOMENT))
    _copy(old, new, sa.join(old, _recordings, same), date)
    op.drop_table(old.name)


def downgrade() -> None:
    """Copy them back, without dates."""
    old, new = _made_anew(["field", "value", *_PART])
    _copy(old, new, old)
    op.drop_table(old.name)


def _made_anew(key: list[str]) -> tuple[sa.TableClause, sa.TableClause]:
    """Rename the table, and make an empty one with another key; return both."""
    op.rename_table("party_values", "party_values_before")
    if op.get_context().dialect.name == "postgresql":  # where the name of a key is one of the schema's
        op.execute("ALTER INDEX pk_party_values RENAME TO pk_party_values_before")
    kinds: dict[str, Any] = {"value": _TEXT, "interaction_date": _MOMENT, "part": sa.Integer}
    op.create_table(
        "party_values",
        *(sa.Column(name, kinds.get(name, sa.Text), nullable=False) for name in key),
        sa.Column("certain", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_party_values")),
        sqlite_with_rowid=False,
    )
    columns = ("field", "value", *_PART, "certain")
    old = sa.table("party_values_before", *map(sa.column, columns))
    new = sa.table("party_values", *map(sa.column, columns), sa.column("interaction_date", _MOMENT))
    return old, new


def _copy(old: sa.TableClause, new: sa.TableClause, source: sa.FromClause, *date: sa.ColumnElement[datetime]) -> None:
    """Fill the new table in the order of its key."""
    connection, copied = op.get_bind(), 0
    names = ["field", "value", *(["interaction_date"] if date else []), *_PART, "certain"]
    columns = [old.c.field, old.c.value, *date, *(old.c[name] for name in (*_PART, "certain"))]
    for stretch in _stretches(connection, old):
        rows = sa.select(*columns).select_from(source).where(stretch).order_by(*columns[:-1])
        copied += connection.execute(sa.insert(new).from_select(names, rows)).rowcount
        log.info("upgrading the catalog: %d rows of its index of parties are copied", copied)


def _stretches(connection: sa.Connection, old: sa.TableClause) -> Iterator[sa.ColumnElement[bool]]:
    """Yield conditions of which each matches the values of one field up to another, and all of them every row."""
    field = None
    while (field := _next(connection, old.c.field, *([old.c.field > field] if field else []))) is not None:
        mine, value = old.c.field == field, None
        while True:
            rest = [mine, *([old.c.value > value] if value is not None else [])]
            end = _next(connection, old.c.value, *rest, beyond=_STRETCH)
            yield sa.and_(*rest, *([old.c.value <= end] if end is not None else []))
            if (value := end) is None:
                break


def _next(
    connection: sa.Connection, column: sa.ColumnClause[Any], *where: sa.ColumnElement[bool], beyond: int = 0
) -> str | None:
    """Return the value some rows further on, in order; None beyond the last."""
    found: str | None = connection.execute(
        sa.select(column).where(*where).order_by(column).offset(beyond).limit(1)
    ).scalar()
    return found
