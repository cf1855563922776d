"""Write-once objects in a bucket of S3 or of a store that speaks its language.

A draft is a local file until it is sealed and read back. It is published by one conditional PUT, or by a conditional
completion of a multipart upload, with the SHA-256 of what was read back, so that the bucket takes those bytes or none.
Where a delete marker hides a key the condition does not see what lies below it: nothing here ever makes one, and
`remove` deletes by version.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from recording_archive.errors import ArchiveError, PermanentError, StoreError, TransientError
from recording_archive.store.base import AbsentError, Draft, Lock, Store
from recording_archive.store.keys import check_key
from recording_archive.store.s3_draft import S3Draft
from recording_archive.store.s3_errors import LOST_RACE, MISSING, REMEDIES, code_of, translated
from recording_archive.store.s3_locks import HELD_THERE, REFUSED, S3Locks, sweep_trials
from recording_archive.store.s3_reading import S3File

__all__ = ["CONFIG", "S3Store", "client_from_environment"]

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 8},  # together over a minute, which a restart of the store takes
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=64,
)
"""The patience of a client; slow-down answers are waited for with jitter."""

PART_BYTES = 16 * 2**20
SINGLE_PUT_BYTES = 4 * PART_BYTES  # a larger object goes up in parts, each with its checksum and its own retries
_READ_AHEAD_BYTES = 128 * 1024  # what one request fetches at least: a seek costs a request
_CONFLICTS = 5  # tries when the store itself cannot say yet who of two writers won


def client_from_environment() -> Any:
    """boto3's client for the ``AWS_*`` variables, profiles or roles of this machine."""
    return boto3.Session().client("s3", config=CONFIG)


