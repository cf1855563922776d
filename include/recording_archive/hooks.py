"""The functions that DAG files call, and the hook of the connection type `genesys_cloud`.

Names and signatures stay compatible within a major version, because runs that began before an upgrade go on with the
DAG file they began with; Airflow stores the path of `GenesysCloudHook`.

A name is imported when it is first asked for: each task is a process, and half of what the others need would cost it a
second of CPU time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recording_archive.tasks.archiving import download_batch, list_recordings
    from recording_archive.tasks.connection import GenesysCloudHook
    from recording_archive.tasks.evidence import make_evidence_part, offer_evidence, plan_evidence
    from recording_archive.tasks.fixity import (
        follow_locks,
        look_for_strays,
        plan_fixity,
        reindex_archive,
        repair_recordings,
        sweep_left_overs,
        verify_batch,
        verify_ledger,
        write_fixity_report,
    )
    from recording_archive.tasks.packing import gzip_batch
    from recording_archive.tasks.reporting import write_report
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
    from recording_archive.tasks.run_note import leave_note

__all__ = [
    "GenesysCloudHook",
    "ask_for_approval",
    "download_batch",
    "erase_requested",
    "follow_locks",
    "gzip_batch",
    "leave_note",
    "list_recordings",
    "look_for_strays",
    "make_evidence_part",
    "offer_evidence",
    "plan_evidence",
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

_PLACES = {
    "archiving": "download_batch list_recordings",
    "connection": "GenesysCloudHook",
    "evidence": "make_evidence_part offer_evidence plan_evidence",
    "fixity": "follow_locks look_for_strays plan_fixity reindex_archive repair_recordings sweep_left_overs "
    "verify_batch verify_ledger write_fixity_report",
    "packing": "gzip_batch",
    "reporting": "write_report",
    "run_note": "leave_note",
    "retention": "ask_for_approval erase_requested plan_retention purge_planned quarantine_planned record_approval "
    "refuse_plan write_retention_report",
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Import the module of a name that is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"recording_archive.tasks.{_MODULES[name]}"), name)
