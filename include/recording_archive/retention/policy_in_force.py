"""The policy in force: read it, adopt another one, and keep it in the archive.

Policies lie in the archive as ``policies/000001.yaml`` and so on; the highest number is in force. A policy that is
read from elsewhere (``RECORDING_ARCHIVE_POLICY_URL``) gets its number before it is used, so that the archive shows for
good by which rules recordings were deleted. Each has its event. A highest one without event, which nobody adopted, and
an event without its document are for a person: nothing is deleted meanwhile.
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.database import Catalog
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import events
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.ledger import sealing
from recording_archive.retention.policy_document import MOST_BYTES, read_policy
from recording_archive.retention.rules import Policy
from recording_archive.settings import Settings
from recording_archive.store.base import Store

__all__ = [
    "adopt",
    "adoption",
    "adoptions",
    "foreign",
    "in_force",
    "keep",
    "newest",
    "read_file",
    "read_policy",
    "tell",
]

FOLDER = "policies/"
_NUMBERED = re.compile(r"policies/(\d{6})\.yaml")
_ENDINGS = (".yaml", ".yml", ".json")
_MEND = "restore it from a copy of the archive, or adopt a policy with `recording-archive retention adopt`"


def in_force(archive: Archive) -> Policy:
    """Return the policy that decides now; without any document the days of the settings, as version ``default:90``.

    Raise ConfigurationError when it cannot be understood, and StoreError when the archive's was changed since it was
    adopted, is gone, or was adopted by nobody. Whoever deletes by it calls `keep` first.
    """
    if outside := _outside(archive.settings):
        path = _newest_file(outside)
        return read_policy(read_file(path), str(path))
    adopted = adoptions(archive.catalog)  # before the folder: a document is there before its event
    key, last = newest(archive.store), max(adopted, default=None)
    if last is not None and (key is None or key < last):
        raise StoreError(f"{last} was adopted by the ledger's word and is gone from {archive.store}: {_MEND}")
    if key is None:
        days = archive.settings.retention_days
        return Policy(f"default:{days}", "default", days, origin="RECORDING_ARCHIVE_RETENTION_DAYS")
    if key not in adopted:
        raise StoreError(
            f"{key} in {archive.store} is foreign: no event tells that it was adopted. Find out who put it there; then "
            f"take it up with `recording-archive take-up {key} --reason …`, or adopt another policy"
        )
    policy = read_policy(archive.store.read(key), key)
    if adopted[key] not in (None, policy.version):
        raise StoreError(f"{key} in {archive.store} has SHA-256 {policy.version}, adopted was {adopted[key]}: {_MEND}")
    return policy


def foreign(archive: Archive) -> list[str]:
    """List the policies of the archive that nobody adopted, by key."""
    adopted = adoptions(archive.catalog)
    return [key for key in archive.store.list(FOLDER) if _NUMBERED.fullmatch(key) and key not in adopted]


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
    """Make a policy from elsewhere the newest in the archive; return its key, None for the days of the settings."""
    if _NUMBERED.fullmatch(policy.origin):
        return policy.origin
    return _enter(archive, policy, run_id=run_id) if policy.document else None


def read_file(path: Path) -> bytes:
    """Read a policy file; one that is too large is read just far enough to be refused."""
    try:
        if not path.is_file():
            raise ConfigurationError(f"{path} is not a file: name a policy file in YAML or JSON")
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}): give the user that runs this the permission to read it"
        ) from error


def _enter(archive: Archive, policy: Policy, *, actor: str | None = None, run_id: str | None = None) -> str:
    """Return the key of ``policy`` once it is the newest and has its event, whatever was cut short before."""
    adopted = adoptions(archive.catalog)
    key, last = newest(archive.store), max(adopted, default="")
    same = key is not None and sha256(archive.store.read(key)).hexdigest() == policy.version
    if key is None or not same or key < last or adopted.get(key) not in (None, policy.version):
        key = _publish(archive.store, policy, after=max(key or "", last))
    if key not in adopted:
        tell(archive, key, policy.version, actor=actor, run_id=run_id)
    return key


def adoptions(catalog: Catalog) -> dict[str, str | None]:
    """Read which policies events record, by key, with the SHA-256 each was adopted with last; None: it is not told."""
    wanted = (events.c.interaction_id.is_(None), events.c.kind == "adopted")  # the first has an index
    details = select(events.c.detail).where(*wanted).order_by(events.c.segment.nulls_last(), events.c.id)
    adopted: dict[str, str | None] = {}
    with catalog.read() as connection:
        for detail in connection.execute(details).scalars():
            adopted |= detail.get("files", {})
    return adopted


def adoption(catalog: Catalog, policy: Policy) -> Any:
    """Read the row of the event by which a policy of the archive was adopted last; None where nothing records it."""
    wanted = (events.c.interaction_id.is_(None), events.c.kind == "adopted")
    adopted = select(events.c.at, events.c.actor, events.c.detail).where(*wanted).order_by(events.c.id.desc())
    with catalog.read() as connection:
        rows = connection.execute(adopted).all()
    return next((row for row in rows if policy.origin in row.detail.get("files", {})), None)


def tell(
    archive: Archive, key: str, version: str | None, *, actor: str | None = None, run_id: str | None = None, **more: str
) -> None:
    """Write the event of an adoption."""
    detail = {"files": {key: version}, **more}
    with archive.catalog.write() as connection:
        record(connection, "adopted", None, at=archive.clock(), actor=actor, run_id=run_id, detail=detail)


def _publish(store: Store, policy: Policy, *, after: str) -> str:
    """Store the document under the next number; where another policy was faster, under the one after it."""
    number = int(after.removeprefix(FOLDER).removesuffix(".yaml")) if after else 0
    while (number := number + 1) < 10**6:
        key = f"{FOLDER}{number:06d}.yaml"
        if store.put(key, policy.document):
            return key
    raise StoreError(f"{after} in {store} has the last number there is: find out who put it there")


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
