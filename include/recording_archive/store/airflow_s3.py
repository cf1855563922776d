"""boto3's client by an Airflow connection: the one module of the store that knows Airflow."""

from __future__ import annotations

from typing import Any


def s3_client(conn_id: str) -> Any:
    """boto3's client for an Airflow connection of type `aws`, its endpoint and region included."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # noqa: PLC0415 - for those who have a bucket

    from recording_archive.store.s3 import CONFIG  # noqa: PLC0415

    return S3Hook(aws_conn_id=conn_id, config=CONFIG).get_conn()
