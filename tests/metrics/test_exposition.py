"""Figures as a monitoring system reads them: what they count, and that its own parser takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from genesys_sandbox import Fault, Sandbox
from recording_archive.archive import Archive
from recording_archive.fixity.readings_table import begin_run, note_facts
from recording_archive.metrics.exposition import as_text
from recording_archive.metrics.figures import read_figures
from support.contents import all_rows, change


def scraped(archive: Archive) -> dict[str, float]:
    """The figures as Prometheus would store them: by name and label."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(as_text(read_figures(archive)).decode()):
        for sample in family.samples:
            label = "".join(f"{{{value}}}" for value in sample.labels.values())
            found[sample.name.removeprefix("recording_archive_") + label] = sample.value
    return found


def test_a_sound_archive(archived: Archive) -> None:
    """Contents by state and size, nothing that waits, and the last run's success with its time."""
    rows, found = all_rows(archived), scraped(archived)
    assert found["recordings{archived}"] == len(rows)
    assert found["recordings{purged}"] == 0
    assert found["stored_bytes"] == sum(row.stored_bytes for row in rows)
    assert found["media_bytes"] == sum(row.size_bytes for row in rows)
    assert found["failures{decision}"] == found["failures{retrying}"] == found["damaged"] == found["holds"] == 0
    assert found["last_run_success{archive_recordings}"] == 1
    assert found["last_run_end_timestamp_seconds{archive_recordings}"] <= archived.clock().timestamp()
    assert "last_run_success{verify_archive}" not in found


def test_what_falls_behind(archived: Archive) -> None:
    """Time since the end of coverage, and since the oldest reading; damage and the failures that a person decides."""
    now = archived.clock()
    first, second, third, *_ = [row.interaction_id for row in all_rows(archived)]
    change(archived, first, verified_at=now - timedelta(days=40))
    change(archived, second, verified_ok=False)
    change(archived, third, state="discovered", failed_since=now - timedelta(days=400), last_error="HTTP 404")
    found = scraped(archived)
    assert 40 <= found["unverified_days"] < 40.1
    assert found["damaged"] == found["failures{decision}"] == found["recordings{discovered}"] == 1
    (lag,) = [value for name, value in found.items() if name.startswith("coverage_lag_seconds{")]
    assert lag > 6 * 86400


def test_who_vouches_and_what_is_locked_falls_behind(archived: Archive) -> None:
    """Of an authority that is asked for and never answered; and of locks, once a run has followed them."""
    assert "ledger_waiting_segments{stamped}" not in scraped(archived)
    asked = archived.settings.model_copy(update={"tsa_urls": "https://tsa.example/tsr"})
    later = replace(archived, settings=asked, clock=lambda: archived.clock() + timedelta(days=2))
    found = scraped(later)
    assert found["ledger_waiting_segments{stamped}"] >= 1
    assert found["ledger_lag_seconds{stamped}"] > 86400
    assert found["locks_behind"] == 0
    for number, facts in enumerate(({"locks": {"behind": 3}}, {})):
        begin_run(later, f"verify__{number}", "due")
        note_facts(later, f"verify__{number}", **facts)
    assert scraped(later)["locks_behind"] == 3


def test_a_failed_run(archive: Archive, run: Callable[..., Any], cloud: Sandbox) -> None:
    """The last run of each DAG counts, not the last that went well."""
    assert not run(archive, "scheduled__first").failed
    cloud.faults.add(Fault("wrong_bytes", recording=cloud.library[0].id))
    change(archive, cloud.library[0].id, state="discovered", sha256=None)
    run(archive, "scheduled__second")
    found = scraped(archive)
    assert found["last_run_success{archive_recordings}"] == 0
    assert found["failures{retrying}"] == 1
