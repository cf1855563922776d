"""The fixity report: what a run of `verify_archive` read and found. Writing it closes the run, however it ended.

The ledger is sealed before, so that the report names its head, and after, so that the ledger vouches for the report.
Rows are streamed, so that a disk full of damage costs no more memory than one recording.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Row, func, select

from recording_archive.archive import Archive
from recording_archive.catalog.rows import pages, part_of
from recording_archive.catalog.tables import fixity_runs, readings, recordings
from recording_archive.fixity import readings_table
from recording_archive.fixity.readings_table import Finding
from recording_archive.ledger import sealing
from recording_archive.ledger.segments import unknown_segments
from recording_archive.ledger.vouching import seal_and_vouch
from recording_archive.model import STORED
from recording_archive.reports import run_state, writing

log = logging.getLogger(__name__)

NAME = "fixity_report"
KIND = "fixity"  # of the event `reported`
ESCALATED = "escalated"  # what reports call a recording that is bad and was not repaired
NAMED = 20  # recordings that the message of a failed run names; its report names all
COLUMNS = ("interactionId", "recordingId", "part", "filePath", "outcome", "problem", "why")
FACTS = (
    "swept",
    "reindexed",
    "locks",
    "unknownSidecars",
    "ledgerEvents",
    "ledgerFlawed",
    "ledgerFlaws",
)  # None: not looked at
_READ = (Finding.SOUND, Finding.BAD, Finding.REPAIRED)
_LISTED = (Finding.BAD, Finding.REPAIRED, Finding.ABSENT, Finding.STRAY)


@dataclass(frozen=True, slots=True)
class FixityReport:
    """A closed run: its totals as the report tells them, and why it counts as failed (empty when it does not).

    ``named`` are the first recordings that need a person, with what is wrong. ``ledger_head`` is ``segment:sha256``
    after the report was sealed; None when the ledger could not be sealed.
    """

    run_id: str
    report_key: str
    totals: Mapping[str, int]
    named: tuple[str, ...]
    problems: tuple[str, ...]
    ledger_head: str | None

    @property
    def failed(self) -> bool:
        """Tell whether the run must end failed."""
        return bool(self.problems)


def write_report(archive: Archive, run_id: str) -> FixityReport:
    """Close the run and write its report; the caller makes the run fail when `FixityReport.failed`."""
    run = _run(archive, run_id)
    counts = run.counts if run.closed_at else _counts(archive, run)  # a closed run no longer has the rows of the sound
    totals, problems = _totals(counts), tuple(_problems(archive, run, counts))
    named = tuple(islice((_in_words(row) for row in _rows(archive, run_id, (Finding.BAD, Finding.ABSENT))), NAMED))
    head, at = sealing.seal_for_report(archive), archive.clock()
    key, files = writing.publish_report(
        archive,
        day=run.started_at.date().isoformat(),
        run_id=run_id,
        name=NAME,
        table=lambda: writing.as_csv(COLUMNS, _entries(archive, run_id)),
        document=writing.as_json(
            _top(archive, run, totals, problems, at=at, head=head), findings=_entries(archive, run_id)
        ),
    )
    detail, closed = {"kind": KIND, "files": files}, {"status": run_state.status_of(problems), "counts": counts}
    with archive.catalog.write() as connection:
        run_state.close(connection, fixity_runs, run_id, at=at, report_key=key, detail=detail, **closed)
    head = seal_and_vouch(archive) or head
    readings_table.drop_sound(archive, run_id)
    return FixityReport(run_id, key, totals, named, problems, head)


def _run(archive: Archive, run_id: str) -> Row[Any]:
    with archive.catalog.read() as connection:
        found = connection.execute(select(fixity_runs).where(fixity_runs.c.run_id == run_id)).one_or_none()
    if found is None:
        readings_table.note_problem(archive, run_id, "the plan was never made: its task's log says why")
        return _run(archive, run_id)
    return found


def _counts(archive: Archive, run: Row[Any]) -> dict[str, int]:
    """Count rows by finding, those that were not read, and the stored bytes of those that were."""
    size = func.coalesce(func.sum(readings.c.stored_bytes), 0)
    query = select(readings.c.outcome, func.count(), size).where(readings.c.run_id == run.run_id)
    with archive.catalog.read() as connection:
        rows = connection.execute(query.group_by(readings.c.outcome)).all()
    counts = dict.fromkeys((*map(str, Finding), "unread", "bytesRead"), 0)
    for outcome, number, size_bytes in rows:
        counts[outcome or "unread"] = number
        counts["bytesRead"] += int(size_bytes) if outcome in _READ else 0
    return {**counts, "planned": run.planned or 0, Finding.STRAY: run.facts.get("strays", 0)}


def _totals(counts: Mapping[str, int]) -> dict[str, int]:
    """Name the counts as the report does."""
    return {
        "planned": counts["planned"],
        "read": sum(counts[finding] for finding in _READ),
        "bytesRead": counts["bytesRead"],
        "sound": counts[Finding.SOUND],
        "damaged": counts[Finding.BAD] + counts[Finding.REPAIRED],
        "repaired": counts[Finding.REPAIRED],
        "escalated": counts[Finding.BAD],
        "absent": counts[Finding.ABSENT],
        "gone": counts[Finding.GONE],
        "unread": counts["unread"],
        "strays": counts[Finding.STRAY],
    }


def _problems(archive: Archive, run: Row[Any], counts: Mapping[str, int]) -> Iterator[str]:
    """Yield the reasons why the run failed: each is for a person."""
    facts = run.facts
    if run.problem:
        yield run.problem
    elif run.planned is None:
        yield "the plan is not whole: the log of its task says why"
    if number := counts[Finding.BAD]:
        yield f"{number} recordings are damaged and were not repaired"
    if number := counts[Finding.ABSENT]:
        yield f"{number} asked interactions are not in the archive"
    if number := counts["unread"]:
        yield f"{number} recordings were not read: the logs of their batches say why"
    if number := facts.get("unknownSidecars"):
        yield f"{number} sidecars are not in the catalog: run this DAG with reindex"
    yield from _lock_problems(archive, run)
    if number := facts.get("reindexed", {}).get("bad"):
        yield f"reindex found {number} bad documents: the log of its task names them"
    if run.kind in readings_table.WHOLE:
        for fact, what in (
            ("strays", "stray files were not looked for"),
            ("ledgerFlaws", "the ledger was not verified"),
        ):
            if fact not in facts:
                yield f"{what}: the log of its task says why"
    if flaws := facts.get("ledgerFlaws"):
        yield f"the ledger does not verify: {flaws[0]['place']}: {flaws[0]['problem']}"
    if unknown := unknown_segments(archive):
        yield f"the catalog lacks segment {unknown[0]} of the ledger: run this DAG with reindex"


def _lock_problems(archive: Archive, run: Row[Any]) -> Iterator[str]:
    locks = run.facts.get("locks")
    if locks is None:
        if archive.store.locks() and run.kind in readings_table.WHOLE:
            yield "object locks were not brought to what policy and holds ask: the log of their task says why"
    elif number := locks["behind"]:
        yield f"{number} recordings have an object lock behind what policy and holds ask: {locks['problems'][0]}"
    elif locks["problems"]:  # of all of them
        yield str(locks["problems"][0])


def _top(
    archive: Archive,
    run: Row[Any],
    totals: Mapping[str, int],
    problems: Sequence[str],
    *,
    at: datetime,
    head: str | None,
) -> dict[str, Any]:
    """Make the head of the report: everything but its findings."""
    facts, days, oldest = run.facts, archive.settings.verify_days, _oldest(archive)
    return {
        "runId": run.run_id,
        "kind": run.kind,
        "startedAt": run.started_at.isoformat(),
        "generatedAt": at.isoformat(),
        **totals,
        "oldestVerification": oldest and oldest.isoformat(),
        "verifyDays": days,
        "behind": oldest is not None and at - oldest > timedelta(days=days + 1),  # a run is some hours long
        **{name: facts.get(name) for name in FACTS},
        "ledgerHead": head,
        "problems": list(problems),
    }


def _oldest(archive: Archive) -> datetime | None:
    """Find the oldest of all last readings; None while there is none."""
    moments = []
    for state in sorted(STORED):  # the index gives the least of one state at once
        with archive.catalog.read() as connection:
            query = select(func.min(recordings.c.verified_at)).where(recordings.c.state == state)
            moments.append(connection.execute(query).scalar())
    return min((moment for moment in moments if moment), default=None)


def _entries(archive: Archive, run_id: str) -> Iterator[dict[str, Any]]:
    return map(_entry, _rows(archive, run_id, _LISTED))


def _entry(row: Row[Any]) -> dict[str, Any]:
    return {
        "interactionId": row.interaction_id,
        "recordingId": row.recording_id,
        "part": row.part,
        "filePath": row.key,
        "outcome": ESCALATED if row.outcome == Finding.BAD else row.outcome,
        "problem": row.problem,
        "why": row.why,
    }


def _in_words(row: Row[Any]) -> str:
    """Name a recording and what is wrong with it, in a line of a log."""
    part = part_of(row) if row.recording_id else row.interaction_id
    return f"{part}: {row.problem}" + (f"; not repaired: {row.why}" if row.why else "")


def _rows(archive: Archive, run_id: str, findings: Iterable[Finding]) -> Iterator[Row[Any]]:
    """Yield the run's rows with these findings, a page at a time."""
    query = select(readings).where(readings.c.run_id == run_id, readings.c.outcome.in_(tuple(findings)))
    for page in pages(archive.catalog, query, readings.c.id):
        yield from page
