"""Totals of a run, and the problems that make it fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, select

from recording_archive.archive import Archive
from recording_archive.archiving import account
from recording_archive.archiving.mismatches import count_healed
from recording_archive.archiving.work_rows import tally
from recording_archive.catalog.tables import work
from recording_archive.model import FAILURES, Outcome, SourceChecksum
from recording_archive.sources import Gap

PROCESSED = (Outcome.SUCCESS, *FAILURES)


def count_totals(archive: Archive, run_id: str) -> dict[str, int]:
    """Count the outcomes and bytes of a run by the names of its report, with ``own`` and ``ownFailures``."""
    succeeded = work.c.outcome == Outcome.SUCCESS
    with archive.catalog.read() as connection:
        counts = tally(connection, run_id)
        downloaded, stored, unavailable = connection.execute(
            select(
                func.coalesce(func.sum(work.c.wire_bytes), 0),
                func.coalesce(func.sum(work.c.stored_bytes).filter(succeeded), 0),
                func.count().filter(succeeded, work.c.source_checksum == SourceChecksum.NOT_GIVEN),
            ).where(work.c.run_id == run_id)
        ).one()
        healed = count_healed(connection, run_id)
    return {
        "totalProcessed": sum(counts[outcome] for outcome in PROCESSED),
        "successful": counts[Outcome.SUCCESS],
        "failed": counts[Outcome.FAILED],
        "checksumErrors": counts[Outcome.CHECKSUM_MISMATCH],
        "alreadyArchived": counts[Outcome.ALREADY_ARCHIVED],
        "excluded": counts[Outcome.EXCLUDED],
        "missing": counts[Outcome.MISSING],
        "deferred": counts[Outcome.DEFERRED],
        "checksumUnavailable": unavailable,
        "healedMismatches": healed,
        "bytesDownloaded": int(downloaded),
        "bytesStored": int(stored),
        "own": counts["own"],
        "ownFailures": counts["own_failures"],
    }


def covers(run: Row[Any], totals: Mapping[str, int]) -> bool:
    """Tell if a run covers its range, but for the gaps of its listing.

    The source was listed to its end, without ids, and every part has an outcome.
    """
    return run.range_start is not None and run.kind != "asked" and _closes(run, totals)


def find_problems(
    run: Row[Any], totals: Mapping[str, int], allowed_ratio: float, *, gaps: Sequence[Gap] = ()
) -> list[str]:
    """List why a run counts as failed; more than ``allowed_ratio`` of its own recordings failed is one reason."""
    problems = [run.problem] if run.problem else []
    problems += account.describe(gaps)
    if run.asked is None:
        problems.append("the source was not listed to its end")
    elif not _closes(run, totals):
        problems.append(f"the books do not close: {run.asked} asked for, {dict(totals)}")
    if totals["missing"]:
        problems.append(f"{totals['missing']} asked interactions are not at the source")
    if totals["ownFailures"] > allowed_ratio * totals["own"]:
        problems.append(f"{totals['ownFailures']} of {totals['own']} recordings failed")
    return problems


def _closes(run: Row[Any], totals: Mapping[str, int]) -> bool:
    ends = ("totalProcessed", "alreadyArchived", "excluded", "missing", "deferred")
    return bool(run.asked == sum(totals[name] for name in ends))
