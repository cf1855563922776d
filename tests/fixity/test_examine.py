"""Examining: any change of a byte of object or sidecar is found in the right one of the two."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recording_archive.archive import Archive
from recording_archive.fixity.examine import examine
from recording_archive.store import sidecar
from support.contents import all_rows, flip, overwrite


@pytest.mark.parametrize("which", ["object", "sidecar"])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_turned_bit_is_found(archived: Archive, which: str, place: float, bit: int) -> None:
    """Whichever bit of object or sidecar turns, this recording is named, by the right one of the two."""
    row = all_rows(archived)[3]
    path = archived.settings.root / (row.key if which == "object" else sidecar.beside(row.key))
    content = path.read_bytes()
    overwrite(path, flip(int(place * len(content)), bit)(content))
    try:
        flaws = examine(archived, row)
        assert flaws is not None
        assert (bool(flaws.object), bool(flaws.sidecar), flaws.catalog) == (which == "object", which == "sidecar", "")
    finally:
        overwrite(path, content)
    assert examine(archived, row) is None


@pytest.mark.long
def test_every_byte_of_a_recording_is_watched(archived: Archive) -> None:
    """A turned bit at every single byte of an object and its sidecar is found."""
    row = min(all_rows(archived), key=lambda row: row.stored_bytes)
    for key in (row.key, sidecar.beside(row.key)):
        path = archived.settings.root / key
        content = path.read_bytes()
        path.chmod(0o640)
        for place in range(len(content)):
            path.write_bytes(flip(place, place % 8)(content))
            assert examine(archived, row) is not None, (key, place)
        path.write_bytes(content)
        assert examine(archived, row) is None
