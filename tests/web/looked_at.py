"""What the browser looks at: an Airflow with the plugin, and an archive that has something of everything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sites import Site, start_site
from sqlalchemy import select
from whole_run import DAY, Tasks

from genesys_sandbox import Sandbox
from genesys_sandbox.faults import Fault
from recording_archive.archive import Archive, open_archive
from recording_archive.model import Window
from recording_archive.request import Request
from recording_archive.schema import events, recordings
from recording_archive.settings import Settings

RUN = "scheduled__2026-11-20T00:00:00+00:00"
BAD = "\"'><img src=x onerror=window.hacked=1><script>window.hacked=1</script>{{7*7}}"
FIELDS = (
    *("agentId", "agentName", "queueId", "queueName", "ani", "dnis"),
    *("direction", "mediaType", "division", "wrapUpCode", "language"),
)


@dataclass(frozen=True)
class World:
    """An Airflow with an archive of one day: ``calm`` is a plain call, ``nasty`` one whose metadata is markup."""

    site: Site
    archive: Archive
    cloud: Sandbox
    calm: str
    nasty: str
    failed: str

    def media(self, interaction: str) -> bytes:
        """The audio of a recording as the source has it."""
        return next(each.path.read_bytes() for each in self.cloud.library if each.id == interaction)

    def row(self, interaction: str) -> Any:
        """The catalog's row."""
        with self.archive.catalog.read() as connection:
            return connection.execute(select(recordings).where(recordings.c.interaction_id == interaction)).one()

    def events(self, interaction: str) -> list[str]:
        """What happened to it, in order."""
        query = select(events.c.kind).where(events.c.interaction_id == interaction).order_by(events.c.id)
        with self.archive.catalog.read() as connection:
            return list(connection.execute(query).scalars())


@contextmanager
def make_world(cloud: Sandbox, folder: Path) -> Iterator[World]:
    """Archive a day, long ago: one call has markup in every field, one an impossible id, one failed for good."""
    settings = Settings(url=str(folder / "archive"), catalog_url=f"sqlite:///{folder / 'catalog.db'}")
    archive = open_archive(settings)
    nasty, unnamed, failed, calm, *_ = [each.id for each in cloud.library if each.date in DAY]
    cloud.faults.clear()
    cloud.faults.add(
        Fault("wrong_bytes", recording=failed),
        Fault("set_fields", "query", nasty, values=dict.fromkeys(FIELDS, BAD) | {BAD: BAD}),
        Fault("set_fields", "query", unnamed, values={"id": BAD}),
    )
    long_ago = replace(archive, clock=lambda: datetime.now(UTC) - timedelta(days=settings.retry_days + 5))
    Tasks(cloud)(long_ago, RUN, Request(window=DAY, scheduled=True))
    cloud.faults.clear()
    earlier = Window(DAY.start - timedelta(days=3), DAY.end - timedelta(days=2))
    Tasks(cloud)(archive, "backfill__before", Request(window=earlier))
    home = folder / "airflow"
    home.mkdir()
    with start_site("simple", archive, home) as site:
        yield World(site, archive, cloud, calm, nasty, failed)
    archive.catalog.close()
