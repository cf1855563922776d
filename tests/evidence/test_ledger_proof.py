"""The files of the ledger that go into a pack."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.evidence.ledger_proof import proof_of
from recording_archive.ledger.chain import newest, segment_key


def test_what_lies_beside_a_segment_goes_with_it(archived: Archive) -> None:
    """Signatures and stamps have the segment's number in their names; public keys have a folder; no number, no file."""
    head = newest(archived.store)
    assert head
    archived.store.put(f"ledger/{head.segment:012d}.0123456789abcdef.sig", b"signed")
    archived.store.put("keys/0123456789abcdef.pub", b"key")
    archived.store.put(f"ledger/{head.segment + 1:012d}.jsonl", b"another")
    files = {file.path: b"".join(file.pieces) for file in proof_of(archived, {head.segment})}
    assert files.pop("ledger/heads.csv").splitlines()[-1].startswith(f"{head.segment},{head.sha256},".encode())
    assert files == {
        segment_key(head.segment): archived.store.read(segment_key(head.segment)),
        f"ledger/{head.segment:012d}.0123456789abcdef.sig": b"signed",
        "ledger/keys/0123456789abcdef.pub": b"key",
    }
    assert list(proof_of(archived, set())) == []
