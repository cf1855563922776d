"""Two attempts alive at once: one copy is archived, and a late attempt changes nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path

import pytest
from sqlalchemy import func, select

from genesys_sandbox import Sandbox
from recording_archive.archive import open_archive
from recording_archive.catalog.tables import runs, work
from recording_archive.settings import Settings
from support.crash_run import RUN, both, check_next, check_rest, check_whole, freezes, plain
from support.crasher import EFFECTS, Crasher
from support.runner import settings_below
from support.whole_run import Tasks, check_books


def rows_of(settings: Settings) -> list[tuple[object, ...]]:
    """Rows of recordings, work and events; without those of reports, for each attempt writes its own."""
    told = (
        "SELECT uid, at, kind, interaction_id, recording_id, part, run_id, detail FROM events WHERE kind != 'reported'"
    )
    queries = ("SELECT * FROM recordings", "SELECT * FROM work", told)
    with closing(sqlite3.connect(settings.root.parent / "catalog.db")) as catalog:
        return [row for query in queries for row in catalog.execute(query)]


class TestTwins:
    """Two attempts alive at once: Airflow starts another one when it no longer hears of the first."""

    @pytest.mark.chaos(family="process", fault="two attempts at once")
    def test_two_attempts_of_a_task_archive_one_copy(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """Download and gzip of one batch, each twice at the same time, end without an error and with one copy."""
        for folder in islice(folders, 3):
            settings = settings_below(folder)
            assert crash(cloud, settings, run_id=RUN, steps=["query"]).raised == []
            for step in ("download", "gzip"):
                assert [twin.raised for twin in both(crash, cloud, settings, step=step)] == [[], []]
            assert list((settings.staging / RUN).iterdir()) == []
            ended = Tasks(cloud).report(reopened := open_archive(settings), RUN)
            assert ended.statuses == {"success": len(cloud.library)}
            check_books(reopened, ended)
            check_whole(reopened, cloud)
            reopened.catalog.close()

    @pytest.mark.chaos(family="process", fault="two runs over the same recordings")
    def test_two_first_runs_at_once_archive_one_copy(
        self, cloud: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """Two runs that found the archive and list the same day at the same time share the work, without an error."""
        for folder in islice(folders, 3):
            settings = settings_below(folder)
            twins = both(crash, cloud, settings, run_id="manual__2", step="run")
            assert [twin.raised for twin in twins] == [[], []]
            archive = open_archive(settings)
            check_whole(archive, cloud)
            with archive.catalog.read() as connection:
                ended: dict[str, int] = dict(
                    connection.execute(select(work.c.outcome, func.count()).group_by(work.c.outcome)).all()
                )
                assert connection.execute(select(runs.c.status)).scalars().all() == ["success", "success"]
            assert ended == {"success": len(cloud.library), "already_archived": len(cloud.library)}
            archive.catalog.close()

    @pytest.mark.chaos(family="process", fault="attempt that was given up wakes up")
    def test_an_attempt_that_wakes_up_late_changes_nothing(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """An attempt frozen at a sync while another does all the work wakes up, and neither adds nor takes."""
        self.sweep(few, crash, folders, only=["fsync"], step=3)

    @pytest.mark.long
    @pytest.mark.chaos(family="process", fault="attempt that was given up wakes up, at every effect")
    def test_an_attempt_frozen_at_any_effect_changes_nothing(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """An attempt frozen before each single effect wakes up, and neither adds nor takes."""
        self.sweep(few, crash, folders, only=[*EFFECTS], step=1)  # no commit: frozen there it holds the catalog's lock

    def sweep(self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, only: list[str], step: int) -> None:
        for frozen, point in enumerate(count(1, step)):
            settings = plain(next(folders))
            harm = {"kind": "freeze", "at": point, "when": "before", "only": only}
            open_archive(settings).catalog.close()
            late = crash.start(few, settings, run_id=RUN, steps=["run"], harm=harm)
            if not freezes(late):
                assert crash.wait(late).raised == []
                assert frozen > 10
                return
            check_next(settings, few)
            before = rows_of(settings)
            os.kill(late, signal.SIGCONT)
            assert crash.wait(late).signal == 0
            assert rows_of(settings) == before
            check_rest(settings, few)
            check_next(settings, few)
