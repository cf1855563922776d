"""`recording_archive.hooks` keeps its names and signatures: runs begun before an upgrade go on with old DAG files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from recording_archive.provider import get_provider_info

PROGRAM = Path(__file__).parents[1] / "programs" / "hook_signatures.py"

NAMES = [
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
SIGNATURES = {
    "GenesysCloudHook": "(genesys_conn_id: 'str' = 'genesys_cloud_default') -> 'None'",
    "GenesysCloudHook.facts": "(self) -> 'Facts'",
    "GenesysCloudHook.get_conn": "(self, headers: 'dict[Any, Any] | None' = None, "
    "extra_options: 'dict[str, Any] | None' = None) -> 'requests.Session'",
    "GenesysCloudHook.source": "(self, settings: 'Settings', stop: 'threading.Event | None' = None) -> 'Source'",
    "GenesysCloudHook.media": "(self, settings: 'Settings', stop: 'threading.Event') -> 'MediaClient'",
    "GenesysCloudHook.test_connection": "(self) -> 'tuple[bool, str]'",
    "ask_for_approval": "(run_id: 'str', *, link: 'str | None' = None) -> 'Question'",
    "download_batch": "(run_id: 'str', number: 'int') -> 'int'",
    "erase_requested": "(conf: 'Mapping[str, Any] | None') -> 'int'",
    "gzip_batch": "(run_id: 'str', number: 'int') -> 'int'",
    "leave_note": "(problems: 'Sequence[str]', counts: 'Mapping[str, int]', *, page: 'str', "
    "head: 'str | None') -> 'None'",
    "follow_locks": "(run_id: 'str') -> 'dict[str, Any] | None'",
    "list_recordings": "(*, run_id: 'str', conf: 'Mapping[str, Any] | None', "
    "interval: 'tuple[datetime, datetime] | None', scheduled: 'bool', "
    "run_is_over: 'Callable[[str], bool]' = <function <lambda>>) -> 'list[dict[str, Any]]'",
    "look_for_strays": "(run_id: 'str') -> 'int | None'",
    "make_evidence_part": "(run_id: 'str', number: 'int') -> 'int'",
    "offer_evidence": "(run_id: 'str') -> 'dict[str, Any]'",
    "plan_evidence": "(*, run_id: 'str', conf: 'Mapping[str, Any] | None', asked_by: 'str | None') "
    "-> 'list[dict[str, Any]]'",
    "plan_fixity": "(*, run_id: 'str', conf: 'Mapping[str, Any] | None', reindexed: 'Mapping[str, int] | None') "
    "-> 'list[dict[str, Any]]'",
    "plan_retention": "(*, run_id: 'str', conf: 'Mapping[str, Any] | None', as_of_default: 'datetime | None' = None, "
    "triggered_by: 'str | None' = None) -> 'dict[str, Any]'",
    "purge_planned": "(run_id: 'str') -> 'int'",
    "quarantine_planned": "(run_id: 'str') -> 'int'",
    "record_approval": "(run_id: 'str', *, plan_sha256: 'str', approved_by: 'str') -> 'None'",
    "refuse_plan": "(run_id: 'str', why: 'str') -> 'None'",
    "reindex_archive": "(conf: 'Mapping[str, Any] | None') -> 'dict[str, int] | None'",
    "repair_recordings": "(run_id: 'str') -> 'None'",
    "sweep_left_overs": "(run_id: 'str') -> 'dict[str, int] | None'",
    "verify_batch": "(run_id: 'str', number: 'int') -> 'int'",
    "verify_ledger": "(run_id: 'str') -> 'int | None'",
    "write_fixity_report": "(run_id: 'str') -> 'FixityReport'",
    "write_report": "(run_id: 'str') -> 'Summary'",
    "write_retention_report": "(run_id: 'str', *, failed_tasks: 'Sequence[str]' = ()) -> 'RetentionReport'",
}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Names and signatures, read in a process of their own: Airflow changes the one that imports it."""
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}
    done = subprocess.run(
        [sys.executable, PROGRAM], env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_names_stay(hooks: dict[str, Any]) -> None:
    """A name that is added or removed must be added to or removed from this list on purpose."""
    assert hooks["names"] == NAMES


def test_signatures_stay(hooks: dict[str, Any]) -> None:
    """Parameters, defaults and results are those that DAG files of this major version rely on."""
    assert hooks["signatures"] == SIGNATURES


def test_every_name_has_a_signature_here() -> None:
    """The two literals above are about the same names."""
    assert {name.partition(".")[0] for name in SIGNATURES} == set(NAMES)


def test_the_provider_names_the_hook() -> None:
    """Airflow stores this path with the connection type."""
    (connection_type,) = get_provider_info()["connection-types"]
    assert connection_type["hook-class-name"] == "recording_archive.hooks.GenesysCloudHook"


@pytest.mark.parametrize(("name", "spared"), [("gzip_batch", ["requests"]), ("write_report", [])])
def test_a_task_imports_what_it_needs(name: str, spared: list[str], tmp_path: Path) -> None:
    """To compress and to report, no client of the source is loaded; to compress, no HTTP at all."""
    others = ["recording_archive.sources.client", "recording_archive.tasks.retention", *spared]
    asked = f"import sys; from recording_archive import hooks; hooks.{name}; print([*sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env=os.environ | {"AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert [module for module in others if f"'{module}'" in done.stdout] == []


def test_a_name_that_is_not_there_is_told() -> None:
    """As of any module."""
    asked = "from recording_archive import hooks; hooks.archive_everything"
    done = subprocess.run([sys.executable, "-c", asked], env=os.environ, capture_output=True, text=True, check=False)
    assert "AttributeError: module 'recording_archive.hooks' has no attribute 'archive_everything'" in done.stderr
