"""Policies of the archive are compared with the events of their adoption."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.recovery.from_policies import reindex_policies
from recording_archive.recovery.result import IndexResult
from recording_archive.retention.policy_in_force import adopt, tell
from support.contents import overwrite

POLICIES = [b"name: p%d\ndefaultDays: %d\n" % (days, days) for days in (30, 40, 50, 60)]


def test_each_policy_is_known_or_named(archive: Archive) -> None:
    """One that was changed, one that is gone and one that nobody adopted are bad; the others are known."""
    for content in POLICIES[:3]:
        adopt(archive, content, "p.yaml", actor="rosa")
    folder = archive.settings.root / "policies"
    overwrite(folder / "000001.yaml", POLICIES[3])
    (folder / "000003.yaml").unlink()
    (folder / "000007.yaml").write_bytes(POLICIES[3])
    found = {each.key: each for each in reindex_policies(archive.store, archive.catalog)}
    assert found.pop("policies/000002.yaml").result is IndexResult.KNOWN
    assert {each.result for each in found.values()} == {IndexResult.BAD}
    assert "was changed: its SHA-256 is" in str(found["policies/000001.yaml"].problem)
    assert "the ledger records it, and it is missing" in str(found["policies/000003.yaml"].problem)
    assert "is foreign" in str(found["policies/000007.yaml"].problem)


def test_an_event_without_a_hash_is_believed(archive: Archive) -> None:
    """Who adopted it is known, by the key."""
    archive.store.put("policies/000001.yaml", POLICIES[0])
    tell(archive, "policies/000001.yaml", None)
    (found,) = reindex_policies(archive.store, archive.catalog)
    assert found.result is IndexResult.KNOWN
