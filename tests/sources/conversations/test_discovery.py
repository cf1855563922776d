"""Long ranges, listed by a details job and by query."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.archiving.request import Request
from recording_archive.model import Window
from support.platform_run import Start, run, verified_parts


def test_a_long_range_takes_a_job_as_far_as_the_lake_reaches(start: Start, archive: Archive) -> None:
    """The rest, younger than the lake, is asked for by query; without jobs all of it is."""
    tasks = replace(start(days=6, per_day=4), options={"job_from_hits": 20})
    window = Window(datetime(2026, 11, 15, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))
    ended = run(tasks, archive, "manual__0", Request(window=window))
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    assert tasks.cloud.requests.counts["jobs"] == 5
    tasks.cloud.faults.add(Fault("forbidden", "jobs"))
    listed = {each.part_id for each in tasks.source().discover(ids=(), window=window)}
    assert len(listed) == 24
