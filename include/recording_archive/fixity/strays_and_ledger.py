"""Checks of a run of `verify_archive` beside the recordings: stray files, and the ledger."""

from __future__ import annotations

import logging
from itertools import chain
from typing import Any

from sqlalchemy import delete

from recording_archive.archive import Archive
from recording_archive.catalog.tables import readings
from recording_archive.errors import ConfigurationError
from recording_archive.fixity import readings_table
from recording_archive.fixity.readings_table import Finding
from recording_archive.fixity.strays import Stray, find_strays
from recording_archive.ledger import sealing
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.proof_signatures import SignatureProof
from recording_archive.ledger.signatures import signing_key
from recording_archive.model import PartId

log = logging.getLogger(__name__)

MOST_NAMED = 1000  # files or flaws that a report names; all are counted


def look_for_strays(archive: Archive, run_id: str) -> int:
    """Add files that the catalog does not know to the run's readings; return how many there are."""
    with archive.catalog.write() as connection:  # of an attempt before this one
        mine = (readings.c.run_id == run_id, readings.c.outcome == Finding.STRAY)
        connection.execute(delete(readings).where(*mine))
    number, sidecars, named = 0, 0, list[dict[str, Any]]()
    for stray in find_strays(archive):
        number += 1
        sidecars += stray.part is not None
        if number <= MOST_NAMED:
            named.append(_reading(stray))
            log.warning("%s: %s", stray.key, stray.problem)
    readings_table.add_readings(archive, run_id, named)
    readings_table.note_facts(archive, run_id, strays=number, unknownSidecars=sidecars)
    return number


def verify_ledger(archive: Archive, run_id: str) -> int:
    """Prove the whole ledger, and every document by it; return how many flaws there are."""
    head = sealing.seal(archive)
    expected = str(head) if head else None
    signatures, broken = _signatures(archive)
    proof = Proof(archive.store, now=archive.clock(), expected=expected, signatures=signatures)
    number, named = 0, list[dict[str, str]]()
    for flaw in chain(broken, proof.flaws()):
        if flaw.tampered:
            number += 1
            log.error("%s: %s", flaw.place, flaw.problem)
            if number <= MOST_NAMED:
                named.append({"place": flaw.place, "problem": flaw.problem})
    readings_table.note_facts(archive, run_id, ledgerEvents=proof.events, ledgerFlaws=named, ledgerFlawed=number)
    log.info("ledger: %d events, %d documents, %d flaws, head %s", proof.events, proof.documents, number, proof.head)
    return number


def _signatures(archive: Archive) -> tuple[SignatureProof, list[Flaw]]:
    """Trust the key that signs here; one that cannot be used is a flaw of its own, and all else is checked."""
    try:
        key = signing_key(archive.settings)
    except ConfigurationError as error:
        return SignatureProof(), [Flaw("RECORDING_ARCHIVE_SIGNING_KEY_FILE", str(error))]
    return SignatureProof(key.public if key else None), []


def _reading(stray: Stray) -> dict[str, Any]:
    part = stray.part._asdict() if stray.part else dict.fromkeys(PartId._fields)
    return {**part, "key": stray.key, "outcome": Finding.STRAY, "problem": stray.problem}
