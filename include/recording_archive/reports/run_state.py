"""The row of a run, whatever its kind (`runs`, `plans`, `fixity_runs`): what stopped it, and how it was closed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select, update

from recording_archive.catalog.events import record
from recording_archive.errors import ArchiveError, PermanentError, StoreError


@contextmanager
def noted(note: Callable[[str], None], kind: type[ArchiveError] = PermanentError) -> Iterator[None]:
    """Hand the error that ends a task for good to ``note``, so that the run's report names the cause; raise it again.

    A TransientError is noted on request alone: a retry of the task may overcome it, and only one that begins the run
    anew would take the note back.
    """
    try:
        yield
    except kind as error:
        with suppress(StoreError):  # the disk that is full may hold the catalog as well: the first error is the cause
            note(str(error))
        raise


def note_problem(connection: Connection, table: Table, run_id: str, problem: str, begin: Callable[[], None]) -> None:
    """Add a problem to those of a run; a run without a row is begun with it by ``begin``."""
    known = connection.execute(select(table.c.problem).where(table.c.run_id == run_id)).one_or_none()
    if known is None:
        begin()
    elif problem not in (known.problem or ""):
        both = "; ".join(text for text in (known.problem, problem) if text)
        connection.execute(update(table).where(table.c.run_id == run_id).values(problem=both))


def close(
    connection: Connection,
    table: Table,
    run_id: str,
    *,
    at: datetime,
    report_key: str,
    detail: Mapping[str, Any],
    **values: Any,
) -> None:
    """Close a run with its ``status`` and other ``values``; record the event that vouches for its report's files."""
    values |= {"closed_at": at, "report_key": report_key}
    connection.execute(update(table).where(table.c.run_id == run_id).values(values))
    record(connection, "reported", None, at=at, run_id=run_id, detail=dict(detail))


def status_of(problems: Collection[str]) -> str:
    """Tell how a run with these problems ended: complete, or failed."""
    return "failed" if problems else "success"
