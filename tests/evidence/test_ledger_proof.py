"""The files of the ledger that go into a pack: the events of its calls, and who vouches for them."""

from __future__ import annotations

import json
import subprocess
from hashlib import sha256
from pathlib import Path

from recording_archive.archive import Archive
from recording_archive.evidence.ledger_proof import proof_of
from recording_archive.ledger import chain
from recording_archive.ledger.sealing import seal
from support.contents import ids, overwrite
from support.ledger_files import path_of, tell
from support.packs import check, make_pack, unpack
from support.signing import signing


def files_of(archive: Archive, *names: str) -> dict[str, bytes]:
    """The files that prove the events of these interactions."""
    return {file.path: b"".join(file.pieces) for file in proof_of(archive, names)}


def as_version_1(archive: Archive, number: int) -> None:
    """Write a segment as it was before there were trees."""
    *lines, _ = path_of(archive, number).read_bytes().splitlines(keepends=True)
    documents = [json.loads(line) for line in lines]
    before = documents[0]["previous"]
    documents[0]["formatVersion"] = 1
    plain = [{name: value for name, value in each.items() if name != "previous"} for each in documents]
    content = b"".join(chain.chained(before, plain))
    overwrite(path_of(archive, number), content)
    head = sha256(content.splitlines(keepends=True)[-1]).hexdigest()
    with archive.catalog.write() as connection:
        connection.exec_driver_sql(f"UPDATE segments SET sha256 = '{head}' WHERE number = {number}")  # noqa: S608


def test_seals_lead_on_to_a_signature(archived: Archive, tmp_path: Path) -> None:
    """From the events to a head that is signed later; openssl finds the signature right, with what is in the pack."""
    signed, key = signing(archived)
    tell(signed, "ann")
    head = seal(signed)
    assert head
    files = files_of(signed, ids(archived)[0])
    seals = [json.loads(line) for line in files["ledger/seals.jsonl"].splitlines()]
    assert [each["segment"] for each in seals] == list(range(1, head.segment + 1))[: len(seals)]
    (signature,) = (name for name in files if name.endswith(".sig") and "/keys/" not in name)
    statement = f"{signature.split('.')[0]}.head"
    for name in (signature, statement, f"ledger/keys/{key.name}.pem"):
        (tmp_path / Path(name).name).write_bytes(files[name])
    command = [
        *("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{key.name}.pem", "-rawin"),
        *("-in", Path(statement).name, "-sigfile", Path(signature).name),
    ]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0


def test_a_segment_without_a_tree_is_proved_whole(archived: Archive, tmp_path: Path) -> None:
    """A ledger that began before there were trees: the file goes with the pack, and a changed line of it is named."""
    for number in reversed(range(1, 1 + sum(1 for _ in chain.segment_numbers(archived.store)))):
        if number > 1:
            path_of(archived, number).unlink()
    with archived.catalog.write() as connection:
        connection.exec_driver_sql("DELETE FROM segments WHERE number > 1")
        connection.exec_driver_sql("UPDATE events SET segment = NULL WHERE segment > 1")
    as_version_1(archived, 1)
    make_pack(archived, tmp_path / "pack.zip", ids=(ids(archived)[0],))
    bag = unpack(tmp_path / "pack.zip", tmp_path / "out")
    segment = bag / "data" / chain.segment_key(1)
    assert segment.read_bytes() == path_of(archived, 1).read_bytes()
    assert check(bag=bag)[0] == 0, check(bag=bag)[1]
    segment.write_bytes(segment.read_bytes().replace(b'"archived"', b'"verified"', 1))
    code, told = check(bag=bag)
    assert code == 1
    assert f"BAD  data/{chain.segment_key(1)}: line " in told


def test_a_damaged_segment_is_told(archived: Archive) -> None:
    """It proves nothing, and stops no pack."""
    overwrite(path_of(archived, 1), path_of(archived, 1).read_bytes().replace(b'"archived"', b'"verified"', 1))
    files = files_of(archived, ids(archived)[0])
    assert b"verify-ledger" in files["ledger/PROBLEM.txt"]


def test_without_events_there_is_nothing_to_prove(archived: Archive) -> None:
    """No interaction, no file."""
    assert files_of(archived) == {}
    assert files_of(archived, "nobody") == {}
