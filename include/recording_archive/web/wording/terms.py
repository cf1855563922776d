"""Words for outcomes, findings and events.

Pure functions, filters of the templates.
"""

from __future__ import annotations

from urllib.parse import quote

from recording_archive.web.read.recording_documents import Happening
from recording_archive.web.wording.formats import (
    NONE,
)

VERIFICATION_AGES = (
    "within a day",
    "within a week",
    "within a month",
    "within 3 months",
    "within a year",
    "longer ago",
)
"""The groups of `verification.VerificationAge`, in their order."""
_EVENTS = {
    "seen": "First listed by the source",
    "listed": "Its recordings listed by the source",
    "archived": "Archived",
    "failed": "Could not be archived",
    "mismatched": "Came with a wrong checksum",
    "verified": "Verified: every byte as it was archived",
    "repaired": "Repaired",
    "held": "Put on hold",
    "locked": "Locked in the bucket",
    "released": "Hold released",
    "played": "Played",
    "downloaded": "Downloaded",
    "exported": "Listed in an export",
    "refused": "Access refused",
    "quarantined": "Quarantined",
    "restored": "Restored",
    "purged": "Purged",
    "erased": "Erased",
    "acknowledged": "Failure accepted",
    "reported": "Report written",
    "adopted": "Policy put to use",
    "access_adopted": "Access document put to use",
    "glass_broken": "Glass broken: opened for a while",
    "opening_ended": "Opening ended early",
    "planned": "Planned",
    "approved": "Approved",
    "rejected": "Rejected",
    "key_created": "Signing key made",
    "key_rotated": "Signing key replaced",
}
_BAD = frozenset({"failed", "mismatched", "refused", "glass_broken"})
_OUTCOMES = {
    "success": "archived",
    "failed": "failed",
    "checksum_mismatch": "wrong checksum",
    "already_archived": "archived before",
    "excluded": "excluded",
    "missing": "not at the source",
    "deferred": "not yet, comes again",
}
_KEPT = {
    "not_stored": "not in the archive any more",
    "undated": "without a date",
    "too_young": "its days are not over",
    "possibly_longer": "a longer rule may apply to it",
    "unverified": "not found intact at the last reading",
    "held": "held",
    "possibly_held": "possibly held",
    "waiting": "in quarantine, not long enough",
    "restored": "restored by a person",
}
_FIXITY_KINDS = {
    "due": "what was due",
    "everything": "the whole archive",
    "asked": "interactions asked for by name",
    "sweep": "nothing: left-overs swept",
}
_FINDINGS = {
    "sound": "sound",
    "bad": "damaged",
    "repaired": "repaired",
    "gone": "left the archive meanwhile",
    "absent": "not in the archive",
    "stray": "unknown file",
}


def outcome(name: str | None) -> str:
    """Say what a run did with a part."""
    return _OUTCOMES.get(name or "", (name or "open").replace("_", " "))


def kept(why: str | None) -> str:
    """Why a recording stays."""
    return _KEPT.get(why or "", why or NONE)


def fixity_kind(kind: str) -> str:
    """Say what a run of verify_archive read."""
    return _FIXITY_KINDS.get(kind, kind)


def finding(outcome: str | None) -> str:
    """Say what a run of verify_archive found about one recording or file."""
    return _FINDINGS.get(outcome or "", outcome or "to be read")


def happening(event: Happening) -> str:
    """Describe an event in one line, without who and when."""
    kind, detail = event.kind, event.detail or {}
    if kind == "verified" and detail.get("ok") is False:
        return "Verification failed"
    if kind == "exported" and "evidence" in detail:
        return f"Handed out in evidence pack {detail['evidence']}"
    return _EVENTS.get(kind, kind.capitalize())


def run_link(event: Happening) -> str:
    """Link to the page of an event's run, below the app; the three DAGs have their runs apart."""
    folder = {
        "verified": "fixity/runs",
        "repaired": "fixity/runs",
        "archived": "runs",
        "seen": "runs",
        "failed": "runs",
        "mismatched": "runs",
    }
    return f"{folder.get(event.kind, 'retention/runs')}/{quote(event.run_id or '', safe='')}"


def remark(event: Happening) -> str:
    """The part of an event's detail that is meant to be read: a reason, an error, a problem."""
    detail = event.detail or {}
    said = [str(detail[name]) for name in ("reason", "problem", "error", "why") if detail.get(name)]
    return " · ".join(dict.fromkeys(said))


def tone(event: Happening) -> str:
    """Return the tone of an event: ``good``, ``bad`` or ``plain``."""
    kind, detail = event.kind, event.detail or {}
    if kind in _BAD or detail.get("ok") is False:
        return "bad"
    return "good" if kind in {"archived", "verified", "repaired", "restored"} else "plain"


FILTERS = (outcome, kept, fixity_kind, finding, happening, remark, run_link, tone)
