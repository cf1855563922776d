"""A BagIt bag (RFC 8493) inside a ZIP, hashed as it streams: any tool for bags can check it, and so can `sha256sum`.

What is evidence lies below ``data/`` and in the manifest; what explains and checks it lies beside, in the tag manifest.
Both come last. The hash of the tag manifest stands for all of the bag: it is its fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from recording_archive.errors import FixityError
from recording_archive.evidence.tables import Aside
from recording_archive.evidence.zip_stream import ZipStream

_DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_MANIFEST, _TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"


class Bag:
    """A bag in a folder ``name`` of one ZIP; each method yields the bytes to send next. File names are plain ASCII."""

    def __init__(self, name: str, at: datetime) -> None:
        self.fingerprint = ""
        self._zip, self._name, self._at = ZipStream(at), name, at
        self._manifest, self._tag_manifest = Aside(), Aside()
        self._files = self._bytes = 0

    def payload(
        self, path: str, pieces: Iterable[bytes], *, size: int = 0, sha256: str | None = None
    ) -> Iterator[bytes]:
        """Add a file below ``data/``; raise FixityError at its end where the hash is not ``sha256``."""
        digest, counted = hashlib.sha256(), _Counted(pieces)
        yield from self._zip.file(f"{self._name}/data/{path}", counted.into(digest), size=size)
        if sha256 not in {None, digest.hexdigest()}:
            raise FixityError(path, expected=str(sha256), found=digest.hexdigest())
        self._files, self._bytes = self._files + 1, self._bytes + counted.size
        self._manifest.add(f"{digest.hexdigest()}  data/{path}\n")

    def tag(self, path: str, content: bytes) -> Iterator[bytes]:
        """Add a file beside ``data/``."""
        yield from self._tag(path, [content])

    def end(self, info: Mapping[str, object]) -> Iterator[bytes]:
        """Add what makes it a bag, with ``info`` about it; then `fingerprint` is known."""
        oxum = {"Bagging-Date": self._at.date(), "Payload-Oxum": f"{self._bytes}.{self._files}"}
        lines = [f"{name}: {value}\n" for name, value in {**info, **oxum}.items()]
        yield from self.tag("bagit.txt", _DECLARATION.encode())
        yield from self.tag("bag-info.txt", "".join(lines).encode())
        yield from self._tag(_MANIFEST, self._manifest.pieces())
        digest = hashlib.sha256()
        pieces = _Counted(self._tag_manifest.pieces()).into(digest)
        yield from self._zip.file(f"{self._name}/{_TAG_MANIFEST}", pieces)
        self.fingerprint = digest.hexdigest()
        yield self._zip.end()

    def _tag(self, path: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        digest = hashlib.sha256()
        yield from self._zip.file(f"{self._name}/{path}", _Counted(pieces).into(digest))
        self._tag_manifest.add(f"{digest.hexdigest()}  {path}\n")


class _Counted:
    """Pieces that are counted and hashed as they pass."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self.size = pieces, 0

    def into(self, digest: hashlib._Hash) -> Iterator[bytes]:
        for piece in self._pieces:
            digest.update(piece)
            self.size += len(piece)
            yield piece
