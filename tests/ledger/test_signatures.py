"""Signed heads: every head gets its signature, and a rewritten history does not have them."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recording_archive.archive import Archive
from recording_archive.cli.check import Connected, check
from recording_archive.cli.findings import ProbeStatus
from recording_archive.errors import ConfigurationError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import newest
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.key_making import rotate_key
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.proof_signatures import SignatureProof
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.signing_key import PublicKey
from recording_archive.settings import Settings, read_settings
from recording_archive.store.local import LocalStore
from support.contents import overwrite
from support.ledger_files import tell
from support.signing import forge, signing, with_key_file

UNSIGNED = (
    "the ledger's heads are not signed: set RECORDING_ARCHIVE_SIGNING_KEY_FILE, and run `recording-archive keys create`"
)
DOCUMENT = Path(__file__).parents[2] / "docs" / "archive-format.md"


def signed_up_to(root: Path, key: PublicKey | str | None = None) -> tuple[int, list[Flaw]]:
    """The newest segment with a signature that counts, and what is wrong."""
    proof = Proof(LocalStore(root), now=datetime.now(UTC), signatures=SignatureProof(key))
    flaws = list(proof.flaws())
    return proof.signatures.newest.segment if proof.signatures.newest else 0, flaws


def tampered(root: Path, key: PublicKey | str | None = None) -> list[str]:
    """The places that were tampered with."""
    return [flaw.place for flaw in signed_up_to(root, key)[1] if flaw.tampered]


def signatures(archive: Archive) -> list[str]:
    """The names of all signatures."""
    return sorted(path.name for path in (archive.settings.root / "ledger").glob("*.sig"))


def told_by_check() -> tuple[ProbeStatus, str]:
    """The word of `check` on signatures; of Genesys Cloud it learns nothing."""

    def connect(_: Settings) -> Connected:
        raise ConfigurationError("no connection")

    read_settings.cache_clear()
    found = next(finding for finding in check(connect) if finding.probe == "signing")
    return found.verdict, found.detail


class TestSigning:
    """Heads are signed as they are sealed, or by the next sealing that can."""

    def test_without_a_key_nothing_is_signed(self, archived: Archive) -> None:
        """All is as it was."""
        tell(archived, "ann")
        seal(archived)
        assert signatures(archived) == []
        assert signed_up_to(archived.settings.root) == (0, [])

    def test_every_head_from_then_on(self, archived: Archive) -> None:
        """A head that was sealed without the key is signed later; with the name of the key in its name."""
        signed, key = signing(archived)
        assert signatures(signed) == [f"000000000003.{key.name}.sig"]
        tell(signed, "ann")
        seal(archived)
        (flaw,) = signed_up_to(signed.settings.root)[1]
        assert (flaw.place, flaw.tampered) == (chain.segment_key(4), False)
        tell(signed, "bob")
        seal(signed)
        assert [name[:12] for name in signatures(signed)] == ["000000000003", "000000000004", "000000000005"]
        assert signed_up_to(signed.settings.root, key.public) == (5, [])

    def test_a_broken_key_stops_no_sealing(self, archived: Archive, caplog: pytest.LogCaptureFixture) -> None:
        """The log says it; so does `check`; the next sealing signs."""
        signed, _ = signing(archived)
        signed.settings.signing_key.chmod(0o644)
        tell(signed, "ann")
        head = seal(signed)
        assert head == newest(signed.store)
        assert "chmod 600" in caplog.text
        signed.settings.signing_key.chmod(0o600)
        seal(signed)
        assert signed_up_to(signed.settings.root) == (4, [])

    def test_a_planted_signature_stops_no_signing(self, archived: Archive) -> None:
        """One beyond the end of the ledger, under the name of the key: it is told, and the next head is signed."""
        signed, key = signing(archived)
        planted = f"ledger/000000009999.{key.name}.sig"
        (signed.settings.root / planted).write_bytes(b"x" * 64)
        tell(signed, "ann")
        seal(signed)
        assert f"000000000004.{key.name}.sig" in signatures(signed)
        assert tampered(signed.settings.root, key.public) == [planted]

    def test_a_key_of_nobody_signs_nothing(self, archived: Archive, caplog: pytest.LogCaptureFixture) -> None:
        """A file that `keys create` never took up is no key of the archive."""
        other = with_key_file(archived, archived.settings.root.parent / "other.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", other.settings.signing_key], check=True)
        other.settings.signing_key.chmod(0o600)
        tell(other, "ann")
        seal(other)
        assert "is none of this archive's" in caplog.text
        assert signatures(other) == []

    def test_the_documented_commands_check_a_signature(self, archived: Archive) -> None:
        """`openssl` alone, as the document has it."""
        signed, key = signing(archived)
        text = DOCUMENT.read_text().partition("### Signatures")[2]
        block = text.partition("```sh\n")[2].partition("```")[0]
        block = block.replace("/path/to/archive", str(signed.settings.root))
        block = block.replace("000000000042", "000000000003").replace(" 42:", " 3:").replace("{key}", key.name)
        shown = subprocess.run(["bash", "-ceuo", "pipefail", block], capture_output=True, text=True, check=True)
        assert "Signature Verified Successfully" in shown.stdout

    def test_check_tells_who_signs(
        self, archived: Archive, configured: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It says that heads are not signed; then by which key they are, and up to where; else what is wrong."""
        assert configured.root == archived.settings.root
        assert told_by_check() == (ProbeStatus.OK, "warning: " + UNSIGNED)
        signed, key = signing(archived)
        monkeypatch.setenv("RECORDING_ARCHIVE_SIGNING_KEY_FILE", str(signed.settings.signing_key))
        assert told_by_check() == (ProbeStatus.OK, f"key {key.name} signs; signed up to segment 3 of 3")
        signed.settings.signing_key.unlink()
        verdict, detail = told_by_check()
        assert verdict is ProbeStatus.FAILED
        assert "keys create" in detail


