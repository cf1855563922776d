"""A small world of recordings, and runs of the main job that archive its days."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from recording_archive.archive import Archive
from recording_archive.archiving import compress, outcomes, work_rows
from recording_archive.archiving.discover import discover
from recording_archive.archiving.report import report
from recording_archive.archiving.request import Request
from recording_archive.model import Attributes, Fetched, Listing, MediaFormat, PartId, Party, Window
from recording_archive.sources import NOTHING_KNOWN
from recording_archive.store import bgzf
from support.life_model import DAWN, DAY

OTHERS: dict[str, tuple[dict[str, Any], ...]] = {  # beside those of `WORLD`
    "a2": ({"agent_id": "g-3", "agent_name": "Cy", "ani": "tel:+442079460958", "certain": True},),
    "b1": ({"agent_id": "g-1", "agent_name": "Ann", "queue_id": "q-1", "queue_name": "Sales", "certain": False},),
    "b3": ({"agent_id": "g-2", "agent_name": "Bob", "certain": True}, {"dnis": "020 7946 0958", "certain": False}),
    "c2": ({"agent_id": "g-3", "agent_name": "Cy", "contact_id": "c-1", "certain": True},),
}
DAYS = (0, 10, 20)  # on which there are recordings
STOP = threading.Event()
ANN: dict[str, Any] = {"agent_id": "g-1", "agent_name": "Ann", "queue_name": "Sales", "ani": "+1 555 0001"}
BOB: dict[str, Any] = {"agent_id": "g-2", "agent_name": "Bob", "queue_name": "Care", "dnis": "tel:+15550002"}
WORLD: dict[str, tuple[int | None, dict[str, Any]]] = {
    "a1": (0, {**ANN, "queue_id": "q-1", "dnis": "+15550009", "contact_id": "c-1"}),
    "a2": (0, {"queue_id": "q-1", "queue_name": "sales", "dnis": "+15550009"}),
    "a3": (0, {}),
    "a4": (0, {**BOB, "queue_id": "q-2", "ani": "15550003", "contact_id": "c-2"}),
    "b1": (10, {**BOB, "queue_id": "q-2", "ani": "15550003"}),
    "b2": (10, {"agent_id": "g-1", "ani": "+15550001", "contact_id": "c-1"}),
    "b3": (10, {**ANN, "queue_id": "q-1", "dnis": "+15550008"}),
    "c1": (20, {**ANN, "queue_name": None}),
    "c2": (20, {"queue_id": "q-2", "queue_name": "Care", "ani": "15550003", "dnis": "+15550008"}),
    "c3": (20, {**BOB, "agent_name": None}),
    "u1": (None, {**ANN, "queue_id": "q-1"}),
}


class Days:
    """A source that lists the world, day by day; undated recordings come whatever is asked for."""

    name, organization, chunk, requests = "interactions:default", "default", 50, 0

    def discover(self, *, ids: Sequence[str], window: Window | None) -> Iterator[Listing]:  # noqa: ARG002  # the Protocol's
        """List the recordings of a window."""
        for name, (day, told) in WORLD.items():
            date = date_of(day)
            if date is None or (window and date in window):
                digest = sha256(media(name)).hexdigest() if name < "b3" else None
                others = tuple(Party(**each) for each in OTHERS.get(name, ()))
                yield Listing(PartId(name, name), date, None, digest, Attributes(**told), parties=others)

    def resolve(
        self,
        parts: Sequence[PartId],
        *,
        thrifty: bool = False,
        known: Collection[PartId] = (),
        began: Mapping[str, datetime] = NOTHING_KNOWN,
    ) -> Iterator[Listing]:
        """Nothing is fetched."""
        raise NotImplementedError

    def renew(self, part: PartId) -> str:
        """Nothing is fetched."""
        raise NotImplementedError

    def probe(self) -> Any:
        """Nothing is fetched."""
        raise NotImplementedError


def date_of(day: int | None) -> datetime | None:
    """Date and time of the recordings of a day."""
    return None if day is None else DAWN + day * DAY + timedelta(hours=10)


def media(name: str) -> bytes:
    """The bytes of a recording."""
    return f"RIFF {name} ".encode() * 50


def stage(archive: Archive, run_id: str, batch: int) -> None:
    """Let a batch lie in staging as a download leaves it: packed, but for some that an older version left raw."""
    listed = {each.part_id: each for each in Days().discover(ids=(), window=Window(DAWN, DAWN + 99 * DAY))}
    with archive.catalog.write() as connection:
        done = []
        for job in work_rows.open_work(connection, run_id, batch, staged=False):
            content, wav = media(job.part_id.interaction_id), MediaFormat("wav", "audio/wav")
            packed = job.id % 4 > 0
            stored = bgzf.pack(content)[0] + bgzf.END_MARKER if packed else content
            archive.staging.target(run_id, job.id, packed=packed).write_bytes(stored)
            archive.staging.share(run_id, job.id)
            size, at = len(content), archive.clock()
            fetched = Fetched(sha256(content).hexdigest(), size, size, 1, wav, "media.example.com", at, at)
            done.append((job, fetched, listed[job.part_id]))
        outcomes.stage(connection, done)


def window_of(day: int) -> Window:
    """A day."""
    return Window(DAWN + day * DAY, DAWN + (day + 1) * DAY)


def archive_day(archive: Archive, run_id: str, day: int) -> Mapping[str, int]:
    """A whole run of the main job; return the counts of its report."""
    for batch in discover(archive, Days(), Request(window=window_of(day)), run_id):
        stage(archive, run_id, batch.number)
        compress.compress(archive, run_id, batch.number, stop=STOP)
    return report(archive, run_id).counts
