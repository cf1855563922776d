"""A bag inside a ZIP: what a tool for bags says of it, and what is never put into one."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import bagit
import pytest

from recording_archive.errors import FixityError
from recording_archive.evidence.bag import Bag
from support.packs import unpack

AT = datetime(2026, 11, 28, tzinfo=UTC)


def test_a_bag_is_valid_and_tells_of_itself(tmp_path: Path) -> None:
    """Manifests, number and size of files, and the fingerprint, which is the hash of the tag manifest."""
    bag = Bag("evidence-x", AT)
    pieces = [
        *bag.tag("README.txt", b"read me\n"),
        *bag.payload("a/one.bin", [b"on", b"e"], sha256=sha256(b"one").hexdigest()),
        *bag.payload("empty", []),
        *bag.end({"External-Identifier": "evidence-x"}),
    ]
    (tmp_path / "bag.zip").write_bytes(b"".join(pieces))
    folder = unpack(tmp_path / "bag.zip", tmp_path / "out")
    found = bagit.Bag(str(folder))
    found.validate()
    assert found.info["Payload-Oxum"] == "3.2"
    assert found.info["External-Identifier"] == "evidence-x"
    assert bag.fingerprint == sha256((folder / "tagmanifest-sha256.txt").read_bytes()).hexdigest()


def test_other_bytes_than_were_announced_are_refused() -> None:
    """The file is named, with both hashes."""
    bag = Bag("evidence-x", AT)
    with pytest.raises(FixityError, match=r"a/one\.bin"):
        list(bag.payload("a/one.bin", [b"two"], sha256=sha256(b"one").hexdigest()))
