"""Single events proved without the others, by hashing alone."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.errors import PermanentError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.ledger.event_proof import EventProof, head_proof, proofs_of
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.signing_key import key_files, parse_public_key
from support.contents import all_rows, overwrite
from support.ledger_files import actors_in, path_of, prove, tell
from support.signing import signing


def head_by(proof: EventProof) -> str:
    """The head that an event leads to, computed with SHA-256 alone."""
    assert proof.seal
    assert proof.path is not None
    assert proof.leaf is not None
    assert proof.leaves is not None
    found, first, last = sha256(b"\x00" + proof.line).digest(), proof.leaf, proof.leaves - 1
    for text in proof.path:
        other = bytes.fromhex(text)
        if first % 2 or first == last:
            found = sha256(b"\x01" + other + found).digest()
            while first and first % 2 == 0:
                first, last = first // 2, last // 2
        else:
            found = sha256(b"\x01" + found + other).digest()
        first, last = first // 2, last // 2
    told: dict[str, Any] = json.loads(proof.seal)
    assert (found.hex(), proof.leaves) == (told["root"], told["leaves"])
    return sha256(proof.seal).hexdigest()


class TestEvents:
    """Each event of the asked interactions has its way to the head, and shows nobody else's."""

    def test_every_event_leads_to_the_head_of_its_segment(self, archived: Archive) -> None:
        """Its line, path and seal are enough, and hold no id of another interaction."""
        wanted, *others = [row.interaction_id for row in all_rows(archived)]
        found = list(proofs_of(archived, [wanted, "nobody"]))
        assert [json.loads(proof.line)["kind"] for proof in found] == ["seen", "archived"]
        for proof in found:
            assert proof.head == chain.head_of(archived.store, 1)
            assert head_by(proof) == proof.head.sha256
            assert archived.store.read(proof.segment_key).splitlines(keepends=True)[proof.number - 1] == proof.line
            assert not any(other.encode() in proof.line + (proof.seal or b"") for other in others)

    def test_a_segment_of_version_1_is_proved_whole(self, still: Archive) -> None:
        """It has no seal: the file is the proof; the next segment follows it as ever, and reads both ways."""
        tell(still, "ann", "bob")
        seal(still)
        header, first, second, _ = path_of(still, 1).read_bytes().splitlines(keepends=True)
        old = list(
            chain.chained(
                chain.START,
                [
                    {name: value for name, value in json.loads(line).items() if name != "previous"}
                    for line in (header.replace(b'"formatVersion":2', b'"formatVersion":1'), first, second)
                ],
            )
        )
        overwrite(path_of(still, 1), b"".join(old))
        with still.catalog.write() as connection:
            connection.exec_driver_sql(f"UPDATE segments SET sha256 = '{sha256(old[-1]).hexdigest()}'")  # noqa: S608
        tell(still, "eve")
        seal(still)
        assert prove(still.settings.root) == []
        assert actors_in(still) == ["ann", "bob", "eve"]
        first_two, third = [*proofs_of(still, ["call"])][:2], [*proofs_of(still, ["call"])][2]
        for proof, line in zip(first_two, old[1:], strict=True):
            assert (proof.line, proof.path, proof.seal) == (line, None, None)
            assert proof.head == Head(1, sha256(old[-1]).hexdigest())
        assert head_by(third) == third.head.sha256
        assert json.loads(third.seal or b"")["before"] == first_two[0].head.sha256

    def test_a_damaged_segment_proves_nothing(self, archived: Archive) -> None:
        """The place is named instead."""
        wanted = all_rows(archived)[0].interaction_id
        overwrite(path_of(archived, 1), path_of(archived, 1).read_bytes().replace(b'"archived"', b'"verified"', 1))
        with pytest.raises(PermanentError, match="verify-ledger"):
            list(proofs_of(archived, [wanted]))


class TestHeads:
    """A head leads to whoever vouches for it, also past segments that nobody marked."""

    def test_the_seals_lead_to_the_next_signature(self, still: Archive) -> None:
        """Each has the head before it; the last is signed."""
        for actor in ("ann", "bob"):
            tell(still, actor)
            seal(still)
        signed, key = signing(still)
        tell(signed, "eve")
        seal(signed)
        head = chain.head_of(still.store, 1)
        proof = head_proof(still.store, head)
        assert proof.signature is not None
        assert (proof.signature.segment, proof.stamps, proof.whole) == (3, (), ())
        digest = head.sha256
        for line in proof.seals:
            assert json.loads(line)["before"] == digest
            digest = sha256(line).hexdigest()
        public = parse_public_key(still.store.read(key_files(key.name)[1]))
        message = chain.statement(still.id, Head(3, digest))
        assert public.signed(still.store.read(proof.signature.key), message)
        nearest = head_proof(still.store, chain.head_of(still.store, 4))
        assert (nearest.signature and nearest.signature.segment, nearest.seals) == (4, ())

    def test_nobody_vouches_for_an_unsigned_ledger(self, still: Archive) -> None:
        """That is said, and nothing is made up."""
        tell(still, "ann")
        head = seal(still)
        assert head
        proof = head_proof(still.store, head)
        assert (proof.signature, proof.stamps, proof.seals, proof.whole) == (None, (), (), ())
