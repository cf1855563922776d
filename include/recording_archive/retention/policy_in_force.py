"""The policy in force: read it, adopt another one, and keep it in the archive.

Policies lie in the archive as ``policies/000001.yaml`` and so on; the highest number is in force. A policy that is
read from elsewhere (``RECORDING_ARCHIVE_POLICY_URL``) gets its number before it is used, so that the archive shows for
good by which rules recordings were deleted.
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, select

from recording_archive.archive import Archive
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.ledger import sealing
from recording_archive.retention.policy_document import MOST_BYTES, read_policy
from recording_archive.retention.rules import Policy
from recording_archive.settings import Settings
from recording_archive.store.base import Store

__all__ = ["adopt", "in_force", "keep", "newest", "read_file", "read_policy"]

FOLDER = "policies/"
_NUMBERED = re.compile(r"policies/(\d{6})\.yaml")
_ENDINGS = (".yaml", ".yml", ".json")


def in_force(archive: Archive) -> Policy:
    """Return the policy that decides now; without any document the days of the settings, as version ``default:90``.

    Raise ConfigurationError when it cannot be understood, and StoreError when the archive's was changed since it was
    adopted. Whoever deletes by it calls `keep` first.
    """
    if outside := _outside(archive.settings):
        path = _newest_file(outside)
        return read_policy(read_file(path), str(path))
    key = newest(archive.store)
    if key is None:
        days = archive.settings.retention_days
        return Policy(f"default:{days}", "default", days, origin="RECORDING_ARCHIVE_RETENTION_DAYS")
    policy = read_policy(archive.store.read(key), key)
    with archive.catalog.read() as connection:
        adopted = _adopted(connection, key)
    if adopted not in (None, policy.version):
        raise StoreError(
            f"{key} in {archive.store} has SHA-256 {policy.version}, adopted was {adopted}: restore it from a copy of "
            "the archive, or adopt a policy with `recording-archive retention adopt`"
        )
    return policy


def newest(store: Store) -> str | None:
    """Find the key of the highest-numbered policy in the archive; raise ConfigurationError for one without a number."""
    found = None
    for key in store.list(FOLDER):
        if _NUMBERED.fullmatch(key):
            found = key
        elif key.lower().endswith(_ENDINGS):
            raise ConfigurationError(
                f"{key} in {store} is no policy of the archive, which numbers them: move it to another folder and run "
                "`recording-archive retention adopt` with it"
            )
    return found


def adopt(archive: Archive, content: bytes, name: str, *, actor: str) -> Policy:
    """Put the policy ``content`` to use, durable in the archive and sealed in the ledger on return.

    One that is in force already stays as it is. Raise ConfigurationError for one that is wrong, and when the setting
    takes the policy from elsewhere, where this one would have no effect.
    """
    if outside := _outside(archive.settings):
        raise ConfigurationError(
            f"RECORDING_ARCHIVE_POLICY_URL takes the policy from {outside}: put the file there, or unset the variable"
        )
    policy = read_policy(content, name)
    key = _enter(archive, policy, actor=actor)
    sealing.seal(archive)
    return replace(policy, origin=key)


def keep(archive: Archive, policy: Policy, *, run_id: str | None = None) -> str | None:
    """Make ``policy`` the newest in the archive; return its key, None for the days of the settings."""
    return _enter(archive, policy, run_id=run_id) if policy.document else None


def read_file(path: Path) -> bytes:
    """Read a policy file; one that is too large is read just far enough to be refused."""
    try:
        if not path.is_file():
            raise ConfigurationError(f"{path} is no file: name a policy file in YAML or JSON")
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}): give the user that runs this the permission to read it"
        ) from error


def _enter(archive: Archive, policy: Policy, *, actor: str | None = None, run_id: str | None = None) -> str:
    """Return the key of ``policy`` once it is the newest and has its event, whatever was cut short before."""
    key = newest(archive.store)
    with archive.catalog.read() as connection:
        adopted = _adopted(connection, key) if key else None
    same = key is not None and sha256(archive.store.read(key)).hexdigest() == policy.version
    if key is None or not same or adopted not in (None, policy.version):
        key, adopted = _publish(archive.store, policy, after=key), None
    if adopted is None:
        detail = {"files": {key: policy.version}}
        with archive.catalog.write() as connection:
            record(connection, "adopted", None, at=archive.clock(), actor=actor, run_id=run_id, detail=detail)
    return key


def _publish(store: Store, policy: Policy, *, after: str | None) -> str:
    """Store the document under the next number; where another policy was faster, under the one after it."""
    number = int(after.removeprefix(FOLDER).removesuffix(".yaml")) if after else 0
    while (number := number + 1) < 10**6:
        key = f"{FOLDER}{number:06d}.yaml"
        if store.put(key, policy.document):
            return key
    raise StoreError(f"{after} in {store} has the last number there is: find out who put it there")


def _adopted(connection: Connection, key: str) -> str | None:
    """Find the SHA-256 with which the document ``key`` was adopted last."""
    adoptions = select(events.c.detail).where(events.c.interaction_id.is_(None), events.c.kind == "adopted")
    for detail in connection.execute(adoptions.order_by(events.c.id.desc())).scalars():
        if key in detail.get("files", {}):
            return str(detail["files"][key])
    return None


def _outside(settings: Settings) -> Path | None:
    """Return the file or folder that the setting names, unless it is the archive's own folder."""
    url = settings.policy_url.removeprefix("file://")
    if "://" in url:
        raise ConfigurationError(
            f"RECORDING_ARCHIVE_POLICY_URL={settings.policy_url!r}: only a file, a folder and file:// are supported"
        )
    path = Path(url).expanduser().absolute()
    own = not settings.bucket and path.resolve() == (settings.root / FOLDER).resolve()
    return None if not url or own else path


def _newest_file(path: Path) -> Path:
    """``path``, or the file with the highest name in that folder, numbers in names compared as numbers."""
    try:
        if not path.is_dir():
            return path
        names = [each for each in path.iterdir() if not each.name.startswith(".")]
    except OSError as error:
        raise ConfigurationError(f"RECORDING_ARCHIVE_POLICY_URL: {path} cannot be read: {error.strerror}") from error
    policies = [each for each in names if each.suffix.lower() in _ENDINGS]
    if not policies:
        raise ConfigurationError(
            f"RECORDING_ARCHIVE_POLICY_URL: {path} holds no policy (.yaml, .yml or .json): put one there, or unset it"
        )
    return max(policies, key=lambda each: _natural(each.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """``v9`` before ``v10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)] + [(-1, name)]
