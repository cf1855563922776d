"""Troubles of single conversations: how they are found in a list, and when they are no longer taken for single ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.errors import AccessError, ArchiveError, PermanentError, Stopped, TransientError
from recording_archive.model import PartId
from recording_archive.sources.conversations import listing
from recording_archive.sources.conversations.troubles import Trouble, Troubles, halved
from recording_archive.sources.replies import ForbiddenError, RejectedError
from support.night_runs import rows_of
from support.platform_run import PER_DAY, Start, nights_later, run, trapped, verified_parts
from support.whole_run import NIGHT

HUNDRED = list(range(100))


@pytest.mark.parametrize("bad", [{0}, {99}, {41}, {0, 1, 2, 98}])
def test_a_list_is_halved_until_the_bad_ones_are_alone(bad: set[int]) -> None:
    """All others are answered, in order, for some seven requests more than one for each bad one."""
    asked = []

    def ask(items: Sequence[int], attempts: int | None) -> list[int]:
        asked.append(attempts)
        if bad & set(items):
            raise RejectedError("no")
        return list(items)

    found = list(halved(HUNDRED, ask))
    answered = [item for _, each in found if not isinstance(each, Trouble) for item in each]
    assert answered == sorted(set(HUNDRED) - bad)
    assert [tuple(items) for items, each in found if isinstance(each, Trouble)] == [(item,) for item in sorted(bad)]
    assert len(asked) <= 1 + 14 * len(bad)
    assert asked[0] is None
    assert None not in asked[1:]


@pytest.mark.parametrize("kind", [ForbiddenError, TransientError, PermanentError])
def test_a_list_of_which_nothing_is_answered_is_no_single_trouble(kind: type[ArchiveError]) -> None:
    """Its first error is raised, soon."""
    errors = []

    def ask(*_: object) -> None:
        errors.append(kind(f"no {len(errors)}"))
        raise errors[-1]

    with pytest.raises(kind, match="no 0"):
        list(halved(HUNDRED, ask))
    assert len(errors) < 20


@pytest.mark.parametrize("kind", [Stopped, AccessError])
def test_what_concerns_all_is_raised_at_once(kind: type[ArchiveError]) -> None:
    """A stop signal, and a client that is refused."""

    def ask(*_: object) -> None:
        raise kind("all")

    with pytest.raises(kind):
        list(halved(HUNDRED, ask))
    with pytest.raises(kind):
        Troubles().ask("playback", ask)


def test_refusals_in_a_row_are_the_roles() -> None:
    """Ten of one kind of request that lack a permission; an answer between them, or another kind, does not count."""
    troubles = Troubles()

    def refuse() -> None:
        raise ForbiddenError("no", lacks_permission=True)

    def refuse_one() -> None:
        raise ForbiddenError("not this one")

    assert [troubles.ask("playback", refuse_one) for _ in range(20)] == 20 * [Trouble("not this one")]
    for _ in range(9):
        assert troubles.ask("playback", refuse) == Trouble("no")
        assert troubles.ask("metadata", lambda: 1) == 1
    assert troubles.ask("playback", lambda: 2) == 2
    for _ in range(9):
        troubles.ask("playback", refuse)
    with pytest.raises(ForbiddenError):
        troubles.ask("playback", refuse)


def test_a_trouble_that_passes_is_one_when_it_had_days_to_pass() -> None:
    """Deferred at first, then a failure; one that does not pass is a failure at once."""
    assert Trouble("503", passing=True).remark(old=False) == {"deferred": "503"}
    assert Trouble("503", passing=True).remark(old=True) == {"defect": "503"}
    assert Trouble("404").remark(old=False) == {"defect": "404"}


@pytest.mark.parametrize(("endpoint", "most"), [("batch", 20), ("details", 30)])
def test_a_role_that_lacks_the_permission_stops_the_run(
    start: Start, archive: Archive, endpoint: str, most: int
) -> None:
    """With one clear reason, and few requests."""
    tasks = start()
    tasks.cloud.faults.add(Fault("forbidden", endpoint, after=2 if endpoint == "details" else 0))
    ended = run(tasks, archive, "scheduled__0")
    assert any("missing.permissions" in problem and "Roles" in problem for problem in ended.summary.problems)
    assert tasks.cloud.requests.counts[endpoint] <= most


def test_what_came_before_the_refusals_is_archived(start: Start, archive: Archive) -> None:
    """Conversations that need nothing that is refused."""
    tasks = start("batch_errors", per_day=100)
    tasks.cloud.faults.add(Fault("forbidden", "playback"))
    ended = run(tasks, archive, "scheduled__0")
    assert any("missing.permissions" in problem for problem in ended.summary.problems)
    refused = set(trapped(tasks, "batch_errors"))
    assert len(refused) == 10
    assert {part for part in map(PartId._make, tasks.cloud.world.truth()) if part.interaction_id not in refused} <= (
        verified_parts(tasks, archive, ended)
    )


def test_a_dead_recording_takes_nobody_along_in_later_nights(start: Start, archive: Archive) -> None:
    """It fails by name each time that it is taken up; what is new is archived."""
    tasks = start(days=3, per_day=4)
    bad = tasks.cloud.world.conversations[-2].id
    tasks.cloud.faults.add(*(Fault("status", kind, recording=bad, status=400) for kind in ("batch", "playback")))
    for night in (0, 1, 3):
        ended = nights_later(tasks, archive, night)
        told = [row["error"] for row in rows_of(archive, ended) if row["interactionId"] == bad]
        assert [("400" in error and "playback" in error) for error in told] == [True], (night, told)
    assert {part.interaction_id for part in verified_parts(tasks, archive, ended)} == {
        each.id for each in tasks.cloud.world.conversations if each.id != bad and each.start.day >= 19
    }


def test_a_conversation_that_is_strange_beyond_expectation(
    start: Start, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours about one conversation is a failure of that one."""
    tasks = start()
    bad, real = tasks.cloud.world.conversations[3].id, listing.fields_of

    def fields_of(conversation: listing.Conversation, *args: object, **more: object) -> object:
        if conversation.id == bad:
            raise KeyError("x")
        return real(conversation, *args, **more)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(listing, "fields_of", fields_of)
    ended = run(tasks, archive, "scheduled__0")
    assert ended.statuses == {"success": PER_DAY - 1, "failed": 1}
    (error,) = (entry["error"] for entry in ended.report["entries"] if entry["status"] == "failed")
    assert "unexpected KeyError" in error


