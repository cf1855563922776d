"""Objects made anew from the media inside them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from support.contents import all_rows, damage, details_of, flip
from support.fixity_run import ALL, Verifying
from support.repairs import HEADER_TIME, check_whole, path_of


@pytest.mark.parametrize("change", [flip(HEADER_TIME), lambda content: content[:-28], lambda content: content + b"\0"])
def test_damaged_wrapping_needs_no_source(
    archived: Archive, verifying: Verifying, change: Callable[[bytes], bytes]
) -> None:
    """Where the object still gives its media, it is made anew from that, though the source is gone for good."""
    row = all_rows(archived)[1]
    before = path_of(archived, row).read_bytes()
    damage(path_of(archived, row), change)
    verifying.cloud.faults.add(Fault("status", "renew", status=404))
    check_whole(archived, verifying(archived, ALL))
    assert path_of(archived, row).read_bytes() == before
    assert verifying.cloud.requests.counts["media"] == 0
    (event,) = details_of(archived, "repaired")
    assert event["mediaFrom"] == "archive"
