"""Load files as review tools read them: back come the facts of the calls, whatever these hold."""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree as ET

from recording_archive.archive import Archive
from support.contents import amend, ids, row_of
from support.packs import make_pack, unpack

NASTY = 'þ "Ann" <b>&amp;\x14\x07\nLee ®'


def read_dat(path: Path) -> list[dict[str, str]]:
    """A DAT as Concordance reads it."""
    text = path.read_bytes().decode("utf-8-sig")
    head, *rows = [[cell[1:-1] for cell in line.split("\x14")] for line in text.split("\r\n") if line]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_both_are_read_back(archived: Archive, tmp_path: Path) -> None:
    """A row and a document for each call, with its facts, and the paths and hashes of files that are there."""
    nasty = ids(archived)[0]
    amend(archived, nasty, queue_name=NASTY)
    make_pack(archived, tmp_path / "pack.zip")
    bag = unpack(tmp_path / "pack.zip", tmp_path / "out")
    with (bag / "data/calls.csv").open(newline="") as file:
        calls = {row["interactionId"]: row for row in csv.DictReader(file)}
    rows = {row["INTERACTIONID"]: row for row in read_dat(bag / "data/loadfile.dat")}
    documents = {}
    for document in ET.parse(bag / "data/loadfile.xml").getroot().iter("Document"):  # noqa: S314 - our own
        tags = {tag.attrib["TagName"]: tag.attrib["TagValue"] for tag in document.iter("Tag")}
        (native,) = document.iter("ExternalFile")
        documents[tags["InteractionId"]] = (document, tags, native.attrib)
    assert set(rows) == set(documents) == set(calls) == set(ids(archived))
    for name, row in rows.items():
        document, tags, native = documents[name]
        known = row_of(archived, name)
        assert row["DOCID"] == document.attrib["DocID"] == f"CALL{int(calls[name]['number']):05d}"
        assert row["SHA256"] == tags["SHA256"] == known.sha256
        assert (row["FROM"], tags["#From"]) == (known.ani, known.ani)
        assert tags["#DateSent"] == known.interaction_date.isoformat()
        path = bag / native["FilePath"] / native["FileName"]
        assert path == bag / row["NATIVELINK"]
        assert sha256(path.read_bytes()).hexdigest() == known.sha256
        assert path.stat().st_size == int(native["FileSize"])
    assert rows[nasty]["QUEUE"] == '? "Ann" <b>&amp;  ®Lee ®'
    assert documents[nasty][1]["Queue"] == 'þ "Ann" <b>&amp;  \nLee ®'
