"""Object lock of a bucket: what it is asked for, what it shows, and whether it refuses.

A lock is of one version. It is raised, never lowered: nothing here ever sends a bypass of governance. A lock that an
object has keeps its mode, for a bucket lets nobody change it without one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import sleep
from typing import Any

from botocore.exceptions import ClientError

from recording_archive.errors import ArchiveError, PermanentError, StoreError
from recording_archive.store.base import Lock, Store
from recording_archive.store.s3_errors import code_of

REFUSED = frozenset({"AccessDenied", "403"})
HELD_THERE = "the bucket has a legal hold on it that no hold of this archive asks for: release it there first"
TRIALS = "check-locks/"
_NO_LOCK = frozenset({"InvalidRequest", "InvalidArgument", "ObjectLockConfigurationNotFoundError"})
_SOON = timedelta(minutes=1)  # a lock that ends so soon may have ended when the bucket reads it, which refuses it then
_TRIAL = timedelta(seconds=4)


class S3Locks:
    """Locks of objects in a bucket; ``mode`` is that of new ones, empty where none are set."""

    def __init__(self, client: Any, mode: str) -> None:
        self._client, self._mode = client, mode

    def asked(self, lock: Lock | None) -> dict[str, Any]:
        """Parameters that put an object with its lock."""
        if lock is None or not self._mode:
            return {}
        return self._retention(lock.until) | ({"ObjectLockLegalHoldStatus": "ON"} if lock.held else {})

    def _retention(self, until: datetime | None) -> dict[str, Any]:
        if until is None or until < datetime.now(UTC) + _SOON:
            return {}
        return {"ObjectLockMode": self._mode, "ObjectLockRetainUntilDate": until}

    def explain(self, error: ClientError, sent: Mapping[str, Any], store: str) -> None:
        """Raise StoreError for an answer that a bucket without object lock gives to an object with a lock."""
        if code_of(error) in _NO_LOCK and any(name.startswith("ObjectLock") for name in sent):
            raise StoreError(f"{store} took no object with a lock ({code_of(error)}): {without_lock()}") from error

    def of(self, place: Mapping[str, str]) -> Lock:
        """The lock of an object as the bucket shows it."""
        return _read(self._client.head_object(**place))

    def raise_to(self, place: Mapping[str, str], wanted: Lock, name: str) -> Lock:
        """Raise the lock of an object and set or clear its legal hold; return the lock that the bucket shows then."""
        found = self._client.head_object(**place)
        lock = _read(found)
        version = {"VersionId": found["VersionId"]} if "VersionId" in found else {}
        try:
            if not lock.reaches(wanted.until) and self._retention(wanted.until):
                mode = found.get("ObjectLockMode") or self._mode
                retention = {"Mode": mode, "RetainUntilDate": wanted.until}
                self._client.put_object_retention(**place, **version, Retention=retention)
            if lock.held != wanted.held:
                status = {"Status": "ON" if wanted.held else "OFF"}
                self._client.put_object_legal_hold(**place, **version, LegalHold=status)
        except ClientError as error:
            if code_of(error) in REFUSED:
                raise PermanentError(f"{name}: the bucket does not let its lock be changed: {_RIGHTS}") from error
            self.explain(error, {"ObjectLock": ""}, name)
            raise
        shown = _read(self._client.head_object(**place, **version))
        if shown.held != wanted.held or not (shown.reaches(wanted.until) or not self._retention(wanted.until)):
            raise PermanentError(f"{name}: the bucket took its lock and does not show it ({shown}): {_RIGHTS}")
        return shown

    def try_them(self, bucket: str, prefix: str, store: str) -> str:
        """Prove by objects that nobody needs what the bucket refuses; leave nothing, which takes some seconds."""
        if not self._mode:
            return _not_used(self._client, bucket)
        if not _has_lock(self._client, bucket):
            raise StoreError(f"{store} has no object lock: {without_lock()}")
        key = f"{prefix}{TRIALS}{uuid.uuid4().hex}"
        with _object(self._client, bucket, f"{key}-held", store, ObjectLockLegalHoldStatus="ON") as (place, _):
            _require_refused(self._client, place, store, "held")
            self._client.put_object_legal_hold(**place, LegalHold={"Status": "OFF"})
        lasting = {"ObjectLockMode": self._mode, "ObjectLockRetainUntilDate": _now(self._client, bucket) + _TRIAL}
        with _object(self._client, bucket, key, store, **lasting) as (place, made):
            _require_refused(self._client, place, store, "locked")
            _require_kept(self._client, place, store, {"Mode": self._mode, "RetainUntilDate": made + _TRIAL / 2})
            hidden = _hides(self._client, place)
            sleep((_TRIAL + timedelta(seconds=1)).total_seconds())
        return (
            f"{store} refuses to delete what is locked ({self._mode.lower()}) or held, and to shorten a lock; {hidden}"
        )


_RIGHTS = (
    "give its user PutObjectRetention, PutObjectLegalHold, GetObjectRetention and GetObjectLegalHold, and let nothing "
    "but the archive change locks"
)


def without_lock() -> str:
    """Say what to do about a bucket without object lock."""
    return "use a bucket that was made with it, or set RECORDING_ARCHIVE_OBJECT_LOCK=off"


def sweep_trials(store: Store, older_than: datetime) -> None:
    """Remove what a killed `S3Locks.try_them` left; what is locked still, or cannot be removed, harms nobody."""
    if older_than < datetime.now(UTC) - _SOON:
        for key in list(store.list(TRIALS)):
            with suppress(ArchiveError):
                store.remove(key)


def _read(found: Mapping[str, Any]) -> Lock:
    until = found.get("ObjectLockRetainUntilDate")
    return Lock(until and until.astimezone(UTC), found.get("ObjectLockLegalHoldStatus") == "ON")


def _has_lock(client: Any, bucket: str) -> bool:
    try:
        answer = client.get_object_lock_configuration(Bucket=bucket)
    except ClientError as error:
        if code_of(error) == "ObjectLockConfigurationNotFoundError":
            return False
        raise
    return bool(answer["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled")


def _not_used(client: Any, bucket: str) -> str:
    try:
        has = _has_lock(client, bucket)
    except ClientError as error:
        return f"off; the bucket does not tell if it has object lock ({code_of(error)})"
    if has:
        return "off, and the bucket has it: RECORDING_ARCHIVE_OBJECT_LOCK=governance or compliance locks each recording"
    return "off, and the bucket has none: whoever has the right to delete can delete any recording"


def _now(client: Any, bucket: str) -> datetime:
    """The bucket's own time, by which its locks end."""
    answer = client.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(answer).astimezone(UTC) if answer else datetime.now(UTC)


