"""Media URLs that expire and are renewed."""

from __future__ import annotations

import pytest

from genesys_sandbox import Fault
from recording_archive.archive import Archive
from recording_archive.model import PartId
from support.platform_run import PER_DAY, Start, run, verified_parts


@pytest.mark.parametrize("traps", ["", "fixed_urls", "lost_batches", "batch_errors"])
def test_expired_urls_are_renewed(start: Start, archive: Archive, traps: str) -> None:
    """By polling again, by a new batch where that signs nothing, or by playback."""
    tasks = start(traps)
    tasks.cloud.faults.add(Fault("expired", times=1))
    ended = run(tasks, archive, "scheduled__0")
    assert verified_parts(tasks, archive, ended) == set(tasks.cloud.world.truth())


@pytest.mark.parametrize(("traps", "batches"), [("", 1), ("fixed_urls", 2), ("lost_batches", 2)])
def test_a_batch_is_renewed_once_for_all_of_its_parts(start: Start, traps: str, batches: int) -> None:
    """All URLs of a batch expire together: twenty renewals cost what one costs."""
    tasks = start(traps)
    source = tasks.source()
    parts = [PartId.whole(each.id) for each in tasks.cloud.world.conversations]
    old = {each.part_id: each.media_url for each in source.resolve(parts)}
    new = {part: source.renew(part) for part in old}
    assert all(new[part] != url for part, url in old.items())
    assert (len(old), tasks.cloud.requests.counts["batch"]) == (PER_DAY, batches)
