"""Rebuild the catalog from what must outlive it: sidecars tell the recordings, reports the runs and the failures.

It may be run on a filled catalog too, and again after it was stopped: it adds what is missing, and names what differs
without changing it. The catalog is bound to the archive last, so no run works with one that is half rebuilt.

Not rebuilt, because only the catalog had it: what each run did with each part (reports still tell), who searched and
verified, acknowledgements, and the attributes of recordings that never were archived.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from recording_archive import books, coverage, sidecar
from recording_archive.catalog import Catalog, record
from recording_archive.errors import ArchiveError, PermanentError, RunError, StoreError
from recording_archive.model import Attributes, PartId, SourceChecksum, State, is_safe_id
from recording_archive.schema import events, recordings, runs
from recording_archive.settings import Settings
from recording_archive.store import IDENTITY_KEY, LocalStore, Store
from recording_archive.stored_report import StoredReport, check_bytes, keys_of, read_report, read_rows
from recording_archive.verify import differing


class Result(StrEnum):
    """What became of one thing the archive tells."""

    ADDED = "added"
    KNOWN = "known"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Indexed:
    """One thing found in the archive: ``what`` is ``recordings``, ``runs``, ``coverage`` or ``failures``."""

    what: str
    key: str
    result: Result
    problem: str | None = None


def reindex(settings: Settings) -> Iterator[Indexed]:
    """Bring the catalog to what the archive tells, one thing at a time; it is done when the iterator ends.

    Raises StoreError when the root is no archive or the catalog indexes another one.
    """
    store, catalog = LocalStore(settings.root), Catalog(settings.catalog)
    archive_id, in_catalog = store.identity(), catalog.archive_id()
    if archive_id is None:
        raise StoreError(f"{store} holds no archive.json: is its volume mounted, and is RECORDING_ARCHIVE_URL right?")
    if in_catalog not in (None, archive_id):
        raise StoreError(
            f"The root {store} holds archive {archive_id}, the catalog indexes {in_catalog}: set "
            "RECORDING_ARCHIVE_CATALOG_URL to this archive's catalog, or to a new one to rebuild it there"
        )
    yield from _index_recordings(store, catalog, archive_id)
    yield from _index_reports(store, catalog)
    catalog.bind(archive_id, _created(store))
    catalog.close()


def _index_recordings(store: Store, catalog: Catalog, archive_id: str) -> Iterator[Indexed]:
    keys = (key for key in store.list("recordings/") if key.endswith(".json"))
    while page := list(islice(keys, books.PAGE)):
        told: dict[str, dict[str, Any]] = {}
        for key in page:
            try:
                told[key] = _read_sidecar(store, key, archive_id)
            except RunError:
                raise
            except ArchiveError as error:
                yield Indexed("recordings", key, Result.BAD, str(error))
        with catalog.write() as connection:
            indexed = list(_enter_page(connection, told))
        yield from indexed
        for key, row in told.items():
            if not row["verified_ok"]:
                yield Indexed("recordings", key, Result.BAD, f"its object {row['key']} is missing or has another size")


def _read_sidecar(store: Store, key: str, archive_id: str) -> dict[str, Any]:
    """The row a sidecar tells; raise PermanentError when it is damaged, misplaced, or of another archive."""
    content = store.read(key)
    row = sidecar.to_recording(content, key)
    if flaws := sorted(name for name, value in row.items() if not _is_sound(name, value)):
        raise PermanentError(
            f"The sidecar {key} is damaged ({', '.join(flaws)}): restore it from a copy of the archive"
        )
    if sidecar.beside(row["key"]) != key or not key.endswith(f"/{_part_of(row)}.json"):
        raise PermanentError(f"The sidecar {key} tells of {row['key']}: it was moved or renamed; put it back")
    if (other := json.loads(content).get("archiveId")) != archive_id:
        raise PermanentError(f"The sidecar {key} belongs to archive {other}: find out who put it into this one")
    return row | {"verified_ok": store.size(row["key"]) == row["stored_bytes"]}


def _is_sound(name: str, value: Any) -> bool:
    """Whether a value may become the catalog's: of its column's type, and safe where keys are made of it."""
    kind = recordings.c[name].type.python_type
    if value is None:
        return name in _OPTIONAL
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        return False
    if isinstance(value, int):
        return 0 <= value < (2**31 if name == "part" else 2**63)
    if isinstance(value, datetime):
        return value.tzinfo is not None
    return "\0" not in value and _SHAPES.get(name, _any)(value)


def _any(_: str) -> bool:
    return True


def _is_hash(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


_OPTIONAL = frozenset(Attributes.__dataclass_fields__) | {"interaction_date"}
_SHAPES: Mapping[str, Callable[[str], bool]] = {
    "interaction_id": is_safe_id,
    "recording_id": is_safe_id,
    "sha256": _is_hash,
    "stored_sha256": _is_hash,
    "source_checksum": set(SourceChecksum).__contains__,
}


def _enter_page(connection: Connection, told: Mapping[str, dict[str, Any]]) -> Iterator[Indexed]:
    """Make the rows of archived parts, and compare those that are there."""
    # By the first column alone: SQLite searches no index for a list of whole keys.
    present = select(recordings).where(
        recordings.c.interaction_id.in_({row["interaction_id"] for row in told.values()})
    )
    known = {PartId(*tuple(row)[:3]): row._asdict() for row in connection.execute(present)}
    new: list[dict[str, Any]] = []
    told_of: list[dict[str, Any]] = []
    for key, row in told.items():
        part = _part_of(row)
        if part not in known:
            new.append(row)
        elif known[part]["state"] == State.DISCOVERED:
            connection.execute(update(recordings).where(_same(part)).values(**row, **books.NO_FAILURE))
        else:
            names = differing(known[part], row)
            problem = f"the catalog has another {', '.join(names)}; it was left as it is" if names else None
            yield Indexed("recordings", key, Result.BAD if problem else Result.KNOWN, problem)
            continue
        known[part] = row
        told_of.append(_archived_event(part, row))
        yield Indexed("recordings", key, Result.ADDED)
    for table, rows in ((recordings, new), (events, told_of)):
        if rows:
            connection.execute(insert(table), rows)


def _archived_event(part: PartId, row: Mapping[str, Any]) -> dict[str, Any]:
    detail = {name: row[name] for name in ("key", "sha256", "stored_sha256", "sidecar_sha256")}
    when = {"at": row["archived_at"], "kind": "archived", "run_id": row["archived_by"]}
    return when | {"detail": detail} | part._asdict()


def _part_of(row: Mapping[str, Any]) -> PartId:
    return PartId(row["interaction_id"], row["recording_id"], row["part"])


def _index_reports(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Finished reports, those of one run in the order they were written."""
    keys = (key for key in store.list("reports/") if key.endswith("/compliance_report.sha256"))
    for _, group in groupby(keys, key=lambda key: key.rsplit("/", 2)[0]):
        for key in sorted(group, key=lambda key: (len(key), key)):
            document = keys_of(key)[0]
            try:
                check_bytes(store, document)
                report = read_report(store, document)
            except RunError:
                raise
            except ArchiveError as error:
                yield Indexed("runs", document, Result.BAD, str(error))
                continue
            with catalog.write() as connection:
                indexed = list(_enter_report(connection, report, read_rows(store, document)))
            yield from indexed


