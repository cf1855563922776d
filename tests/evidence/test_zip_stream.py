"""A ZIP that is sent while it is made: what others read in it, and how little of it stays behind."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

from recording_archive.evidence.zip_stream import ZipStream

AT = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)


def test_others_read_what_was_put_in() -> None:
    """Names, bytes, time, mode, and no compression."""
    made = ZipStream(AT)
    content = b"".join([*made.file("a/one.txt", [b"on", b"", b"e"]), *made.file("a/none", []), made.end()])
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == {"a/one.txt": b"one", "a/none": b""}
        (first, _) = opened.infolist()
        assert (first.compress_type, first.date_time) == (zipfile.ZIP_STORED, (2026, 11, 28, 12, 30, 0))
        assert first.external_attr >> 16 == 0o100644


def test_large_files_are_zip64() -> None:
    """A file that may pass 4 GiB is announced so in its header, and read all the same."""
    made = ZipStream(AT)
    content = b"".join([*made.file("large", [b"x"], size=2**33), made.end()])
    assert int.from_bytes(content[4:6], "little") == 45  # the version that ZIP64 needs
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.read("large") == b"x"


def test_pieces_leave_as_they_come() -> None:
    """Nothing of a file waits for its end."""
    made = ZipStream(AT)
    sent = made.file("name", (bytes([each]) * 1000 for each in range(5)))
    assert [len(piece) > 1000 for piece in sent][:5] == [True, False, False, False, False]