class TestRewritten:
    """A history that agrees with itself is found out by whoever knows the key."""

    def test_the_forger_is_found_by_the_key(self, archived: Archive) -> None:
        """Without a key from elsewhere nothing shows; with it everything since is in doubt."""
        forged = archived.settings.root.parent / "forged"
        signed, key = signing(archived)
        shutil.copytree(signed.settings.root, forged)
        forge(forged)
        flaws = signed_up_to(forged)[1]
        assert [flaw for flaw in flaws if flaw.tampered] == []
        assert tampered(forged, key.public) == [f"{chain.segment_key(1)} to {chain.segment_key(3)}"]
        assert tampered(forged, key.public.fingerprint) == tampered(forged, key.public)
        for path in (signed.settings.root / "ledger").glob("*.sig"):
            shutil.copy(path, forged / "ledger")
        assert tampered(forged)[0] == f"ledger/000000000003.{key.name}.sig"

    def test_another_key_does_not_count(self, archived: Archive) -> None:
        """A forger who puts keys of their own into the archive is found by the key that was kept."""
        forged = archived.settings.root.parent / "forged"
        shutil.copytree(archived.settings.root, forged)
        _, key = signing(archived)
        assert tampered(forged, key.public) == [f"{chain.segment_key(1)} to {chain.segment_key(2)}"]
        assert tampered(forged, key.public.fingerprint)[0] == "--key"

    def test_a_cut_end_shows_by_its_signature(self, archived: Archive) -> None:
        """The signature of a segment that is gone tells of it, also without any key."""
        signed, key = signing(archived)
        (signed.settings.root / chain.segment_key(3)).unlink()
        assert f"ledger/000000000003.{key.name}.sig" in tampered(signed.settings.root)

    def test_rotations_lead_from_an_old_key_to_the_new(self, archived: Archive) -> None:
        """Whoever kept the first key trusts those after it; a key before the kept one does not count."""
        signed, first = signing(archived)
        second = rotate_key(signed, actor="bob")
        tell(signed, "ann")
        head = seal(signed)
        assert head
        assert signed_up_to(signed.settings.root, first.public) == (head.segment, [])
        assert signed_up_to(signed.settings.root, second.public) == (head.segment, [])
        for path in (signed.settings.root / "ledger").glob(f"*.{second.name}.sig"):
            path.unlink()
        assert tampered(signed.settings.root, first.public)
        (place,) = tampered(signed.settings.root, second.public)
        assert re.search("000000000001.*000000000005", place)

    def test_a_damaged_signature_shows(self, archived: Archive) -> None:
        """One bit, or another length; a name of no key."""
        signed, key = signing(archived)
        path = next((signed.settings.root / "ledger").glob("*.sig"))
        good = path.read_bytes()
        for bad in (bytes([good[0] ^ 1]) + good[1:], b"", good + b"\n"):
            overwrite(path, bad)
            assert tampered(signed.settings.root, key.public)[0] == f"ledger/{path.name}"
        overwrite(path, good)
        path.rename(path.with_name("000000000003.0123456789abcdef.sig"))
        assert tampered(signed.settings.root)[0] == "ledger/000000000003.0123456789abcdef.sig"
