"""Nights of a dirty cloud: every trap, and faults that stick to single conversations, for every route and every kind.

The books are counted against the sandbox's own truth by a program that shares no code with the archive or the sandbox.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from recording_archive.archive import Archive
from support.platform_run import PlatformTasks, SleepClock, nights_later

COUNT = Path(__file__).parents[1] / "programs" / "count_books.py"
PATIENCE_S = 0.15
KINDS: tuple[dict[str, Any], ...] = (
    *({"kind": "status", "status": code} for code in (400, 403, 404, 409, 410, 429, 500, 503, 504)),
    {"kind": "unauthorized", "times": 1},
    {"kind": "hang", "seconds": 1},
    {"kind": "cut"},
    {"kind": "accepted"},
    {"kind": "empty"},
)
ROUTES = (
    *(("batch", "*"), ("details", "GET *"), ("poll", "*"), ("details", "POST *"), ("metadata", "*"), ("playback", "*")),
    *(("restore", "*"), ("orphans", "*/media")),
)
MEDIA = (
    {"kind": "status", "status": 500},
    {"kind": "html_200"},
    {"kind": "reset_midway", "times": 1},
    {"kind": "cut", "times": 1},
)
NEEDS = {"playback": "batch_errors", "restore": "archived"}
"""Traps that make a run ask such a route at all."""

LONG = [pytest.mark.long, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Week:
    """Days with recordings, nights after them, after how many nights late uploads are there, and how many faults."""

    days: int
    per_day: int
    nights_after: int
    late_after: int
    faults: int


@pytest.fixture(
    params=[
        pytest.param(Week(2, 24, 2, 1, 14), id="days"),
        pytest.param(Week(7, 45, 3, 4, len(KINDS) * len(ROUTES)), id="week", marks=LONG),
    ]
)
def week(request: pytest.FixtureRequest) -> Week:
    """Two days, or a week with every pair of route and kind."""
    given: Week = request.param
    return given


@pytest.fixture
def cloud(week: Week) -> Iterator[Sandbox]:
    small = {"min_bytes": 500, "max_bytes": 900, "batch_polls": 0, "rate_per_minute": 0, "data_lag_hours": 0}
    shape: dict[str, Any] = {"days": week.days, "per_day": week.per_day, "end": date(2026, 11, 21)}
    with Sandbox(SandboxOptions(**small, **shape, traps="all", participants_every=3)) as sandbox:
        yield sandbox


def stick(cloud: Sandbox, count: int) -> dict[str, Fault]:
    """Give each of so many pairs of route and kind a conversation of its own, and a few media; faults by its id."""
    free = {name: iter(_conversations(cloud, trap)) for name, trap in {**NEEDS, "": None}.items()}
    free["orphans"] = iter([each.id for each in cloud.world.orphans[:2]])
    pairs = islice(((route, kind) for n in range(len(KINDS)) for route, kind in _diagonal(n)), count)
    faults: dict[str, Fault] = {}
    for (endpoint, route), kind in pairs:
        names = free.get(endpoint, free[""])
        name = next((each for each in names if each not in faults), None)
        if name is not None:
            faults[name] = Fault(endpoint=endpoint, route=route, recording=name, **kind)
    for kind in MEDIA:
        name = next(each for each in free[""] if each not in faults)
        faults[name] = Fault(endpoint="media", recording=name, **kind)
    cloud.faults.add(*faults.values())
    return faults


def _diagonal(n: int) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Every route with a kind of its own; ``n`` of them meet all kinds."""
    return ((route, KINDS[(n + place) % len(KINDS)]) for place, route in enumerate(ROUTES))


def _conversations(cloud: Sandbox, trap: str | None) -> list[str]:
    """Ids of the conversations that a trap meets, or of those that none does; spread over the days."""
    special = {"division_gap", "deleted", "unrecorded"}
    every = cloud.world.conversations
    if trap:
        return [each.id for each in every if trap in each.traits]
    plain = [each.id for each in every if each.media_type == "voice" and not each.traits & {*special, *NEEDS.values()}]
    return plain[::2] + plain[1::2]


def counted(archive: Archive, cloud: Sandbox) -> dict[str, Any]:
    """The books by the program's count."""
    command = [sys.executable, "-I", str(COUNT), str(archive.settings.root), cloud.api_base]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return found


def test_the_books_are_true_after_a_dirty_week(week: Week, cloud: Sandbox, archive: Archive) -> None:
    """All is archived but what a fault stuck to, and each of those is named with its reason, or is in a gap."""
    faults, clock, world = stick(cloud, week.faults), SleepClock(), cloud.world
    tasks = PlatformTasks(cloud, timeout=(5, PATIENCE_S), sleep=clock.sleep, options={"clock": clock})
    first, last = 1 - week.days, week.nights_after
    for night in range(first, last + 1):
        world.uploaded = night - first >= week.late_after
        world.closed = night >= last - 1
        world.finish_restores()
        nights_later(tasks, archive, night)
    books = counted(archive, cloud)
    assert (books["wrong"], books["twice"], books["unbalanced"]) == ([], [], [])
    assert set(books["successes"]) == {1}
    assert books["held"] + len(books["lacking"]) == len(world.truth())
    lacking = {each["id"]: each for each in books["lacking"]}
    assert lacking.keys() <= faults.keys(), [each for each in lacking.values() if each["id"] not in faults]
    for name, each in lacking.items():
        named = each["told"] is not None and each["told"]["status"] in {"failed", "deferred"} and each["told"]["error"]
        assert named or (each["inGap"] and faults[name].route == "POST *"), (each, faults[name])
    assert not [name for name in lacking if faults[name].times], "a fault that passes costs no recording"
    assert {fault.kind for fault in faults.values()} <= cloud.faults.hits.keys()
