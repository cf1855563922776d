"""What the browser looks at: an Airflow with the plugin, and an archive that has something of everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from genesys_sandbox import Fault, Sandbox
from recording_archive import holds
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.request import Request
from recording_archive.catalog.tables import events, recordings
from recording_archive.disposition import erasure_request
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.disposition.plan import make_plan
from recording_archive.fixity.request import Scope
from recording_archive.holds import Criteria
from recording_archive.model import Window
from recording_archive.retention import policy_in_force
from recording_archive.settings import Settings
from support.contents import row_of
from support.fixity_run import Verifying
from support.retention_run import at, enforce
from support.site import Site, start_site
from support.whole_run import DAY, Tasks

RUN = "scheduled__2026-11-20T00:00:00+00:00"
BAD = "\"'><img src=x onerror=window.hacked=1><script>window.hacked=1</script>{{7*7}}"
FIELDS = (
    *("agentId", "agentName", "queueId", "queueName", "ani", "dnis"),
    *("direction", "mediaType", "division", "wrapUpCode", "language"),
)


MATTER = "Smith v. Example, 26-cv-1234"
WAITING = "manual__2026-11-23T12:00:00+00:00"
VERIFIED = "scheduled__2026-11-22T03:00:00+00:00"


@dataclass(frozen=True)
class World:
    """An Airflow with an archive of one day: ``calm`` is a plain call, ``nasty`` one whose metadata is markup.

    ``quarantined`` and ``purged`` are what their names say; ``hold`` is one in force that holds ``calm``.
    """

    site: Site
    archive: Archive
    cloud: Sandbox
    calm: str
    nasty: str
    failed: str
    quarantined: str
    purged: str
    hold: str

    def names(self) -> dict[str, str]:
        """What addresses are filled with."""
        certificate = self.row(self.purged).certificate
        names = ("calm", "quarantined", "purged", "hold")
        return {"certificate": certificate, **{name: getattr(self, name) for name in names}}

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
    nasty, unnamed, failed, calm, quarantined, purged = [each.id for each in cloud.library if each.date in DAY]
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
    hold = _hold_and_let_go(archive, calm, quarantined=quarantined, purged=purged)
    Verifying(cloud)(archive, Scope(everything=True), run_id=VERIFIED)
    home = folder / "airflow"
    home.mkdir()
    with start_site("simple", archive, home) as site:
        yield World(site, archive, cloud, calm, nasty, failed, quarantined, purged, hold)
    archive.catalog.close()


def _hold_and_let_go(archive: Archive, calm: str, *, quarantined: str, purged: str) -> str:
    """Hold the calm call; let two others go, one of them for good, and leave the plan for the nasty one to a person."""
    for matter, criteria in ((BAD, Criteria(agents=(BAD, "A"), queues=("Q",))), (MATTER, Criteria((calm,)))):
        hold, _ = holds.create(archive, matter=matter, reason=matter, criteria=criteria, actor="kim")
    now = archive.clock()
    _adopt(archive, {"short": row_of(archive, purged).agent_id})
    for night in ("20", "21"):
        enforce(at(archive, now, quarantine_days=0), f"scheduled__2026-11-{night}T01:00:00+00:00")
    _adopt(archive, {"short": row_of(archive, quarantined).agent_id})
    enforce(at(archive, now), "scheduled__2026-11-22T01:00:00+00:00")
    _adopt(archive, {"short": row_of(archive, quarantined).agent_id, BAD: BAD})
    make_plan(at(archive, now, max_delete_count=0), WAITING, triggered_by="dave")
    erasure_request.enter(archive, Subject(ids=(quarantined,)), reason=f"request 2026-118 {BAD}", actor="ann")
    return hold.id


def _adopt(archive: Archive, short: dict[str, str]) -> None:
    """A policy of a year, but of a day for the calls of these agents, by the name of their rule."""
    rules = [
        {"name": name, "days": 1, "maximum": True, "attributes": {"agentId": [agent]}} for name, agent in short.items()
    ]
    document = json.dumps({"name": "a year, some shorter", "defaultDays": 365, "rules": rules})
    policy_in_force.adopt(archive, document.encode(), "p", actor="kim")
