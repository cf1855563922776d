"""Problems of a run: the error that ended one of its tasks, for its report to name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from recording_archive.archive import Archive
from recording_archive.archiving import entering
from recording_archive.catalog.tables import runs
from recording_archive.errors import ArchiveError, PermanentError
from recording_archive.reports import run_state


def noted(archive: Archive, run_id: str, kind: type[ArchiveError] = PermanentError) -> AbstractContextManager[None]:
    """Write the error that ends a task for good into the run, as `reports.run_state.noted` does."""
    return run_state.noted(lambda problem: note_problem(archive, run_id, problem), kind)


def note_problem(archive: Archive, run_id: str, problem: str) -> None:
    """Write down what stopped a run, so that its report names it."""
    unknown: dict[str, Any] = {"at": archive.clock(), "source": "unknown", "kind": "asked", "problem": problem}
    with archive.catalog.write() as connection:
        begin = partial(entering.begin, connection, run_id, **unknown)
        run_state.note_problem(connection, runs, run_id, problem, begin)
