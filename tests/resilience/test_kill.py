"""Runs killed around every effect: the next attempt finishes them, and nothing half done has a name."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox
from support.crash_run import RUN, check_next, check_rest, plain
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
