"""The house keeps its rooms: few modules at the top, tests beside what they exercise, documents that match the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.house import GENERATED, PACKAGE, ROOT, docstrings, modules

WITHOUT_A_TEST_FILE: dict[str, str] = {
    "archive": "tests/resilience/test_disk.py",
    "errors": "classes without logic",
    "hooks": "tests/tasks/test_hooks.py",
    "model": "tests/sources/interactions/test_reading.py and tests/store/test_local.py",
    "params": "tests/archiving/test_request.py",
    "provider": "tests/dag/test_connection_type.py",
    "set_up": "the door of deploy/set_up",
    "watch": "the door of deploy/watch",
    "archiving/completeness": "tests/web/test_days.py and tests/evidence/test_pack.py",
    "archiving/outcomes": "tests/archiving/test_compress.py and tests/archiving/test_retry.py",
    "archiving/whole_interactions": "tests/sources/conversations/test_source.py",
    "archiving/work_rows": "tests/archiving/test_totals.py",
    "catalog/distinct": "tests/catalog/test_search.py",
    "catalog/events": "tests/ledger/test_sealing.py",
    "catalog/rows": "tests/catalog/test_search.py and every room with a table",
    "catalog/search_driver": "tests/catalog/test_search.py and bench/search.py",
    "catalog/search_names": "tests/catalog/test_search.py",
    "catalog/search_terms": "tests/catalog/test_search.py",
    "catalog/survey": "tests/web/test_search_page.py and bench/search.py",
    "catalog/tables": "tests/catalog/test_schema.py",
    "catalog/timeline": "tests/cli/test_records.py",
    "catalog/visible": "tests/access/test_condition.py",
    "cli/basics": "tests/cli/test_app.py",
    "cli/findings": "two types without logic",
    "cli/printing": "tests/cli/test_records.py",
    "cli/query": "tests/cli/test_find.py and tests/cli/test_evidence.py",
    "cli/terminal": "tests/cli/test_app.py",
    "deploy/set_up": "tests/cluster/test_cluster.py, which begins with it",
    "disposition/personal": "tests/disposition/test_erasure.py",
    "disposition/report_document": "tests/disposition/test_report.py",
    "evidence/calls": "tests/evidence/test_pack.py",
    "evidence/request": "tests/evidence/test_pack.py and tests/web/test_evidence_web.py",
    "evidence/selection": "tests/evidence/test_pack.py",
    "fixity/verdict": "tests/fixity/test_verify.py and tests/fixity/test_reading.py",
    "holds/criteria": "tests/holds/test_lifecycle.py (refusals) and tests/holds/test_matcher.py",
    "holds/documents": "tests/recovery/test_from_holds.py and tests/holds/test_lifecycle.py",
    "holds/lookup": "tests/holds/test_matcher.py, which compares it with the matcher",
    "holds/rows": "tests/holds/test_matcher.py and tests/holds/test_lifecycle.py",
    "ledger/flaw": "a type without logic",
    "ledger/marks": "tests/ledger/test_signatures.py",
    "ledger/proof_index": "tests/ledger/test_proof.py and tests/ledger/test_documents.py",
    "ledger/proof_stamps": "tests/ledger/test_stamping.py",
    "ledger/vouched": "tests/web/test_vouched.py",
    "ledger/vouching": "tests/ledger/test_stamping.py",
    "ledger/witness_heads": "tests/ledger/test_witness.py",
    "ledger/proof_signatures": "tests/ledger/test_signatures.py",
    "locks/of_hold": "tests/cluster/test_object_lock.py and tests/cli/test_holds.py",
    "locks/waiting": "tests/locks/test_reconcile.py and tests/cluster/test_object_lock.py",
    "locks/wanted": "tests/locks/test_reconcile.py and tests/cluster/test_object_lock.py",
    "metrics/figures": "tests/metrics/test_exposition.py and tests/tasks/test_run_metrics.py",
    "recovery/documents": "tests/recovery/test_from_holds.py and tests/disposition/test_erasure.py",
    "recovery/result": "two types without logic",
    "reports/reading": "tests/recovery/test_from_compliance_reports.py",
    "reports/run_state": "tests/disposition/test_report.py",
    "reports/writing": "tests/archiving/test_runs.py",
    "retention/forecast_counting": "tests/retention/test_forecast.py",
    "retention/forecast_figures": "tests/retention/test_forecast.py",
    "retention/strict_yaml": "tests/retention/test_policy_document.py",
    "sources/contracts": "tests/sources/test_client.py and tests/sources/test_replies.py",
    "sources/conversations/cursors": "tests/sources/conversations/test_discovery.py",
    "sources/conversations/details": "tests/sources/conversations/test_query.py",
    "sources/conversations/facts": "tests/sources/conversations/test_listing.py",
    "sources/conversations/inventory": "tests/archiving/test_reconcile.py",
    "sources/conversations/jobs": "tests/sources/conversations/test_discovery.py",
    "sources/conversations/rehearsal": "tests/cli/test_rehearse.py",
    "sources/conversations/reading": "tests/sources/conversations/test_query.py",
    "sources/texts": "tests/sources/interactions/test_reading.py",
    "store/airflow_s3": "tests/cluster/test_cluster.py",
    "store/base": "tests/support/store_contract.py",
    "store/keys": "tests/support/store_contract.py",
    "store/local_files": "tests/store/test_local.py",
    "store/locate": "tests/cluster/test_cluster.py",
    "store/s3": "tests/cluster/test_store_s3.py",
    "store/s3_draft": "tests/cluster/test_store_s3.py",
    "store/s3_errors": "tests/cluster/test_store_s3.py",
    "store/s3_locks": "tests/cluster/test_object_lock.py",
    "store/s3_reading": "tests/cluster/test_store_s3.py",
    "store/sidecar": "tests/recovery/test_from_sidecars.py",
    "store/staging": "tests/archiving/test_runs.py and tests/cluster/test_store_s3.py",
    "store/stoppable": "tests/resilience/test_stop_signal.py",
    "tasks/archiving": "tests/dag/test_archive_recordings.py",
    "tasks/packing": "tests/dag/test_archive_recordings.py and tests/tasks/test_hooks.py",
    "tasks/reporting": "tests/dag/test_archive_recordings.py",
    "archiving/problems": "tests/cli/test_records.py and tests/archiving/test_account.py",
    "tasks/connection": "tests/dag/test_connection_type.py",
    "tasks/run_note": "tests/dag/test_archive_recordings.py, where a scheduler writes it",
    "tasks/dag_parts": "tests/dag/test_archive_recordings.py",
    "tasks/fixity": "tests/dag/test_verify_archive.py",
    "tasks/retention": "tests/dag/test_enforce_retention.py",
    "tasks/session": "tests/resilience/test_stop_signal.py",
    "transfer/limits": "tests/transfer/test_retries.py and tests/transfer/test_partial_file.py",
    "transfer/receiving": "tests/transfer/test_transfer.py, where cuts fall at every byte",
    "web/": "tests/web/test_access.py, tests/web/test_pages.py and tests/web/test_words.py",
    "web/api/": "tests/web/test_api.py, tests/web/test_holds_web.py and tests/web/test_retention_web.py",
    "web/media/": "tests/web/media/test_playback.py and tests/web/media/test_peaks.py",
    "web/pages/": "tests/web/test_pages.py, tests/web/test_holds_web.py and tests/web/test_retention_web.py",
    "web/read/": "tests/web/test_api.py, tests/web/test_holds_web.py and tests/web/test_retention_web.py",
    "web/wording/": "tests/web/test_words.py",
}
"""Modules that have no test file of their own, and the tests that stand for them; a folder stands for what is in it."""

RELATIVE = re.compile(r"(What|Whether|How|Those|The same|Which|Where|When|Who|It|That)\b")
"""Words that make a docstring depend on its neighbour."""


def named(path: Path) -> str:
    """Name a module as its path below the package, without ``.py``."""
    return str(path.relative_to(PACKAGE).with_suffix(""))


def test_few_modules_lie_at_the_top() -> None:
    """A new module belongs into a room."""
    assert len([path for path in modules() if path.parent == PACKAGE]) <= 10


@pytest.mark.parametrize("module", [named(path) for path in modules()])
def test_a_module_has_its_test_file(module: str) -> None:
    """``store/bgzf.py`` is tested by ``tests/store/test_bgzf.py``, or the list says by what."""
    path = ROOT / "tests" / module
    has_one = path.with_name(f"test_{path.name}.py").exists()
    folder = f"{module.rpartition('/')[0]}/"
    assert has_one != (module in WITHOUT_A_TEST_FILE) or folder in WITHOUT_A_TEST_FILE


def test_the_list_names_modules_and_tests_that_exist() -> None:
    """A module that is gone leaves the list; a test file that stands for others is there."""
    names = {named(path) for path in modules()}
    names |= {f"{name.rpartition('/')[0]}/" for name in names}
    assert set(WITHOUT_A_TEST_FILE) <= names
    tests = [word for reason in WITHOUT_A_TEST_FILE.values() for word in re.findall(r"tests/\S+\.py", reason)]
    assert [path for path in tests if not (ROOT / path).exists()] == []


def test_a_docstring_stands_alone() -> None:
    """Each begins with an imperative or a noun."""
    every = [(path, line, text) for path in sorted((ROOT / "include").rglob("*.py")) for line, text in docstrings(path)]
    relative = [f"{path.relative_to(ROOT)}:{line}: {text[:60]}" for path, line, text in every if RELATIVE.match(text)]
    assert relative == []


@pytest.mark.parametrize("document", GENERATED, ids=lambda path: path.name)
def test_what_is_made_of_the_code_is_up_to_date(document: Path) -> None:
    """`make fix` writes it anew."""
    assert document.read_text() == GENERATED[document]()


@pytest.mark.parametrize("document", ["architecture.md", "invariants.md"])
def test_tests_and_files_that_documents_name_exist(document: str) -> None:
    """Each `test_…` is a test, and each path to a Python file leads to one."""
    text = (ROOT / "docs" / document).read_text()
    sources = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    every_test = {name for source in sources.values() for name in re.findall(r"def (test_\w+)\(", source)}
    assert set(re.findall(r"`(test_\w+)`", text)) <= every_test
    paths = set(re.findall(r"`([a-z_]+(?:/[a-z_0-9]+)*\.py)`", text))
    places = (PACKAGE, PACKAGE.parent, ROOT)
    assert {path for path in paths if not any((place / path).exists() for place in places)} == set()
