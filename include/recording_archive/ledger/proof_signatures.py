"""Proof of the signatures of heads, with the public keys in the archive, or with one that was kept elsewhere.

The archive's own keys show who sealed; who can rewrite the archive can put other keys there. A key from elsewhere, and
those that it vouched for, show that nobody did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recording_archive.errors import ArchiveError, ConfigurationError, RunError
from recording_archive.ledger import chain, marks
from recording_archive.ledger.chain import Head
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.proof_index import ProofIndex
from recording_archive.ledger.signing_key import PublicKey, keys_after, known_keys, parse_public_key
from recording_archive.store.base import Store

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_OPTION = "--key"


class SignatureProof:
    """One check of all signatures; ``newest`` is the newest head that a key signed which counts, ``by`` its name.

    ``expected`` is a public key from elsewhere: itself, a PEM file, or the 64 hex digits of a fingerprint.
    """

    def __init__(self, expected: str | PublicKey | None = None) -> None:
        self.newest: Head | None = None
        self.by: str | None = None
        self._expected = expected is not None
        self._key, self._fingerprint = _parsed(expected)

    def flaws(self, store: Store, archive_id: str, index: ProofIndex) -> Iterator[Flaw]:
        """Yield signatures that are wrong, and heads that no key signed which counts."""
        known = known_keys(store)
        keys = {name: key.public for name, key in known.items()}
        if self._key:
            keys.setdefault(self._key.name, self._key)
        trusted = self._key or next((key for key in keys.values() if key.fingerprint == self._fingerprint), None)
        if self._expected and trusted is None:
            yield Flaw(_OPTION, "the archive has no such key: its keys were replaced, or it was signed by another one")
        counting = keys_after(known, trusted) if trusted else set() if self._expected else set(keys)
        for mark, head in index.marks(marks.SIGNATURE):
            flaw = _wrong(store, archive_id, mark, head, keys)
            if flaw:
                yield flaw
            elif mark.by in counting:
                self.newest, self.by = head, mark.by
        yield from self._uncovered(index, signing=bool(keys))

    def _uncovered(self, index: ProofIndex, *, signing: bool) -> Iterator[Flaw]:
        """Name the newest segments when none of the keys signed them."""
        last, first = index.newest_head(), (self.newest.segment if self.newest else 0) + 1
        if not last or last.segment < first or not (signing or self._expected):
            return
        place = chain.segment_key(first) + (f" to {chain.segment_key(last.segment)}" if last.segment > first else "")
        if self._expected:
            yield Flaw(
                place,
                f"{_OPTION} did not sign it, nor a key that follows: the ledger was rewritten, or something sealed "
                "without the signing key; then the next sealing that has it signs it",
            )
        else:
            yield Flaw(place, "not signed yet: the next sealing that has the signing key does it", tampered=False)


def _wrong(
    store: Store, archive_id: str, mark: marks.Mark, head: Head | None, keys: dict[str, PublicKey]
) -> Flaw | None:
    if head is None:
        return Flaw(mark.key, "signs a segment that is not there: the ledger was cut")
    if mark.by not in keys:
        why = "is by none of the archive's keys, each of which the one before signed: find out who made it"
        return Flaw(mark.key, why)
    try:
        signature = store.read(mark.key)
    except RunError:
        raise
    except ArchiveError as error:
        return Flaw(mark.key, str(error))
    if not keys[mark.by].signed(signature, chain.statement(archive_id, head)):
        return Flaw(mark.key, f"does not sign the head {head}: the ledger was rewritten since it was signed")
    return None


def _parsed(expected: str | PublicKey | None) -> tuple[PublicKey | None, str | None]:
    """Read a key that the caller named: a file, or a fingerprint."""
    if not isinstance(expected, str):
        return expected, None
    if _FINGERPRINT.fullmatch(expected.lower()):
        return None, expected.lower()
    with suppress(OSError, ConfigurationError):
        return parse_public_key(Path(expected).expanduser().read_bytes()), None
    raise ConfigurationError(
        f"{expected!r} is no key: name a file with an Ed25519 public key in PEM, or give the 64 hex digits of its "
        "fingerprint, which `recording-archive keys list` shows"
    )
