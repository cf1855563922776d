"""Events of a lost catalog: segments come back once, damaged and missing ones are named."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from recording_archive.archive import Archive, open_archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.tables import events, recordings
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.segments import unknown_segments
from recording_archive.recovery.reindex import reindex
from support.contents import overwrite
from support.rebuilding import (
    bad,
    dump,
    lose_catalog,
    rebuild,
    record_one,
)


def test_a_damaged_segment_is_named_and_the_rest_goes_on(archived: Archive) -> None:
    """None of its events is taken, those of the others are; sidecars stand in for what they tell."""
    seal(archived)
    record_one(archived, "ann")
    seal(archived)
    before = dump(archived.catalog, recordings)
    path = archived.settings.root / "ledger" / "000000000001.jsonl"
    content = path.read_bytes()
    overwrite(path, content.replace(b'"seen"', b'"sEEn"', 1))
    archived.catalog.close()
    lose_catalog(archived.settings)
    (problem,) = bad(archived.settings)
    assert problem.key == "ledger/000000000001.jsonl"
    assert "line 3 does not follow" in str(problem.problem)
    rebuilt = open_archive(archived.settings)
    kinds = Counter(row["kind"] for row in dump(rebuilt.catalog, events))
    assert kinds == {"archived": 6, "reported": 1, "played": 1}
    assert dump(rebuilt.catalog, recordings) == before
    assert unknown_segments(rebuilt) == [1]
    rebuilt.catalog.close()
    overwrite(path, content)
    assert rebuild(archived.settings)["ledger", "added"] == 1


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_missing_segment_is_named(archived: Archive, gone: int) -> None:
    """In the middle by the next one; at the end by the catalog, if it is there."""
    record_one(archived, "ann")
    seal(archived)
    (archived.settings.root / f"ledger/{gone:012d}.jsonl").unlink()
    assert [problem.key for problem in bad(archived.settings)] == [f"ledger/{gone:012d}.jsonl"]


def test_events_are_restored_once(archived: Archive) -> None:
    """A rebuilding that was stopped goes on, and one that is run again adds nothing."""
    before = dump(archived.catalog, events, "id")
    archived.catalog.close()
    lose_catalog(archived.settings)
    list(islice(reindex(archived.settings), 1))
    rebuild(archived.settings)
    rebuild(archived.settings)
    assert dump(Catalog(archived.settings.catalog), events, "id") == before
