"""Proof of time stamps: each must be of its segment's head, and by an authority that the caller trusts.

It needs nothing that the archive's keeper has: who rewrites history needs a stamp of the past, and no authority gives
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    TimeStampResponse,
    VerificationError,
    Verifier,
    VerifierBuilder,
)

from recording_archive.errors import ArchiveError, ConfigurationError, RunError
from recording_archive.ledger import chain, marks
from recording_archive.ledger.chain import Head
from recording_archive.ledger.flaw import Flaw
from recording_archive.ledger.marks import Mark
from recording_archive.ledger.proof_index import ProofIndex
from recording_archive.ledger.stamp_reading import read_stamp
from recording_archive.store.base import Store

_OPTION = "--tsa-ca"
_LATE = timedelta(days=7)  # from sealing to the first stamp; what is younger waits for the next run


class StampProof:
    """One check of all stamps; ``newest`` is the newest head with a stamp that counts, ``at`` the time it tells.

    ``authorities`` is a PEM file with the certificates of trusted authorities; without it every stamp counts that is of
    its head.
    """

    def __init__(self, authorities: str | None = None) -> None:
        self.newest: Head | None = None
        self.at: datetime | None = None
        self._verifier = _verifier(authorities) if authorities is not None else None

    def flaws(self, store: Store, index: ProofIndex) -> Iterator[Flaw]:
        """Yield stamps that are wrong, segments that were stamped late, and those that are not stamped."""
        covered = 0
        for mark, head in index.marks(marks.STAMP):
            at = self._stamped_at(store, mark, head)
            if isinstance(at, Flaw):
                yield at
                continue
            sealed_at = index.sealed_at(covered + 1)
            if covered < mark.segment and sealed_at and at - sealed_at > _LATE:
                yield Flaw(
                    _range(covered + 1, mark.segment),
                    f"sealed by its own word from {sealed_at.isoformat()} on, and first stamped at {at.isoformat()}: "
                    "until then no authority saw it",
                    tampered=False,
                )
            covered = max(covered, mark.segment)
            self.newest, self.at = head, at
        yield from self._uncovered(index, covered)

    def _uncovered(self, index: ProofIndex, covered: int) -> Iterator[Flaw]:
        last = index.newest_head()
        if not last or covered >= last.segment:
            return
        if self._verifier and not covered:
            yield Flaw(_OPTION, "no head has a stamp of these authorities: they were removed, or the ledger rewritten")
        elif covered:
            yield Flaw(_range(covered + 1, last.segment), "not stamped yet: the next run asks for it", tampered=False)

    def _stamped_at(self, store: Store, mark: Mark, head: Head | None) -> datetime | Flaw:
        """Read the time of a stamp; return a flaw when it is not of the head, or by nobody who is trusted."""
        if head is None:
            return Flaw(mark.key, "stamps a segment that is not there: the ledger was cut")
        try:
            stamp = read_stamp(store.read(mark.key))
            if stamp.tst_info.message_imprint.message.hex() != head.sha256:
                return Flaw(mark.key, f"is not of the head {head}: the ledger was rewritten since it was stamped")
            return _verified(self._verifier, stamp, head)
        except RunError:
            raise
        except VerificationError as error:
            return Flaw(mark.key, f"is not by an authority of {_OPTION}, or was changed: {error}")
        except (ArchiveError, ValueError) as error:
            return Flaw(mark.key, f"is no time stamp ({error}): it was changed")


def _verified(verifier: Verifier | None, stamp: TimeStampResponse, head: Head) -> datetime:
    if verifier:
        verifier.verify(stamp, bytes.fromhex(head.sha256))
    return stamp.tst_info.gen_time


def _range(first: int, last: int) -> str:
    return chain.segment_key(first) + (f" to {chain.segment_key(last)}" if last > first else "")


def _verifier(path: str) -> Verifier:
    """Trust the certificates of a file: those that signed themselves as roots, others as steps to one."""
    try:
        certificates = load_pem_x509_certificates(Path(path).expanduser().read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{_OPTION}: {path} is not a file of certificates in PEM ({error})") from None
    builder = VerifierBuilder()
    for certificate in certificates:
        add = builder.add_root_certificate if _is_root(certificate) else builder.add_intermediate_certificate
        builder = add(certificate)
    try:
        return builder.build()
    except ValueError:
        raise ConfigurationError(f"{_OPTION}: {path} has no root certificate: put the CA's own into it") from None


def _is_root(certificate: Certificate) -> bool:
    return certificate.issuer == certificate.subject
