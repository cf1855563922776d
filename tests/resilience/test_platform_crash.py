"""Processes that die or are stopped while they replace conversations by their parts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count, islice
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import open_archive
from support.crash_run import RUN, both, check_next, check_rest, check_whole, claims, plain, stopped, wait_until
from support.crasher import EFFECTS, Crasher
from support.platform_run import PlatformTasks
from support.runner import settings_below
from support.whole_run import check_books

API = "conversations"


def sandbox(**options: object) -> Sandbox:
    """Three small calls of the day, each a conversation."""
    given = {"days": 1, "per_day": 3, "min_bytes": 20_000, "max_bytes": 40_000, "end": date(2026, 11, 21)}
    return Sandbox(SandboxOptions(**{**given, "rate_per_minute": 0, "batch_polls": 0, **options}))  # type: ignore[arg-type]  # by name


@pytest.fixture(scope="module")
def few() -> Iterator[Sandbox]:
    """Enough to be in the middle of something."""
    with sandbox() as cloud:
        yield cloud


class TestKilled:
    """SIGKILL around every effect."""

    @pytest.mark.chaos(family="platform API", fault="SIGKILL before every commit")
    def test_a_killed_run_is_finished_by_the_next(self, few: Sandbox, crash: Crasher, folders: Iterator[Path]) -> None:
        """Also between the commit that replaces a conversation by its parts and the first transfer."""
        assert self.sweep(few, crash, folders, when="before", only=["commit"]) > 5

    @pytest.mark.long
    @pytest.mark.chaos(family="platform API", fault="SIGKILL around every effect")
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_run_killed_at_any_effect_is_finished_by_the_next(
        self, few: Sandbox, crash: Crasher, folders: Iterator[Path], when: str
    ) -> None:
        """A run over conversations killed around each single effect is finished by the next."""
        assert self.sweep(few, crash, folders, when=when, only=[*EFFECTS, "commit"]) > 100

    def sweep(self, few: Sandbox, crash: Crasher, folders: Iterator[Path], *, when: str, only: list[str]) -> int:
        """Kill a run at each of its effects and let the next finish it; return how many were killed."""
        for killed in count():
            settings = plain(next(folders))
            harm = {"kind": "kill", "at": killed + 1, "when": when, "only": only}
            ended = crash(few, settings, run_id=RUN, steps=["run"], harm=harm, api=API)
            check_rest(settings, few)
            check_next(settings, few, tasks=PlatformTasks)
            if not ended.signal:
                return killed
        raise AssertionError("unreachable")


@pytest.mark.chaos(family="platform API", fault="two attempts at once")
def test_two_attempts_of_a_task_archive_one_copy(few: Sandbox, crash: Crasher, folders: Iterator[Path]) -> None:
    """Both ask for the media of the same conversations; each is replaced once, and its parts are archived once."""
    for folder in islice(folders, 3):
        settings = settings_below(folder)
        assert crash(few, settings, run_id=RUN, steps=["query"], api=API).raised == []
        for step in ("download", "gzip"):
            assert [twin.raised for twin in both(crash, few, settings, step=step, api=API)] == [[], []]
        archive = open_archive(settings)
        ended = PlatformTasks(few).report(archive, RUN)
        assert ended.statuses == {"success": 3}
        check_books(archive, ended)
        check_whole(archive, few)
        archive.catalog.close()


@pytest.mark.chaos(family="platform API", fault="stop signal while a batch is awaited")
def test_a_download_that_waits_for_its_batch_stops_in_time(dag_tasks: Crasher, folders: Iterator[Path]) -> None:
    """The service may take minutes; the batch is forgotten, and the next attempt asks for another."""
    settings = plain(next(folders))
    with sandbox(batch_s=600) as cloud:
        pid = dag_tasks.start(cloud, settings, run_id=RUN, steps=["hooks.query", "hooks.download"], api=API)
        wait_until(lambda: cloud.requests.counts["batch"] == 1)
        ended = stopped(dag_tasks, pid)
        assert [kind for kind, _ in ended.raised] == ["Stopped"]
        assert claims(settings.root.parent / "catalog.db") == set()
        cloud.world.clock = lambda: float("inf")
        check_next(settings, cloud, tasks=PlatformTasks)
        assert cloud.requests.counts["batch"] == 2
