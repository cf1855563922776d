"""Damage as disks and people do it, and a run of `verify_archive` without Airflow against it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import Runner
from sqlalchemy import Row, select

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.catalog.tables import events, readings, recordings
from recording_archive.fixity import reading as fixity
from recording_archive.fixity import strays_and_ledger as inspection
from recording_archive.fixity.refetch import Origin
from recording_archive.fixity.repair import repair
from recording_archive.fixity.report import FixityReport, report
from recording_archive.fixity.request import Scope
from recording_archive.ledger import sealing as ledger
from recording_archive.model import PartId
from recording_archive.sources import Source
from recording_archive.transfer.allowed_hosts import MediaHosts
from recording_archive.transfer.client import Limits, MediaClient

DUE, ALL = Scope(), Scope(everything=True)
LIMITS = Limits(attempts=1, free_space_reserve_bytes=0)


@dataclass
class Verifying:
    """Runs the tasks of `verify_archive` against an archive; ``runs`` numbers them."""

    cloud: Sandbox
    runs: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def __call__(self, archive: Archive, scope: Scope = DUE, run_id: str | None = None) -> FixityReport:
        """Plan, read every batch, repair, inspect, report."""
        self.runs += 1
        run_id = run_id or f"verify__{self.runs}"
        self.read_all(archive, run_id, scope)
        self.repair(archive, run_id)
        inspection.look_for_strays(archive, run_id)
        inspection.verify_ledger(archive, run_id)
        return report(archive, run_id)

    def read_all(self, archive: Archive, run_id: str, scope: Scope = DUE) -> None:
        """What comes before the repair."""
        for batch in fixity.plan(archive, run_id, scope):
            fixity.read_batch(archive, run_id, batch.number, stop=self.stop)

    def repair(self, archive: Archive, run_id: str) -> None:
        """What `repair_recordings` does."""
        origin = Origin(self.connect)
        repair(archive, run_id, origin, stop=self.stop)
        origin.close()

    def connect(self) -> tuple[Source, MediaClient]:
        """The sandbox as source and media host."""
        hosts = MediaHosts([self.cloud.media_host], allow_private=True)
        return Runner(self.cloud).source(), MediaClient(hosts, LIMITS, stop=self.stop)


def rows(archive: Archive) -> list[Row[Any]]:
    """All rows of the catalog, by id."""
    with archive.catalog.read() as connection:
        key = [recordings.c[name] for name in PartId._fields]
        return list(connection.execute(select(recordings).order_by(*key)))


def found(archive: Archive, run_id: str) -> dict[str | None, str | None]:
    """What a run found, by interaction or, for strays, by key: of those rows that are still in its books."""
    with archive.catalog.read() as connection:
        rows = connection.execute(select(readings).where(readings.c.run_id == run_id)).all()
    return {row.interaction_id or row.key: row.outcome for row in rows}


def told(archive: Archive, kind: str, interaction_id: str | None = None) -> list[dict[str, Any]]:
    """The details of all events of a kind, in their order."""
    same = events.c.interaction_id == interaction_id if interaction_id else True
    query = select(events.c.detail).where(events.c.kind == kind, same).order_by(events.c.id)
    with archive.catalog.read() as connection:
        return list(connection.execute(query).scalars())


def document(archive: Archive, report: FixityReport) -> dict[str, Any]:
    """A fixity report as it lies in the archive."""
    return dict(json.loads(archive.store.read(report.report_key)))


def overwrite(path: Path, content: bytes) -> None:
    """Change an archived file in place, as a broken disk would: it is read-only for everybody else."""
    path.chmod(0o640)
    path.write_bytes(content)


def damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change what a file holds."""
    overwrite(path, change(path.read_bytes()))


def flip(place: int, bit: int = 0) -> Callable[[bytes], bytes]:
    """Turn one bit of the byte at ``place``."""
    return lambda content: content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def kept(archive: Archive) -> dict[str, bytes]:
    """What lies below ``rejected/``, by the key it had, without its date."""
    return {key.split("/", 2)[2]: archive.store.read(key) for key in archive.store.list("rejected/")}


def head(archive: Archive) -> str:
    """The ledger's head as the archive has it."""
    return str(ledger.newest(archive.store))
