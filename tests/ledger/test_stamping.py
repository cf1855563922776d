"""Time stamps of heads: asked for after each run, never missed for ever, and read by `openssl` as well."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.archiving.report import Summary
from recording_archive.cli.check import Connected, check
from recording_archive.cli.findings import ProbeResult, ProbeStatus
from recording_archive.errors import ConfigurationError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import newest
from recording_archive.ledger.event_proof import head_proof
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.proof_stamps import StampProof
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.stamping import authority_name
from recording_archive.ledger.vouching import seal_and_vouch
from recording_archive.settings import Settings, read_settings
from recording_archive.store.local import LocalStore
from support.contents import overwrite
from support.ledger_files import prove, tell
from support.signing import forge
from support.time_authority import TimeAuthority

Run = Callable[..., Summary]
DOCUMENT = Path(__file__).parents[2] / "docs" / "archive-format.md"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimeAuthority:
    """An authority with its CA."""
    return TimeAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def url(authority: TimeAuthority) -> Iterator[str]:
    """Its address, where it answers."""
    authority.fault, authority.asked = None, 0
    with authority.served() as address:
        yield address


def stamping(archive: Archive, *urls: str) -> Archive:
    """The archive with authorities."""
    return replace(archive, settings=archive.settings.model_copy(update={"tsa_urls": ", ".join(urls)}))


def stamped(root: Path, ca: Path | str | None = None) -> tuple[int, list[Flaw]]:
    """The newest segment with a stamp that counts, and what is wrong."""
    proof = Proof(LocalStore(root), now=datetime.now(UTC), stamps=StampProof(str(ca) if ca else None))
    flaws = list(proof.flaws())
    return proof.stamps.newest.segment if proof.stamps.newest else 0, flaws


def stamps(archive: Archive) -> list[str]:
    """The names of all stamps."""
    return sorted(path.name for path in (archive.settings.root / "ledger").glob("*.tsr"))


class TestStamping:
    """The head after each run is stamped, by each authority, as soon as it can be."""

    def test_a_run_leaves_a_stamped_head(self, archived: Archive, run: Run, url: str, authority: TimeAuthority) -> None:
        """One stamp of each authority, of the head that the run printed, and by the time that the authority tells."""
        opened = stamping(archived, url, f"{url}?second")
        summary = run(opened, "scheduled__second")
        head = newest(opened.store)
        assert head
        assert summary.ledger_head == str(head)
        names = {f"{head.segment:012d}.{authority_name(each)}.tsr" for each in (url, f"{url}?second")}
        assert set(stamps(opened)) == names
        assert stamped(opened.settings.root, authority.ca) == (head.segment, [])
        assert len(head_proof(opened.store, chain.head_of(opened.store, 1)).stamps) == 2
        seal_and_vouch(opened)
        assert authority.asked == 2  # nothing is asked for twice

    def test_without_authorities_nothing_is_asked_for(self, archived: Archive) -> None:
        """All is as it was."""
        seal_and_vouch(archived)
        assert stamps(archived) == []
        assert stamped(archived.settings.root) == (0, [])

    @pytest.mark.parametrize(
        ("fault", "says"),
        [
            ((503, b"later"), "answered 503"),
            ((200, b"<html>"), "answered no time stamp"),
            ((200, bytes.fromhex("30053003020102")), "status 2"),
            ((301, b""), "answered 301"),
        ],
    )
    def test_what_cannot_be_had_fails_no_run(  # noqa: PLR0917 - fixtures
        self,
        archived: Archive,
        run: Run,
        url: str,
        authority: TimeAuthority,
        caplog: pytest.LogCaptureFixture,
        fault: tuple[int, bytes],
        says: str,
    ) -> None:
        """The log says why, the report is written, and the next run's stamp covers it all."""
        opened = stamping(archived, url)
        authority.fault = fault
        assert not run(opened, "scheduled__second").failed
        assert stamps(opened) == []
        assert says in caplog.text
        authority.fault = None
        head = seal_and_vouch(opened)
        assert str(newest(opened.store)) == head
        assert stamped(opened.settings.root, authority.ca) == (3, [])

    def test_an_answer_to_another_question_is_no_stamp(
        self, archived: Archive, url: str, authority: TimeAuthority, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A stamp that someone recorded, of another head, is not taken; nor is silence."""
        opened = stamping(archived, url)
        seal_and_vouch(opened)
        (name,) = stamps(opened)
        authority.fault = (200, opened.store.read(f"ledger/{name}"))
        tell(opened, "ann")
        seal_and_vouch(opened)
        assert "one of something else" in caplog.text
        seal_and_vouch(stamping(archived, "http://127.0.0.1:1/tsr"))
        assert "127.0.0.1 cannot be reached" in caplog.text
        assert stamps(opened) == [name]

    def test_what_the_catalog_does_not_know_is_not_stamped(
        self, archived: Archive, url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A head that was rewritten in the folder gets no stamp."""
        forge(archived.settings.root)
        seal_and_vouch(stamping(archived, url))
        assert stamps(archived) == []
        assert "SHA-256" in caplog.text

    def test_the_documented_commands_check_a_stamp(self, archived: Archive, url: str, authority: TimeAuthority) -> None:
        """`openssl ts -verify` alone, as the document has it; a digest of something else is refused."""
        opened = stamping(archived, url)
        seal_and_vouch(opened)
        text = DOCUMENT.read_text().partition("### Time stamps")[2]
        block = text.partition("```sh\n")[2].partition("```")[0]
        block = block.replace("/path/to/archive", str(opened.settings.root)).replace("tsa-ca.pem", str(authority.ca))
        block = block.replace("000000000042", "000000000002").replace("{authority}", authority_name(url))
        shown = subprocess.run(["bash", "-ceuo", "pipefail", block], capture_output=True, text=True, check=True)
        assert "Verification: OK" in shown.stdout
        other = block.replace("tail -n 1", "head -n 1")
        assert subprocess.run(["bash", "-ceuo", "pipefail", other], capture_output=True, check=False).returncode == 1


class TestProof:
    """A stamp shows what was there by then."""

    def test_the_forger_is_found_by_the_stamp(self, archived: Archive, url: str, authority: TimeAuthority) -> None:
        """Stamps that are left are of another head; without them the authority's word is missing."""
        opened = stamping(archived, url)
        seal_and_vouch(opened)
        (name,) = stamps(opened)
        forged = opened.settings.root.parent / "forged"
        shutil.copytree(opened.settings.root, forged)
        forge(forged)
        assert [flaw for flaw in prove(forged) if flaw.tampered] == []
        assert [flaw.place for flaw in stamped(forged, authority.ca)[1] if flaw.tampered] == ["--tsa-ca"]
        shutil.copy(opened.settings.root / "ledger" / name, forged / "ledger")
        assert [flaw.place for flaw in stamped(forged)[1] if flaw.tampered] == [f"ledger/{name}"]

    def test_a_stamp_that_comes_late_is_told(self, still: Archive, url: str, authority: TimeAuthority) -> None:
        """A history that was written anew and stamped today says when it was stamped first."""
        long_ago = datetime.now(UTC) - timedelta(days=30)
        opened = stamping(replace(still, clock=lambda: long_ago), url)
        tell(opened, "ann")
        seal_and_vouch(opened)
        newest_segment, (flaw,) = stamped(opened.settings.root, authority.ca)
        assert (newest_segment, flaw.place, flaw.tampered) == (1, chain.segment_key(1), False)
        assert f"sealed by its own word from {long_ago.isoformat()} on, and first stamped at" in flaw.problem

    def test_what_is_not_stamped_yet_is_told(self, archived: Archive, url: str, authority: TimeAuthority) -> None:
        """Segments after the newest stamp wait for the next run; one that is gone had a stamp."""
        opened = stamping(archived, url)
        seal_and_vouch(opened)
        tell(opened, "ann")
        seal(opened)
        number, (flaw,) = stamped(opened.settings.root, authority.ca)
        assert (number, flaw.place, flaw.tampered) == (2, chain.segment_key(3), False)
        for key in (chain.segment_key(2), chain.segment_key(3)):
            (opened.settings.root / key).unlink()
        assert "the ledger was cut" in str(stamped(opened.settings.root)[1])

    def test_only_trusted_authorities_count(
        self, archived: Archive, url: str, authority: TimeAuthority, tmp_path: Path
    ) -> None:
        """Another CA, a changed byte, no certificate at all: refused by name."""
        opened = stamping(archived, url)
        seal_and_vouch(opened)
        (name,) = stamps(opened)
        stranger = TimeAuthority(tmp_path)
        places = [flaw.place for flaw in stamped(opened.settings.root, stranger.ca)[1] if flaw.tampered]
        assert places == [f"ledger/{name}", "--tsa-ca"]
        path = opened.settings.root / "ledger" / name
        good = path.read_bytes()
        overwrite(path, good[:-4] + bytes(byte ^ 0xFF for byte in good[-4:]))
        assert stamped(opened.settings.root, authority.ca)[0] == 0
        overwrite(path, b"no stamp")
        assert "is no time stamp" in str(stamped(opened.settings.root)[1])
        for content in (b"", (authority.ca.parent / "tsa.crt").read_bytes()):
            (tmp_path / "none.pem").write_bytes(content)
            with pytest.raises(ConfigurationError, match="--tsa-ca"):
                StampProof(str(tmp_path / "none.pem"))


class TestCheck:
    """`check` tries the authorities, and tells the lag."""

    @staticmethod
    def told(monkeypatch: pytest.MonkeyPatch, urls: str) -> ProbeResult:
        def connect(_: Settings) -> Connected:
            raise ConfigurationError("no connection")

        monkeypatch.setenv("RECORDING_ARCHIVE_TSA_URLS", urls)
        read_settings.cache_clear()
        return next(finding for finding in check(connect) if finding.probe == "stamps")

    def test_it_tells_the_lag(
        self,
        archived: Archive,
        configured: Any,
        url: str,
        authority: TimeAuthority,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Nobody to ask, nothing stamped yet, up to date, and an authority that is down."""
        assert configured
        assert "not time-stamped" in self.told(monkeypatch, "").detail
        found = self.told(monkeypatch, url)
        assert found.verdict is ProbeStatus.OK
        assert "warning: stamped up to segment 0, 2 wait since" in found.detail
        seal_and_vouch(stamping(archived, url))
        assert self.told(monkeypatch, url).detail == "127.0.0.1 stamps; stamped up to segment 2, the newest"
        authority.fault = (500, b"")
        assert self.told(monkeypatch, url).verdict is ProbeStatus.FAILED

    def test_an_address_without_sense_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The setting is named; a password has no place in an address."""
        for wrong in ("tsa.example", "https://ann:secret@tsa.example/", "https://"):
            monkeypatch.setenv("RECORDING_ARCHIVE_TSA_URLS", wrong)
            read_settings.cache_clear()
            with pytest.raises(ConfigurationError, match="TSA_URLS") as caught:
                read_settings()
            assert "secret" not in str(caught.value)
