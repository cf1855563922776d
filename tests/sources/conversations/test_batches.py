"""Batch requests in a task of several: the next one is at work while media of the one before are fetched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.model import Listing, PartId
from recording_archive.sources.conversations import ConversationsSource
from support.platform_run import PlatformTasks, SleepClock, Start, nights_later, run, verified_parts
from support.whole_run import SCHEDULED

THREE_CHUNKS = 250


def slow(start: Start, seconds: float, per_day: int = THREE_CHUNKS) -> tuple[PlatformTasks, SleepClock]:
    """Tasks whose batches take so long, and the clock by which they do."""
    tasks, clock = start(per_day=per_day, min_bytes=100, max_bytes=200, batch_polls=0, batch_s=seconds), SleepClock()
    tasks.cloud.world.clock = clock
    return replace(tasks, options={"clock": clock}, sleep=clock.sleep), clock


def asked(tasks: PlatformTasks) -> list[str]:
    """The kinds of requests in their order, repeats in a row left out."""
    kinds = [request.kind for request in tasks.cloud.requests if request.kind in {"batch", "poll", "media"}]
    return [kind for n, kind in enumerate(kinds) if n == 0 or kinds[n - 1] != kind]


def test_the_next_batch_is_at_work_while_media_are_fetched(start: Start, archive: Archive) -> None:
    """Submitted before the first transfer; one poll each is enough once it is known how long a batch takes."""
    tasks, clock = slow(start, 20)
    ended = run(tasks, archive, "scheduled__0", SCHEDULED)
    assert len(verified_parts(tasks, archive, ended)) == THREE_CHUNKS
    assert (tasks.cloud.requests.counts["batch"], tasks.cloud.requests.counts["poll"]) == (3, 4)
    assert asked(tasks)[:4] == ["batch", "poll", "batch", "media"]
    assert clock.now < 3 * 40


def test_a_batch_that_lay_too_long_is_submitted_again(start: Start) -> None:
    """A batch that the service forgot while media were fetched costs a request and nothing else."""
    tasks, _ = slow(start, 0, per_day=3)
    source, parts = tasks.source(), wholes(tasks)
    source.order(parts)
    tasks.cloud.world.jobs.clear()
    assert len(list(source.resolve(parts))) == 3
    assert tasks.cloud.requests.counts["batch"] == 2


def test_an_order_that_fails_is_made_again(start: Start) -> None:
    """An error of what is asked for next must not end what is fetched now."""
    tasks, _ = slow(start, 0, per_day=3)
    source, parts = tasks.source(), wholes(tasks)
    tasks.cloud.faults.add(Fault("status", "batch", times=4, status=503))
    source.order(parts)
    assert len(list(source.resolve(parts))) == 3


def test_an_order_serves_what_it_was_made_for(start: Start) -> None:
    """Others are asked for anew; an order for more than is still shown is taken as it is, and used once."""
    tasks, _ = slow(start, 0, per_day=4)
    source, parts = tasks.source(), wholes(tasks)
    source.order(parts[:2])
    assert len(list(source.resolve(parts[2:]))) == 2
    assert tasks.cloud.requests.counts["batch"] == 2
    source.order([*parts[:2], PartId.whole("nobody")])
    first = {each.part_id: each.media_url for each in resolved(source, parts[:2])}
    assert tasks.cloud.requests.counts["batch"] == 3
    again = {each.part_id: each.media_url for each in resolved(source, parts[:2])}
    assert (tasks.cloud.requests.counts["batch"], again.keys()) == (4, first.keys())


def test_a_small_batch_is_polled_sooner(start: Start) -> None:
    """One conversation that somebody waits for is not made to wait as long as a hundred."""
    waits = []
    for count in (1, 100):
        tasks, clock = slow(start, 0, per_day=count)
        list(tasks.source().resolve(wholes(tasks)))
        waits.append(clock.now)
    assert waits == [5.1, 15.0]


@pytest.mark.parametrize("traps", ["zero_start", "changing_count", "changing_count,zero_start", "lost_batches"])
def test_a_batch_is_done_when_it_says_so(start: Start, archive: Archive, traps: str) -> None:
    """0 of 0, and as many as expected so far, are no end."""
    tasks = start(traps, batch_polls=3)
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())


def wholes(tasks: PlatformTasks) -> list[PartId]:
    """Every conversation of the sandbox."""
    return [PartId.whole(each.id) for each in tasks.cloud.world.conversations]


def resolved(source: ConversationsSource, parts: list[PartId]) -> list[Listing]:
    """The listings that have media."""
    return [each for each in source.resolve(parts) if each.media_url]


def test_a_batch_that_comes_to_no_end_gives_what_it_has(start: Start, archive: Archive) -> None:
    """All results but one: those are archived, and the one is deferred; nobody waits for half an hour."""
    tasks, clock = slow(start, 0, per_day=20)
    bad = tasks.cloud.world.conversations[3].id
    tasks.cloud.faults.add(Fault("unfinished", "poll", recording=bad))
    ended = run(tasks, archive, "scheduled__0", SCHEDULED)
    assert {part.interaction_id for part in verified_parts(tasks, archive, ended)} == {
        each.id for each in tasks.cloud.world.conversations if each.id != bad
    }
    (deferred,) = ended.report["deferredParts"]
    assert (deferred["interactionId"], "came to no end" in deferred["reason"]) == (bad, True)
    assert clock.now < 15 * 60
    tasks.cloud.faults.clear()
    assert len(verified_parts(tasks, archive, nights_later(tasks, archive, 1))) == 20


def test_a_batch_without_any_result_is_halved(start: Start, archive: Archive) -> None:
    """One conversation that blocks its batch blocks it alone."""
    tasks, _ = slow(start, 0, per_day=6)
    bad = tasks.cloud.world.conversations[3].id
    values = {"status": "InProgress", "results": [], "resultCount": 0}
    tasks.cloud.faults.add(Fault("set_fields", "poll", recording=bad, values=values))
    ended = run(tasks, archive, "scheduled__0", SCHEDULED)
    assert len(verified_parts(tasks, archive, ended)) >= 5


@pytest.mark.parametrize("word", ["Sleeping", "FULFILLED"])
def test_a_status_that_is_not_known_says_nothing(start: Start, archive: Archive, word: str) -> None:
    """Counts that stay equal stand in for it."""
    tasks, _ = slow(start, 0, per_day=5)
    tasks.cloud.faults.add(Fault("set_fields", "poll", values={"status": word}))
    ended = run(tasks, archive, "scheduled__0", SCHEDULED)
    assert len(verified_parts(tasks, archive, ended)) == 5
