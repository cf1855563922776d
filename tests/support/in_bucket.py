"""Archives in a bucket, filled with yesterday's calls."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive, open_archive
from recording_archive.archiving.request import Request
from recording_archive.model import Window
from recording_archive.settings import Settings
from support.runner import Runner, settings_below
from support.services import Bucket

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
RETENTION_DAYS = 1000


def variables(bucket: Bucket) -> Mapping[str, str]:
    """The environment by which boto3 reaches a bucket."""
    return {
        "AWS_ACCESS_KEY_ID": bucket.key,
        "AWS_SECRET_ACCESS_KEY": bucket.secret,
        "AWS_ENDPOINT_URL": bucket.endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def founded(name: str, folder: Path, **more: Any) -> Archive:
    """A new archive below a prefix of its own in a bucket, its store chosen by its settings."""
    below = settings_below(folder).model_dump() | {"url": f"s3://{name}/{uuid.uuid4().hex}"}
    return open_archive(Settings(**below | {"retention_days": RETENTION_DAYS, **more}))


def filled(archive: Archive, calls: Sandbox) -> Archive:
    """The archive with yesterday's calls."""
    window = Window(TODAY - timedelta(days=1), TODAY)
    summary = Runner(calls)(archive, "scheduled__1", Request(window=window, scheduled=True))
    assert not summary.failed, summary.problems
    return archive