def _enter_report(connection: Connection, report: StoredReport, rows: Iterable[Mapping[str, str]]) -> Iterator[Indexed]:
    """Run, coverage and failures of one report, unless the catalog has the run as it was then or later."""
    known = connection.execute(select(runs).where(runs.c.run_id == report.run_id)).one_or_none()
    if known is not None and (known.closed_at is None or known.closed_at >= report.closed_at):
        yield Indexed("runs", report.key, Result.KNOWN)
        return
    facts = _run_columns(report)
    if known is None:
        connection.execute(insert(runs).values(**facts))
    else:
        connection.execute(update(runs).where(runs.c.run_id == report.run_id).values(**facts))
    yield Indexed("runs", report.key, Result.ADDED)
    if report.covers and report.window:
        coverage.close(
            connection,
            source=report.source,
            window=report.window,
            run_id=report.run_id,
            kind=report.kind,
            at=report.closed_at,
        )
        yield Indexed("coverage", report.key, Result.ADDED)
    failed = (row for row in rows if row["status"] in books.FAILURES)
    yield from (Indexed("failures", report.key, Result.ADDED) for row in failed if _fail(connection, report, row))


def _run_columns(report: StoredReport) -> dict[str, Any]:
    return {
        "run_id": report.run_id,
        "source": report.source,
        "kind": report.kind,
        "range_start": report.window and report.window.start,
        "range_end": report.window and report.window.end,
        "started_at": report.started_at,
        "asked": report.asked,
        "problem": "; ".join(report.problems) or None,
        "closed_at": report.closed_at,
        "report_key": report.key,
        "status": "failed" if report.problems else "success",
    }


def _fail(connection: Connection, report: StoredReport, row: Mapping[str, str]) -> bool:
    """Count a reported failure of a part that is not archived; reports need not come in order of time."""
    part = PartId(row["interactionId"], row["recordingId"], int(row["part"]))
    known = connection.execute(select(recordings).where(_same(part))).one_or_none()
    if known is None:
        date = datetime.fromisoformat(row["interactionDate"]) if row["interactionDate"] else None
        values = {**part._asdict(), "state": State.DISCOVERED, "interaction_date": date}
        connection.execute(insert(recordings).values(**values, **_counted(None, report.closed_at, row["error"])))
    elif known.state == State.DISCOVERED:
        values = _counted(known, report.closed_at, row["error"])
        connection.execute(update(recordings).where(_same(part)).values(**values))
    else:
        return False
    detail = {"outcome": row["status"], "error": row["error"]}
    record(connection, "failed", part, at=report.closed_at, run_id=report.run_id, detail=detail)
    return True


def _counted(known: Row[Any] | None, at: datetime, error: str) -> dict[str, Any]:
    """The failure columns after one more failure at ``at``, which may lie before those counted so far."""
    failures = known.failures if known else 0
    latest = known.retry_at - _wait(failures) if known and known.retry_at else at
    since = min(known.failed_since, at) if known and known.failed_since else at
    return {
        "failures": failures + 1,
        "failed_since": since,
        "retry_at": max(latest, at) + _wait(failures + 1),
        "last_error": error if known is None or at >= latest else known.last_error,
    }


def _wait(failures: int) -> timedelta:
    """How long after the latest of so many failures a run tries again, as `books` has it."""
    return timedelta(days=2 ** min(failures - 1, 10), hours=-12)


def _same(part: PartId) -> Any:
    return and_(*(recordings.c[name] == value for name, value in part._asdict().items()))


def _created(store: Store) -> datetime:
    return datetime.fromisoformat(json.loads(store.read(IDENTITY_KEY))["created"])
