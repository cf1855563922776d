"""The note of a DAG run: what came of it in a sentence, where Airflow shows a run first.

A task cannot write the note, so the last task leaves it as an XCom, and a listener of the plugin, which runs in the
scheduler when a run ends, takes it from there. A note that a person wrote is never touched.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl
from airflow.sdk import get_current_context

from recording_archive.tasks.dag_parts import page_link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)

KEY = "recording_archive_note"
_LONGEST = 1000  # characters that Airflow keeps
_WORDS = {
    **{"successful": "archived", "alreadyArchived": "already archived", "checksumErrors": "with a wrong checksum"},
    **{"missing": "not at the source", "deferred": "put off to the next run", "healedMismatches": "fetched again"},
    **{"quarantined": "quarantined", "purged": "deleted", "erased": "erased", "restored": "back from quarantine"},
    **{"held": "held", "pending": "waiting for their lock", "sound": "read and sound", "repaired": "repaired"},
    **{"escalated": "damaged", "failed": "failed"},
}
"""Counts of the reports that a note tells, where they are not 0."""
_IN_PROBLEMS = ("failed", "missing", "checksumErrors", "escalated")
_DAGS = frozenset({"archive_recordings", "enforce_retention", "verify_archive"})


def leave_note(problems: Sequence[str], counts: Mapping[str, int], *, page: str, head: str | None) -> None:
    """Leave the note of the current run: what came of it, a link to ``page`` of the archive, the ledger's head."""
    ends = [f"[Report]({link})"] if (link := page_link(page)) else []
    ends += [f"ledger head `{head}`"] if head else []
    end = "\n\n" + " · ".join(ends) if ends else ""
    sentence, room = in_words(problems, counts), _LONGEST - len(end)
    if len(sentence) > room:
        sentence = f"{sentence[: room - 2].rstrip()} …"
    get_current_context()["ti"].xcom_push(KEY, sentence + end)


def in_words(problems: Sequence[str], counts: Mapping[str, int]) -> str:
    """Say why a run failed, if it did, and what came of its recordings, in one line.

    What failed is counted by the problems themselves.
    """
    hidden = _IN_PROBLEMS if problems else ()
    done = [f"{counts[name]:,} {words}" for name, words in _WORDS.items() if counts.get(name) and name not in hidden]
    if not problems and not done:
        return "Nothing was to be done"
    return ". ".join(filter(None, ["; ".join(problems), ", ".join(done)]))


@hookimpl
def on_dag_run_success(dag_run: DagRun) -> None:
    """Write the note of a run that succeeded."""
    _write(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun) -> None:
    """Write the note of a run that failed."""
    _write(dag_run)


def _write(dag_run: Any) -> None:
    """Write the note in the scheduler's own transaction; Airflow catches and logs what goes wrong here."""
    if dag_run.dag_id not in _DAGS:
        return
    from airflow.models.xcom import XComModel  # noqa: PLC0415 - the scheduler's alone
    from sqlalchemy import select  # noqa: PLC0415
    from sqlalchemy.orm import object_session  # noqa: PLC0415

    session: Any = object_session(dag_run)
    named = (XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id, XComModel.key == KEY)
    left = session.execute(select(XComModel).where(*named)).scalars().first() if session else None
    if left is None or (dag_run.dag_run_note and dag_run.dag_run_note.user_id):
        return
    dag_run.note = str(XComModel.deserialize_value(left))
