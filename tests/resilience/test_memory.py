"""Peak memory, which does not grow with what is archived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox
from support.crash_run import MIB, RUN, TASKS, made, one_call
from support.crasher import Crasher
from support.runner import settings_below


class TestMemory:
    """Memory does not grow with what is archived."""

    @pytest.mark.parametrize("size", [150 * MIB, pytest.param(500 * MIB, marks=pytest.mark.long)], ids=["150", "500"])
    @pytest.mark.chaos(family="media", fault="large file")
    def test_a_large_recording_costs_no_more_than_a_small_one(self, crash: Crasher, tmp_path: Path, size: int) -> None:
        """A run over one large recording peaks at most 48 MB above a run over one of 1 MB."""
        small, large = (self.peak_kib(crash, made(tmp_path / str(size)), size) for size in (MIB, size))
        assert large - small < 48 * 1024

    def peak_kib(self, crash: Crasher, folder: Path, size: int) -> int:
        with one_call(size) as cloud:
            ended = crash(cloud, settings_below(folder), run_id=RUN, steps=TASKS)
        assert ended.raised == []
        return ended.peak_kib

    @pytest.mark.chaos(family="scale", fault="20,000 recordings in one interval: memory")
    @pytest.mark.parametrize(("short", "long"), [(500, 4_000), pytest.param(2_000, 20_000, marks=pytest.mark.long)])
    def test_a_long_list_costs_no_more_than_a_short_one(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], short: int, long: int
    ) -> None:
        """Listing and reporting 18,000 recordings more costs at most 16 MB more, and fewer in proportion."""
        peaks = []
        for length in (short, long):
            ended = crash(few, settings_below(next(folders)), run_id=RUN, steps=["list"], count=length)
            assert ended.raised == []
            peaks.append(ended.peak_kib)
        assert peaks[1] - peaks[0] < 16 * 1024 * (long - short) / 18_000
