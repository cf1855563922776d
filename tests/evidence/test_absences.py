"""Recordings that are not in a pack: what was deleted has its certificate and tombstone there, and nobody else's."""

from __future__ import annotations

import csv
import json
from hashlib import sha256
from pathlib import Path

from recording_archive.archive import Archive
from support.contents import ids
from support.packs import check, make_pack, unpack
from support.retention_run import enforce, quarantined


def test_what_was_deleted_has_its_certificate(archived: Archive, tmp_path: Path) -> None:
    """The certificate without the other parts it lists, the tombstone byte for byte; ids of others are not there."""
    soon = quarantined(archived)
    enforce(soon, "retention__2")
    asked, *others = ids(archived)
    pack = make_pack(soon, tmp_path / "pack.zip", ids=(asked,))
    bag = unpack(tmp_path / "pack.zip", tmp_path / "out")
    assert (pack.included, pack.absent) == (0, 1)
    assert check(bag=bag)[0] == 0
    with (bag / "data/not-included.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["state"], row["why"].startswith("Deleted lawfully")) == ("purged", True)
    certificate, tombstone = (bag / "data" / name for name in row["documents"].split())
    told = json.loads(certificate.read_text())
    assert told["certificate"] == row["certificate"]
    assert [part["interactionId"] for part in told["parts"]] == [asked]
    assert sha256(tombstone.read_bytes()).hexdigest() == told["parts"][0]["tombstone"]["sha256"]
    text = certificate.read_text() + tombstone.read_text()
    assert not [other for other in others if other in text]


def test_a_certificate_that_cannot_be_read_stops_no_pack(archived: Archive, tmp_path: Path) -> None:
    """It says so in place of the certificate; the number is known all the same."""
    soon = quarantined(archived)
    enforce(soon, "retention__2")
    (path,) = (archived.settings.root / "certificates").iterdir()
    path.unlink()
    make_pack(soon, tmp_path / "pack.zip", ids=(ids(archived)[0],))
    (certificate,) = unpack(tmp_path / "pack.zip", tmp_path / "out").rglob("*.certificate.json")
    told = json.loads(certificate.read_text())
    assert told["certificate"] == path.stem
    assert "cannot be read" in told["problem"]
