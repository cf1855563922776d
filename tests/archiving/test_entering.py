"""Listings become work rows: new ones, those that are archived or deleted, and those that cannot be."""

from __future__ import annotations

import pytest

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.model import State
from support.contents import change
from support.night_runs import nightly, rows_of, snapshot, with_settings
from support.whole_run import (
    DAY,
    Tasks,
    check_archive,
    check_books,
)


def test_what_was_lawfully_deleted_never_comes_back(tasks: Tasks, archived: Archive) -> None:
    """Quarantined, purged and erased recordings are counted as excluded, with the certificate, and never fetched."""
    states = (State.QUARANTINED, State.PURGED, State.ERASED)
    gone = dict(zip((recording.id for recording in tasks.cloud.library), states, strict=False))
    for number, (interaction_id, state) in enumerate(gone.items()):
        change(archived, interaction_id, state=state, certificate=f"C-{number}" if number else None)
    tasks.cloud.requests.clear()
    for run_id, request in (("manual__1", Request(window=DAY)), ("manual__2", Request(ids=tuple(gone)))):
        ended = tasks(archived, run_id, request)
        check_books(archived, ended)
        assert ended.report["excluded"] == 3
        assert ended.summary.problems == ()
        told = {row["interactionId"]: row["error"] for row in rows_of(archived, ended) if row["status"] == "excluded"}
        assert told == {
            name: f"{state}, certificate C-{number}" if number else state
            for number, (name, state) in enumerate(gone.items())
        }
    assert tasks.cloud.requests.counts["media"] == 0


def test_undated_recordings_are_kept_apart_and_archived_once(tasks: Tasks, archive: Archive) -> None:
    """Whatever day is asked for, an undated recording is listed, and archived by the first run that sees it."""
    victim = tasks.cloud.library[0]
    tasks.cloud.faults.add(Fault("missing_fields", "query", recording=victim.id, name="interactionDate"))
    first = nightly(tasks, archive, 0)
    assert first.entries[victim.id]["filePath"] == f"recordings/org=default/undated/{victim.id}~{victim.id}~0.wav.gz"
    assert first.entries[victim.id]["interactionDate"] is None
    assert nightly(tasks, archive, 1).report["successful"] == 0
    check_archive(archive, tasks.cloud.library)


UNSAFE = (
    "../../../etc/passwd",
    "a/b",
    "a~b",
    ".hidden",
    "x" * 101,
    "a\0b\u202e",
    "~",
    "C:\\a",
    "//host/a",
    "ö",
    "a b",
    "-a",
)


@pytest.mark.parametrize("names", [UNSAFE[:6], UNSAFE[6:]], ids=["first", "second"])
def test_an_id_that_cannot_be_a_file_name_is_failed_by_name(
    tasks: Tasks, archive: Archive, names: tuple[str, ...]
) -> None:
    """Nothing is written for it, its media is never asked for, and later runs are not coloured by it."""
    for name, recording in zip(names, tasks.cloud.library, strict=True):
        tasks.cloud.faults.add(Fault("set_fields", "query", recording=recording.id, values={"id": name}))
    ended = nightly(tasks, archive, 0)
    assert {name.replace("\0", "\\x00") for name in names} == set(ended.entries)
    for entry in ended.entries.values():
        assert (entry["status"], entry["filePath"]) == ("failed", None)
        assert "cannot be part of a file name" in entry["error"]
    assert tasks.cloud.requests.counts["media"] == 0
    assert not (archive.settings.root / "recordings").exists()
    again = nightly(tasks, with_settings(archive, look_back_days=1), 1)
    assert (again.summary.problems, len(again.report["carriedOver"])) == ((), 6)


def test_a_checksum_that_changes_after_archiving_is_told_and_changes_nothing(tasks: Tasks, archived: Archive) -> None:
    """The archived object stays, byte for byte, and the failure names both hashes."""
    victim = tasks.cloud.library[0]
    before = snapshot(archived)
    tasks.cloud.faults.add(Fault("set_fields", "query", recording=victim.id, values={"checksum": "ab" * 32}))
    ended = tasks(archived, "manual__1", Request(window=DAY))
    check_books(archived, ended)
    error = ended.entries[victim.id]["error"]
    assert victim.sha256 in error
    assert "ab" * 32 in error
    assert (ended.report["failed"], ended.report["alreadyArchived"]) == (1, 5)
    assert snapshot(archived) == before
    assert tasks.cloud.requests.counts["media"] == 0
