"""Whole runs against the platform API of a sandbox, without Airflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.model import PartId
from recording_archive.sources.client import ApiClient
from recording_archive.sources.contracts import PLATFORM
from recording_archive.sources.conversations import ConversationsSource
from support.whole_run import NIGHT, SCHEDULED, Ended, Tasks, at


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
        """What lists the sandbox's conversations."""
        sleep = self.sleep or self.slept.append
        client = platform_client(self.cloud, attempts=4, timeout=self.timeout, sleep=sleep)
        return ConversationsSource(client, organization="default", sleep=sleep, now=self.now, **self.options)


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
