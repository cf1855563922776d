"""Take up a document that nobody is known to have made: a person answers for it, by an event with its hash.

A crash between a document and its event leaves such a document; so does who puts a file into the archive's folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from recording_archive.access import in_force
from recording_archive.access.document import read_document
from recording_archive.archive import Archive
from recording_archive.disposition.documents import accept_loss, lost_erasures
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.holds import documents as hold_documents
from recording_archive.holds import rows
from recording_archive.holds.documents import read_key
from recording_archive.holds.lifecycle import checked_text
from recording_archive.holds.survey import read_recorded
from recording_archive.ledger.sealing import seal
from recording_archive.ledger.segments import unknown_segments
from recording_archive.recovery.documents import changed
from recording_archive.recovery.from_holds import enter_hold_document
from recording_archive.retention import policy_in_force


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A document and its effect from now on; not ``new`` when an event told of it before."""

    key: str
    new: bool
    effect: str


def take_up(archive: Archive, key: str, *, reason: str, actor: str) -> TakenUp:
    """Let ``actor`` answer for a hold, a release, a policy or an access document, or for the loss of a certificate.

    The event is sealed on return. Raises PermanentError for a document that is damaged or not as its event has it, and
    ConfigurationError for any other file.
    """
    why = checked_text("reason", reason)
    if unknown := unknown_segments(archive):
        raise StoreError(f"The catalog lacks segment {unknown[0]} of the ledger: run `recording-archive reindex` first")
    if key.startswith(hold_documents.FOLDER):
        taken = _take_up_hold(archive, key, reason=why, actor=actor)
    elif key.startswith(policy_in_force.FOLDER):
        taken = _take_up_policy(archive, key, reason=why, actor=actor)
    elif key.startswith(in_force.FOLDER):
        taken = _take_up_access(archive, key, reason=why, actor=actor)
    elif key in lost_erasures(archive):
        accept_loss(archive, key, reason=why, actor=actor)
        taken = TakenUp(key, new=True, effect="its erasures stand by the ledger's word")
    else:
        raise ConfigurationError(
            f"{key} is no hold, release, policy or access document, nor the lost certificate of an erasure: "
            "`recording-archive check` names what can be taken up"
        )
    seal(archive)
    return taken


def _take_up_hold(archive: Archive, key: str, *, reason: str, actor: str) -> TakenUp:
    (hold_id, ends), content = read_key(key), archive.store.read(key)
    digest = sha256(content).hexdigest()
    with archive.catalog.write() as connection:
        recorded = read_recorded(connection)
        new = key not in recorded.hashes
        enter_hold_document(connection, archive.id, key, content, recorded)
        if new:
            tell = rows.tell_ended if ends else rows.tell_made
            tell(connection, hold_id, digest, at=archive.clock(), actor=actor, reason=reason)
    return TakenUp(key, new, f"hold {hold_id} {'is released' if ends else 'holds'}")


def _take_up_policy(archive: Archive, key: str, *, reason: str, actor: str) -> TakenUp:
    adopted = policy_in_force.adoptions(archive.catalog)
    if key not in adopted and key not in policy_in_force.foreign(archive):
        raise ConfigurationError(f"{key} is no policy of the archive: `recording-archive retention adopt` makes it one")
    policy = policy_in_force.read_policy(archive.store.read(key), key)
    if (recorded := adopted.get(key)) not in (None, policy.version):
        raise changed(key, policy.version, str(recorded))
    if new := key not in adopted:
        policy_in_force.tell(archive, key, policy.version, actor=actor, reason=reason)
    return TakenUp(key, new, f"policy {policy.name} is adopted, version {policy.version}")


def _take_up_access(archive: Archive, key: str, *, reason: str, actor: str) -> TakenUp:
    adopted = in_force.adoptions(archive.catalog)
    if key not in adopted and key not in in_force.foreign(archive):
        raise ConfigurationError(
            f"{key} is no access document of the archive: `recording-archive access adopt` makes it one"
        )
    document = read_document(archive.store.read(key), key)
    if (recorded := adopted.get(key)) not in (None, document.version):
        raise changed(key, document.version, str(recorded))
    if new := key not in adopted:
        in_force.tell(archive, key, document.version, actor=actor, reason=reason)
    return TakenUp(key, new, f"access document {document.name} is adopted, version {document.version}")
