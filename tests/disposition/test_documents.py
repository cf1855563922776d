"""Documents that are lost or foreign: nothing is deleted while one is lost, and none counts that nobody made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select, update

from recording_archive.archive import Archive
from recording_archive.catalog.tables import holds as hold_rows
from recording_archive.disposition.documents import lost_erasures, require_documents
from recording_archive.disposition.erasure import erase
from recording_archive.disposition.erasure_subject import Subject
from recording_archive.errors import StoreError
from recording_archive.holds import Criteria
from recording_archive.model import State
from support.commands import Command
from support.contents import change, details_of, events_of, files_of, ids, row_of, rows
from support.hold_files import NOON, hold, put_hold, put_release
from support.night_of_retention import drill, retain
from support.rebuilding import lose_catalog

LONG = b"name: long\ndefaultDays: 36500\n"
SHORT = b"name: short\ndefaultDays: 1\n"


@pytest.fixture
def expired(archived: Archive, command: Command, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """An archive in which every recording waited in quarantine long enough."""
    assert command
    drill(monkeypatch)
    assert retain("retention__1").problems == ()
    assert {row.state for row in rows(archived).values()} == {State.QUARANTINED}
    for name in ids(archived):
        change(archived, name, quarantined_at=NOON)
    return archived


def rebuild(archive: Archive, command: Command) -> str:
    """Lose the catalog and rebuild it by the command; return what it printed."""
    archive.catalog.close()
    lose_catalog(archive.settings)
    return command("reindex").out


def stored(archive: Archive) -> int:
    """How many recordings have their files."""
    return sum(len(files_of(archive, name)) == 2 for name in ids(archive))


class TestLost:
    """A fact that the ledger tells and no document shows."""

    @pytest.mark.parametrize("rebuilt", [True, False])
    def test_a_lost_hold_stops_every_deletion(self, expired: Archive, command: Command, *, rebuilt: bool) -> None:
        """Whether or not the catalog was rebuilt the run is red and names it; a person ends it, or puts it back."""
        made = hold(expired, Criteria((ids(expired)[0],)))
        path = expired.settings.root / f"holds/{made.id}.json"
        content = path.read_bytes()
        path.unlink()
        told = rebuild(expired, command) if rebuilt else command("reindex").out
        assert f"holds/{made.id}.json: the ledger tells that it holds, and it is gone" in told
        night = retain("retention__2")
        assert night.purged == 0
        assert f"lost the document of {made.id}" in night.problems[0]
        assert "hold release" in night.problems[0]
        assert made.id in command("check", "--json").out
        assert stored(expired) == 6
        path.write_bytes(content)
        command("reindex")
        assert retain("retention__3").purged == 5
        assert files_of(expired, ids(expired)[0])

    def test_a_person_ends_a_lost_hold(self, expired: Archive, command: Command) -> None:
        """By the ledger's word alone, with a document and an event of the release."""
        made = hold(expired, Criteria((ids(expired)[0],)))
        (expired.settings.root / f"holds/{made.id}.json").unlink()
        rebuild(expired, command)
        assert retain("retention__2").purged == 0
        assert command("hold", "release", made.id, "--reason", "settled").code == 0
        (event,) = events_of(expired, "released")
        assert event.detail["hold"] == made.id
        assert retain("retention__3").purged == 6
        assert "There is no hold" in command("hold", "release", made.id, "--reason", "settled").err

    def test_a_hold_released_in_the_catalog_alone_stops_every_deletion(self, expired: Archive) -> None:
        """No event tells who released it."""
        made = hold(expired, Criteria((ids(expired)[0],)))
        forged = {"released_at": NOON, "released_by": "eve", "release_reason": "none"}
        with expired.catalog.write() as connection:
            connection.execute(update(hold_rows).values(forged))
        night = retain("retention__2")
        assert night.purged == 0
        assert f"has {made.id} released, and no event records" in night.problems[0]

    @pytest.mark.parametrize("rebuilt", [True, False])
    def test_a_lost_policy_stops_every_deletion(
        self, expired: Archive, command: Command, tmp_path: Path, *, rebuilt: bool
    ) -> None:
        """The days of the settings do not take its place."""
        file = tmp_path / "long.yaml"
        file.write_bytes(LONG)
        command("retention", "adopt", str(file))
        (expired.settings.root / "policies/000001.yaml").unlink()
        if rebuilt:
            assert "policies/000001.yaml: the ledger records it, and it is missing" in rebuild(expired, command)
        night = retain("retention__2")
        assert night.purged == 0
        assert "policies/000001.yaml was adopted by the ledger's word and is gone" in night.problems[0]
        assert stored(expired) == 6

    def test_a_lost_erasure_stops_every_deletion(self, expired: Archive, command: Command) -> None:
        """Without tombstone and certificate the row is made from the ledger; a person may accept the loss."""
        victim = ids(expired)[0]
        (key,) = erase(expired, Subject(ids=(victim,)), reason="request 7", actor="ann").certificates
        root, certificate = expired.settings.root, f"certificates/{key}.json"
        (root / certificate).unlink()
        require_documents(expired)  # the tombstone shows it
        for path in (root / "tombstones").rglob("*.json"):
            path.unlink()
        assert f"{victim}~{victim}~0: its tombstone and certificate are gone" in rebuild(expired, command)
        assert row_of(expired, victim).state == State.ERASED
        night = retain("retention__2")
        assert night.purged == 0
        assert certificate in night.problems[0]
        assert list(lost_erasures(expired)) == [certificate]
        assert command("take-up", certificate, "--reason", "the copy is lost as well").code == 0
        assert retain("retention__3").purged == 5

    def test_a_date_where_there_was_none_stops_every_deletion(self, expired: Archive) -> None:
        """The place of a recording tells that it has no date, whatever the catalog says."""
        change(expired, ids(expired)[0], key="recordings/org=default/undated/x.wav.gz")
        with pytest.raises(StoreError, match=r"undated/x\.wav\.gz was archived without a date"):
            require_documents(expired)