@contextmanager
def _object(client: Any, bucket: str, key: str, store: str, **lock: Any) -> Iterator[tuple[dict[str, str], datetime]]:
    """Put an object with a lock; remove it, and whatever hides it, at the end."""
    place, made = {"Bucket": bucket, "Key": key}, _now(client, bucket)
    try:
        put = client.put_object(**place, Body=b"check", **lock)
    except ClientError as error:
        raise StoreError(
            f"{store} took no object with a lock ({code_of(error)}): {without_lock()}; {_RIGHTS}"
        ) from error
    version = {**place, "VersionId": put["VersionId"]}
    try:
        yield version, made
    finally:
        with suppress(ClientError):  # `sweep` finds what stays
            client.delete_object(**version)


def _require_refused(client: Any, version: Mapping[str, str], store: str, what: str) -> None:
    """Delete a version; raise StoreError when the bucket lets it be deleted."""
    try:
        client.delete_object(**version)
    except ClientError as error:
        if code_of(error) in REFUSED:
            return
        raise
    raise StoreError(f"{store} DELETED an object that was {what}: its object lock protects nothing; use another store")


def _require_kept(client: Any, version: Mapping[str, str], store: str, shorter: Mapping[str, Any]) -> None:
    """Shorten a lock; raise StoreError when the bucket lets it be shortened."""
    try:
        client.put_object_retention(**version, Retention=shorter)
    except ClientError:
        return
    raise StoreError(f"{store} let a lock be SHORTENED: its object lock protects nothing; use another store")


def _hides(client: Any, version: Mapping[str, str]) -> str:
    """Delete an object by its name alone, and say if that hides it; show it again."""
    place = {name: version[name] for name in ("Bucket", "Key")}
    try:
        marker = client.delete_object(**place).get("VersionId")
    except ClientError as error:
        if code_of(error) in REFUSED:
            return "no delete marker can hide an object"
        raise
    if marker and marker != version["VersionId"]:
        client.delete_object(**place, VersionId=marker)
    return (
        "warning: a delete marker can still hide an object, whose bytes stay: deny s3:DeleteObject to everybody, the "
        "archive deletes by version"
    )
