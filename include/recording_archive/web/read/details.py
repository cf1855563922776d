"""One recording: all that catalog and archive know of it; or why there is none, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from recording_archive.archive import Archive
from recording_archive.catalog.timeline import Covered, Timeline, read_timeline
from recording_archive.catalog.visible import Visible, covers
from recording_archive.errors import ArchiveError
from recording_archive.holds import Holding
from recording_archive.model import STORED, Outcome, PartId
from recording_archive.retention.policy_in_force import in_force
from recording_archive.retention.rules import judge
from recording_archive.spelling.ids import clean_id
from recording_archive.store import sidecar
from recording_archive.web.read.certificates import certificate_of
from recording_archive.web.read.recording_documents import Happening, RecordingDetails, Retention
from recording_archive.web.read.recording_rows import holdings, to_fields, to_rows
from recording_archive.web.read.stored_json import read_json

NEVER_LISTED = "No recording of this name was ever listed by the source."
NOT_VISIBLE = "There is no recording of this name, or none that you may see."
HOW_TO_ASK = "Trigger the DAG archive_recordings with this interactionId: the source is asked for it at once."


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no such part. ``known`` are the parts that its interaction has.

    ``missing`` are the runs that asked for the interaction by name, and the source had none. ``covered`` are the
    stretches of time whose recordings are all in the books: a call from one of them would be here. Who may see ``some``
    recordings alone is told none of these: what is hidden must look like what never was.
    """

    interaction_id: str
    known: tuple[PartId, ...]
    missing: tuple[str, ...]
    covered: tuple[Covered, ...]
    some: bool = False

    @property
    def reason(self) -> str:
        """One sentence."""
        if self.some and not self.known:
            return NOT_VISIBLE
        if self.known:
            return f"This interaction has no such recording; it has {', '.join(map(str, self.known))}."
        if self.missing:
            return f"The source was asked for it by name and has no recording of it (run {self.missing[-1]})."
        return "The source never listed it."

    def to_json(self) -> dict[str, Any]:
        """Members of the problem document."""
        spans = [
            {"source": each.source, "start": _text(each.window.start), "end": _text(each.window.end)}
            for each in self.covered
        ]
        known = [
            {"interactionId": each.interaction_id, "recordingId": each.recording_id, "part": each.part}
            for each in self.known
        ]
        document = {"interactionId": self.interaction_id, "known": known, "missingInRuns": list(self.missing)}
        return {**document, "coverage": spans, "whatToDo": HOW_TO_ASK}


def read_details(archive: Archive, part: PartId, visible: Visible) -> RecordingDetails | Absence:
    """All that is known of ``part``, its time line in the order of events."""
    timeline = visible_timeline(archive, part.interaction_id, visible)
    mine = next((row for row in timeline.parts if _clean(_part_id(row)) == _clean(part)), None)
    if mine is None:
        return _absence(timeline, visible)
    part = _part_id(mine)
    document, problem = _read_sidecar(archive, mine)
    held = holdings(archive, [mine]).get(part)
    retention, retention_problem = _read_retention(archive, mine, held)
    certificate, certificate_problem = certificate_of(archive, mine)
    return RecordingDetails.model_validate(
        {
            **to_fields(mine, archive, held),
            "sidecar": document,
            "sidecar_problem": problem,
            "retention": retention,
            "retention_problem": retention_problem,
            "certificate_document": certificate,
            "certificate_problem": certificate_problem,
            "timeline": list(_happenings(timeline.events, part)),
            "parts": to_rows(archive, timeline.parts),
        }
    )


def why_absent(archive: Archive, interaction_id: str, visible: Visible) -> Absence:
    """Describe an interaction that a search did not find."""
    return _absence(visible_timeline(archive, interaction_id, visible), visible)


def visible_timeline(archive: Archive, interaction_id: str, visible: Visible) -> Timeline:
    """Read what is known of the parts that are visible; of an interaction without any, nothing but its id."""
    timeline = read_timeline(archive.catalog, interaction_id)
    if visible.everything:
        return timeline
    with archive.catalog.read() as connection:
        seen = {_part_id(row) for row in timeline.parts if covers(connection, visible, _part_id(row))}
    parts, events, work = (
        tuple(row for row in rows if _part_id(row) in seen) for rows in (timeline.parts, timeline.events, timeline.work)
    )
    return Timeline(timeline.interaction_id, parts, events, work, ())


def _clean(part: PartId) -> PartId:
    """Name a part as it is compared with what a person typed."""
    return PartId(clean_id(part.interaction_id), clean_id(part.recording_id), part.part)


def _absence(timeline: Timeline, visible: Visible) -> Absence:
    missing = tuple(row["run_id"] for row in timeline.work if row["outcome"] == Outcome.MISSING)
    return Absence(
        timeline.interaction_id, tuple(map(_part_id, timeline.parts)), missing, timeline.covered, not visible.everything
    )


def _read_sidecar(archive: Archive, row: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """The sidecar as it lies in the archive; where it cannot be read, why: the page must still show the rest."""
    if row["state"] not in STORED or row["key"] is None:
        return None, None
    return read_json(archive.store, sidecar.beside(row["key"]))


def _read_retention(
    archive: Archive, row: Mapping[str, Any], held: Holding | None
) -> tuple[Retention | None, str | None]:
    """Judge a stored part by the policy in force now; where no policy can be read, why."""
    if row["state"] not in STORED:
        return None, None
    try:
        policy = in_force(archive)
    except ArchiveError as error:
        return None, str(error)
    verdict = judge(
        SimpleNamespace(**row),
        policy,
        as_of=archive.clock(),
        quarantine_days=archive.settings.quarantine_days,
        holding=held,
    )
    judged = {name: getattr(verdict, name) for name in ("rule", "days", "expires_at", "action", "kept", "longer")}
    return Retention(policy=policy.version, policy_name=policy.name, **judged), None


def _happenings(events: Iterable[Mapping[str, Any]], part: PartId) -> Iterable[Happening]:
    for event in events:
        if (event["recording_id"], event["part"]) == (part.recording_id, part.part):
            names = ("at", "kind", "run_id", "actor", "detail")
            yield Happening.model_validate({name: event[name] for name in names})


def _part_id(row: Mapping[str, Any]) -> PartId:
    return PartId(row["interaction_id"], row["recording_id"], row["part"])


def _text(moment: datetime) -> str:
    return moment.isoformat()
