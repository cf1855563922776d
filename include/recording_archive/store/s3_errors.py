"""Errors of a bucket, sorted by what helps against them."""

from __future__ import annotations

from botocore.exceptions import ClientError

from recording_archive.errors import ArchiveError, PermanentError, StoreError, TransientError
from recording_archive.store.base import AbsentError

MISSING = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
LOST_RACE = frozenset({"412", "PreconditionFailed"})
REMEDIES = {
    "NoSuchBucket": "make it, or correct RECORDING_ARCHIVE_URL",
    "AccessDenied": "give its user GetObject, PutObject, ListBucket, ListBucketVersions and DeleteObjectVersion",
    "403": "give its user GetObject, PutObject, ListBucket, ListBucketVersions and DeleteObjectVersion",
    "InvalidAccessKeyId": "correct the access key of the connection",
    "SignatureDoesNotMatch": "correct the secret key of the connection, or this machine's clock",
    "QuotaExceeded": "raise the quota of the bucket",
    "BadDigest": "what arrived is not what was sent: check the network, then run again",
    "KMS.DisabledException": "enable the key, or name another in RECORDING_ARCHIVE_S3_KMS_KEY",
}


def translated(name: str, error: ClientError) -> ArchiveError:
    """Sort an answer about the object ``name``: an unusable place is a StoreError, anything else may pass."""
    code, status = code_of(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in {"PreconditionFailed", "412"}:
        return PermanentError(f"{name} was replaced while it was read: find out who writes there")
    if code in MISSING:
        return AbsentError(f"{name} is not there: restore it from a copy or the source")
    if code in REMEDIES:
        return StoreError(f"{name}: {code}: {REMEDIES[code]}")
    if status >= 500 or status == 429 or code in {"SlowDown", "ConditionalRequestConflict", "RequestTimeout"}:
        return TransientError(f"{name}: the bucket answers {code}")
    return StoreError(f"{name}: the bucket answers {code} ({status}): check the bucket and the connection")


def code_of(error: ClientError) -> str:
    """Return the code of an answer, such as ``NoSuchKey``."""
    return str(error.response.get("Error", {}).get("Code", ""))
