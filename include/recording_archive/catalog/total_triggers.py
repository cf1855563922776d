"""Triggers that count recordings by day, in the transaction that changes them.

Whatever writes to `recordings` is counted, by whichever path: no code can forget it. SQLite has one writer, who adds to
the totals row by row. On PostgreSQL each transaction has entries of its own, so that no writer waits for another one;
now and then one of them folds what is committed into the entry 0.
"""

from __future__ import annotations

from sqlalchemy import Connection

FOLDING = 0x746F74
"""The advisory lock of whoever folds or recounts on PostgreSQL."""

AXES = {"call": "interaction_date", "read": "verified_at"}
"""The dates by whose days recordings are counted, by the name of the axis."""

COLUMNS = ("axis", "day", "state", "verdict", "recordings", "size_bytes", "stored_bytes", "decided")
"""Names of the columns that `counted` selects."""

_FOLD_EVERY = 256  # transactions
_KEY = "axis, day, state, verdict, entry"
_SUMS = COLUMNS[4:]
_INTO = f"INSERT INTO day_totals ({_KEY}, {', '.join(_SUMS)})"
_ADD = f"ON CONFLICT ({_KEY}) DO UPDATE SET " + ", ".join(f"{n} = day_totals.{n} + excluded.{n}" for n in _SUMS)
_SUMMED = ", ".join(f"sum({name})" for name in _SUMS)
_GROUPED = "GROUP BY axis, day, state, verdict HAVING " + " OR ".join(f"sum({name}) <> 0" for name in _SUMS)
_COUNTED = "state, interaction_date, verified_at, verified_ok, size_bytes, stored_bytes, deletion"
_SIGNS = {"INSERT": {"NEW": ""}, "DELETE": {"OLD": "-"}, "UPDATE": {"OLD": "-", "NEW": ""}}
_DAY = {
    "sqlite": "coalesce(substr({}, 1, 10), '')",  # keeps dates as text: 2026-11-20 16:57:55.000000
    "postgresql": "coalesce(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '')",
}


def make_triggers(connection: Connection) -> None:
    """Count all changes from now on."""
    for name, signs in _SIGNS.items():
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(_row_trigger(name, signs))
        else:
            connection.exec_driver_sql(_function(name, signs))
            connection.exec_driver_sql(_statement_trigger(name, signs))


def drop_triggers(connection: Connection) -> None:
    """Count no more."""
    for name in _SIGNS:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"DROP TRIGGER {_name(name)}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {_name(name)} ON recordings")
            connection.exec_driver_sql(f"DROP FUNCTION {_name(name)}()")


def counted(dialect: str, axis: str) -> str:
    """Return the query that counts all recordings by day, without an entry."""
    sums = "count(*), coalesce(sum(size_bytes), 0), coalesce(sum(stored_bytes), 0), count(deletion)"
    return f"SELECT {_place(dialect, axis, 'r')}, {sums} FROM recordings AS r GROUP BY 1, 2, 3, 4"  # noqa: S608 - constants


def fill(connection: Connection) -> None:
    """Count all recordings into totals that are empty."""
    for axis in AXES:
        found = counted(connection.dialect.name, axis)
        into = f"INSERT INTO day_totals ({', '.join(COLUMNS)}, entry)"
        connection.exec_driver_sql(f"{into} SELECT *, 0 FROM ({found}) AS found")  # noqa: S608 - constants


def _name(change: str) -> str:
    return f"recordings_count_{change.lower()}"


def _place(dialect: str, axis: str, row: str) -> str:
    day = _DAY[dialect].format(f"{row}.{AXES[axis]}")
    verdict = f"CASE WHEN {row}.verified_ok THEN 'sound' WHEN NOT {row}.verified_ok THEN 'damaged' ELSE '' END"
    return f"'{axis}' AS axis, {day} AS day, {row}.state AS state, {verdict} AS verdict"


def _amount(row: str, sign: str) -> str:
    decided = f"CASE WHEN {row}.deletion IS NULL THEN 0 ELSE {sign}1 END"
    sizes = (f"{sign}coalesce({row}.{name}, 0) AS {name}" for name in _SUMS[1:3])
    return f"{sign}1 AS recordings, {', '.join(sizes)}, {decided} AS decided"


def _row_trigger(change: str, signs: dict[str, str]) -> str:
    """Return the trigger of SQLite for one kind of change; an update of other columns counts for nothing."""
    added = (
        f"{_INTO} SELECT {_place('sqlite', axis, row)}, 0, {_amount(row, sign)} WHERE true {_ADD};"
        for row, sign in signs.items()
        for axis in AXES
    )
    what = f"UPDATE OF {_COUNTED}" if change == "UPDATE" else change
    return f"CREATE TRIGGER {_name(change)} AFTER {what} ON recordings BEGIN {' '.join(added)} END"


def _function(change: str, signs: dict[str, str]) -> str:
    """Return the function of PostgreSQL that counts what one statement changed, in an entry of its transaction."""
    changed = " UNION ALL ".join(
        f"SELECT {_place('postgresql', axis, 'r')}, {_amount('r', sign)} FROM {row.lower()}_rows AS r"  # noqa: S608 - constants
        for row, sign in signs.items()
        for axis in AXES
    )
    return f"""
        CREATE OR REPLACE FUNCTION {_name(change)}() RETURNS trigger LANGUAGE plpgsql AS $count$
        BEGIN
            {_INTO} SELECT axis, day, state, verdict, txid_current(), {_SUMMED} FROM ({changed}) AS changed {_GROUPED}
            {_ADD};
            IF mod(txid_current(), {_FOLD_EVERY}) = 0 AND pg_try_advisory_xact_lock({FOLDING}) THEN
                WITH gone AS (DELETE FROM day_totals WHERE entry <> 0 RETURNING *)
                {_INTO} SELECT axis, day, state, verdict, 0, {_SUMMED} FROM gone {_GROUPED} {_ADD};
            END IF;
            RETURN NULL;
        END $count$
    """  # noqa: S608 - constants


def _statement_trigger(change: str, signs: dict[str, str]) -> str:
    rows = " ".join(f"{row} TABLE AS {row.lower()}_rows" for row in signs)
    return (
        f"CREATE TRIGGER {_name(change)} AFTER {change} ON recordings REFERENCING {rows} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {_name(change)}()"
    )
