"""Runs of a lost catalog, from the reports in the archive, whatever their kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import Connection

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.errors import ArchiveError, FixityError, RunError
from recording_archive.recovery.event_history import vouched_files
from recording_archive.recovery.from_compliance_reports import enter_archiving_run
from recording_archive.recovery.from_run_reports import enter_fixity_run, enter_plan
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.reports.reading import check_bytes, damage_named, hash_of, keys_of, name_of, read_head
from recording_archive.reports.writing import manifest_key
from recording_archive.store.base import Store

_ENTERING: Mapping[str, Callable[[Connection, Store, str], Iterator[Indexed]]] = {
    "compliance_report": enter_archiving_run,
    "retention_report": enter_plan,
    "fixity_report": enter_fixity_run,
}


def index_reports(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Enter the runs of finished reports, those of one run in the order they were written.

    A report that a crash left without its event gets one, even an unfinished one; a report whose hashes differ from
    its event's is bad.
    """
    vouched = vouched_files(catalog, "reported")
    keys = (key for key in store.list("reports/") if key.endswith(".sha256") and name_of(key) in _ENTERING)
    for _, group in groupby(keys, key=lambda key: key.rsplit("/", 2)[0]):
        for key in sorted(group, key=lambda key: (len(key), key)):
            document = keys_of(key)[0]
            try:
                _check(store, document, vouched)
                with catalog.write() as connection:
                    indexed = list(_ENTERING[name_of(key)](connection, store, document))
                    if document not in vouched:
                        _vouch(connection, store, document)
            except RunError:
                raise
            except ArchiveError as error:
                yield Indexed("runs", document, IndexResult.BAD, str(error))
            else:
                yield from indexed
    yield from _unfinished(store, catalog, vouched)


def _vouch(connection: Connection, store: Store, document: str) -> None:
    """Write the event that a finished report lacks."""
    files = {each: hash_of(store, each) for each in _files_of(store, document)}
    head = read_head(store, document)
    with damage_named(document):
        run_id, at = str(head["runId"]), datetime.fromisoformat(head["generatedAt"])
    record(connection, "reported", None, at=at, run_id=run_id, detail={"files": files})


def _unfinished(store: Store, catalog: Catalog, vouched: Mapping[str, str]) -> Iterator[Indexed]:
    """Vouch for the files of reports that never came to their checksums; nothing is read from them."""
    for key in store.list("reports/"):
        if not key.endswith(".csv") or name_of(key) not in _ENTERING or key in vouched:
            continue
        if store.size(keys_of(key)[2]) is None:
            files = {each: hash_of(store, each) for each in _files_of(store, key)}
            with catalog.write() as connection:
                record(connection, "reported", None, at=datetime.now(UTC), detail={"unfinished": True, "files": files})
            yield Indexed("reports", key, IndexResult.ADDED)


def _check(store: Store, document: str, vouched: Mapping[str, str]) -> None:
    """Raise FixityError unless JSON and CSV have the hashes beside them, and the ledger knows the same."""
    check_bytes(store, document)
    checksums = keys_of(document)[2]
    found = hash_of(store, checksums)
    if (due := vouched.get(checksums, found)) != found:
        raise FixityError(f"{checksums} (restore it from a copy of the archive)", expected=due, found=found)


def _files_of(store: Store, report_key: str) -> list[str]:
    """List the files that exist of a report, and of the manifest beside it."""
    _, day, run, number, _ = report_key.split("/")
    files = (*keys_of(report_key), manifest_key(day, run, number))
    return [key for key in files if store.size(key) is not None]
