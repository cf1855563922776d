"""Checks beside the recordings: a lost catalog row and a changed document fail the run."""

from __future__ import annotations

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from support.contents import all_rows, damage
from support.fixity_run import Verifying, document, found
from support.signing import signing


def test_a_sidecar_without_row_fails_the_run(archived: Archive, verifying: Verifying) -> None:
    """A catalog that lacks a recording of the archive is an error, with its remedy."""
    lost = all_rows(archived)[0]
    with archived.catalog.write() as connection:
        connection.execute(recordings.delete().where(recordings.c.interaction_id == lost.interaction_id))
    ended = verifying(archived)
    assert "1 sidecars are not in the catalog: run this DAG with reindex" in ended.problems
    assert found(archived, ended.run_id) == {lost.interaction_id: "stray"}


def test_a_signing_key_that_cannot_be_used_fails_the_run(archived: Archive, verifying: Verifying) -> None:
    """All else is checked; the setting is named, with its remedy. With a sound key the run is green."""
    signed, _ = signing(archived)
    assert verifying(signed).problems == ()
    signed.settings.signing_key.chmod(0o644)
    ended = verifying(signed)
    assert any("SIGNING_KEY_FILE" in problem for problem in ended.problems)
    flaws = document(signed, ended)["ledgerFlaws"]
    assert [flaw["place"] for flaw in flaws] == ["RECORDING_ARCHIVE_SIGNING_KEY_FILE"]
    assert "chmod 600" in flaws[0]["problem"]


def test_a_changed_document_fails_the_run(archived: Archive, verifying: Verifying) -> None:
    """The ledger is checked with the recordings: a report that was changed is named."""
    verifying(archived)
    earlier = next(key for key in archived.store.list("reports/") if key.endswith("compliance_report.json"))
    damage(archived.settings.root / earlier, lambda content: content.replace(b'"successful": 6', b'"successful": 7'))
    ended = verifying(archived)
    assert any(earlier in problem and "ledger" in problem for problem in ended.problems)
    assert document(archived, ended)["ledgerFlaws"][0]["place"] == earlier
