"""Media that came with another checksum than the source gave: an event each, and how many healed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, select

from recording_archive.archiving.work_rows import Work
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import among, part_of, same_part
from recording_archive.catalog.tables import events, work
from recording_archive.model import Outcome, PartId

if TYPE_CHECKING:  # a report has no need of HTTP
    from recording_archive.transfer.transfer import Mismatch

KIND = "mismatched"


def note(connection: Connection, job: Work, found: Sequence[Mismatch], *, at: datetime) -> None:
    """Write an event for each time the media of a part had the wrong hash."""
    for mismatch in found:
        detail = {"expectedSha256": mismatch.expected, "sha256": mismatch.found}
        record(connection, KIND, job.part_id, at=at, run_id=job.run_id, detail=detail)


def count_healed(connection: Connection, run_id: str) -> int:
    """Count the recordings that a run archived after their media had come with a wrong checksum."""
    noted = select(events.c.id).where(same_part(events, work), events.c.kind == KIND, events.c.run_id == run_id)
    mine = (work.c.run_id == run_id, work.c.outcome == Outcome.SUCCESS)
    healed = select(func.count()).select_from(work).where(*mine, noted.exists())
    return connection.execute(healed).scalar_one()


def of_rows(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[PartId, list[dict[str, Any]]]:
    """Return both hashes of each mismatch, for those of some work rows of one run that had any."""
    mine = among(events, [part_of(row) for row in rows])
    noted = select(events).where(mine, events.c.kind == KIND, events.c.run_id.in_({row.run_id for row in rows}))
    found: dict[PartId, list[dict[str, Any]]] = defaultdict(list)
    for event in connection.execute(noted.order_by(events.c.id)):
        found[part_of(event)].append(event.detail)
    return found
