"""Verdict on one recording: one sentence that says how it is, and what mends it where it is not well."""

from __future__ import annotations

from dataclasses import dataclass

from recording_archive.model import State
from recording_archive.web.read.recording_documents import RecordingDetails

_GONE = {
    State.PURGED: ("Deleted lawfully", "Audio and sidecar are gone from the archive."),
    State.ERASED: ("Erased", "Nothing is left of it but ids and hashes."),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of a recording in words: ``tone`` is good, warn, bad or plain; ``remedy`` is what a person can do.

    A remedy is ``repair`` (let `verify_archive` mend it), ``again`` (let `archive_recordings` fetch it), ``verify``
    (read it now), ``restore`` (take it out of quarantine), or empty.
    """

    tone: str
    says: str
    more: str = ""
    remedy: str = ""


def read_verdict(details: RecordingDetails, problem: str, not_repaired: str | None) -> Verdict:
    """Judge a recording; ``problem`` is what its last failed reading found, ``not_repaired`` why nobody mended it."""
    if details.state in _GONE:
        return Verdict("plain", *_GONE[details.state])
    if details.state is State.DISCOVERED:
        return _not_here(details)
    return _stored(details, problem, not_repaired)


def _stored(details: RecordingDetails, problem: str, not_repaired: str | None) -> Verdict:
    if details.verified_ok is False:
        return Verdict("bad", "The stored bytes are not what was archived.", _mending(problem, not_repaired), "repair")
    if details.sidecar_problem:
        return Verdict("bad", "Its metadata file cannot be read.", details.sidecar_problem, "repair")
    if details.state is State.QUARANTINED:
        return Verdict("warn", "In quarantine", "Its days are over, so it can be neither heard nor fetched.", "restore")
    if details.verified_at is None:
        return Verdict("warn", "Never read back", "Nobody knows yet if it is as it was archived.", "verify")
    return Verdict("good", "Unaltered", remedy="verify")


def _mending(problem: str, not_repaired: str | None) -> str:
    found = f"{problem.rstrip('.')}. It" if problem else "It"
    refused = f"{found} can be neither heard nor fetched."
    if not_repaired:
        restore = "Restore the object from a copy of the archive, then verify it."
        return f"{refused} It could not be repaired: {not_repaired.rstrip('.')}. {restore}"
    return f"{refused} The next run of verify_archive tries to repair it; Repair starts one now."


def _not_here(details: RecordingDetails) -> Verdict:
    if not details.failures:
        return Verdict("warn", "Not archived yet", "The source listed it, and a run may be at work on it.", "again")
    tries = f"{details.failures} {'try' if details.failures == 1 else 'tries'} to archive it failed"
    if details.acknowledged_at:
        return Verdict("plain", "The failure was accepted", f"{tries}; no run tries again by itself.", "again")
    if details.needs_decision:
        return Verdict("bad", "It could not be archived.", f"{tries}. No run tries again by itself.", "again")
    return Verdict("warn", "Not archived yet", f"{tries}. Scheduled runs try again.", "again")
