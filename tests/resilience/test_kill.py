"""Runs killed around every effect: the next attempt finishes them, and nothing half done has a name."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox
from recording_archive.store.packer import RUN_BYTES
from support.crash_run import MIB, RUN, check_next, check_rest, one_call, plain
from support.crasher import EFFECTS, Crasher


class TestKilled:
    """SIGKILL around every effect."""

    @pytest.mark.chaos(family="process", fault="SIGKILL before every commit, rename and unlink")
    def test_a_killed_run_is_finished_by_the_next(self, few: Sandbox, crash: Crasher, folders: Iterator[Path]) -> None:
        """Killed before an effect, a run leaves nothing half done in sight, and the next attempt finishes it."""
        assert self.sweep(few, crash, folders, when="before", only=["rename", "unlink", "commit"]) > 25

    @pytest.mark.long
    @pytest.mark.chaos(family="process", fault="SIGKILL around every effect")
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_run_killed_at_any_effect_is_finished_by_the_next(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], when: str
    ) -> None:
        """A run killed around each single effect is finished by the next."""
        assert self.sweep(few, crash, folders, when=when, only=[*EFFECTS, "commit"]) > 100

    @pytest.mark.chaos(family="process", fault="SIGKILL within a large download")
    @pytest.mark.parametrize(
        ("harm", "kept"),
        [
            ({"only": ["write"], "at": 12, "when": "after"}, 12 * RUN_BYTES),
            ({"only": ["write"], "at": 38, "when": "before"}, 9 * MIB),
            ({"only": ["fchmod"], "at": 2, "when": "before"}, 9 * MIB),
            ({"only": ["rename"], "at": 1, "when": "before"}, 0),
            ({"only": ["rename"], "at": 1, "when": "after"}, 0),
        ],
        ids=["between members", "before the end marker", "before the sync", "before the name", "before the mark"],
    )
    def test_a_killed_download_goes_on_where_it_was(
        self, crash: Crasher, folders: Iterator[Path], harm: dict[str, object], kept: int
    ) -> None:
        """Whole members are not fetched again; what nobody marked as staged is, and takes the place of the other."""
        settings = plain(next(folders))
        with one_call(9 * MIB) as cloud:
            ended = crash(cloud, settings, run_id=RUN, steps=["query", "download"], harm={"kind": "kill", **harm})
            assert ended.signal == signal.SIGKILL
            assert crash(cloud, settings, run_id=RUN, steps=["run"]).raised == []
            check_rest(settings, cloud)
            assert [path for path in settings.staging.rglob("*") if path.is_file()] == []
            fetched = cloud.library[0].path.stat().st_size - kept
        with closing(sqlite3.connect(settings.root.parent / "catalog.db")) as catalog:
            ((outcome, wire_bytes),) = catalog.execute("SELECT outcome, wire_bytes FROM work").fetchall()
        assert outcome == "success"
        assert 0 <= wire_bytes - fetched < 500  # a refused range has a body, too

    def sweep(self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, when: str, only: list[str]) -> int:
        """Kill a run at each of its effects and let the next finish it; return how many were killed."""
        for killed in count():
            settings = plain(next(folders))
            harm = {"kind": "kill", "at": killed + 1, "when": when, "only": only}
            ended = crash(few, settings, run_id=RUN, steps=["run"], harm=harm)
            check_rest(settings, few)
            check_next(settings, few)
            if not ended.signal:
                assert ended.effects == killed
                return killed
            assert ended.signal == signal.SIGKILL
        raise AssertionError("unreachable")