class S3Store(Store):
    """Objects of one bucket below ``prefix``. ``client`` is boto3's; it retries and throttles by its own configuration.

    ``kms_key`` encrypts every object with that key of KMS, whatever the bucket's default is. ``lock_mode`` is the mode
    of object lock, ``GOVERNANCE`` or ``COMPLIANCE``; without it objects are published without locks.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, kms_key: str = "", lock_mode: str = "") -> None:
        self._client, self._bucket, self._prefix = client, bucket, f"{prefix.strip('/')}/".removeprefix("/")
        self._extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        self._locks, self._locking = S3Locks(client, lock_mode), bool(lock_mode)
        self._bucket_seen = False

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @contextmanager
    def begin(self, key: str) -> Iterator[Draft]:
        """Start an object in a local file without a name, which no crash can leave behind."""
        check_key(key)
        draft = S3Draft(self, key)
        try:
            yield draft
        finally:
            draft.discard()

    def sync(self, keys: Iterable[str]) -> None:
        """Check the keys: an object that the bucket confirmed is durable."""
        for key in keys:
            check_key(key)

    def open(self, key: str) -> BinaryIO:
        """Open the object as it is now for reading by ranges; one that is replaced meanwhile is an error."""
        check_key(key)
        with self._explained(key):
            try:
                found = self._client.head_object(**self.at(key))
            except ClientError as error:
                raise self._absent(key, error) from error
        return io.BufferedReader(S3File(self, key, found["ContentLength"], found["ETag"]), _READ_AHEAD_BYTES)

    def size(self, key: str) -> int | None:
        """The object's length in bytes; None when the bucket is there and the object is not."""
        check_key(key)
        with self._explained(key):
            try:
                return int(self._client.head_object(**self.at(key))["ContentLength"])
            except ClientError as error:
                if code_of(error) not in MISSING:
                    raise
            self._require_bucket()
            return None

    def list(self, prefix: str) -> Iterator[str]:
        """Keys by pages of a thousand, in the order of their bytes."""
        with self._explained(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                yield from (each["Key"].removeprefix(self._prefix) for each in page.get("Contents", ()))

    def remove(self, key: str) -> datetime | None:
        """Delete every version and every delete marker, and look whether anything is left."""
        check_key(key)
        locked = [until for version in self._versions(key) if (until := self._remove_version(key, version))]
        if locked:
            return max(locked)
        if any(self._versions(key)):
            raise StoreError(f"{self}/{key}: versions are left after all were deleted: is someone writing it?")
        return None

    def locks(self) -> bool:
        """Tell if this archive locks objects; the bucket may do it by itself as well."""
        return self._locking

    def lock_of(self, key: str) -> Lock:
        """The lock of the object's newest version."""
        check_key(key)
        with self._explained(key):
            try:
                return self._locks.of(self.at(key))
            except ClientError as error:
                raise self._absent(key, error) from error

    def lock(self, key: str, wanted: Lock) -> Lock:
        """Raise the lock of the object's newest version, and set or clear its legal hold."""
        check_key(key)
        if not self._locking:
            return super().lock(key, wanted)
        with self._explained(key):
            try:
                return self._locks.raise_to(self.at(key), wanted, f"{self}/{key}")
            except ClientError as error:
                raise self._absent(key, error) from error

    def try_locks(self) -> str:
        """Lock an object that nobody needs, and try to delete it, to shorten its lock, and to hide it."""
        with self._explained("check"):
            self._require_bucket()
            return self._locks.try_them(self._bucket, self._prefix, str(self))

    def sweep(self, older_than: datetime) -> int:
        """Abort multipart uploads begun before ``older_than``, and remove what a killed `try_locks` left."""
        sweep_trials(self, older_than)
        with self._explained(""):
            begun = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            stale = [each for page in begun for each in page.get("Uploads", ()) if each["Initiated"] < older_than]
            for each in stale:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=each["Key"], UploadId=each["UploadId"])
        return len(stale)

    def free_bytes(self) -> None:
        """A bucket has no such limit."""

    def probe(self) -> str:
        """Begin an upload and abort it, which needs the permission and the key to write; tell of versions and keys."""
        with self._explained("check"):
            self._require_bucket()
            begun = self._client.create_multipart_upload(**self.at("check"), **self._extra)
            self._client.abort_multipart_upload(**self.at("check"), UploadId=begun["UploadId"])
            versions = self._client.get_bucket_versioning(Bucket=self._bucket).get("Status", "off")
        return f"{self} is writable, versioning {versions.lower()}, {self._encryption()}"

    def _encryption(self) -> str:
        if self._extra:
            return "every object encrypted by the key RECORDING_ARCHIVE_S3_KMS_KEY names"
        try:
            answer = self._client.get_bucket_encryption(Bucket=self._bucket)["ServerSideEncryptionConfiguration"]
            return f"encrypted by default ({answer['Rules'][0]['ApplyServerSideEncryptionByDefault']['SSEAlgorithm']})"
        except (ClientError, LookupError):
            return "NOT encrypted by default: set default encryption on the bucket, or RECORDING_ARCHIVE_S3_KMS_KEY"

    def at(self, key: str) -> dict[str, str]:
        """Bucket and full key as boto3 wants them."""
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def keep(self, key: str, kept: str) -> str | None:
        """Copy an object to ``kept``, byte for byte; return its ETag, None when other bytes have that key."""
        check_key(kept)
        with self._explained(key):
            try:
                etag = str(self._client.head_object(**self.at(key))["ETag"])
            except ClientError as error:
                raise self._absent(key, error) from error
        with self.open(key) as old, self.begin(kept) as copy:
            shutil.copyfileobj(old, copy.file, PART_BYTES)
            if copy.publish() or _digest(self, kept) == _digest(self, key):
                return etag
        return None

    def fetch(self, key: str, start: int, etag: str) -> Any:
        """The body of the object from ``start`` on, as long as it is the one with ``etag``."""
        with self._explained(key):
            return self._client.get_object(**self.at(key), Range=f"bytes={start}-", IfMatch=etag)["Body"]

    def upload(self, key: str, file: BinaryIO, condition: Mapping[str, str], lock: Lock | None = None) -> bool:
        """Put a local file in its place, locked; False when the ``condition`` of the request does not hold."""
        size, extra = os.fstat(file.fileno()).st_size, {**self._extra, **self._locks.asked(lock)}
        send = self._put if size <= SINGLE_PUT_BYTES else self._put_parts
        with self._explained(key):
            self._require_bucket()  # some servers make a bucket of any name that is written to
            for attempt in range(1, _CONFLICTS + 1):
                file.seek(0)
                try:
                    send(key, file, condition, extra)
                except ClientError as error:
                    if code_of(error) in LOST_RACE:
                        return False
                    self._locks.explain(error, extra, str(self))
                    if code_of(error) != "ConditionalRequestConflict" or attempt == _CONFLICTS:
                        raise
                else:
                    return True
        return False

    def _put(self, key: str, file: BinaryIO, condition: Mapping[str, str], extra: Mapping[str, Any]) -> None:
        hashed = hashlib.sha256()
        for part in _parts(file):
            hashed.update(part)
        file.seek(0)
        self._client.put_object(
            **self.at(key), Body=file, ChecksumSHA256=_base64(hashed.digest()), **condition, **extra
        )

    def _put_parts(self, key: str, file: BinaryIO, condition: Mapping[str, str], extra: Mapping[str, Any]) -> None:
        upload = self._client.create_multipart_upload(**self.at(key), ChecksumAlgorithm="SHA256", **extra)
        name = {**self.at(key), "UploadId": upload["UploadId"]}
        try:
            parts = [self._put_part(name, number, part) for number, part in enumerate(_parts(file), 1)]
            self._client.complete_multipart_upload(**name, MultipartUpload={"Parts": parts}, **condition)
        except BaseException:
            with suppress(ClientError, BotoCoreError):  # `sweep` finds what stays
                self._client.abort_multipart_upload(**name)
            raise

    def _put_part(self, name: dict[str, str], number: int, part: bytes) -> dict[str, Any]:
        digest = _base64(hashlib.sha256(part).digest())
        answer = self._client.upload_part(**name, PartNumber=number, Body=part, ChecksumSHA256=digest)
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": digest}

    def _versions(self, key: str) -> Iterator[str]:
        """Ids of all versions and delete markers of a key; a bucket without versions calls its one ``null``."""
        full = self._prefix + key
        with self._explained(key):
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=full)
            for page in pages:
                found = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                yield from (each["VersionId"] for each in found if each["Key"] == full)

    def _remove_version(self, key: str, version: str) -> datetime | None:
        """Delete one version; when its lock forbids it, return when the lock ends."""
        with self._explained(key):
            try:
                self._client.delete_object(**self.at(key), VersionId=version)
            except ClientError as error:
                until = self._locked_until(key, version) if code_of(error) in REFUSED else None
                if until is None:
                    raise
                return until
        return None

    def _locked_until(self, key: str, version: str) -> datetime | None:
        try:
            held = self._client.get_object_legal_hold(**self.at(key), VersionId=version)
            if held.get("LegalHold", {}).get("Status") == "ON":
                raise PermanentError(f"{self}/{key}: {HELD_THERE}")
        except ClientError:
            pass
        try:
            found = self._client.get_object_retention(**self.at(key), VersionId=version)
        except ClientError:
            return None
        until: datetime | None = found.get("Retention", {}).get("RetainUntilDate")
        return until.astimezone(UTC) if until else None

    def _require_bucket(self) -> None:
        """Raise StoreError when the bucket itself is missing; asked once."""
        if self._bucket_seen:
            return
        try:  # HEAD of an object answers 404 for a missing bucket too
            self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            if code_of(error) in MISSING | {"NoSuchBucket"}:
                raise StoreError(f"The bucket {self._bucket} does not exist: {REMEDIES['NoSuchBucket']}") from error
            raise
        self._bucket_seen = True

    def _absent(self, key: str, error: Any) -> Any:
        if code_of(error) not in MISSING:
            return error
        self._require_bucket()
        return AbsentError(f"{self}/{key} is not there: restore it from a copy or the source")

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Sort what the bucket answers: an unusable place is a StoreError with its remedy, anything else may pass."""
        try:
            yield
        except ArchiveError:
            raise
        except ClientError as error:
            raise translated(f"{self}/{key}", error) from error
        except (BotoCoreError, OSError) as error:
            raise TransientError(f"{self}/{key}: the bucket does not answer ({type(error).__name__})") from error


def _digest(store: Store, key: str) -> str:
    hashed = hashlib.sha256()
    with store.open(key) as file:
        for part in _parts(file):
            hashed.update(part)
    return hashed.hexdigest()


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(PART_BYTES):
        yield part


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
