"""Conversations that are asked again within the look-back, for recordings that came later."""

from __future__ import annotations

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.model import PartId
from recording_archive.sources.conversations.again import AskedAgain
from recording_archive.sources.conversations.batches import MediaResult
from support.platform_run import PER_DAY, Start, archived, nights_later, run, start, trapped, verified_parts

__all__ = ["start"]  # the fixture

ONE = PartId("c", "r", 0)


def test_a_second_leg_that_is_uploaded_later_is_archived_the_next_night(start: Start, archive: Archive) -> None:
    """The first night cannot know of it; the second has it, for one batch request, and fetches nothing twice."""
    tasks = start("late")
    first = run(tasks, archive, "scheduled__0")
    late = set(tasks.cloud.world.truth()) - verified_parts(tasks, archive, first)
    assert {part[0] for part in late} == set(trapped(tasks, "late"))
    assert (first.report["deferred"], first.summary.problems) == (0, ())
    tasks.cloud.world.uploaded = True
    tasks.cloud.requests.clear()
    second = nights_later(tasks, archive, 1)
    assert set(archived(second)) == late
    assert verified_parts(tasks, archive, second) == set(tasks.cloud.world.truth())
    counts = tasks.cloud.requests.counts
    assert (counts["batch"], counts["media"]) == (1, len(late))
    assert counts["metadata"] <= len(late)  # which of two agents is heard in the new one
    assert second.report["alreadyArchived"] == PER_DAY - len(late)


def test_nothing_is_asked_of_a_recording_that_is_archived(start: Start, archive: Archive) -> None:
    """Though it went to cold storage since: no restore, no playback, no metadata, and no failure."""
    tasks = start("transfers")
    run(tasks, archive, "scheduled__0")
    error = {"resultUrl": None, "errorMsg": "The recording is archived."}
    tasks.cloud.faults.add(Fault("set_fields", "poll", recording="*", values=error))
    tasks.cloud.requests.clear()
    second = nights_later(tasks, archive, 1)
    assert (second.report["alreadyArchived"], second.summary.problems) == (PER_DAY, ())
    counts = tasks.cloud.requests.counts
    assert (counts["restore"], counts["playback"], counts["metadata"], counts["media"]) == (0, 0, 0, 0)


def test_one_that_cannot_be_asked_again_is_named(start: Start, archive: Archive) -> None:
    """Metadata tell what a batch does not; without both the conversation fails by name, and what is archived stays."""
    tasks = start()
    run(tasks, archive, "scheduled__0")
    source, bad = (tasks.cloud.world.conversations[n].id for n in (3, 4))
    tasks.cloud.faults.add(*(Fault("status", "batch", recording=each, status=400) for each in (source, bad)))
    tasks.cloud.faults.add(Fault("status", "metadata", recording=bad, status=400))
    second = nights_later(tasks, archive, 1)
    assert second.statuses == {"failed": 1}
    (told,) = second.report["entries"]
    assert (told["interactionId"], "400" in told["error"]) == (bad, True)
    assert second.report["alreadyArchived"] == PER_DAY


def test_what_is_news() -> None:
    """A recording that is not known, more media of one that is, or a result that names none."""
    again = AskedAgain.among([PartId.whole("c"), PartId.whole("d")], [ONE, PartId("x", "r", 0)])
    assert (again.conversations, [each.part_id for each in again.listings("c")]) == (["c"], [ONE])
    known = MediaResult("c", "r", "https://a/1", None, None)
    assert not again.has_news("c", [known])
    assert again.has_news("c", [known, known])
    assert again.has_news("c", [MediaResult("c", "s", None, None, "no")])
    assert again.has_news("c", [MediaResult("c", None, None, None, "no")])


def test_who_is_not_asked_again_so_cheaply() -> None:
    """An orphan, which gets no more media; and a conversation of which a recording is asked for by name."""
    orphan = PartId("o", "o", 0)
    assert AskedAgain.among([PartId.whole("o")], [orphan]).conversations == []
    assert AskedAgain.among([PartId.whole("c"), PartId("c", "s", 0)], [ONE]).parts == {}
