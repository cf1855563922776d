"""A witness that keeps heads: it shows a ledger that was cut or rewritten, and is itself never rewritten."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.archiving.report import Summary
from recording_archive.cli.check import Connected, check
from recording_archive.cli.findings import ProbeResult, ProbeStatus
from recording_archive.errors import ConfigurationError
from recording_archive.ledger import chain
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.vouching import seal_and_vouch
from recording_archive.ledger.witness_heads import WitnessProof, head_key
from recording_archive.settings import Settings, read_settings
from recording_archive.store.local import LocalStore
from support.contents import overwrite
from support.ledger_files import path_of, prove, tell
from support.signing import forge

Run = Callable[..., Summary]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder elsewhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def witnessed(archive: Archive, place: Path | str) -> Archive:
    """The archive with a witness."""
    return replace(archive, settings=archive.settings.model_copy(update={"witness_url": str(place)}))


def compared(root: Path, place: Path) -> list[Flaw]:
    """Everything that is wrong, by the witness too."""
    proof = Proof(LocalStore(root), now=datetime.now(UTC), witness=WitnessProof(LocalStore(place)))
    return list(proof.flaws())


def tampered(root: Path, place: Path) -> list[str]:
    """The places that were tampered with."""
    return [flaw.place for flaw in compared(root, place) if flaw.tampered]


class TestWitness:
    """Every head goes there, at the end of a run or of the next that can."""

    def test_a_run_tells_every_head(self, archived: Archive, run: Run, place: Path) -> None:
        """Also those of before; one line each, which anybody can read."""
        opened = witnessed(archived, place)
        summary = run(opened, "scheduled__second")
        assert sorted(path.name for path in (place / archived.id).iterdir()) == [
            f"{number:012d}.head" for number in (1, 2, 3)
        ]
        told = (place / head_key(archived.id, 3)).read_text()
        assert told == f"recording-archive head {archived.id} {summary.ledger_head}\n"
        assert compared(opened.settings.root, place) == []

    def test_without_a_witness_nobody_is_told(self, archived: Archive, place: Path) -> None:
        """All is as it was."""
        seal_and_vouch(archived)
        assert list(place.iterdir()) == []

    def test_a_witness_that_is_away_is_told_later(
        self, archived: Archive, run: Run, place: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No run fails for it, nothing is written in its place, and the next run brings what it missed."""
        opened = witnessed(archived, place)
        place.rmdir()
        assert not run(opened, "scheduled__second").failed
        assert "is it mounted?" in caplog.text
        assert not place.exists()
        place.mkdir()
        seal_and_vouch(opened)
        assert compared(opened.settings.root, place) == []
        tell(opened, "ann")
        seal(opened)
        (flaw,) = compared(opened.settings.root, place)
        assert (flaw.place, flaw.tampered) == (f"{chain.segment_key(4)} and later", False)

    def test_what_it_keeps_is_never_replaced(
        self, archived: Archive, place: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Another head for the same segment is an error that names both; nothing more is told to it."""
        opened = witnessed(archived, place)
        seal_and_vouch(opened)
        path = place / head_key(archived.id, 2)
        other = path.read_text().replace(":", ":0").replace("\n", "")[:-1] + "\n"
        overwrite(path, other.encode())
        tell(opened, "ann")
        seal_and_vouch(opened)
        assert "the ledger or the catalog was rewritten" in caplog.text
        assert path.read_text() == other
        assert not (place / head_key(archived.id, 3)).exists()

    def test_it_lies_outside_the_archive(self, archived: Archive, caplog: pytest.LogCaptureFixture) -> None:
        """Who can write the archive could write it as well."""
        inside = archived.settings.root / "witness"
        inside.mkdir()
        seal_and_vouch(witnessed(archived, inside))
        assert "lies in the archive" in caplog.text
        assert list(inside.iterdir()) == []


class TestProof:
    """Heads that were kept show what was done to the ledger since."""

    def test_the_forger_is_found_by_the_witness(self, archived: Archive, place: Path) -> None:
        """A history that agrees with itself is not the one that the witness was told."""
        seal_and_vouch(witnessed(archived, place))
        forge(archived.settings.root)
        assert prove(archived.settings.root) == []
        heads = [f"--witness {head_key(archived.id, number)}" for number in (1, 2)]
        assert tampered(archived.settings.root, place) == heads

    def test_a_cut_end_and_an_old_copy_show(self, archived: Archive, place: Path) -> None:
        """Without the last segment, and as it was before a run."""
        opened = witnessed(archived, place)
        old = archived.settings.root.parent / "old"
        shutil.copytree(archived.settings.root, old)
        tell(opened, "ann")
        seal_and_vouch(opened)
        head = f"--witness {head_key(archived.id, 3)}"
        assert tampered(old, place) == [head]
        path_of(opened, 3).unlink()
        assert tampered(opened.settings.root, place) == [head]

    def test_another_place_is_no_witness(self, archived: Archive, place: Path) -> None:
        """Nothing there of this archive, or something else under the name of a head."""
        assert tampered(archived.settings.root, place) == ["--witness"]
        seal_and_vouch(witnessed(archived, place))
        path = place / head_key(archived.id, 1)
        good = path.read_bytes()
        strangers = good.replace(archived.id.encode(), b"f" * 32)
        for bad in (b"", b"\xff", good[:-1], strangers, good.replace(b" 1:", b" 2:")):
            overwrite(path, bad)
            assert tampered(archived.settings.root, place) == [f"--witness {head_key(archived.id, 1)}"]


class TestCheck:
    """`check` tells the witness' lag."""

    @staticmethod
    def told(monkeypatch: pytest.MonkeyPatch, url: str) -> ProbeResult:
        def connect(_: Settings) -> Connected:
            raise ConfigurationError("no connection")

        monkeypatch.setenv("RECORDING_ARCHIVE_WITNESS_URL", url)
        read_settings.cache_clear()
        return next(finding for finding in check(connect) if finding.probe == "witness")

    def test_it_tells_the_lag(
        self, archived: Archive, configured: Any, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """None, one that knows nothing yet, one that is up to date, one that differs, one that is away."""
        assert configured
        assert "no witness" in self.told(monkeypatch, "").detail
        assert "warning: kept up to segment 0, 2 wait" in self.told(monkeypatch, str(place)).detail
        seal_and_vouch(witnessed(archived, place))
        assert self.told(monkeypatch, str(place)).detail.endswith("kept up to segment 2, the newest")
        overwrite(place / head_key(archived.id, 2), b"something else\n")
        differing = self.told(monkeypatch, str(place))
        assert (differing.verdict, "rewritten" in differing.detail) == (ProbeStatus.FAILED, True)
        away = self.told(monkeypatch, str(place / "none"))
        assert (away.verdict, "mounted" in away.detail) == (ProbeStatus.FAILED, True)
