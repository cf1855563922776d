"""Whole runs against the platform API of a sandbox, without Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import requests

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.model import PartId, Window
from recording_archive.sources.client import ApiClient
from recording_archive.sources.connection import Facts, read_facts
from recording_archive.sources.contracts import PLATFORM
from recording_archive.sources.conversations import ConversationsSource
from support.whole_run import DAY, NIGHT, SCHEDULED, Ended, Tasks, at, check_books, media_sha256, objects, sidecar_of

A_DAY = timedelta(days=1)
PER_DAY = 20


def platform_client(cloud: Sandbox, **more: Any) -> ApiClient:
    """A client of the sandbox's platform API."""
    return ApiClient(
        requests.Session(),
        login_base=cloud.login_base,
        api_base=cloud.api_base,
        client_id=cloud.client_id,
        client_secret=cloud.client_secret,
        contract=PLATFORM,
        **more,
    )


def facts_of(cloud: Sandbox) -> Facts:
    """The facts of a connection to the sandbox's platform API."""
    given = cloud.connection()
    extra = given["extra"] | {"api": "conversations"}
    return read_facts("test", login=given["login"], password=given["password"], host=None, extra=extra)


@dataclass
class PlatformTasks(Tasks):
    """Runs the tasks as the DAG does, against the platform API.

    ``now`` is what the source takes for the time; ``sleep`` takes its pauses instead of ``slept``.
    """

    now: Callable[[], datetime] = lambda: NIGHT
    options: dict[str, Any] = field(default_factory=dict)
    sleep: Callable[[float], None] | None = None
    timeout: tuple[float, float] = (5, 5)

    def source(self) -> ConversationsSource:
        """Source that lists the sandbox's conversations."""
        sleep = self.sleep or self.slept.append
        client = platform_client(self.cloud, attempts=4, timeout=self.timeout, sleep=sleep)
        return ConversationsSource(client, organization="default", sleep=sleep, now=self.now, **self.options)


Start = Callable[..., PlatformTasks]
"""Start a sandbox with traps and options, and give the tasks of runs against it."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a sandbox with these options; give the tasks of runs against it."""
    with ExitStack() as started:

        def begin(traps: str = "", **options: Any) -> PlatformTasks:
            small = {"days": 1, "per_day": PER_DAY, "min_bytes": 2000, "max_bytes": 4000, "end": date(2026, 11, 21)}
            given = {**small, "rate_per_minute": 0, "traps": traps, **options}
            return PlatformTasks(started.enter_context(Sandbox(SandboxOptions(**given))))

        yield begin


class SleepClock:
    """Seconds that pass only when somebody sleeps."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def archived(ended: Ended) -> dict[PartId, dict[str, Any]]:
    """The report's successes by part."""
    return {
        PartId(entry["interactionId"], entry["recordingId"], entry["part"]): entry
        for entry in ended.report["entries"]
        if entry["status"] == "success"
    }


def run(tasks: PlatformTasks, archive: Archive, run_id: str, request: Request = SCHEDULED) -> Ended:
    """One run with the archive's clock at the source's time."""
    return tasks(at(archive, tasks.now()), run_id, request)


def trapped(tasks: PlatformTasks, trap: str) -> list[str]:
    """Ids of the sandbox's conversations that a trap applies to."""
    return [each.id for each in tasks.cloud.world.conversations if trap in each.traits]


def verified_parts(tasks: PlatformTasks, archive: Archive, ended: Any) -> set[PartId]:
    """Check the run record and the bytes of every archived object; give the parts that are archived by now."""
    check_books(archive, ended)
    truth = tasks.cloud.world.truth()
    found = set()
    for key in objects(archive):
        sidecar = json.loads(archive.store.read(sidecar_of(key)))
        part = PartId(sidecar["interactionId"], sidecar["recordingId"], sidecar["part"])
        assert media_sha256(archive.settings.root / key) == sidecar["media"]["sha256"] == truth[part].sha256
        found.add(part)
    return found


def nights_later(tasks: PlatformTasks, archive: Archive, nights: int) -> Any:
    """The scheduled run of a later night."""
    later = replace(tasks, now=lambda: NIGHT + nights * A_DAY)
    window = Window(DAY.start + nights * A_DAY, DAY.end + nights * A_DAY)
    return run(later, archive, f"scheduled__{nights}", Request(window=window, scheduled=True))
