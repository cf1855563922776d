"""The places of the archive and its staging, from the settings: a folder, or ``s3://bucket/prefix``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recording_archive.errors import ConfigurationError
from recording_archive.settings import PREFIX, Settings
from recording_archive.store.base import Store
from recording_archive.store.local import LocalStore
from recording_archive.store.staging import BucketStaging, LocalStaging, Staging


def store_at(settings: Settings) -> Store:
    """The archive's store; nothing is read or made yet."""
    bucket = settings.bucket
    if not bucket:
        return LocalStore(settings.root)
    mode = "" if settings.object_lock == "off" else settings.object_lock.upper()
    return _bucket(settings, *bucket, kms_key=settings.s3_kms_key, lock_mode=mode)


def witness_at(settings: Settings) -> Store | None:
    """The place that keeps the ledger's heads; None where the settings name none."""
    if not settings.witness_url:
        return None
    bucket = settings.witness_bucket
    place = Path(settings.witness_url).expanduser().resolve()
    if not bucket and not settings.bucket and place.is_relative_to(settings.root.resolve()):
        raise ConfigurationError(
            f"the witness {place} lies in the archive, and whoever rewrites that could rewrite it too: set "
            f"{PREFIX}WITNESS_URL to another place"
        )
    return _bucket(settings, *bucket) if bucket else LocalStore(place)


def staging_at(settings: Settings) -> Staging:
    """Open the place where raw bytes wait; files grow in a local folder either way."""
    bucket, local = settings.staging_bucket, LocalStaging(settings.staging)
    return BucketStaging(_bucket(settings, *bucket), local) if bucket else local


def _bucket(settings: Settings, name: str, prefix: str, *, kms_key: str = "", lock_mode: str = "") -> Store:
    try:
        from recording_archive.store.s3 import S3Store  # noqa: PLC0415 - boto3 is for those who have a bucket
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"s3://{name} needs boto3: pip install 'recording-archive[s3]', or set {PREFIX}URL to a folder"
        ) from error
    return S3Store(s3_client(settings), name, prefix, kms_key=kms_key, lock_mode=lock_mode)


def s3_client(settings: Settings) -> Any:
    """boto3's client: from Airflow's connection where one is named, else as the environment says."""
    if settings.s3_conn_id:
        from recording_archive.store import airflow_s3  # noqa: PLC0415 - Airflow, for those who keep the key there

        return airflow_s3.s3_client(settings.s3_conn_id)
    from recording_archive.store.s3 import client_from_environment  # noqa: PLC0415

    return client_from_environment()
