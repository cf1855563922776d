"""Signing keys in their files, and as documents of the archive."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from recording_archive.archive import Archive
from recording_archive.errors import ConfigurationError
from recording_archive.ledger.key_making import rotate_key
from recording_archive.ledger.signing_key import key_files, keys_after, known_keys, read_signing_key
from support.contents import overwrite
from support.signing import signing


def write(path: Path, *, mode: int = 0o600) -> Path:
    """A new key in a file."""
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(mode)
    return path


@pytest.mark.parametrize(("mode", "fine"), [(0o600, True), (0o440, True), (0o604, False), (0o620, False)])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int, *, fine: bool) -> None:
    """The group may read it, as mounted secrets have it; nobody else, and nobody may write."""
    path = write(tmp_path / "key.pem", mode=mode)
    if fine:
        assert read_signing_key(path, None).public.name
        return
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        read_signing_key(path, None)


def test_a_key_in_the_archive_is_refused(archive: Archive) -> None:
    """Also where a link leads into it."""
    root = archive.settings.root
    path = write(root / "key.pem")
    link = root.parent / "key.pem"
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(ConfigurationError, match="lies in the archive"):
            read_signing_key(name, root)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    """Another kind of key, one with a password, no key at all, no file; no message shows what is in it."""
    path, kind = tmp_path / "key.pem", PrivateFormat.PKCS8
    contents = [
        ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, kind, NoEncryption()),
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, kind, BestAvailableEncryption(b"p")),
        b"secret words",
    ]
    for content in contents:
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(ConfigurationError, match="holds no Ed25519 key") as caught:
            read_signing_key(path, None)
        assert "secret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="keys create"):
        read_signing_key(tmp_path / "none.pem", None)


def test_only_keys_with_an_unbroken_line_count(archive: Archive) -> None:
    """A key counts when the one before signed it; one that was put there, or whose document changed, does not."""
    signed, first = signing(archive)
    second = rotate_key(signed, actor="bob")
    third = rotate_key(signed, actor="eve")
    keys = known_keys(archive.store)
    assert list(keys) == [first.name, second.name, third.name]
    assert [key.follows for key in keys.values()] == [None, first.name, second.name]
    assert keys_after(keys, second.public) == {second.name, third.name}
    document, _, _ = key_files(second.name)
    path = archive.settings.root / document
    overwrite(path, path.read_bytes().replace(b"bob", b"eve"))
    assert list(known_keys(archive.store)) == [first.name]
    overwrite(path, b"[]")
    assert list(known_keys(archive.store)) == [first.name]


def test_private_keys_stay_private(archive: Archive) -> None:
    """Files are their owner's alone, and nothing of them is in the archive."""
    signed, _ = signing(archive)
    rotate_key(signed, actor="bob")
    secrets = sorted((archive.settings.root.parent / "secrets").iterdir())
    assert len(secrets) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    words = [path.read_text().splitlines()[1].encode() for path in secrets]
    for path in archive.settings.root.rglob("*"):
        assert path.is_dir() or not any(word in path.read_bytes() for word in words)
