"""New keys: made outside the archive, told of in it, each rotation signed by the key before.

A crash leaves a file or a document that the same command, run again, takes up.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.signing_key import (
    ALGORITHM,
    KnownKey,
    PublicKey,
    SigningKey,
    key_files,
    known_keys,
    read_signing_key,
    require_outside,
)
from recording_archive.store.documents import compose, publish

CREATED, ROTATED = "key_created", "key_rotated"


def create_key(archive: Archive, *, actor: str) -> KnownKey:
    """Make the archive's first signing key, or take up the one that lies in its file; tell of it and seal.

    Raises ConfigurationError when the archive has another key already: that one must vouch for a new one.
    """
    path = _path(archive)
    keys = known_keys(archive.store)
    if not path.exists():
        if keys:
            raise ConfigurationError(
                f"the archive has the key {_newest(keys).name} already, and {path} is not there: put its file back, "
                "and run `recording-archive keys rotate` for a new one"
            )
        _write_key(path)
    key = read_signing_key(path, _root(archive))
    if keys and key.public.name not in keys:
        raise ConfigurationError(
            f"{path} holds the key {key.public.name}, and the archive has {_newest(keys).name}: put that one back, and "
            "run `recording-archive keys rotate`, so that the old key vouches for the new one"
        )
    return _tell(archive, key.public, CREATED, actor=actor)


def rotate_key(archive: Archive, *, actor: str, to: Path | None = None) -> KnownKey:
    """Make another signing key, for which the one in force vouches; tell of it and seal.

    The new key takes the old one's file, which is kept beside it, or lies in ``to``.
    """
    path = _path(archive)
    root, old = _root(archive), read_signing_key(path, _root(archive))
    if old.public.name not in known_keys(archive.store):
        raise ConfigurationError(f"{path} is none of the archive's keys: run `recording-archive keys create` first")
    fresh = to or path.with_name(f"{path.name}.next")
    require_outside(fresh, root)
    if not fresh.exists():
        _write_key(fresh)
    new = read_signing_key(fresh, root)
    if new.public.name == old.public.name:
        raise ConfigurationError(f"{fresh} holds the key in force: name another file")
    made = _tell(archive, new.public, ROTATED, actor=actor, by=old)
    if to is None:
        _take_over(path, fresh, old.public.name)
        seal(archive)
    return made


def _tell(archive: Archive, public: PublicKey, kind: str, *, actor: str, by: SigningKey | None = None) -> KnownKey:
    """Publish the documents of a key, then its event, once; seal."""
    document, pem, signature = key_files(public.name)
    store, at = archive.store, archive.clock()
    announced = {
        "formatVersion": 1,
        "archiveId": archive.id,
        "keyId": public.name,
        "fingerprint": public.fingerprint,
        "algorithm": ALGORITHM,
        "createdAt": at.isoformat(),
        "createdBy": actor,
        "follows": by and by.public.name,
        "publicKey": public.pem,
    }
    content = compose(announced) if store.size(document) is None else store.read(document)
    files = {document: publish(store, document, content), pem: publish(store, pem, public.pem.encode())}
    if by:
        files[signature] = publish(store, signature, by.sign(content))
    with archive.catalog.write() as connection:
        same = (events.c.interaction_id.is_(None), events.c.kind.in_([CREATED, ROTATED]))
        known = connection.execute(select(events.c.detail).where(*same)).scalars().all()
        if all(detail.get("keyId") != public.name for detail in known):
            detail = {"keyId": public.name, "fingerprint": public.fingerprint, "follows": announced["follows"]}
            record(connection, kind, None, at=at, actor=actor, detail={**detail, "files": files})
    seal(archive)
    return known_keys(store)[public.name]


def _write_key(path: Path) -> None:
    """Write a new private key, for its owner's eyes alone, whole before it has its name."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}): choose a place this user may write") from error
    finally:
        draft.unlink(missing_ok=True)


def _take_over(path: Path, fresh: Path, old: str) -> None:
    """Give the new key the old one's file; the old one is kept beside it under its name."""
    kept = path.with_name(f"{path.name}.{old}.retired")
    try:
        with suppress(FileExistsError):
            os.link(path, kept)
        fresh.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be replaced by {fresh} ({error.strerror}): do that by hand, the archive knows the new key"
        ) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _path(archive: Archive) -> Path:
    if not archive.settings.signing_key_file:
        raise ConfigurationError(
            "RECORDING_ARCHIVE_SIGNING_KEY_FILE names no file: set it, for everything that runs the archive, to a file "
            "outside the archive that only this user can read"
        )
    require_outside(archive.settings.signing_key, _root(archive))
    return archive.settings.signing_key


def _root(archive: Archive) -> Path | None:
    return None if archive.settings.bucket else archive.settings.root


def _newest(keys: dict[str, KnownKey]) -> KnownKey:
    return list(keys.values())[-1]
