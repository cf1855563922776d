"""Checks beside the recordings: a lost catalog row and a changed document fail the run."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from support.contents import all_rows, damage
from support.fixity_run import Verifying, document, found


def test_a_sidecar_without_row_fails_the_run(archived: Archive, verifying: Verifying) -> None:
    """A catalog that lacks a recording of the archive is an error, with its remedy."""
    lost = all_rows(archived)[0]
    with archived.catalog.write() as connection:
        connection.execute(recordings.delete().where(recordings.c.interaction_id == lost.interaction_id))
    ended = verifying(archived)
    assert "1 sidecars are not in the catalog: run this DAG with reindex" in ended.problems
    assert found(archived, ended.run_id) == {lost.interaction_id: "stray"}


def test_a_changed_document_fails_the_run(archived: Archive, verifying: Verifying) -> None:
    """The ledger is checked with the recordings: a report that was changed is named."""
    verifying(archived)
    earlier = next(key for key in archived.store.list("reports/") if key.endswith("compliance_report.json"))
    damage(archived.settings.root / earlier, lambda content: content.replace(b'"successful": 6', b'"successful": 7'))
    ended = verifying(archived)
    assert any(earlier in problem and "ledger" in problem for problem in ended.problems)
    assert document(archived, ended)["ledgerFlaws"][0]["place"] == earlier
