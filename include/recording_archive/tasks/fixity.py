"""The tasks of `verify_archive`: reindex, plan, re-read, repair, strays, sweep, object locks, ledger, report."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from recording_archive.archive import Archive
from recording_archive.errors import PermanentError
from recording_archive.evidence.ready import remove_expired
from recording_archive.fixity import reading, readings_table, strays_and_ledger
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.repair import repair
from recording_archive.fixity.report import FixityReport, write_report
from recording_archive.fixity.request import read_scope
from recording_archive.fixity.sweep import sweep
from recording_archive.locks import reconcile
from recording_archive.recovery.reindex import reindex
from recording_archive.recovery.result import IndexResult
from recording_archive.settings import read_settings
from recording_archive.sources import Source
from recording_archive.tasks.airflow_versions import final
from recording_archive.tasks.connection import GenesysCloudHook
from recording_archive.tasks.run_metrics import emit
from recording_archive.tasks.session import log_totals, raise_if_stopped, stoppable, task_archive
from recording_archive.transfer.client import MediaClient

log = logging.getLogger(__name__)


def reindex_archive(conf: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Rebuild the catalog from the archive, if that was asked for; return how many things had each result."""
    if (conf or {}).get("reindex") is not True:  # plan_fixity judges everything else in it, and its report can say so
        return None
    counts = dict.fromkeys(map(str, IndexResult), 0)
    with final(PermanentError):
        for found in reindex(read_settings()):
            counts[found.result] += 1
            if found.problem:
                log.error("%s: %s", found.key, found.problem)
    log.info("reindexed: %s", counts)
    return counts


def plan_fixity(
    *, run_id: str, conf: Mapping[str, Any] | None, reindexed: Mapping[str, int] | None
) -> list[dict[str, Any]]:
    """Write a work row for each recording to re-read; return one mapping per batch for the mapped tasks."""
    with task_archive(read_settings()) as archive, readings_table.noted(archive, run_id):
        facts = {"reindexed": dict(reindexed)} if reindexed else {}
        batches = reading.plan(archive, run_id, read_scope(conf or {}), **facts)
    return [{"number": batch.number, "parts": batch.parts, "of": len(batches)} for batch in batches]


def verify_batch(run_id: str, number: int) -> int:
    """Re-read a batch to the last byte; return how many recordings are bad."""
    with task_archive(read_settings()) as archive, readings_table.noted(archive, run_id), stoppable() as (stop, _):
        bad = reading.read_batch(archive, run_id, number, stop=stop)
        raise_if_stopped(stop)
    return bad


def repair_recordings(run_id: str) -> None:
    """Repair bad recordings, from the source if need be; the report names those that cannot be repaired."""
    settings, hook = read_settings(), GenesysCloudHook()
    with task_archive(settings) as archive, readings_table.noted(archive, run_id), stoppable() as (stop, on_stop):

        def connect() -> tuple[Source, MediaClient]:
            media = hook.media(settings, stop)
            on_stop(media.stop)
            return hook.source(settings, stop), media

        origin = Origin(connect)
        try:
            repair(archive, run_id, origin, stop=stop)
        finally:
            origin.close()
        raise_if_stopped(stop)


def look_for_strays(run_id: str) -> int | None:
    """Count files that the catalog does not know; None for a run about named recordings alone."""
    with task_archive(read_settings()) as archive, readings_table.noted(archive, run_id):
        return strays_and_ledger.look_for_strays(archive, run_id) if _is_whole(archive, run_id) else None


def sweep_left_overs(run_id: str) -> dict[str, int] | None:
    """Remove left-overs of killed tasks from archive and staging; None for a run about named recordings alone."""
    with task_archive(read_settings()) as archive, readings_table.noted(archive, run_id):
        if readings_table.kind_of(archive, run_id) == "asked":
            return None
        swept = asdict(sweep(archive))
        readings_table.note_facts(archive, run_id, swept=swept)
        if packs := remove_expired(archive):
            log.info("removed %d evidence packs whose days were over", packs)
    return swept


def follow_locks(run_id: str) -> dict[str, Any] | None:
    """Bring the locks of recordings in a bucket to what policy and holds ask; None where there are none to bring."""
    with task_archive(read_settings()) as archive, readings_table.noted(archive, run_id), stoppable() as (stop, _):
        if readings_table.kind_of(archive, run_id) == "asked" or not archive.store.locks():
            return None
        found = reconcile.follow(archive, stop=stop, run_id=run_id).to_json()
        raise_if_stopped(stop)
        readings_table.note_facts(archive, run_id, locks=found)
    log.info("object locks: %s", found)
    return found


def verify_ledger(run_id: str) -> int | None:
    """Check the ledger; return how many flaws it has, None for a run about named recordings alone."""
    with task_archive(read_settings()) as archive, readings_table.noted(archive, run_id):
        return strays_and_ledger.verify_ledger(archive, run_id) if _is_whole(archive, run_id) else None


def write_fixity_report(run_id: str) -> FixityReport:
    """Close the run, write its fixity report, and log its totals and the recordings that need a person."""
    with task_archive(read_settings()) as archive:
        found = write_report(archive, run_id)
        emit(archive, found.totals)
    log_totals(found.totals, found.report_key, found.ledger_head)
    for line in found.named:
        log.error("%s", line)
    return found


def _is_whole(archive: Archive, run_id: str) -> bool:
    return readings_table.kind_of(archive, run_id) in readings_table.WHOLE
