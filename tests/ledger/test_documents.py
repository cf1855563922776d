"""Documents that the ledger vouches for: none is changed, removed or added without showing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from recording_archive.archive import Archive
from recording_archive.archiving.report import Summary
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import runs
from recording_archive.errors import StoreError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import newest
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.sealing import seal
from recording_archive.model import PartId
from support.contents import overwrite
from support.ledger_files import documents, path_of, prove, tampered, tell

Run = Callable[..., Summary]


class TestDocuments:
    """Every document has its event, with its hash."""

    def test_a_run_leaves_a_proved_archive(self, archived: Archive) -> None:
        """Sidecars, report and manifest are all vouched for."""
        proof = Proof(archived.store, now=datetime.now(UTC))
        assert list(proof.flaws()) == []
        assert proof.documents == 6 + 3 + 1
        assert proof.events == 6 + 6 + 1
        assert proof.head == newest(archived.store)

    @pytest.mark.parametrize(
        ("prefix", "ending"),
        [
            ("recordings/", ".json"),
            ("reports/", ".json"),
            ("reports/", ".csv"),
            ("reports/", ".sha256"),
            ("manifests/", ".txt"),
        ],
    )
    def test_changed_removed_and_renamed(self, archived: Archive, prefix: str, ending: str) -> None:
        """Each is named by its key."""
        root = archived.settings.root
        path = documents(archived, prefix, ending)[0]
        content = path.read_bytes()
        overwrite(path, content.replace(b"1", b"2", 1) + b"\n")
        (flaw,) = prove(root)
        assert (flaw.place, flaw.tampered) == (str(path.relative_to(root)), True)
        assert "was changed" in flaw.problem
        assert f"{chain.segment_key(1)} line" in flaw.problem or f"{chain.segment_key(2)} line" in flaw.problem
        path.rename(path.with_name(f"other{ending}"))
        assert len(tampered(root)) == 2
        path.with_name(f"other{ending}").unlink()
        (flaw,) = prove(root)
        assert (flaw.place, "missing" in flaw.problem) == (str(path.relative_to(root)), True)
        path.write_bytes(content)
        assert prove(root) == []

    def test_an_added_recording_shows(self, archived: Archive) -> None:
        """A sidecar that no run wrote is no recording of this archive, whatever it tells."""
        path = documents(archived, "recordings/", ".json")[0]
        shutil.copy(path, path.with_name("forged~forged~0.json"))
        assert [Path(place).name for place in tampered(archived.settings.root)] == ["forged~forged~0.json"]

    @pytest.mark.parametrize("folder", ["holds", "certificates", "policies", "tombstones/2026"])
    def test_an_added_document_shows(self, archived: Archive, folder: str) -> None:
        """What must outlive the catalog cannot be made up."""
        path = archived.settings.root / folder / "forged.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"createdAt": "2026-01-01T00:00:00+00:00"}))
        assert tampered(archived.settings.root) == [f"{folder}/forged.json"]

    def test_a_report_that_was_replaced_shows(self, archived: Archive) -> None:
        """Deleted and written anew, its own checksums right."""
        document, table = documents(archived, "reports/", ".json")[0], documents(archived, "reports/", ".csv")[0]
        overwrite(document, document.read_bytes().replace(b'"failed": 0', b'"failed": 1'))
        sums = "".join(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (table, document))
        overwrite(document.with_suffix(".sha256"), sums.encode())
        named = [Path(place).suffix for place in tampered(archived.settings.root)]
        assert named == [".json", ".sha256"]

    def test_a_planted_name_stops_nothing(self, archived: Archive) -> None:
        """A name that no key of ours has is told, and so is a link in the place of a document."""
        root = archived.settings.root
        (root / "holds").mkdir()
        (root / "holds" / "ü \udcff.json").write_text("{}")
        sidecar = documents(archived, "recordings/", ".json")[0]
        sidecar.rename(root.parent / "elsewhere.json")
        sidecar.symlink_to(root.parent / "elsewhere.json")
        assert tampered(root) == ["holds/ü \udcff.json", str(sidecar.relative_to(root))]

    @pytest.mark.parametrize("told", [b"{", b"[" * 100_000, b"[]", b'{"at": 7}', b'{"at": "yesterday"}', b"\xff", b""])
    def test_a_document_that_tells_no_time_shows(self, archived: Archive, told: bytes) -> None:
        """Without a time of its own nothing says that it may yet be sealed."""
        path = archived.settings.root / "holds" / "forged.json"
        path.parent.mkdir()
        path.write_bytes(told)
        assert tampered(archived.settings.root) == ["holds/forged.json"]

    def test_what_is_younger_than_the_last_sealing_may_yet_be_sealed(self, archived: Archive) -> None:
        """It is a warning; but not what comes from the future, nor what was there when the next sealing took place."""
        path = archived.settings.root / "holds" / "new.json"
        path.parent.mkdir()
        for ahead, expected in ((timedelta(minutes=1), False), (timedelta(days=400), True)):
            path.write_text(json.dumps({"createdAt": (datetime.now(UTC) + ahead).isoformat()}))
            (flaw,) = prove(archived.settings.root)
            assert (flaw.place, flaw.tampered) == ("holds/new.json", expected)
        path.write_text(json.dumps({"createdAt": datetime.now(UTC).isoformat()}))
        tell(archived, "ann")
        seal(archived)
        assert tampered(archived.settings.root) == ["holds/new.json"]

    def test_what_a_run_at_work_published_may_yet_be_sealed(self, archived: Archive) -> None:
        """Documents come before their events, so another sealing in between accuses nobody."""
        begun = {"source": "s", "kind": "asked", "started_at": archived.clock()}
        with archived.catalog.write() as connection:
            connection.execute(insert(runs).values(run_id="at work", **begun))
        path = archived.settings.root / "recordings" / "new~new~0.json"
        path.write_text(json.dumps({"archivedAt": archived.clock().isoformat()}))
        policy = archived.settings.root / "policies" / "000001.yaml"
        policy.parent.mkdir()
        policy.write_text("days: 90\n")
        tell(archived, "ann")
        seal(archived)
        assert {flaw.tampered for flaw in prove(archived.settings.root)} == {False}
        with archived.catalog.write() as connection:
            connection.execute(update(runs).values(closed_at=archived.clock()))
        tell(archived, "ann")
        seal(archived)
        assert {flaw.tampered for flaw in prove(archived.settings.root)} == {True}

    def test_what_was_purged_may_be_missing(self, archived: Archive) -> None:
        """By its event, or by its tombstone until that is sealed; another part's purge excuses nothing."""
        path, other = documents(archived, "recordings/", ".json")[:2]
        interaction, recording, part = path.stem.split("~")
        who = PartId(interaction, recording, int(part))
        path.unlink()
        assert tampered(archived.settings.root) == [str(path.relative_to(archived.settings.root))]
        key = f"tombstones/2026/{who}.json"
        told = json.dumps({"deletedAt": archived.clock().isoformat()}).encode()
        archived.store.put(key, told)
        assert [(flaw.place, flaw.tampered) for flaw in prove(archived.settings.root)] == [(key, False)]
        with archived.catalog.write() as connection:
            files = {key: sha256(told).hexdigest()}
            record(connection, "purged", who, at=archived.clock(), detail={"files": files})
        seal(archived)
        assert prove(archived.settings.root) == []
        (archived.settings.root / key).unlink()
        assert tampered(archived.settings.root) == [key]
        other.unlink()
        assert len(tampered(archived.settings.root)) == 2

    def test_the_newest_word_on_a_document_counts(self, archived: Archive) -> None:
        """A sidecar that was mended has an event of that."""
        path = documents(archived, "recordings/", ".json")[0]
        overwrite(path, path.read_bytes() + b"\n")
        with archived.catalog.write() as connection:
            files = {str(path.relative_to(archived.settings.root)): sha256(path.read_bytes()).hexdigest()}
            record(connection, "repaired", None, at=archived.clock(), detail={"files": files})
        seal(archived)
        assert prove(archived.settings.root) == []

    def test_an_end_cut_off_shows_by_the_reports(self, archived: Archive) -> None:
        """A report names the head before it: a ledger without it was cut, even if nobody wrote a head down."""
        path_of(archived, 2).unlink()
        assert tampered(archived.settings.root) == []  # as after a crash before the last sealing
        path_of(archived, 1).unlink()
        (place,) = tampered(archived.settings.root)
        assert place == "ledger/"

    def test_a_rollback_shows_by_the_reports(self, archived: Archive, run: Run) -> None:
        """An old ledger under newer reports."""
        old = (archived.settings.root.parent / "old").resolve()
        shutil.copytree(archived.settings.root / "ledger", old)
        tell(archived, "ann")
        second = run(archived, "scheduled__second")
        shutil.rmtree(archived.settings.root / "ledger")
        old.rename(archived.settings.root / "ledger")
        assert second.report_key in tampered(archived.settings.root)

    def test_an_empty_archive_is_intact(self, archive: Archive) -> None:
        """Without documents there need be no ledger; without an archive there is nothing to prove."""
        assert prove(archive.settings.root) == []
        with pytest.raises(StoreError, match=r"archive\.json"):
            prove(archive.settings.root.parent)
