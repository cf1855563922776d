"""The functions that DAG files call, and the hook of the connection type `genesys_cloud`.

Names and signatures stay compatible within a major version, because runs that began before an upgrade go on with the
DAG file they began with; Airflow stores the path of `GenesysCloudHook`.
"""

from __future__ import annotations

from recording_archive.tasks.archiving import download_batch, gzip_batch, list_recordings, write_report
from recording_archive.tasks.connection import GenesysCloudHook
from recording_archive.tasks.fixity import (
    look_for_strays,
    plan_fixity,
    reindex_archive,
    repair_recordings,
    sweep_left_overs,
    verify_batch,
    verify_ledger,
    write_fixity_report,
)
from recording_archive.tasks.retention import (
    ask_for_approval,
    erase_requested,
    plan_retention,
    purge_planned,
    quarantine_planned,
    record_approval,
    refuse_plan,
    write_retention_report,
)

__all__ = [
    "GenesysCloudHook",
    "ask_for_approval",
    "download_batch",
    "erase_requested",
    "gzip_batch",
    "list_recordings",
    "look_for_strays",
    "plan_fixity",
    "plan_retention",
    "purge_planned",
    "quarantine_planned",
    "record_approval",
    "refuse_plan",
    "reindex_archive",
    "repair_recordings",
    "sweep_left_overs",
    "verify_batch",
    "verify_ledger",
    "write_fixity_report",
    "write_report",
    "write_retention_report",
]
