"""Certificates: the document that says what was deleted, why and by whose order."""

from __future__ import annotations

from hashlib import sha256

from recording_archive.archive import Archive
from support.contents import documents, rows
from support.retention_run import at, enforce, quarantined


def test_the_certificate_tells_what_went_why_and_by_whose_word(archived: Archive) -> None:
    """Hashes, rule, policy, plan, who triggered and who approved; its tombstones have the hashes it names."""
    before, soon = rows(archived), quarantined(archived)
    done = enforce(at(soon, soon.clock(), max_delete_count=0), "retention__2", triggered_by="bob")
    ((key, certificate),) = documents(archived, "certificates").items()
    assert key == f"certificates/{certificate['certificate']}.json"
    assert certificate["certificate"].startswith("C-20270315-")
    names = ("archiveId", "action", "run", "plan", "policy", "by", "approvedBy")
    assert [certificate[name] for name in names] == [
        *(archived.id, "purge", "retention__2", done.plan.sha256, "default:90", "bob", "carol")
    ]
    assert {part["interactionId"] for part in certificate["parts"]} == set(before)
    for part in certificate["parts"]:
        row = before[part["interactionId"]]
        assert (part["sha256"], part["storedSha256"], part["key"]) == (row.sha256, row.stored_sha256, row.key)
        assert part["rule"] == "default"
        content = archived.store.read(part["tombstone"]["key"])
        assert sha256(content).hexdigest() == part["tombstone"]["sha256"]
        assert part["tombstone"]["key"] == f"tombstones/2027/{part['interactionId']}~{part['recordingId']}~0.json"
