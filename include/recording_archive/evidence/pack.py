"""An evidence pack: the calls of a request, and all that proves them, as one ZIP that is sent while it is made.

Every recording is read to its end before it goes in; what is damaged, deleted or in quarantine is left out and said.
The export is an event before the first byte, an event of each call before its sound, and one with the pack's
fingerprint at its end. Memory does not grow with what is in the pack, but for the names of its files.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from sqlalchemy import Row

from recording_archive import holds
from recording_archive.archive import Archive
from recording_archive.archiving.completeness import day_window, judge_days, read_covered
from recording_archive.catalog.events import record
from recording_archive.catalog.rows import part_of
from recording_archive.evidence.absences import deletion_documents, why_absent
from recording_archive.evidence.bag import Bag
from recording_archive.evidence.calls import CALLS, LISTENERS, Call, events_of
from recording_archive.evidence.ledger_proof import proof_of
from recording_archive.evidence.load_files import LoadFiles
from recording_archive.evidence.request import Asked
from recording_archive.evidence.selection import Selection, choose
from recording_archive.evidence.tables import Table
from recording_archive.ledger import sealing
from recording_archive.model import PartId
from recording_archive.store import documents

KIND = "exported"
_ABSENT = ("asked", "interactionId", "recordingId", "part", "state", "why", "certificate", "documents")
_DAYS = ("day", "zone", "state", "missing", "accepted", "damaged")
_STRETCHES = ("source", "start", "end")
_BESIDE = ("README.txt", "verify.html", "verify.py")
_MOST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Group:
    """The pack that a part belongs to, which of its parts it is, and how many there are."""

    pack: str
    number: int
    of: int


@dataclass(slots=True)
class Pack:
    """A pack that is to be made; ``stream`` makes it. The numbers count up meanwhile, the fingerprint comes last."""

    archive: Archive
    asked: Asked
    actor: str
    selection: Selection
    id: str
    included: int = 0
    absent: int = 0
    size_bytes: int = 0
    fingerprint: str = ""
    group: Group | None = None
    left_out: list[PartId] = field(default_factory=list)
    _proved: set[str] = field(default_factory=set)  # interactions
    _calls: Table = field(default_factory=lambda: Table(CALLS))
    _listeners: Table = field(default_factory=lambda: Table(LISTENERS))
    _load_files: LoadFiles = field(default_factory=LoadFiles)
    _absences: Table = field(default_factory=lambda: Table(_ABSENT))

    @property
    def name(self) -> str:
        """The name of its folder, and of its file with ``.zip`` behind it."""
        return f"evidence-{self.id}"

    def stream(self) -> Iterator[bytes]:
        """Make the pack; yield its bytes. What breaks on the way breaks the ZIP as well: it has no end then."""
        self._note({"reason": self.asked.reason, "recordings": len(self.selection.parts)})
        head = sealing.seal_for_report(self.archive)
        bag = Bag(self.name, self.archive.clock())
        for piece in self._pieces(bag, head):
            self.size_bytes += len(piece)
            yield piece
        self.fingerprint = bag.fingerprint
        self._note({"included": self.included, "notIncluded": self.absent, "fingerprint": bag.fingerprint})

    def _pieces(self, bag: Bag, head: str | None) -> Iterator[bytes]:
        for name in _BESIDE:
            yield from bag.tag(name, files(__package__).joinpath(name).read_bytes())
        yield from bag.payload("request.json", [documents.compose(self._request(head))])
        for page in self.selection.pages(self.archive):
            yield from self._page(bag, page)
        for name, why in self.selection.unknown.items():
            self.absent += 1
            self._absences.row({"asked": name, "why": why})
        yield from bag.payload("calls.csv", self._calls.pieces())
        for name, pieces in self._load_files.files():
            yield from bag.payload(name, pieces)
        yield from bag.payload("not-included.csv", self._absences.pieces())
        yield from bag.payload("listeners.csv", self._listeners.pieces())
        yield from self._coverage(bag)
        for file in proof_of(self.archive, self._proved):
            yield from bag.payload(file.path, file.pieces, size=file.size)
        yield from bag.end(self._info())

    def _page(self, bag: Bag, rows: Sequence[Row[Any]]) -> Iterator[bytes]:
        sound = []
        for row in rows:
            why = why_absent(self.archive, row)
            if why is None:
                sound.append(row)
            else:
                yield from self._leave_out(bag, row, why)
        for call, held in self._taken(sound):
            yield from call.write(self.archive, bag)
            values = call.to_row(held.held, held.possibly)
            self._calls.row(values)
            self._load_files.add(values)
            for each in call.listeners():
                self._listeners.row(each)

    def _taken(self, rows: Sequence[Row[Any]]) -> list[tuple[Call, holds.Holding]]:
        """Read all that is known of some calls, then write down that they are handed out."""
        if not rows:
            return []
        with self.archive.catalog.read() as connection:
            known = events_of(connection, list(map(part_of, rows)))
            held = holds.holding(connection, rows)
        at, calls = self.archive.clock(), []
        with self.archive.catalog.write() as connection:
            for row in rows:
                self.included += 1
                happened, part = known[part_of(row)], part_of(row)
                self._proved.add(row.interaction_id)
                calls.append((Call(self.included, row, happened), held.get(part, holds.Holding())))
                detail = {"evidence": self.id, "sha256": row.sha256}
                record(connection, KIND, part, at=at, actor=self.actor, detail=detail)
        return calls

    def _leave_out(self, bag: Bag, row: Row[Any], why: str) -> Iterator[bytes]:
        paths = []
        for name, content in deletion_documents(self.archive, row):
            paths.append(f"not-included/{name}")
            yield from bag.payload(paths[-1], [content])
        named = {"interactionId": row.interaction_id, "recordingId": row.recording_id, "part": row.part}
        why_not = {"state": row.state, "why": why, "certificate": row.certificate, "documents": " ".join(paths)}
        self.absent += 1
        self.left_out.append(part_of(row))
        self._absences.row({"asked": row.interaction_id, **named, **why_not})
        if row.certificate:
            self._proved.add(row.interaction_id)

    def _coverage(self, bag: Bag) -> Iterator[bytes]:
        """Write what is known of the completeness of the days asked, and the stretches of time behind it."""
        days, stretches = Table(_DAYS), Table(_STRETCHES)
        zone, now = self.archive.settings.zone, self.archive.clock()
        first, last = self.selection.days or (now.date(), now.date() - timedelta(days=1))
        count = min((last - first).days + 1, _MOST_DAYS)
        windows = {day: day_window(day, zone) for day in (first + timedelta(days=each) for each in range(count))}
        with self.archive.catalog.read() as connection:
            covered, judged = read_covered(connection), judge_days(connection, windows, now)
        for day in judged:
            days.row({"zone": self.archive.settings.timezone, **asdict(day)})
        for each in covered:
            stretches.row({"source": each.source, "start": each.window.start, "end": each.window.end})
        yield from bag.payload("coverage.csv", days.pieces())
        yield from bag.payload("covered-stretches.csv", stretches.pieces())

    def _request(self, head: str | None) -> dict[str, Any]:
        return {
            "formatVersion": 1,
            "pack": self.id,
            **({"partOf": self.group.pack, "part": self.group.number, "parts": self.group.of} if self.group else {}),
            "archiveId": self.archive.id,
            "madeAt": self.archive.clock().isoformat(),
            "madeBy": self.actor,
            "reason": self.asked.reason,
            "asked": self.asked.given,
            "ledgerHead": head,
            "softwareVersion": version("recording-archive"),
        }

    def _info(self) -> dict[str, object]:
        return {
            "External-Identifier": self.name,
            "Bag-Software-Agent": f"recording-archive {version('recording-archive')}",
            "Calls-Included": self.included,
            "Calls-Not-Included": self.absent,
            **self._grouped(),
        }

    def _grouped(self) -> dict[str, object]:
        """Say to which bags this one belongs, as RFC 8493 does."""
        if self.group is None:
            return {}
        return {"Bag-Group-Identifier": self.group.pack, "Bag-Count": f"{self.group.number} of {self.group.of}"}

    def _note(self, detail: dict[str, Any]) -> None:
        with self.archive.catalog.write() as connection:
            noted = {"evidence": self.id, **detail}
            record(connection, KIND, None, at=self.archive.clock(), actor=self.actor, detail=noted)


def plan_pack(archive: Archive, asked: Asked, actor: str) -> Pack:
    """Find what a request names; nothing is written yet. Raises ConfigurationError for what cannot be a pack."""
    at = archive.clock()
    return Pack(archive, asked, actor, choose(archive, asked), f"E-{at:%Y%m%d}-{secrets.token_hex(3)}")
