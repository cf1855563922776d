"""Keys that sign the ledger's heads: the private one in a file outside the archive, public ones as documents in it.

    keys/{key}.pem     the public key, as openssl reads it
    keys/{key}.json    whose it is, when and by whom it was made, which key it follows
    keys/{key}.sig     of a key that follows another: that one's signature of the JSON

A key is named by the first 16 hex digits of its fingerprint, the SHA-256 of its public half in DER.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from recording_archive.errors import ArchiveError, ConfigurationError, RunError
from recording_archive.store.base import Store

PREFIX = "keys/"
ALGORITHM = "Ed25519"
_NAME_DIGITS = 16
_FOR_OTHERS = stat.S_IRWXO | stat.S_IWGRP  # a mounted secret may be its group's to read, and nobody else's


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key, which checks signatures."""

    key: Ed25519PublicKey

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the public key in DER, in hex."""
        return sha256(self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    @property
    def name(self) -> str:
        """The name of the key in the archive."""
        return self.fingerprint[:_NAME_DIGITS]

    @property
    def pem(self) -> str:
        """The public key as openssl reads it."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signed(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key made that signature of the message."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, read from its file; no repr shows it."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        """The half that anyone may know."""
        return PublicKey(self.private.public_key())

    def sign(self, message: bytes) -> bytes:
        """Sign a message: 64 bytes."""
        return self.private.sign(message)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key as the archive has it; ``follows`` names the key that vouched for it, None for the first."""

    public: PublicKey
    created_at: str
    created_by: str
    follows: str | None

    @property
    def name(self) -> str:
        """The name of the key in the archive."""
        return self.public.name


def read_signing_key(path: Path, archive_root: Path | None) -> SigningKey:
    """Read a private key from its file; refuse one that lies in the archive, or that others may read."""
    require_outside(path, archive_root)
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the signing key {path} cannot be read ({error.strerror}): `recording-archive keys create` makes one; "
            "else let the user that runs this read it"
        ) from None
    if mode & _FOR_OTHERS:
        raise ConfigurationError(f"the signing key {path} can be read or changed by others: run `chmod 600 {path}`")
    try:
        private = load_pem_private_key(content, None)
    except (ValueError, TypeError):  # whose text may tell of the key
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigurationError(f"{path} holds no Ed25519 key in PEM without password: let `keys create` make one")
    return SigningKey(private)


def require_outside(path: Path, archive_root: Path | None) -> None:
    """Refuse a private key within the archive's folder: who has the archive must not have its key."""
    if archive_root and path.resolve().is_relative_to(archive_root.resolve()):
        raise ConfigurationError(
            f"the signing key {path} lies in the archive: who copies or rewrites the archive had its key as well; move "
            "it to a place that only those who seal can read"
        )


def parse_public_key(content: bytes) -> PublicKey:
    """Read a public key in PEM; raise ConfigurationError when it is none."""
    with suppress(ValueError, TypeError):
        key = load_pem_public_key(content)
        if isinstance(key, Ed25519PublicKey):
            return PublicKey(key)
    raise ConfigurationError("no Ed25519 public key in PEM")


def known_keys(store: Store) -> dict[str, KnownKey]:
    """Read the public keys of an archive, by name, in the order in which they followed each other.

    A document that is damaged, or whose rotation the older key did not sign, is left out: nothing it signed counts.
    """
    found = {key.name: key for key in _documents(store)}
    ordered: dict[str, KnownKey] = {}
    left = sorted(found.values(), key=lambda key: (key.created_at, key.name))
    while ready := [key for key in left if key.follows is None or key.follows in ordered]:
        for key in ready:
            if key.follows is None or _vouched(store, key, ordered[key.follows].public):
                ordered[key.name] = key
        left = [key for key in left if key not in ready]
    return ordered


def keys_after(keys: dict[str, KnownKey], trusted: PublicKey) -> set[str]:
    """Name a key and all that follow it, one signed by the other."""
    names = {trusted.name}
    for key in keys.values():  # in the order of rotations
        if key.follows in names:
            names.add(key.name)
    return names


def key_files(name: str) -> tuple[str, str, str]:
    """Name the documents of a key: its JSON, its PEM, and the signature of the key before it."""
    return f"{PREFIX}{name}.json", f"{PREFIX}{name}.pem", f"{PREFIX}{name}.sig"


def _documents(store: Store) -> Iterator[KnownKey]:
    for key in store.list(PREFIX):
        if key.endswith(".json"):
            try:
                document: dict[str, Any] = json.loads(store.read(key))
                public = parse_public_key(str(document["publicKey"]).encode())
                known = KnownKey(public, str(document["createdAt"]), str(document["createdBy"]), document["follows"])
            except RunError:
                raise
            except (ArchiveError, ValueError, KeyError, TypeError):
                continue
            if key == key_files(public.name)[0]:
                yield known


def _vouched(store: Store, key: KnownKey, older: PublicKey) -> bool:
    document, _, signature = key_files(key.name)
    try:
        return older.signed(store.read(signature), store.read(document))
    except RunError:
        raise
    except ArchiveError:
        return False
