"""Documents as an auditor gets them on paper: what is printed, its SHA-256, and who vouches for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from recording_archive.disposition.certificate import certificate_key
from recording_archive.holds.documents import key_of, release_key_of
from recording_archive.ledger.document_proof import DocumentProof, prove_document, prove_statement
from recording_archive.reports.reading import keys_of
from recording_archive.web.read.coverage import Coverage
from recording_archive.web.read.retention_plans import PlanRow

_e = events.c
_CHECK = "recording-archive verify-ledger"


@dataclass(frozen=True, slots=True)
class Paper:
    """The words of a printed page about itself: of which archive, printed when by whom, and each document's proof.

    ``check`` is the command that anyone can repeat.
    """

    archive_id: str
    printed_at: datetime
    printed_by: str
    documents: tuple[tuple[str, DocumentProof], ...]
    check: str = _CHECK


def paper_of_hold(archive: Archive, user: str, hold_id: str, *, released: bool) -> Paper:
    """Prove a hold's document, and that of its release."""

    def documents() -> Iterator[tuple[str, DocumentProof]]:
        yield "Hold", prove_document(archive, key_of(hold_id), *_events_of("held"))
        if released:
            yield "Release", prove_document(archive, release_key_of(hold_id), *_events_of("released"))

    return _paper(archive, user, documents())


def paper_of_certificate(archive: Archive, user: str, number: str, document: dict[str, Any]) -> Paper:
    """Prove a certificate by the event of the first part that it lists."""
    parts = document.get("parts")
    first = parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], dict) else {}
    about = _e.interaction_id == str(first.get("interactionId", ""))
    key = certificate_key(number)
    return _paper(archive, user, iter([("Certificate", prove_document(archive, key, about))]))


def paper_of_report(archive: Archive, user: str, run_id: str, report_key: str | None) -> Paper:
    """Prove the files of a run's report; none where the run has not closed."""

    def documents() -> Iterator[tuple[str, DocumentProof]]:
        for key in keys_of(report_key)[:2] if report_key else ():
            name = "Report" if key.endswith(".json") else "Its table, which lists every recording"
            yield name, prove_document(archive, key, *_events_of("reported"), _e.run_id == run_id)

    return _paper(archive, user, documents())


def paper_of_plan(archive: Archive, user: str, plan: PlanRow) -> Paper:
    """Prove a plan by the hash that an approval names, and the files of its report."""
    report = paper_of_report(archive, user, plan.run_id, plan.report_key).documents
    about = (*_events_of("planned"), _e.run_id == plan.run_id)
    listed = [("Plan", prove_statement(archive, plan.sha256, *about))] if plan.sha256 else []
    return _paper(archive, user, iter([*listed, *report]))


def paper_of_coverage(archive: Archive, user: str, coverage: Coverage) -> Paper:
    """Hash a statement of coverage as REST answers it; it is made when it is asked for, so no event records it."""
    digest = sha256(coverage.model_dump_json(by_alias=True).encode()).hexdigest()
    days = f"from={coverage.days[0].date}&to={coverage.days[-1].date}"
    check = f"curl …/archive/api/coverage?{days} | sha256sum"
    return _paper(archive, user, iter([("Statement", prove_statement(archive, digest))]), check)


def _paper(archive: Archive, user: str, documents: Iterator[tuple[str, DocumentProof]], check: str = _CHECK) -> Paper:
    return Paper(archive.id, archive.clock(), user, tuple(documents), check)


def _events_of(kind: str) -> tuple[ColumnElement[bool], ...]:
    return _e.interaction_id.is_(None), _e.kind == kind
