"""Downloads: documents that are recordings, and the end of a task's time."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.model import Window
from support.whole_run import LIMITS, Tasks

HANG_S = 30  # of the sandbox, and the patience with it


CHATS = {
    "json": b'{"messages": [{"from": "agent"}]}',
    "html": b"<!doctype html><p>Dear all",
    "eml": b"From: a@b.c\r\n\r\nx",
}
DECLARED = {"json": "application/json", "html": "text/html; charset=utf-8", "eml": "message/rfc822"}


@pytest.mark.parametrize("proof", ["checksum", "declaration", "neither"])
def test_chats_and_emails_are_archived_where_something_vouches_for_them(
    archive: Archive, tmp_path: Path, proof: str
) -> None:
    """The source's checksum or content type makes a page a recording; one that nothing vouches for is an error page."""
    media = tmp_path / "media"
    media.mkdir()
    for extension, body in CHATS.items():
        (media / f"{extension}.wav").write_bytes(body)  # the media host calls all of them audio
    with Sandbox(SandboxOptions(media_dir=media, rate_per_minute=0, checksum_missing_every=0)) as cloud:
        names = {recording.id: recording.path.stem for recording in cloud.library}
        for recording_id, extension in names.items() if proof != "checksum" else ():
            given = {"checksum": None} | ({"contentType": DECLARED[extension]} if proof == "declaration" else {})
            cloud.faults.add(Fault("set_fields", "query", recording=recording_id, values=given))
        dates = [recording.date for recording in cloud.library]
        window = Window(min(dates), max(dates) + timedelta(days=1))
        ended = Tasks(cloud)(archive, "asked", Request(window=window))
    for recording_id, extension in names.items():
        entry = ended.entries[recording_id]
        refused = proof == "neither" and extension != "eml"  # headers are no page
        assert entry["status"] == ("failed" if refused else "success"), entry
        assert ("error page" in entry["error"]) if refused else entry["filePath"].endswith(f".{extension}.gz")


class TimeLimit(BaseException):
    """The end of a task's time, which Airflow raises in the main thread wherever that is."""


def test_the_time_limit_of_a_task_ends_its_transfers(tasks: Tasks, archive: Archive) -> None:
    """The task does not wait for a host that hangs, and its next attempt fetches what is left."""
    tasks.cloud.faults.add(Fault("hang", recording=tasks.cloud.library[0].id))
    tasks.cloud.requests.clear()
    (batch,) = tasks.query(archive, "scheduled__1")
    previous = signal.signal(signal.SIGALRM, _end)
    watch = threading.Thread(target=_end_when_all_were_asked_for, args=(tasks,))
    watch.start()
    try:
        begun = time.monotonic()
        with pytest.raises(TimeLimit):
            replace(tasks, limits=replace(LIMITS, read_timeout_s=HANG_S)).download(
                archive, "scheduled__1", batch.number
            )
        assert time.monotonic() - begun < HANG_S
    finally:
        signal.signal(signal.SIGALRM, previous)
        watch.join()
    tasks.cloud.faults.clear()
    tasks.download(archive, "scheduled__1", batch.number)
    tasks.gzip(archive, "scheduled__1", batch.number)
    assert tasks.report(archive, "scheduled__1").statuses == {"success": 6}


def _end(*_: object) -> None:
    raise TimeLimit


def _end_when_all_were_asked_for(tasks: Tasks) -> None:
    deadline = time.monotonic() + HANG_S
    while tasks.cloud.requests.counts["media"] < len(tasks.cloud.library) and time.monotonic() < deadline:
        time.sleep(0.01)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
