"""Verifying on request: re-read recordings and compare every byte with what catalog and sidecar say of them.

A recording is read twice before it is called bad, and none is called bad while the root is not the archive: an
unmounted volume condemns nothing. Recordings on their way out of the archive are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select

from recording_archive.archive import Archive, require_root
from recording_archive.catalog.rows import pages, part_key, part_of
from recording_archive.catalog.tables import recordings
from recording_archive.fixity.examine import Flaws, examine
from recording_archive.fixity.verdict import GROUP_SIZE, absence, grouped, is_stored, note_verdict, rows_of
from recording_archive.model import STORED, PartId
from recording_archive.spelling.ids import clean_id


@dataclass(frozen=True, slots=True)
class Verified:
    """One recording after re-reading; ``problem`` says what is wrong with it, None when it is sound."""

    part: PartId
    key: str | None
    problem: str | None


def verify(archive: Archive, ids: Iterable[str] | None = None) -> Iterator[Verified]:
    """Re-read every recording of the interactions ``ids``, or of the archive, and note the verdicts.

    An id without archived recordings is bad. Rows are streamed, so memory does not grow with the archive. Raises
    StoreError or TransientError when root or catalog fail as a whole.
    """
    with ThreadPoolExecutor(archive.settings.compressors, "verify") as pool:
        if ids is None:
            # the state is not asked for in SQL: its index would sort the archive for each page
            for page in pages(archive.catalog, select(recordings), *part_key(recordings), size=GROUP_SIZE):
                yield from _reread(archive, pool, [row for row in page if is_stored(row)])
            return
        for interaction_id in dict.fromkeys(map(clean_id, ids)):
            rows = rows_of(archive, interaction_id)
            stored = [row for row in rows if is_stored(row)]
            yield from _reread(archive, pool, stored)
            if not stored:
                yield Verified(PartId(interaction_id, "", 0), None, absence(rows))


def verify_one(archive: Archive, row: Row[Any], actor: str) -> Verified | None:
    """Re-read one recording, a row of `recordings`, and note the verdict and who asked; None when it left meanwhile."""
    results = _note(archive, [(row, examine(archive, row))], actor)
    return results[0] if results else None


def count(archive: Archive) -> int:
    """Count the recordings that `verify` would re-read."""
    with archive.catalog.read() as connection:
        return connection.execute(select(func.count()).where(recordings.c.state.in_(STORED))).scalar_one()


def _reread(archive: Archive, pool: Executor, rows: Sequence[Row[Any]]) -> Iterator[Verified]:
    results = zip(rows, pool.map(lambda row: examine(archive, row), rows), strict=True)
    for group in grouped(results):
        yield from _note(archive, group)


def _note(archive: Archive, group: Sequence[tuple[Row[Any], Flaws | None]], actor: str | None = None) -> list[Verified]:
    """Write the verdicts of a group; a recording that left the archive while it was read is left out."""
    if any(flaws for _, flaws in group):
        require_root(archive)
    at = archive.clock()
    with archive.catalog.write() as connection:
        return [
            Verified(part_of(row), row.key, str(flaws) if flaws else None)
            for row, flaws in group
            if note_verdict(connection, row, flaws, at=at, actor=actor)
        ]
