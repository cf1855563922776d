"""Playback in place of a failed batch, and participant attributes."""

from __future__ import annotations

import json
from dataclasses import replace

from recording_archive.archive import Archive
from support.platform_run import Start, run, verified_parts
from support.whole_run import objects, sidecar_of


def test_errors_in_a_batch_are_played_back_instead(start: Start, archive: Archive) -> None:
    """Also while playback transcodes at first."""
    tasks = start("batch_errors,transcoding")
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())
    assert tasks.cloud.requests.counts["playback"] == 6


def test_participant_attributes_are_kept_by_name_only(start: Start, archive: Archive) -> None:
    """A request more for each conversation, and only when any are allowed; the others may hold anything."""
    tasks = start(per_day=3)
    run(replace(tasks, options={"allowed": ["customerTier", "other"]}), archive, "scheduled__0")
    sidecars = [archive.store.read(sidecar_of(key)) for key in objects(archive)]
    assert [json.loads(each)["sourceFields"]["participantAttributes"] for each in sidecars] == 3 * [
        {"customerTier": "gold"}
    ]
    assert not any(b"accountPin" in each for each in sidecars)
    assert tasks.cloud.requests.counts["metadata"] == 3