def test_a_steady_silence_is_a_failure_after_days(start: Start, archive: Archive) -> None:
    """Metadata that cannot be had defers the conversation; after three days its media are archived, and it fails."""
    tasks = replace(start(), options={"full_metadata": True})
    bad = tasks.cloud.world.conversations[3].id
    tasks.cloud.faults.add(Fault("status", "metadata", recording=bad, status=503))
    first = run(tasks, archive, "scheduled__0")
    assert (first.statuses, first.report["deferred"]) == ({"success": PER_DAY - 1}, 1)
    later = nights_later(tasks, archive, 4)
    assert later.report["failed"] == 1
    assert verified_parts(tasks, archive, later) == {PartId(*key) for key in tasks.cloud.world.truth()}


def test_details_that_are_never_answered_are_a_failure_after_days(start: Start, archive: Archive) -> None:
    """Deferred at first, with the night since when; a failure by name three days after the conversation began."""
    tasks = start()
    bad = tasks.cloud.world.conversations[3].id
    tasks.cloud.faults.add(Fault("status", "details", route="GET *", recording=bad, status=503))
    for night in (0, 1):
        ended = nights_later(tasks, archive, night)
        (waiting,) = ended.report["deferredParts"]
        assert (waiting["interactionId"], "503" in waiting["reason"]) == (bad, True)
        assert waiting["since"] == NIGHT.isoformat()
    for night in (4, 6):
        ended = nights_later(tasks, archive, night)
        assert ended.report["deferredParts"] == []
        assert [(row["interactionId"], "503" in row["error"]) for row in rows_of(archive, ended)] == [(bad, True)]
