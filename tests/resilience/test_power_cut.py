"""Power cuts: what was promised survives the loss of everything that was not synced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox
from support.crash_run import RUN, check_next, check_rest, plain
from support.crasher import Crasher


class TestPowerCut:
    """Power that goes out: promises survive the loss of everything that was not synced."""

    @pytest.mark.chaos(family="process", fault="power cut: promises")
    def test_nothing_promised_is_lost(self, few: Sandbox, crash: Crasher, folders: Iterator[Path]) -> None:
        """At no effect is anything visible or recorded that a power cut would take."""
        settings = plain(folder := next(folders))
        ended = crash(few, settings, run_id=RUN, steps=["run"], durable=str(folder))
        assert (ended.raised, ended.losses) == ([], [])

    @pytest.mark.chaos(family="process", fault="power cut: every fsync is needed")
    @pytest.mark.parametrize(
        ("ignore", "loss"),
        [
            (r"^staging/\w+/1\.gz\.part$", "staged file 1 is recorded"),
            (r"^staging/\w+/1\.gz\.part$", r"wav\.gz is visible before it is durable"),
            (r"^staging/\w+$", "staged file 1 is recorded"),
            (r"^staging$", "staged file 1 is recorded"),
            (r"^archive/recordings/.*tmp$", r"json is visible before it is durable"),
            (r"/day=20$", r"wav\.gz is recorded"),
            (r"/month=11$", r"wav\.gz is recorded"),
            (r"^archive/recordings$", r"wav\.gz is recorded"),
            (r"/day=20$", "before its object is durable"),
            (r"^archive/reports/.*tmp$", r"csv is visible before it is durable"),
            (r"^archive/reports/.*/1$", r"compliance_report\.json is recorded"),
            (r"^archive/manifests$", r"compliance_report\.json is recorded"),
            (r"^archive/\.\w+\.tmp$", r"archive\.json is visible before it is durable"),
            (r"^archive$", "bound to an archive that would be gone"),
            (r"^\.$", "bound to an archive that would be gone"),
        ],
    )
    def test_every_sync_is_needed(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], ignore: str, loss: str
    ) -> None:
        """The check above sees it when one kind of file, or the names in one kind of folder, are not synced."""
        settings = plain(folder := next(folders))
        ended = crash(few, settings, run_id=RUN, steps=["run"], durable=str(folder), ignore=ignore)
        assert any(re.search(loss, told) for told in ended.losses), ended.losses

    @pytest.mark.chaos(family="process", fault="power cut after effects")
    def test_a_run_cut_off_is_finished_by_the_next(self, few: Sandbox, crash: Crasher, folders: Iterator[Path]) -> None:
        """A power cut leaves a sound archive, and the next attempt completes it."""
        self.sweep(few, crash, folders, points=count(2, 15))

    @pytest.mark.long
    @pytest.mark.chaos(family="process", fault="power cut after every effect")
    def test_a_run_cut_off_at_any_effect_is_finished_by_the_next(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path]
    ) -> None:
        """A power cut after each single effect leaves a sound archive, and the next attempt completes it."""
        self.sweep(few, crash, folders, points=count(1))

    def sweep(self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, points: Iterable[int]) -> None:
        for point in points:
            folder, left = next(folders), next(folders)
            harm = {"kind": "cut", "at": point, "when": "after", "folder": str(left)}
            ended = crash(few, plain(folder), run_id=RUN, steps=["run"], durable=str(folder), harm=harm)
            if not ended.signal:
                assert ended.effects < point
                return
            check_rest(plain(left), few)
            check_next(plain(left), few)
