"""The archive's standing in figures, counted by the catalog's indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, select

from recording_archive.archive import Archive
from recording_archive.archiving.coverage import covered_until
from recording_archive.catalog.day_totals import Sums, count_damaged, sums_by_state
from recording_archive.catalog.tables import fixity_runs, holds, plans, recordings, runs
from recording_archive.disposition.plan_table import undecided
from recording_archive.ledger.vouched import read_vouched
from recording_archive.model import STORED, State

_c = recordings.c
_LOOKED_AT = 20  # runs: some are about named recordings alone
_DAGS = {"archive_recordings": runs, "enforce_retention": plans, "verify_archive": fixity_runs}


@dataclass(frozen=True, slots=True)
class Figure:
    """One gauge: its name, what it says, and its value, or one for each value of ``label``.

    Times are in seconds, sizes in bytes, as the name says.
    """

    name: str
    help: str
    values: Mapping[str, float]
    label: str = ""


def read_figures(archive: Archive) -> list[Figure]:
    """Count everything in one consistent state of the catalog."""
    with archive.catalog.read() as connection:
        return [*_contents(connection), *_troubles(connection, archive), *_delays(connection, archive)]


def _contents(connection: Connection) -> Iterator[Figure]:
    """Contents of the archive."""
    found = sums_by_state(connection)
    states = {str(state): float(sums.recordings) for state, sums in found.items()}
    yield Figure("recordings", "Recordings that the source ever listed, by state.", states, "state")
    stored = sum((found[state] for state in STORED), Sums())
    yield _one("media_bytes", "Media in the archive, as it was before it was compressed.", stored.size_bytes)
    yield _one("stored_bytes", "Media in the archive, as stored.", stored.stored_bytes)
    active = select(func.count()).select_from(holds).where(holds.c.released_at.is_(None))
    yield _one("holds", "Legal holds in force.", connection.execute(active).scalar_one())


def _troubles(connection: Connection, archive: Archive) -> Iterator[Figure]:
    """Troubles that wait for a person, or for the next run."""
    failing = (_c.failed_since.is_not(None), _c.state == State.DISCOVERED, _c.acknowledged_at.is_(None))
    over = _c.failed_since < archive.clock() - timedelta(days=archive.settings.retry_days)
    failures = {
        "decision": _count(connection, *failing, over),
        "retrying": _count(connection, *failing, ~over),
    }
    yield Figure("failures", "Recordings that could not be archived, by what comes next.", failures, "next")
    yield _one("damaged", "Recordings whose last reading failed.", count_damaged(connection))
    behind = _locks_behind(connection)
    yield _one("locks_behind", "Recordings whose object lock is behind what policy and holds ask for.", behind)
    yield _one("plans_waiting", "Plans of retention or erasure that a person must approve.", len(undecided(connection)))
    succeeded, ended = {}, {}
    for dag, table in _DAGS.items():
        if (last := _last_run(connection, table)) is not None:
            succeeded[dag], ended[dag] = float(last.status == "success"), last.closed_at.timestamp()
    yield Figure("last_run_success", "1 when the last run ended as it should, else 0.", succeeded, "dag")
    yield Figure("last_run_end_timestamp_seconds", "When the last run wrote its report.", ended, "dag")


def _delays(connection: Connection, archive: Archive) -> Iterator[Figure]:
    """Delays of the archive behind its source, its readings and its ledger."""
    now = archive.clock()
    lags = {source: _since(until, now) for source, until in covered_until(connection).items()}
    yield Figure("coverage_lag_seconds", "Time since the end of gap-free coverage.", lags, "source")
    oldest = [
        connection.execute(select(func.min(_c.verified_at)).where(_c.state == state)).scalar() for state in STORED
    ]
    days = max((_since(each, now) for each in oldest if each), default=0.0) / 86400
    yield _one("unverified_days", "Days since the reading that is the longest ago of all stored recordings.", days)
    vouched = [each for each in read_vouched(connection, archive.settings) if each.asked_for]
    waiting = {each.kind: float(each.waiting) for each in vouched}
    yield Figure("ledger_waiting_segments", "Segments of the ledger that wait for it.", waiting, "vouched")
    behind = {each.kind: _since(each.since, now) if each.since else 0.0 for each in vouched}
    yield Figure("ledger_lag_seconds", "Time since the oldest segment began to wait.", behind, "vouched")


def _locks_behind(connection: Connection) -> float:
    """Count what the last run of `verify_archive` that followed object locks left behind."""
    newest = select(fixity_runs.c.facts).order_by(fixity_runs.c.started_at.desc()).limit(_LOOKED_AT)
    told = (facts.get("locks") for facts in connection.execute(newest).scalars())
    return next((float(locks["behind"]) for locks in told if locks), 0.0)


def _one(name: str, help: str, value: float) -> Figure:
    return Figure(name, help, {"": float(value)})


def _count(connection: Connection, *where: ColumnElement[bool]) -> float:
    return float(connection.execute(select(func.count()).select_from(recordings).where(*where)).scalar_one())


def _last_run(connection: Connection, table: Table) -> Any:
    closed = select(table.c.status, table.c.closed_at).where(table.c.closed_at.is_not(None))
    return connection.execute(closed.order_by(table.c.started_at.desc()).limit(1)).one_or_none()


def _since(moment: datetime, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0)