class TestForeign:
    """A document in the folder of which no event of a person tells."""

    @pytest.mark.parametrize("rebuilt", [True, False])
    def test_a_foreign_release_releases_nothing(self, expired: Archive, command: Command, *, rebuilt: bool) -> None:
        """It is named by every report, and what the hold holds stays until a person takes the release up."""
        made = hold(expired, Criteria((ids(expired)[0],)))
        key = put_release(expired, made)
        told = rebuild(expired, command) if rebuilt else command("reindex").out
        assert f"{key} is foreign: no event tells that a person made it, so it releases nothing" in told
        assert retain("retention__2").purged == 5
        assert len(files_of(expired, ids(expired)[0])) == 2
        report = json.loads(expired.store.read(newest_report(expired, "retention__2")))
        assert report["foreignDocuments"] == [key]
        assert "take-up KEY" in command("check").out
        assert key in command("check").out
        assert "take-up" in command("verify-ledger").out
        assert command("take-up", key, "--reason", "the judge's letter").code == 0
        assert retain("retention__3").problems == ()
        for name in ids(expired):
            change(expired, name, quarantined_at=NOON)
        assert retain("retention__4").purged == 1

    @pytest.mark.parametrize("rebuilt", [True, False])
    def test_a_foreign_hold_holds(self, expired: Archive, command: Command, *, rebuilt: bool) -> None:
        """Nobody is known to have made it, so it is named; and nothing is lost that somebody may want kept."""
        key = put_hold(expired, "H-20261124-00000f", Criteria((ids(expired)[0],)))
        assert rebuilt or retain("retention__0").purged == 0  # the catalog does not know yet what it holds
        told = rebuild(expired, command) if rebuilt else command("reindex").out
        assert f"{key} is foreign: no event tells that a person made it, so it holds" in told
        assert retain("retention__2").purged == 5
        assert len(files_of(expired, ids(expired)[0])) == 2
        assert command("take-up", key, "--reason", "ours").code == 0
        assert "take-up" not in command("check").out
        assert [detail["hold"] for detail in details_of(expired, "held")] == ["H-20261124-00000f"]

    @pytest.mark.parametrize("rebuilt", [True, False])
    def test_a_foreign_policy_is_not_in_force(
        self, expired: Archive, command: Command, tmp_path: Path, *, rebuilt: bool
    ) -> None:
        """Nothing is deleted until a person takes it up or adopts another one."""
        file = tmp_path / "long.yaml"
        file.write_bytes(LONG)
        command("retention", "adopt", str(file))
        (expired.settings.root / "policies/000007.yaml").write_bytes(SHORT)
        told = rebuild(expired, command) if rebuilt else command("reindex").out
        assert "policies/000007.yaml is foreign" in told
        night = retain("retention__2")
        assert night.purged == 0
        assert "policies/000007.yaml" in night.problems[0]
        assert "is foreign" in command("check").out
        assert stored(expired) == 6
        taken = command("take-up", "policies/000007.yaml", "--reason", "decided on 3 March")
        assert taken.out.startswith("taken up: policies/000007.yaml: policy short is adopted, version ")
        assert retain("retention__3").purged == 6


def newest_report(archive: Archive, run_id: str) -> str:
    """Find the key of a run's report."""
    keys = [key for key in archive.store.list("reports/") if f"/{run_id}/" in key]
    return next(key for key in reversed(keys) if key.endswith(".json"))


def test_holds_that_are_released_need_no_document(expired: Archive) -> None:
    """Whoever ended it is told by the ledger; nothing is kept for its sake."""
    made = hold(expired, Criteria((ids(expired)[0],)))
    with expired.catalog.read() as connection:
        assert connection.execute(select(hold_rows.c.id)).scalars().all() == [made.id]
    require_documents(expired)
