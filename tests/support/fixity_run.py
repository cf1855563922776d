"""Damage as disks and people do it, and a run of `verify_archive` without Airflow against it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.catalog.tables import readings
from recording_archive.fixity import reading, strays_and_ledger
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.repair import repair
from recording_archive.fixity.report import FixityReport, write_report
from recording_archive.fixity.request import Scope
from recording_archive.ledger.chain import newest
from recording_archive.sources import Source
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.client import MediaClient
from recording_archive.transfer.limits import TransferLimits
from support.runner import Runner

DUE, ALL = Scope(), Scope(everything=True)
NOW = datetime(2027, 1, 1, 3, tzinfo=UTC)
LIMITS = TransferLimits(attempts=1, free_space_reserve_bytes=0)


@dataclass
class Verifying:
    """Runs the tasks of `verify_archive` against an archive; ``runs`` numbers them."""

    cloud: Sandbox
    runs: int = 0
    limits: dict[str, int] = field(default_factory=dict)  # of repairs
    stop: threading.Event = field(default_factory=threading.Event)

    def __call__(self, archive: Archive, scope: Scope = DUE, run_id: str | None = None) -> FixityReport:
        """Plan, read every batch, repair, inspect, report."""
        self.runs += 1
        run_id = run_id or f"verify__{self.runs}"
        self.read_all(archive, run_id, scope)
        self.repair(archive, run_id)
        strays_and_ledger.look_for_strays(archive, run_id)
        strays_and_ledger.verify_ledger(archive, run_id)
        return write_report(archive, run_id)

    def read_all(self, archive: Archive, run_id: str, scope: Scope = DUE) -> None:
        """Plan a run and read all its batches."""
        for batch in reading.plan(archive, run_id, scope):
            reading.read_batch(archive, run_id, batch.number, stop=self.stop)

    def repair(self, archive: Archive, run_id: str) -> None:
        """Repair as `repair_recordings` does."""
        origin = Origin(self.connect)
        repair(archive, run_id, origin, stop=self.stop, **self.limits)
        origin.close()

    def connect(self) -> tuple[Source, MediaClient]:
        """The sandbox as source and media host."""
        hosts = MediaHosts([self.cloud.media_host], allow_private=True)
        return Runner(self.cloud).source(), MediaClient(hosts, LIMITS, stop=self.stop)


def at(archive: Archive, moment: datetime, **changes: Any) -> Archive:
    """The archive with a clock that stands still, and other settings."""
    return replace(archive, clock=lambda: moment, settings=archive.settings.model_copy(update=changes))


def planned(archive: Archive, scope: Scope = DUE, run_id: str = "r") -> list[str]:
    """The interactions that a run would read, in their order."""
    reading.plan(archive, run_id, scope)
    query = select(readings.c.interaction_id).where(readings.c.run_id == run_id).order_by(readings.c.id)
    with archive.catalog.read() as connection:
        return list(connection.execute(query).scalars())


def found(archive: Archive, run_id: str) -> dict[str | None, str | None]:
    """The findings of a run that it keeps, by interaction or, for strays, by key."""
    with archive.catalog.read() as connection:
        rows = connection.execute(select(readings).where(readings.c.run_id == run_id)).all()
    return {row.interaction_id or row.key: row.outcome for row in rows}


def document(archive: Archive, report: FixityReport) -> dict[str, Any]:
    """A fixity report as the archive has it."""
    return dict(json.loads(archive.store.read(report.report_key)))


def kept(archive: Archive) -> dict[str, bytes]:
    """The files below ``rejected/``, by the key they had before."""
    return {key.split("/", 2)[2]: archive.store.read(key) for key in archive.store.list("rejected/")}


def head(archive: Archive) -> str:
    """The ledger's head as the archive has it."""
    return str(newest(archive.store))
